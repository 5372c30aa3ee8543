//! Any text as a configuration of this balancer: never a panic, and what is taken stays good when it
//! is written and read again.
#![no_main]

use libfuzzer_sys::fuzz_target;
use oxpecker_config::{Input, Maps, check};
use oxpecker_import::{Format, import};

fuzz_target!(|text: &str| {
    let imported = import(Format::Haproxy, &[Input::new("input", text)], &Maps::default());
    if let Some(checked) = imported.checked() {
        let written = [Input::new("oxpecker.toml", imported.text.as_str())];
        let again = check(&written, &Maps::default()).expect("the written text is good");
        assert_eq!(again.config, checked.config);
    }
    let _ = imported.report.to_string();
});
