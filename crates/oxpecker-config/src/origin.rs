//! Where every effective value came from; kept beside the configuration for `explain`, and to
//! point at values that turn out bad later.

use crate::text::{File, Place};

/// The sections of the effective configuration, in the order they are explained, and the texts
/// they come from.
#[derive(Debug, Clone, Default)]
pub struct Origins {
    pub(crate) sections: Vec<Section>,
    /// As [`Place`] counts them; their `Debug` shows no text, which may hold secrets.
    pub(crate) files: Vec<File>,
}

#[derive(Debug, Clone)]
pub(crate) struct Section {
    /// Such as `[pool.hs2]`.
    pub(crate) heading: String,
    /// Its name in the file.
    pub(crate) place: Place,
    /// Read-only: shown as a comment, for writing it again would be an error.
    pub(crate) built_in: bool,
    /// Who takes values from it, such as `virtual hue`.
    pub(crate) used_by: Vec<String>,
    pub(crate) entries: Vec<Entry>,
}

#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) key: &'static str,
    pub(crate) shown: Shown,
    pub(crate) origin: Origin,
}

/// A value as text; secrets are already `***` here.
#[derive(Debug, Clone)]
pub(crate) enum Shown {
    /// Not set; what that means, in words.
    Unset(String),
    /// TOML.
    One(String),
    /// A list with one element per line, each with its own `file:line`.
    Many(Vec<(String, Option<String>)>),
}

#[derive(Debug, Clone)]
pub(crate) enum Origin {
    Default,
    /// Inherited from the profile or monitor of this name.
    Parent(String),
    At {
        file: String,
        line: usize,
        place: Place,
    },
}

impl Origins {
    /// Names other places for all values, for a configuration whose text was made from another
    /// one: `elsewhere` gets a line of the only input, and tells file and line of its own origin.
    pub fn retrace(&mut self, elsewhere: impl Fn(usize) -> Option<(String, usize)>) {
        let entries = self.sections.iter_mut().flat_map(|section| &mut section.entries);
        for entry in entries {
            if let Origin::At { file, line, place } = &mut entry.origin
                && place.file != 0
                && let Some((other_file, other_line)) = elsewhere(*line)
            {
                (*file, *line) = (other_file, other_line);
            }
            let Shown::Many(items) = &mut entry.shown else { continue };
            for (_, shown_place) in items {
                let line = shown_place.as_ref().and_then(|place| place.rsplit_once(':'));
                let line = line.and_then(|(_, line)| line.parse().ok());
                if let Some((file, line)) = line.and_then(&elsewhere) {
                    *shown_place = Some(format!("{file}:{line}"));
                }
            }
        }
    }
}
