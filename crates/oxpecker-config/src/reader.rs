//! Reads one table by hand: each option once, through the parents it inherits from, with its
//! default from the option table. Reports unknown keys, missing ones and remembers where every
//! value came from.

use std::collections::BTreeMap;

use toml::de::{DeTable, DeValue};

use crate::context::{Ctx, did_you_mean, listed, shorten};
use crate::options::{self, Fallback, OptionDoc, TableDoc};
use crate::origin::{Entry, Origin, Shown};
use crate::show;
use crate::text::Place;

/// A value on its way to becoming a field.
#[derive(Clone, Copy)]
pub(crate) struct Val<'v> {
    pub(crate) value: &'v DeValue<'v>,
    pub(crate) place: Place,
    pub(crate) doc: &'static OptionDoc,
}

/// One table of a chain: the object's own, or a parent's.
#[derive(Clone)]
pub(crate) struct Layer<'i> {
    pub(crate) file: usize,
    pub(crate) table: &'i DeTable<'i>,
    /// Name of the parent this is; empty for the object's own.
    pub(crate) parent: String,
}

/// Where the values of one object stand.
#[derive(Debug, Clone)]
pub(crate) struct Places {
    pub(crate) name: Place,
    keys: BTreeMap<&'static str, Place>,
}

impl Places {
    /// The value of `key` when the object's own table has it, else the object's name.
    pub(crate) fn of(&self, key: &str) -> Place {
        self.keys.get(key).copied().unwrap_or(self.name)
    }

    /// The object's own table has it.
    pub(crate) fn has(&self, key: &str) -> bool {
        self.keys.contains_key(key)
    }
}

pub(crate) struct Reader<'c, 'a, 'i> {
    pub(crate) ctx: &'c mut Ctx<'a>,
    table: &'static TableDoc,
    /// For messages, such as `[pool.hs2]`.
    title: String,
    layers: Vec<Layer<'i>>,
    entries: BTreeMap<&'static str, Entry>,
    places: Places,
    ignored: Vec<&'static str>,
}

/// What a converter makes of a value: `None` = it has reported why not.
pub(crate) trait Convert<T>: Fn(&mut Ctx<'_>, &Val<'_>) -> Option<T> {}
impl<T, F: Fn(&mut Ctx<'_>, &Val<'_>) -> Option<T>> Convert<T> for F {}

impl<'c, 'a, 'i> Reader<'c, 'a, 'i> {
    /// `name` is where a missing key is reported.
    pub(crate) fn new(
        ctx: &'c mut Ctx<'a>,
        table: &str,
        title: impl Into<String>,
        name: Place,
        layers: Vec<Layer<'i>>,
    ) -> Self {
        Self {
            ctx,
            table: options::table(table),
            title: title.into(),
            layers,
            entries: BTreeMap::new(),
            places: Places { name, keys: BTreeMap::new() },
            ignored: Vec::new(),
        }
    }

    /// An option that must be written.
    pub(crate) fn required<T>(&mut self, key: &str, convert: impl Convert<T>) -> Option<T> {
        let doc = self.doc(key);
        if let Some((layer, val)) = self.find(doc) {
            return self.take(doc, layer, &val, convert);
        }
        let message = format!("`{key}` is missing in {}", self.title);
        let help = format!("for example: {key} = {}", doc.example);
        self.ctx.error(self.places.name, message).help(help).consequence();
        None
    }

    /// An option with a default value.
    pub(crate) fn value<T>(&mut self, key: &str, convert: impl Convert<T>) -> Option<T> {
        let doc = self.doc(key);
        if let Some((layer, val)) = self.find(doc) {
            return self.take(doc, layer, &val, convert);
        }
        let Fallback::Value(text) = doc.default else {
            debug_assert!(false, "{key} of {} has no default value", self.table.name);
            return None;
        };
        let parsed = DeValue::parse(text).ok()?;
        let val = Val { value: parsed.get_ref(), place: self.places.name, doc };
        let converted = convert(self.ctx, &val);
        debug_assert!(converted.is_some(), "default of {key} in {} is bad", self.table.name);
        self.ctx.shown = None;
        self.entries.insert(
            doc.key,
            Entry { key: doc.key, shown: Shown::One(text.to_owned()), origin: Origin::Default },
        );
        converted
    }

    /// An option that may be absent: `Some(None)`.
    pub(crate) fn optional<T>(&mut self, key: &str, convert: impl Convert<T>) -> Option<Option<T>> {
        let doc = self.doc(key);
        if let Some((layer, val)) = self.find(doc) {
            return self.take(doc, layer, &val, convert).map(Some);
        }
        let Fallback::Unset(meaning) = doc.default else {
            debug_assert!(false, "{key} of {} must not be optional", self.table.name);
            return None;
        };
        let shown = Shown::Unset(meaning.to_owned());
        self.entries.insert(doc.key, Entry { key: doc.key, shown, origin: Origin::Default });
        Some(None)
    }

    /// The same, never inherited.
    pub(crate) fn own<T>(&mut self, key: &str, convert: impl Convert<T>) -> Option<Option<T>> {
        let parents = self.layers.split_off(self.own_layers());
        let found = self.optional(key, convert);
        self.layers.extend(parents);
        found
    }

    /// Shows a computed default where nothing was written.
    pub(crate) fn computed(&mut self, key: &str, toml: impl Into<String>) {
        if let Some(entry) = self.entries.get_mut(key)
            && matches!(entry.shown, Shown::Unset(_))
        {
            entry.shown = Shown::One(toml.into());
        }
    }

    /// Some layer writes this key.
    pub(crate) fn is_written(&self, key: &str) -> bool {
        self.layers.iter().any(|layer| layer.table.contains_key(key))
    }

    /// The value in the object's own table, else the object's name.
    pub(crate) fn place(&self, key: &str) -> Place {
        self.places.of(key)
    }

    /// Another step reads this key.
    pub(crate) fn ignore(&mut self, key: &'static str) {
        self.ignored.push(key);
    }

    /// Does not show this key.
    pub(crate) fn hide(&mut self, key: &str) {
        if let Some(entry) = self.entries.get_mut(key) {
            entry.shown = Shown::Unset(String::new());
        }
    }

    /// The object's own table has this key.
    pub(crate) fn has_own(&self, key: &str) -> bool {
        self.places.has(key)
    }

    /// Reports the keys nobody asked for.
    pub(crate) fn finish(self) -> (Places, Vec<Entry>) {
        for option in self.table.options {
            let read = self.entries.contains_key(option.key) || self.is_written(option.key);
            debug_assert!(
                read || matches!(option.default, Fallback::Required),
                "nobody reads {} of {}",
                option.key,
                self.table.name
            );
        }
        let own = self.own_layers();
        for layer in &self.layers[..own] {
            for (key, _) in layer.table {
                let name = key.get_ref().as_ref();
                let known = self.table.options.iter().any(|option| option.key == name);
                if known || self.ignored.contains(&name) {
                    continue;
                }
                let place = Place::new(layer.file, key.span());
                let message = format!("unknown key `{}` in {}", shorten(name), self.title);
                let help = unknown_key_help(self.table, name);
                self.ctx.error(place, message).help_if(help);
            }
        }
        let order = |key: &str| self.table.options.iter().position(|option| option.key == key);
        let mut entries: Vec<Entry> = self.entries.into_values().collect();
        entries.sort_by_key(|entry| order(entry.key));
        (self.places, entries)
    }

    /// Finishes an inline table: it is shown as one value.
    pub(crate) fn finish_inline(self) -> Places {
        let Reader { ctx, table, title, layers, entries, places, ignored } = self;
        let inner = Reader { ctx: &mut *ctx, table, title, layers, entries, places, ignored };
        let (places, entries) = inner.finish();
        let parts: Vec<String> = entries
            .iter()
            .filter_map(|entry| match &entry.shown {
                Shown::One(text) => Some(format!("{} = {text}", entry.key)),
                _ => None,
            })
            .collect();
        ctx.shown = Some(Shown::One(format!("{{ {} }}", parts.join(", "))));
        places
    }

    /// Layers that are the object itself. `[process]` may stand in several files.
    fn own_layers(&self) -> usize {
        self.layers.iter().take_while(|layer| layer.parent.is_empty()).count()
    }

    fn doc(&self, key: &str) -> &'static OptionDoc {
        let found = self.table.options.iter().find(|option| option.key == key);
        debug_assert!(found.is_some(), "{key} is not in the option table of {}", self.table.name);
        found.unwrap_or(&self.table.options[0])
    }

    fn find(&self, doc: &'static OptionDoc) -> Option<(usize, Val<'i>)> {
        self.layers.iter().enumerate().find_map(|(n, layer)| {
            let value = layer.table.get(doc.key)?;
            let place = Place::new(layer.file, value.span());
            Some((n, Val { value: value.get_ref(), place, doc }))
        })
    }

    fn take<T>(
        &mut self,
        doc: &'static OptionDoc,
        layer: usize,
        val: &Val<'_>,
        convert: impl Convert<T>,
    ) -> Option<T> {
        self.ctx.shown = None;
        let converted = convert(self.ctx, val);
        let shown = self.ctx.shown.take();
        let shown = shown.unwrap_or_else(|| Shown::One(show::value(self.ctx, val.value)));
        let layer = &self.layers[layer];
        let origin = if layer.parent.is_empty() {
            self.places.keys.insert(doc.key, val.place);
            let file = &self.ctx.files[val.place.file];
            Origin::At {
                file: file.name.clone(),
                line: file.line_of(val.place.start) + 1,
                place: val.place,
            }
        } else {
            Origin::Parent(layer.parent.clone())
        };
        self.entries.insert(doc.key, Entry { key: doc.key, shown, origin });
        converted
    }
}

fn unknown_key_help(table: &TableDoc, key: &str) -> Option<String> {
    let keys = || table.options.iter().map(|option| option.key);
    let elsewhere = || {
        let home = options::TABLES
            .iter()
            .find(|other| other.options.iter().any(|option| option.key == key))?;
        Some(format!("`{key}` belongs in {}", home.heading))
    };
    did_you_mean(key, keys()).or_else(elsewhere).or_else(|| listed("keys here:", keys()))
}
