//! Holds a value against a schema of the API's description. It knows the words that the description
//! uses and no others: a word that it does not know is a failure, so that nothing goes unchecked.

use serde_json::Value;

/// Words that say nothing a value could break.
const NOTES: &[&str] = &["description", "format"];

/// What is wrong with `value`, each with its place.
pub(super) fn problems(document: &Value, schema: &Value, value: &Value, at: &str) -> Vec<String> {
    let words = schema.as_object().unwrap_or_else(|| panic!("{at}: no schema: {schema}"));
    words.iter().flat_map(|(word, said)| broken(document, schema, word, said, value, at)).collect()
}

fn broken(
    document: &Value,
    schema: &Value,
    word: &str,
    said: &Value,
    value: &Value,
    at: &str,
) -> Vec<String> {
    let unless = |holds: bool| {
        if holds { Vec::new() } else { vec![format!("{at}: {value} breaks {word}: {said}")] }
    };
    let inner = |schema, value, at: &str| problems(document, schema, value, at);
    match word {
        "$ref" => {
            let target = said.as_str().and_then(|target| document.pointer(&target[1..]));
            inner(target.unwrap_or_else(|| panic!("{at}: nothing at {said}")), value, at)
        }
        "type" => match said {
            Value::Array(kinds) => unless(kinds.iter().any(|kind| is_a(kind, value))),
            kind => unless(is_a(kind, value)),
        },
        "enum" => unless(said.as_array().unwrap().contains(value)),
        "anyOf" => {
            unless(said.as_array().unwrap().iter().any(|one| inner(one, value, at).is_empty()))
        }
        "minimum" => unless(value.as_f64().is_none_or(|number| number >= said.as_f64().unwrap())),
        "maximum" => unless(value.as_f64().is_none_or(|number| number <= said.as_f64().unwrap())),
        "maxLength" => {
            let length = |text: &str| text.chars().count() as u64;
            unless(value.as_str().is_none_or(|text| length(text) <= said.as_u64().unwrap()))
        }
        "required" => {
            let has = |name: &Value| value.get(name.as_str().unwrap()).is_some();
            unless(!value.is_object() || said.as_array().unwrap().iter().all(has))
        }
        "properties" => {
            let known = said.as_object().unwrap().iter();
            let there = known.filter_map(|(name, schema)| Some((name, schema, value.get(name)?)));
            there
                .flat_map(|(name, schema, value)| inner(schema, value, &format!("{at}/{name}")))
                .collect()
        }
        "additionalProperties" => {
            assert_eq!(said, false, "{at}");
            let known = |name: &String| schema["properties"].get(name).is_some();
            unless(value.as_object().is_none_or(|fields| fields.keys().all(known)))
        }
        "items" => {
            let items = value.as_array().into_iter().flatten().enumerate();
            items.flat_map(|(n, item)| inner(said, item, &format!("{at}/{n}"))).collect()
        }
        _ if NOTES.contains(&word) => Vec::new(),
        _ => panic!("{at}: this does not know the word `{word}`"),
    }
}

fn is_a(kind: &Value, value: &Value) -> bool {
    match kind.as_str() {
        Some("object") => value.is_object(),
        Some("array") => value.is_array(),
        Some("string") => value.is_string(),
        Some("boolean") => value.is_boolean(),
        Some("null") => value.is_null(),
        Some("number") => value.is_number(),
        Some("integer") => value.is_i64() || value.is_u64(),
        _ => panic!("no kind of value: {kind}"),
    }
}

#[test]
fn it_finds_what_is_wrong() {
    let document = serde_json::json!({ "schemas": { "T": {
        "type": "object", "required": ["a"], "additionalProperties": false,
        "properties": { "a": { "type": "integer", "minimum": 1 },
                        "b": { "type": ["string", "null"], "maxLength": 2 } },
    } } });
    let schema = serde_json::json!({ "type": "array", "items": { "$ref": "#/schemas/T" } });
    let count = |value: Value| problems(&document, &schema, &value, "").len();
    assert_eq!(count(serde_json::json!([{ "a": 1 }, { "a": 2, "b": null }])), 0);
    for wrong in [
        "{}",
        "[1]",
        "[{}]",
        r#"[{"a":0}]"#,
        r#"[{"a":1.5}]"#,
        r#"[{"a":1,"c":1}]"#,
        r#"[{"a":1,"b":"xyz"}]"#,
    ] {
        assert_ne!(count(serde_json::from_str(wrong).unwrap()), 0, "{wrong}");
    }
}
