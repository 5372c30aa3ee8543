//! Points at a value of a checked configuration with which something turned out to be wrong
//! later, such as a certificate file that cannot be read. Opens nothing itself.

use crate::check::Checked;
use crate::context::clean;
use crate::diagnostic::{Diagnostic, Severity};
use crate::origin::{Origin, Section};
use crate::text::Place;

impl Checked {
    /// A problem with the value that `key` of `table` has, such as `certificates` of
    /// `profile.tls_client.front`. It is told where the value is written: in the table itself, or
    /// in the parent it is inherited from. What is written nowhere is told at the table's name.
    pub fn locate(
        &self,
        severity: Severity,
        table: &str,
        key: &str,
        message: &str,
        help: Option<&str>,
    ) -> Diagnostic {
        let place = self.place_of(table, key);
        let message = clean(message);
        self.origin.files[place.file].diagnostic(severity, place, message, help.map(clean))
    }

    fn place_of(&self, table: &str, key: &str) -> Place {
        let nowhere = Place::new(1, 0..0);
        let Some(section) = self.section(table) else { return nowhere };
        let mut found = section;
        // The check has refused parents in a ring.
        let place = loop {
            match origin_of(found, key) {
                Some(Origin::At { place, .. }) => break *place,
                Some(Origin::Parent(name)) => match self.section(&beside(table, name)) {
                    Some(parent) => found = parent,
                    None => break section.place,
                },
                Some(Origin::Default) | None => break section.place,
            }
        };
        // Nobody can look at the built-in text, but at the heir, or at who uses it.
        let written = [Some(place), Some(section.place), self.use_of(table, section)];
        written.into_iter().flatten().find(|place| place.file != 0).unwrap_or(nowhere)
    }

    fn section(&self, table: &str) -> Option<&Section> {
        self.origin.sections.iter().find(|section| plain(&section.heading) == table)
    }

    /// Where the first user of a TLS profile names it.
    fn use_of(&self, table: &str, section: &Section) -> Option<Place> {
        let (kind, name) = section.used_by.first()?.split_once(' ')?;
        let user = self.section(&format!("{kind}.{name}"))?;
        let key = match kind {
            "monitor" => "tls",
            _ => table.split('.').nth(1)?,
        };
        match origin_of(user, key) {
            Some(Origin::At { place, .. }) => Some(*place),
            _ => Some(user.place),
        }
    }
}

fn origin_of<'s>(section: &'s Section, key: &str) -> Option<&'s Origin> {
    section.entries.iter().find(|entry| entry.key == key).map(|entry| &entry.origin)
}

/// `[pool."a.b"]` as `pool.a.b`: names hold neither brackets nor quotes.
fn plain(heading: &str) -> String {
    heading.chars().filter(|c| !matches!(c, '[' | ']' | '"')).collect()
}

/// Another table of the same kind as `table`: `profile.KIND.NAME` or `KIND.NAME`.
fn beside(table: &str, name: &str) -> String {
    let kinds = if table.starts_with("profile.") { 2 } else { 1 };
    let kind: Vec<&str> = table.split('.').take(kinds).collect();
    format!("{}.{name}", kind.join("."))
}
