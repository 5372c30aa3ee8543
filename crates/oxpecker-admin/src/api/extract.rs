//! What requests bring: names in the path, what stands behind `?`, bodies; with words for what is
//! wrong with them.

use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use axum::http::StatusCode;
use axum::http::request::Parts;
use serde::de::DeserializeOwned;

use crate::error::Refusal;

/// A body of JSON, whatever its type is called. An empty one is `{}`.
#[derive(Debug)]
pub(crate) struct Body<T>(pub(crate) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Body<T> {
    type Rejection = Refusal;

    async fn from_request(request: Request, state: &S) -> Result<Self, Refusal> {
        let bytes = Bytes::from_request(request, state).await.map_err(|rejection| {
            let error = match rejection.status() {
                StatusCode::PAYLOAD_TOO_LARGE => "the body is larger than 64 KiB".to_owned(),
                _ => rejection.body_text(),
            };
            Refusal::new(rejection.status(), error)
        })?;
        let bytes = if bytes.trim_ascii().is_empty() { &b"{}"[..] } else { &bytes };
        let refused = |why: &str| {
            Refusal::bad_request(format!("the body is not what is expected: {why}"))
                .help("bodies are JSON; /openapi.json describes them")
        };
        // A list would be taken for the values of an object's fields.
        if !bytes.trim_ascii_start().starts_with(b"{") {
            return Err(refused("it is no object"));
        }
        serde_json::from_slice(bytes).map(Self).map_err(|error| refused(&error.to_string()))
    }
}

/// What stands behind `?`.
#[derive(Debug)]
pub(crate) struct Asked<T>(pub(crate) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Asked<T> {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        match Query::<T>::from_request_parts(parts, state).await {
            Ok(Query(asked)) => Ok(Self(asked)),
            Err(rejection) => Err(Refusal::bad_request(rejection.body_text())
                .help("/openapi.json names what may stand behind `?`")),
        }
    }
}

/// Names in the path.
#[derive(Debug)]
pub(crate) struct At<T>(pub(crate) T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for At<T> {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        match Path::<T>::from_request_parts(parts, state).await {
            Ok(Path(at)) => Ok(Self(at)),
            Err(rejection) => Err(Refusal::bad_request(rejection.body_text())),
        }
    }
}
