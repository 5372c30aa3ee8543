//! Values as TOML text, for `explain`. Strings are shown as they are in effect: with variables
//! replaced.

use toml::de::DeValue;

use crate::context::Ctx;
use crate::interpolate;

pub(crate) const MASK: &str = "\"***\"";

/// Any value. Secrets never come here: their converter leaves [`MASK`].
pub(crate) fn value(ctx: &Ctx<'_>, value: &DeValue<'_>) -> String {
    match value {
        DeValue::String(text) => {
            string(&interpolate::replace(text, ctx.source).unwrap_or_else(|_| text.to_string()))
        }
        DeValue::Integer(number) => number.to_string(),
        DeValue::Float(number) => number.to_string(),
        DeValue::Boolean(switch) => switch.to_string(),
        DeValue::Datetime(datetime) => datetime.to_string(),
        DeValue::Array(items) => {
            let items: Vec<String> =
                items.iter().map(|item| self::value(ctx, item.get_ref())).collect();
            format!("[{}]", items.join(", "))
        }
        // Tables are options of their own, and shown by their reader.
        DeValue::Table(_) => "{}".to_owned(),
    }
}

/// A command as it stands in the file: a variable in it may be a secret. Its arguments may hold a
/// token, and are not shown.
pub(crate) fn command(value: &DeValue<'_>) -> String {
    match value {
        DeValue::String(program) => quoted(program),
        DeValue::Array(words) => {
            let shown = words.iter().enumerate().map(|(at, word)| match word.get_ref() {
                DeValue::String(program) if at == 0 => quoted(program),
                _ => MASK.to_owned(),
            });
            format!("[{}]", shown.collect::<Vec<_>>().join(", "))
        }
        _ => "{}".to_owned(),
    }
}

/// A text as a TOML string that reads back as the same text.
pub(crate) fn string(text: &str) -> String {
    quoted(&text.replace("${", "$${"))
}

pub(crate) fn quoted(text: &str) -> String {
    let mut shown = String::with_capacity(text.len() + 2);
    shown.push('"');
    for c in text.chars() {
        match c {
            '"' => shown.push_str("\\\""),
            '\\' => shown.push_str("\\\\"),
            '\n' => shown.push_str("\\n"),
            '\t' => shown.push_str("\\t"),
            c if c.is_control() => shown.push_str(&format!("\\U{:08X}", u32::from(c))),
            c => shown.push(c),
        }
    }
    shown.push('"');
    shown
}
