//! What an administrator reads of a store's errors.

use super::*;

/// As MinIO and AWS answer a wrong key; the rest of it must not be repeated.
const REFUSED: &str = "The operation lacked the necessary privileges to complete for path x: Error \
    performing PUT http://127.0.0.1:9000/logs/x in 1.2ms - Server returned non-2xx status code: \
    403 Forbidden: <?xml version=\"1.0\"?><Error><Code>SignatureDoesNotMatch</Code><Message>The \
    request signature we calculated does not match</Message><AWSAccessKeyId>AKIA1</AWSAccessKeyId>\
    <StringToSign>AWS4-HMAC-SHA256 secretive</StringToSign></Error>";

fn generic(text: &str) -> object_store::Error {
    object_store::Error::Generic { store: "S3", source: text.into() }
}

#[test]
fn a_refusal_is_shown_by_code_and_message() {
    let error = explain(&generic(REFUSED));
    assert_eq!(
        error.text,
        "the store said 403 SignatureDoesNotMatch: The request signature we calculated does not match"
    );
    assert!(error.needs_a_person && error.help.contains("secret_access_key"), "{error:?}");
}

#[test]
fn an_outage_is_no_refusal() {
    let error = explain(&generic("Server returned non-2xx status code: 503 Slow Down: "));
    assert_eq!((&*error.text, error.needs_a_person), ("the store said 503", false));
    let error = explain(&generic("error sending request: tcp connect error"));
    assert!(!error.needs_a_person && error.help.contains("`endpoint`"), "{error:?}");
}

/// Otherwise every attempt would be told.
#[test]
fn the_same_error_has_the_same_text() {
    let error = |time| {
        let text =
            format!("Error performing PUT http://a:9000/logs/x in {time} - HTTP error: refused");
        explain(&generic(&text)).text
    };
    assert_eq!(error("1.2ms"), "HTTP error: refused (PUT http://a:9000/logs/x)");
    assert_eq!(error("1.2ms"), error("3.4s, after 2 retries, max_retries: 2, retry_timeout: 3s "));
}

#[test]
fn long_answers_are_cut_and_stay_one_line() {
    let error = explain(&generic(&format!("a\nb {}", "ü".repeat(5000))));
    assert!(
        error.text.starts_with("Generic S3 error: a b ü") && error.text.ends_with('…'),
        "{error:?}"
    );
    assert_eq!(error.text.chars().count(), TEXT_CHARS_MAX + 1);
}

#[test]
fn certificates_that_are_none_are_named() {
    let bucket = |ca_file: &str| {
        StoreSettings::Bucket(Bucket {
            name: "logs".into(),
            region: "us-east-1".into(),
            endpoint: None,
            ca_file: Some(ca_file.into()),
            keys: None,
        })
    };
    let missing = Store::new(&bucket("/nonexistent/ca.crt")).unwrap_err();
    assert!(matches!(missing, StoreError::ReadCa { .. }), "{missing}");
    let empty = Store::new(&bucket("/dev/null")).unwrap_err();
    assert!(matches!(empty, StoreError::BadCa { .. }), "{empty}");
}
