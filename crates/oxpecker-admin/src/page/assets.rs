//! What the page loads beside itself: its look, its small scripts, its icon; all in the binary.

use std::hash::{DefaultHasher, Hash, Hasher};

use axum::extract::Path;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

use crate::error::Refusal;

pub(super) struct Asset {
    pub(super) name: &'static str,
    kind: &'static str,
    pub(super) content: &'static str,
}

const SCRIPT: &str = "text/javascript; charset=utf-8";

pub(super) const ALL: [Asset; 9] = [
    Asset {
        name: "style.css",
        kind: "text/css; charset=utf-8",
        content: include_str!("../../ui/style.css"),
    },
    Asset { name: "icon.svg", kind: "image/svg+xml", content: include_str!("../../ui/icon.svg") },
    Asset { name: "main.js", kind: SCRIPT, content: include_str!("../../ui/main.js") },
    Asset { name: "live.js", kind: SCRIPT, content: include_str!("../../ui/live.js") },
    Asset { name: "morph.js", kind: SCRIPT, content: include_str!("../../ui/morph.js") },
    Asset { name: "table.js", kind: SCRIPT, content: include_str!("../../ui/table.js") },
    Asset { name: "act.js", kind: SCRIPT, content: include_str!("../../ui/act.js") },
    Asset { name: "call.js", kind: SCRIPT, content: include_str!("../../ui/call.js") },
    Asset { name: "chart.js", kind: SCRIPT, content: include_str!("../../ui/chart.js") },
];

/// Browsers ask each time whether it is still the same: an upgrade shows at once.
const CACHING: HeaderValue = HeaderValue::from_static("no-cache");

pub(super) async fn asset(Path(name): Path<String>, asked: HeaderMap) -> Result<Response, Refusal> {
    let found = ALL.iter().find(|asset| asset.name == name);
    let asset = found.ok_or_else(|| Refusal::not_found("the page has no such part"))?;
    let tag = asset.tag();
    let known = asked.get(header::IF_NONE_MATCH).is_some_and(|known| known == tag.as_str());
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(asset.kind)),
        (header::CACHE_CONTROL, CACHING),
        // Quotes and hexadecimal digits are always a header's value.
        (header::ETAG, HeaderValue::from_str(&tag).unwrap_or(CACHING)),
    ];
    if known {
        return Ok((StatusCode::NOT_MODIFIED, headers).into_response());
    }
    Ok((headers, asset.content).into_response())
}

impl Asset {
    /// Of the content: equal in all processes of one build, and another for another content.
    fn tag(&self) -> String {
        let mut hasher = DefaultHasher::new();
        self.content.hash(&mut hasher);
        format!("\"{:016x}\"", hasher.finish())
    }
}
