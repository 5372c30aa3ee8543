//! How a request is refused: a status, a sentence, and how to mend it, as JSON.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use oxpecker_api::ErrorBody;
use oxpecker_proxy::control::CommandError;
use oxpecker_proxy::wording::without_codes;

/// Why a request was not carried out. Nothing has changed then.
#[derive(Debug)]
pub(crate) struct Refusal(Box<Told>);

#[derive(Debug)]
struct Told {
    status: StatusCode,
    error: String,
    help: String,
    header: Option<(header::HeaderName, HeaderValue)>,
}

impl Refusal {
    pub(crate) fn new(status: StatusCode, error: impl Into<String>) -> Self {
        let error = without_codes(&error.into()).into_owned();
        Self(Box::new(Told { status, error, help: String::new(), header: None }))
    }

    pub(crate) fn bad_request(error: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, error)
    }

    pub(crate) fn not_found(error: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, error)
    }

    pub(crate) fn conflict(error: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, error)
    }

    pub(crate) fn help(mut self, help: impl Into<String>) -> Self {
        self.0.help = help.into();
        self
    }

    pub(crate) fn with_header(mut self, name: header::HeaderName, value: HeaderValue) -> Self {
        self.0.header = Some((name, value));
        self
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let Told { status, error, help, header } = *self.0;
        let mut response = (status, Json(ErrorBody { error, help })).into_response();
        if let Some((name, value)) = header {
            response.headers_mut().insert(name, value);
        }
        response
    }
}

impl From<CommandError> for Refusal {
    fn from(error: CommandError) -> Self {
        let status = match &error {
            CommandError::Unknown { .. } => StatusCode::NOT_FOUND,
            CommandError::Exists { .. } | CommandError::Refused(_) => StatusCode::CONFLICT,
            CommandError::Ending => StatusCode::SERVICE_UNAVAILABLE,
        };
        Self::new(status, error.to_string())
    }
}
