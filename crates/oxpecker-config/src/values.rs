//! From a TOML value to a field: types, ranges, units, words. Each function reports what is
//! wrong and how to write it, and answers `None` then.

use std::path::PathBuf;
use std::time::Duration;

use toml::de::{DeTable, DeValue};

use crate::context::{Ctx, NameSet, Names, did_you_mean, listed, shorten};
use crate::interpolate::{self, BadReference};
use crate::model::{Passphrase, Secret};
use crate::options::Kind;
use crate::origin::Shown;
use crate::reader::{Convert, Layer, Reader, Val};
use crate::show;
use crate::text::Place;
use crate::units::{BadDuration, LONGEST, parse_duration, parse_size, show_duration, show_size};
use crate::words::Word;

pub(crate) mod network;
pub(crate) mod tls;

/// "must be a whole number …, not a string".
pub(crate) fn wrong_type<T>(ctx: &mut Ctx<'_>, val: &Val<'_>) -> Option<T> {
    let found = match val.value {
        DeValue::String(_) => "a text",
        DeValue::Integer(_) => "a number",
        DeValue::Float(_) => "a number with a fraction",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    };
    let message = format!("`{}` must be {}, not {found}", val.doc.key, val.doc.kind.describe());
    let help = format!("for example: {} = {}", val.doc.key, val.doc.example);
    ctx.error(val.place, message).help(help);
    None
}

/// Something of the right type with a wrong content: "`key` must be …".
pub(crate) fn bad<T>(ctx: &mut Ctx<'_>, val: &Val<'_>, message: String, help: &str) -> Option<T> {
    let problem = ctx.error(val.place, message);
    if !help.is_empty() {
        problem.help(help);
    }
    None
}

/// Any string, variables replaced.
pub(crate) fn text(ctx: &mut Ctx<'_>, val: &Val<'_>) -> Option<String> {
    let DeValue::String(text) = val.value else { return wrong_type(ctx, val) };
    match interpolate::replace(text, ctx.source) {
        Ok(text) => Some(text),
        Err(problem) => {
            report_reference(ctx, val.place, &problem);
            None
        }
    }
}

fn report_reference(ctx: &mut Ctx<'_>, place: Place, problem: &BadReference) {
    let (start, message, help) = match problem {
        BadReference::Undefined(name) => (
            format!("${{{name}"),
            format!("environment variable `{}` is not set", shorten(name)),
            format!("set it, or write \"${{{}:-default}}\"", shorten(name)),
        ),
        BadReference::Unclosed => (
            "${".to_owned(),
            "`${` without its `}`".to_owned(),
            "write \"$${\" for the two characters themselves".to_owned(),
        ),
        BadReference::BadName(name) => (
            format!("${{{name}"),
            format!("`{}` is not the name of an environment variable", shorten(name)),
            "letters, digits and `_`; write \"$${\" for the two characters themselves".to_owned(),
        ),
    };
    // Narrowed to the reference where it stands in the file as it is.
    let narrowed = ctx.files[place.file].slice(place).find(&start).map(|at| {
        let start_at = place.start + at;
        let closing = usize::from(!matches!(problem, BadReference::Unclosed));
        Place::new(place.file, start_at..(start_at + start.len() + closing).min(place.end))
    });
    ctx.error(narrowed.unwrap_or(place), message).help(help);
}

/// A string with something in it.
pub(crate) fn filled(ctx: &mut Ctx<'_>, val: &Val<'_>) -> Option<String> {
    let found = text(ctx, val)?;
    if found.trim().is_empty() || found.contains('\0') {
        return bad(ctx, val, format!("`{}` must not be empty", val.doc.key), "");
    }
    Some(found)
}

pub(crate) fn path(ctx: &mut Ctx<'_>, val: &Val<'_>) -> Option<PathBuf> {
    filled(ctx, val).map(PathBuf::from)
}

pub(crate) fn switch(ctx: &mut Ctx<'_>, val: &Val<'_>) -> Option<bool> {
    match val.value {
        DeValue::Boolean(switch) => Some(*switch),
        _ => wrong_type(ctx, val),
    }
}

/// A whole number in the range the option table gives.
pub(crate) fn count<T: TryFrom<u64>>(ctx: &mut Ctx<'_>, val: &Val<'_>) -> Option<T> {
    let (Kind::Count(min, max) | Kind::CountOrOff(min, max)) = val.doc.kind else {
        debug_assert!(false, "{} is no count in the option table", val.doc.key);
        return None;
    };
    let DeValue::Integer(number) = val.value else { return wrong_type(ctx, val) };
    let number = i128::from_str_radix(number.as_str(), number.radix());
    let in_range = number
        .ok()
        .and_then(|number| u64::try_from(number).ok())
        .filter(|number| (min..=max).contains(number))
        .and_then(|number| T::try_from(number).ok());
    if in_range.is_none() {
        let message = format!("`{}` must be {}", val.doc.key, val.doc.kind.describe());
        ctx.error(val.place, message);
    }
    in_range
}

/// `None` inside for the word `off`.
pub(crate) fn count_or_off<T: TryFrom<u64>>(ctx: &mut Ctx<'_>, val: &Val<'_>) -> Option<Option<T>> {
    if is_off(ctx, val) {
        return Some(None);
    }
    count(ctx, val).map(Some)
}

pub(crate) fn duration(ctx: &mut Ctx<'_>, val: &Val<'_>) -> Option<Duration> {
    let least = match val.doc.kind {
        Kind::Duration(least) => least,
        Kind::DurationOrOff => 1,
        _ => {
            debug_assert!(false, "{} is no duration in the option table", val.doc.key);
            0
        }
    };
    let key = val.doc.key;
    let needs_unit = |ctx: &mut Ctx<'_>, number: &str| {
        let number = shorten(number);
        let help = format!("write \"{number}s\" or \"{number}ms\"");
        bad(ctx, val, format!("`{key}` needs a unit"), &help)
    };
    let text = match val.value {
        DeValue::Integer(number) => return needs_unit(ctx, &number.to_string()),
        _ => text(ctx, val)?,
    };
    let units = "units are ms, s, m, h and d, as in \"1h30m\"";
    match parse_duration(&text) {
        Ok(duration) if duration >= Duration::from_millis(least) => Some(duration),
        Ok(_) => {
            let least = show_duration(Duration::from_millis(least));
            let help = match val.doc.kind {
                Kind::DurationOrOff => "write \"off\" for none",
                _ => "",
            };
            bad(ctx, val, format!("`{key}` must be at least {least}"), help)
        }
        Err(BadDuration::NoUnit(number)) => needs_unit(ctx, &number),
        Err(BadDuration::UnknownUnit(unit)) => {
            bad(ctx, val, format!("`{key}` has the unknown unit `{}`", shorten(&unit)), units)
        }
        Err(BadDuration::TooLong) => {
            let longest = show_duration(LONGEST);
            bad(ctx, val, format!("`{key}` is longer than {longest}"), "")
        }
        Err(BadDuration::Empty | BadDuration::NotANumber(_)) => {
            let words = val.doc.kind.describe();
            bad(ctx, val, format!("`{key}` must be {words}, not `{}`", shorten(&text)), units)
        }
    }
}

/// Bytes.
pub(crate) fn size(ctx: &mut Ctx<'_>, val: &Val<'_>) -> Option<u64> {
    let Kind::Size(least) = val.doc.kind else {
        debug_assert!(false, "{} is no size in the option table", val.doc.key);
        return None;
    };
    let key = val.doc.key;
    let text = match val.value {
        DeValue::Integer(number) => {
            let help = format!("write \"{}MiB\" or \"{0}GiB\"", shorten(&number.to_string()));
            return bad(ctx, val, format!("`{key}` needs a unit"), &help);
        }
        _ => text(ctx, val)?,
    };
    match parse_size(&text) {
        Some(bytes) if bytes >= least => Some(bytes),
        Some(_) => bad(ctx, val, format!("`{key}` must be at least {}", show_size(least)), ""),
        None => {
            let words = val.doc.kind.describe();
            let message = format!("`{key}` must be {words}, not `{}`", shorten(&text));
            bad(ctx, val, message, "units are KiB, MiB, GiB and TiB")
        }
    }
}

/// `None` inside for the word `off`.
pub(crate) fn duration_or_off(ctx: &mut Ctx<'_>, val: &Val<'_>) -> Option<Option<Duration>> {
    if is_off(ctx, val) {
        return Some(None);
    }
    duration(ctx, val).map(Some)
}

/// The word `off`, also by way of a variable. Reports nothing.
pub(crate) fn is_off(ctx: &Ctx<'_>, val: &Val<'_>) -> bool {
    matches!(val.value, DeValue::String(text)
        if interpolate::replace(text, ctx.source).is_ok_and(|text| text == "off"))
}

pub(crate) fn word<W: Word>(ctx: &mut Ctx<'_>, val: &Val<'_>) -> Option<W> {
    let text = text(ctx, val)?;
    if let Some((_, value)) = W::WORDS.iter().find(|(word, _)| *word == text) {
        return Some(*value);
    }
    let message =
        format!("`{}` must be {}, not `{}`", val.doc.key, val.doc.kind.describe(), shorten(&text));
    let help = did_you_mean(&text, W::WORDS.iter().map(|(word, _)| *word));
    ctx.error(val.place, message).help_if(help);
    None
}

/// Something declared elsewhere by this name.
pub(crate) fn reference(what: &'static str, names: fn(&Names) -> &NameSet) -> impl Convert<usize> {
    move |ctx: &mut Ctx<'_>, val: &Val<'_>| {
        let name = text(ctx, val)?;
        if let Some(index) = names(&ctx.names).get(&name) {
            return Some(index);
        }
        let known = names(&ctx.names);
        let help = did_you_mean(&name, known.iter()).or_else(|| listed("known:", known.iter()));
        let message = format!("no {what} is called `{}`", shorten(&name));
        ctx.error(val.place, message).help_if(help).consequence();
        None
    }
}

/// A list of things; a single one may stand without brackets. Each comes with its place.
pub(crate) fn each<T>(convert: impl Convert<T>) -> impl Convert<Vec<(T, Place)>> {
    move |ctx: &mut Ctx<'_>, val: &Val<'_>| {
        let DeValue::Array(items) = val.value else {
            let one = convert(ctx, val)?;
            let shown = ctx.shown.take();
            if let Some(Shown::One(text)) = shown {
                ctx.shown = Some(Shown::Many(vec![(text, Some(ctx.shown_place(val.place)))]));
            }
            return Some(vec![(one, val.place)]);
        };
        let mut all = Some(Vec::with_capacity(items.len()));
        let mut lines = Vec::new();
        for item in items {
            let place = Place::new(val.place.file, item.span());
            let item = Val { value: item.get_ref(), place, doc: val.doc };
            ctx.shown = None;
            match (convert(ctx, &item), &mut all) {
                (Some(item), Some(all)) => all.push((item, place)),
                (None, _) => all = None,
                _ => {}
            }
            if let Some(Shown::One(text)) = ctx.shown.take() {
                lines.push((text, Some(ctx.shown_place(place))));
            }
        }
        if !lines.is_empty() && lines.len() == items.len() {
            ctx.shown = Some(Shown::Many(lines));
        }
        all
    }
}

/// An entry of a list that is a table, or a text that stands for the table `{ key = text }`.
pub(crate) fn entry_table<T>(
    ctx: &mut Ctx<'_>,
    val: &Val<'_>,
    read: impl FnOnce(&mut Ctx<'_>, Layer<'_>, Place) -> Option<T>,
    key: &str,
) -> Option<T> {
    let file = val.place.file;
    match val.value {
        DeValue::Table(table) => read(ctx, Layer { file, table, parent: String::new() }, val.place),
        DeValue::String(_) => {
            let span = val.place.start..val.place.end;
            let table: DeTable<'_> = [(
                toml::Spanned::new(span.clone(), key.to_owned().into()),
                toml::Spanned::new(span, val.value.clone()),
            )]
            .into_iter()
            .collect();
            read(ctx, Layer { file, table: &table, parent: String::new() }, val.place)
        }
        _ => wrong_type(ctx, val),
    }
}

/// `{ file = "…" }`, `{ env = "…" }` or the secret itself.
pub(crate) fn secret(ctx: &mut Ctx<'_>, val: &Val<'_>) -> Option<Secret> {
    match secret_or_command(ctx, val, "secret")? {
        Passphrase::Value(secret) => Some(secret),
        Passphrase::Command(_) | Passphrase::Asked { .. } => None,
    }
}

/// The same, or `{ command = ["…"] }`.
pub(crate) fn passphrase(ctx: &mut Ctx<'_>, val: &Val<'_>) -> Option<Passphrase> {
    secret_or_command(ctx, val, "passphrase")
}

fn secret_or_command(ctx: &mut Ctx<'_>, val: &Val<'_>, table_name: &str) -> Option<Passphrase> {
    let takes_command = table_name == "passphrase";
    let found = match val.value {
        DeValue::Table(table) => {
            let layer = Layer { file: val.place.file, table, parent: String::new() };
            secret_table(ctx, val, layer, table_name)
        }
        DeValue::String(plain) => {
            let found = text(ctx, val);
            let from_variables = plain.starts_with("${") && plain.ends_with('}');
            if found.is_some() && !from_variables {
                let message = format!("`{}` stands here in clear text", val.doc.key);
                ctx.warn(val.place, message).help(secret_help(takes_command));
            }
            found.map(|text| Passphrase::Value(Secret::new(text)))
        }
        _ => wrong_type(ctx, val),
    };
    ctx.shown = Some(Shown::One(match (&found, val.value) {
        (Some(Passphrase::Command(_)), DeValue::Table(table)) => {
            let command = table.get("command").map(|command| show::command(command.get_ref()));
            format!("{{ command = {} }}", command.unwrap_or_default())
        }
        _ => show::MASK.to_owned(),
    }));
    let found = found?;
    if matches!(&found, Passphrase::Value(secret) if secret.reveal().is_empty()) {
        return bad(ctx, val, format!("`{}` is empty", val.doc.key), "");
    }
    Some(found)
}

fn secret_help(takes_command: bool) -> &'static str {
    match takes_command {
        true => "write { file = \"PATH\" }, { env = \"NAME\" } or { command = [\"PROGRAM\"] }",
        false => "write { file = \"PATH\" } or { env = \"NAME\" }",
    }
}

fn secret_table(
    ctx: &mut Ctx<'_>,
    val: &Val<'_>,
    layer: Layer<'_>,
    table_name: &str,
) -> Option<Passphrase> {
    let key = val.doc.key;
    let takes_command = table_name == "passphrase";
    let mut reader = Reader::new(ctx, table_name, format!("`{key}`"), val.place, vec![layer]);
    let file = reader.optional("file", path);
    let file_place = reader.place("file");
    let env = reader.optional("env", filled);
    let env_place = reader.place("env");
    let command = match takes_command {
        true => reader.optional("command", command),
        false => Some(None),
    };
    reader.finish();
    let value = |text| Passphrase::Value(Secret::new(text));
    match (file?, env?, command?) {
        (Some(file), None, None) => match ctx.source.read(&file) {
            Ok(mut text) => {
                if text.ends_with('\n') {
                    text.pop();
                    if text.ends_with('\r') {
                        text.pop();
                    }
                }
                Some(value(text))
            }
            Err(error) => {
                let shown = shorten(&file.display().to_string());
                ctx.error(file_place, format!("cannot read `{key}` from `{shown}`: {error}"));
                None
            }
        },
        (None, Some(name), None) => {
            let found = ctx.source.env(&name);
            if found.is_none() {
                let message = format!("environment variable `{}` is not set", shorten(&name));
                ctx.error(env_place, message);
            }
            found.map(value)
        }
        (None, None, Some(command)) => Some(Passphrase::Command(command)),
        _ => {
            let sources = match takes_command {
                true => "one of `file`, `env` and `command`",
                false => "either `file` or `env`",
            };
            bad(ctx, val, format!("`{key}` needs {sources}"), secret_help(takes_command))
        }
    }
}

/// A program and its arguments.
fn command(ctx: &mut Ctx<'_>, val: &Val<'_>) -> Option<Vec<String>> {
    let words: Vec<String> = match val.value {
        // Arguments may be empty, the program may not.
        DeValue::Array(_) => each(text)(ctx, val)?.into_iter().map(|(word, _)| word).collect(),
        _ => vec![filled(ctx, val)?],
    };
    let program = words.first().map_or("", |program| program.trim());
    if program.is_empty() || words.iter().any(|word| word.contains('\0')) {
        return bad(ctx, val, format!("`{}` names no program", val.doc.key), "");
    }
    if !matches!(val.value, DeValue::Array(_)) && program.contains(char::is_whitespace) {
        let message = format!("`{}` is run without a shell", val.doc.key);
        let help = format!("write a list: {} = {}", val.doc.key, val.doc.example);
        return bad(ctx, val, message, &help);
    }
    Some(words)
}
