//! What `check` says of the configuration, the gateway's own certificates included.

use std::time::SystemTime;

use oxpecker_config::{Diagnostic, model::Config};
use oxpecker_proxy::audit_certificates;

use crate::finding::Report;

/// `warnings` are those of `check`.
pub(super) fn examine(config: &Config, warnings: &[Diagnostic], report: &mut Report) {
    let section = report.section("Configuration");
    let audited = audit_certificates(config, SystemTime::now());
    for found in warnings {
        let what = format!("{} ({}:{})", found.message, found.file, found.line);
        let fix = found.help.clone().unwrap_or_default();
        // Works for the gateway, and not for its clients.
        if audited.iter().any(|finding| finding.broken && finding.message == found.message) {
            section.fault(what, "clients that verify the gateway's certificate leave", fix);
        } else {
            section.advice(what, found.help.clone());
        }
    }
}
