//! What was asked for: which view, and what is chosen in it. The address holds all of it, so a view
//! can be linked, loaded anew, and used without JavaScript.

use serde::Deserialize;

use super::words;

/// Longer texts cannot be a name of anything here.
const TEXT_MAX: usize = 300;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum View {
    #[default]
    Map,
    Statistics,
    Hour,
    Member,
    Connections,
    Endings,
    Sessions,
    Operations,
    Statements,
    Events,
    Persistence,
    Certificates,
    Configuration,
}

impl View {
    /// All but `Member`, which the others lead to.
    pub(super) const LISTED: [Self; 12] = [
        Self::Map,
        Self::Statistics,
        Self::Hour,
        Self::Connections,
        Self::Endings,
        Self::Sessions,
        Self::Operations,
        Self::Statements,
        Self::Events,
        Self::Persistence,
        Self::Certificates,
        Self::Configuration,
    ];

    pub(super) fn slug(self) -> &'static str {
        match self {
            Self::Map => "map",
            Self::Statistics => "statistics",
            Self::Hour => "hour",
            Self::Member => "member",
            Self::Connections => "connections",
            Self::Endings => "endings",
            Self::Sessions => "sessions",
            Self::Operations => "operations",
            Self::Statements => "statements",
            Self::Events => "events",
            Self::Persistence => "persistence",
            Self::Certificates => "certificates",
            Self::Configuration => "configuration",
        }
    }

    /// In the navigation.
    pub(super) fn label(self) -> &'static str {
        match self {
            Self::Map => "Map",
            Self::Hour => "Last hour",
            _ => self.title(),
        }
    }

    pub(super) fn title(self) -> &'static str {
        match self {
            Self::Map => "Network map",
            Self::Statistics => "Statistics",
            Self::Hour => "The last hour",
            Self::Member => "Member",
            Self::Connections => "Connections",
            Self::Endings => "Endings",
            Self::Sessions => "Sessions",
            Self::Operations => "Operations",
            Self::Statements => "Statements",
            Self::Events => "Events",
            Self::Persistence => "Persistence",
            Self::Certificates => "Certificates",
            Self::Configuration => "Configuration",
        }
    }

    pub(super) fn path(self) -> String {
        match self {
            Self::Map => "/".to_owned(),
            other => format!("/ui/{}", other.slug()),
        }
    }

    pub(super) fn from_slug(slug: &str) -> Option<Self> {
        Self::LISTED.into_iter().chain([Self::Member]).find(|view| view.slug() == slug)
    }
}

/// A query's parts; what a view does not know it ignores.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(default)]
pub(super) struct Asked {
    pub(super) view: View,
    pub(super) search: String,
    /// Of the statistics: `pools`, `nodes` or `virtuals`.
    pub(super) of: String,
    /// `normalized` or `exact`.
    pub(super) format: String,
    /// `bits` or `bytes`.
    pub(super) unit: String,
    /// A column of a table, with `-` before it for the greatest first.
    pub(super) sort: String,
    pub(super) pool: String,
    pub(super) member: String,
    #[serde(rename = "virtual")]
    pub(super) virtual_server: String,
}

impl Asked {
    /// Shortens what is too long to mean anything.
    pub(super) fn bounded(mut self) -> Self {
        for text in [
            &mut self.search,
            &mut self.of,
            &mut self.format,
            &mut self.unit,
            &mut self.sort,
            &mut self.pool,
            &mut self.member,
            &mut self.virtual_server,
        ] {
            let end = text.char_indices().nth(TEXT_MAX).map_or(text.len(), |(end, _)| end);
            text.truncate(end);
        }
        self
    }

    /// What is chosen, without the view; empty choices are left out.
    pub(super) fn pairs(&self) -> impl Iterator<Item = (&'static str, &str)> {
        [
            ("of", &self.of),
            ("search", &self.search),
            ("format", &self.format),
            ("unit", &self.unit),
            ("sort", &self.sort),
            ("pool", &self.pool),
            ("member", &self.member),
            ("virtual", &self.virtual_server),
        ]
        .into_iter()
        .filter(|(_, value)| !value.is_empty())
        .map(|(name, value)| (name, value.as_str()))
    }

    pub(super) fn get(&self, wanted: &str) -> &str {
        self.pairs().find(|(name, _)| *name == wanted).map_or("", |(_, value)| value)
    }

    /// For the stream of this view.
    pub(super) fn query(&self) -> String {
        let mut query = format!("view={}", self.view.slug());
        for (name, value) in self.pairs() {
            query.push_str(&format!("&{name}={}", words::query(value)));
        }
        query
    }

    /// The same view with other choices.
    pub(super) fn link(&self, changes: &[(&str, &str)]) -> String {
        let kept = self.pairs().filter(|(name, _)| changes.iter().all(|(other, _)| other != name));
        let part = |name: &str, value: &str| format!("{name}={}", words::query(value));
        let mut parts: Vec<String> = kept.map(|(name, value)| part(name, value)).collect();
        let chosen = changes.iter().filter(|(_, value)| !value.is_empty());
        parts.extend(chosen.map(|(name, value)| part(name, value)));
        let path = self.view.path();
        if parts.is_empty() { path } else { format!("{path}?{}", parts.join("&")) }
    }

    /// Whether one of the texts holds what was searched for.
    pub(super) fn finds(&self, texts: &[&str]) -> bool {
        let wanted = self.search.trim().to_lowercase();
        wanted.is_empty() || texts.iter().any(|text| text.to_lowercase().contains(&wanted))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_keep_what_is_chosen() {
        let asked = Asked {
            view: View::Statistics,
            search: "a&b".into(),
            of: "nodes".into(),
            ..Asked::default()
        };
        assert_eq!(asked.query(), "view=statistics&of=nodes&search=a%26b");
        let exact = asked.link(&[("format", "exact")]);
        assert_eq!(exact, "/ui/statistics?of=nodes&search=a%26b&format=exact");
        assert_eq!(asked.link(&[("search", ""), ("of", "")]), "/ui/statistics");
    }

    #[test]
    fn a_search_ignores_case_and_needs_no_text() {
        let asked = Asked { search: " Impala ".into(), ..Asked::default() };
        assert!(asked.finds(&["x", "IMPALA-1"]));
        assert!(!asked.finds(&["x"]));
        assert!(Asked::default().finds(&[]));
    }

    #[test]
    fn every_view_is_found_by_its_slug() {
        for view in View::LISTED {
            assert_eq!(View::from_slug(view.slug()), Some(view));
        }
        assert_eq!(View::from_slug("member"), Some(View::Member));
        assert_eq!(View::from_slug("x"), None);
    }

    #[test]
    fn long_texts_are_cut_between_characters() {
        let asked = Asked { search: "é".repeat(1000), ..Asked::default() }.bounded();
        assert_eq!(asked.search.chars().count(), TEXT_MAX);
    }
}
