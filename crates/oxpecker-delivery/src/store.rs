//! The store that files are taken to, and what its errors mean to an administrator.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use object_store::aws::{AmazonS3, AmazonS3Builder, AmazonS3ConfigKey};
use object_store::local::LocalFileSystem;
use object_store::{Certificate, ClientOptions, ObjectStoreExt, PutPayload, RetryConfig};

use crate::settings::{Bucket, StoreSettings};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// A file of 8 MiB over a slow line (1 Mbit/s) takes 67 s.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(120);

/// Error texts of stores are for people; what is longer is a page of something else.
const TEXT_CHARS_MAX: usize = 300;

/// What the environment may say of credentials; nothing else that it says counts.
const AMBIENT: [AmazonS3ConfigKey; 12] = [
    AmazonS3ConfigKey::AccessKeyId,
    AmazonS3ConfigKey::SecretAccessKey,
    AmazonS3ConfigKey::Token,
    AmazonS3ConfigKey::WebIdentityTokenFile,
    AmazonS3ConfigKey::RoleArn,
    AmazonS3ConfigKey::RoleSessionName,
    AmazonS3ConfigKey::StsEndpoint,
    AmazonS3ConfigKey::ContainerCredentialsRelativeUri,
    AmazonS3ConfigKey::ContainerCredentialsFullUri,
    AmazonS3ConfigKey::ContainerAuthorizationTokenFile,
    AmazonS3ConfigKey::MetadataEndpoint,
    AmazonS3ConfigKey::ImdsV1Fallback,
];

/// Why a store cannot be used as it is configured.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("failed to read the certificates of `ca_file` `{}`", path.display())]
    ReadCa {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("no certificate in `ca_file` `{}`: it must be PEM", path.display())]
    BadCa { path: PathBuf },
    #[error("failed to set up the client of bucket `{bucket}`")]
    Client {
        bucket: String,
        #[source]
        source: Box<object_store::Error>,
    },
}

/// Why a file is not in the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PutError {
    /// One line, without credentials.
    pub(crate) text: String,
    pub(crate) help: &'static str,
    /// Trying again alone does not mend it.
    pub(crate) needs_a_person: bool,
}

/// Reads the files that a store needs; connects to nothing.
pub fn check_store(settings: &StoreSettings) -> Result<(), StoreError> {
    Store::new(settings).map(drop)
}

#[derive(Debug)]
pub(crate) enum Store {
    Bucket(AmazonS3),
    Directory(PathBuf),
}

impl Store {
    /// Reads the certificate file and the environment; connects to nothing.
    pub(crate) fn new(settings: &StoreSettings) -> Result<Self, StoreError> {
        match settings {
            StoreSettings::Directory(path) => Ok(Self::Directory(path.clone())),
            StoreSettings::Bucket(bucket) => client(bucket).map(Self::Bucket),
        }
    }

    /// Replaces what is there under the same key. Cancel safe: a file is there whole or not.
    pub(crate) async fn put(&self, key: &str, content: Vec<u8>) -> Result<(), PutError> {
        let payload = PutPayload::from(content);
        let key = object_store::path::Path::from(key);
        let result = match self {
            Self::Bucket(bucket) => {
                // Fetched once and kept until they end. Apart from the put, so that it is clear who
                // refused.
                let credentials = bucket.credentials().get_credential().await;
                credentials.map_err(|error| no_credentials(&error))?;
                bucket.put(&key, payload).await
            }
            Self::Directory(path) => directory(path)?.put(&key, payload).await,
        };
        result.map(drop).map_err(|error| explain(&error))
    }
}

/// Looked for at each file: a mount may come and go, and making its directory would fill the
/// disk below.
fn directory(path: &Path) -> Result<LocalFileSystem, PutError> {
    let missing = |text: String| PutError {
        text,
        help: "make the directory, or mount what belongs there",
        needs_a_person: true,
    };
    if !path.is_dir() {
        return Err(missing(format!("there is no directory {}", path.display())));
    }
    let store = LocalFileSystem::new_with_prefix(path);
    store.map(|store| store.with_fsync(true)).map_err(|error| missing(shorten(&chain(&error))))
}

fn client(bucket: &Bucket) -> Result<AmazonS3, StoreError> {
    let mut options = ClientOptions::new()
        .with_default_content_type("text/plain; charset=utf-8")
        .with_connect_timeout(CONNECT_TIMEOUT)
        .with_timeout(REQUEST_TIMEOUT)
        .with_http1_only();
    if let Some(path) = &bucket.ca_file {
        let pem =
            fs::read(path).map_err(|source| StoreError::ReadCa { path: path.clone(), source })?;
        let certificates = Certificate::from_pem_bundle(&pem).unwrap_or_default();
        if certificates.is_empty() {
            return Err(StoreError::BadCa { path: path.clone() });
        }
        options = options.with_no_system_certificates(true);
        options = certificates.into_iter().fold(options, ClientOptions::with_root_certificate);
    }
    let mut builder = AmazonS3Builder::new()
        .with_bucket_name(&bucket.name)
        .with_region(&bucket.region)
        // Back-off is the caller's: it knows of more than one request.
        .with_retry(RetryConfig { max_retries: 0, ..RetryConfig::default() });
    match &bucket.endpoint {
        Some(endpoint) => {
            options = options.with_allow_http(endpoint.starts_with("http://"));
            builder = builder.with_endpoint(endpoint);
        }
        // Certificates of AWS cover one label before the host's name.
        None => builder = builder.with_virtual_hosted_style_request(!bucket.name.contains('.')),
    }
    builder = match &bucket.keys {
        Some(keys) => builder.with_access_key_id(&keys.id).with_secret_access_key(&keys.secret.0),
        None => AMBIENT.into_iter().fold(builder, ambient),
    };
    builder.with_client_options(options).build().map_err(|source| StoreError::Client {
        bucket: bucket.name.clone(),
        source: Box::new(source),
    })
}

fn ambient(builder: AmazonS3Builder, key: AmazonS3ConfigKey) -> AmazonS3Builder {
    let name = key.as_ref().to_ascii_uppercase();
    match std::env::var(name) {
        Ok(value) if !value.is_empty() => builder.with_config(key, value),
        _ => builder,
    }
}

/// An error and its causes. Without the time that a request took: the same error has
/// the same text.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let inner = error.to_string();
        if !text.contains(&inner) {
            text = format!("{text}: {inner}");
        }
        cause = error.source();
    }
    if let Some((_, request)) = text.split_once("Error performing ")
        && let Some((request, cause)) = request.split_once(" - ")
    {
        let request = request.rsplit_once(" in ").map_or(request, |(request, _)| request);
        text = format!("{cause} ({request})");
    }
    text
}

fn shorten(text: &str) -> String {
    let plain = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut cut: String = plain.chars().filter(|c| !c.is_control()).take(TEXT_CHARS_MAX).collect();
    if plain.chars().count() > TEXT_CHARS_MAX {
        cut.push('…');
    }
    cut
}

/// The keys are not in the configuration, and who should give them did not.
fn no_credentials(error: &object_store::Error) -> PutError {
    PutError {
        text: shorten(&format!("no credentials for the store: {}", chain(error))),
        help: "write `access_key_id` and `secret_access_key` in [log.delivery], or give the gateway \
               an environment or an instance that has some",
        needs_a_person: true,
    }
}

/// What the store said. Its whole answer may repeat the request's signature: only its code and
/// message are shown.
fn explain(error: &object_store::Error) -> PutError {
    let full = error.to_string();
    let status =
        full.split_once("status code: ").and_then(|(_, rest)| rest.get(..3)?.parse::<u16>().ok());
    let code = element(&full, "Code");
    let text = match (status, code) {
        (_, Some(code)) => {
            let status = status.map(|status| format!("{status} ")).unwrap_or_default();
            let message = element(&full, "Message").unwrap_or("");
            shorten(&format!("the store said {status}{code}: {message}"))
        }
        (Some(status), None) => format!("the store said {status}"),
        (None, None) => shorten(&chain(error)),
    };
    let help = help(code.unwrap_or(""), status, &text);
    // Not 408 and 429: those ask to try again.
    let is_refusal = matches!(status, Some(400..=407 | 409..=428));
    PutError { needs_a_person: is_refusal || help.contains("`ca_file`"), text, help }
}

fn element<'t>(xml: &'t str, name: &str) -> Option<&'t str> {
    let (_, rest) = xml.split_once(&format!("<{name}>"))?;
    Some(rest.split_once("</")?.0)
}

fn help(code: &str, status: Option<u16>, text: &str) -> &'static str {
    match code {
        "InvalidAccessKeyId" | "SignatureDoesNotMatch" | "InvalidToken" | "ExpiredToken" => {
            "check `access_key_id` and `secret_access_key` of [log.delivery], or the environment's"
        }
        "AccessDenied" => "the key needs the right s3:PutObject on this bucket and prefix",
        "NoSuchBucket" => "make the bucket, or correct `bucket` of [log.delivery]",
        "PermanentRedirect"
        | "AuthorizationHeaderMalformed"
        | "IllegalLocationConstraintException" => "check `region` of [log.delivery]",
        "RequestTimeTooSkewed" => "set this host's clock",
        _ if text.contains("certificate") => {
            "check `ca_file` of [log.delivery] and the name in `endpoint`"
        }
        _ => match status {
            Some(401 | 403) => "check the keys of [log.delivery] and their rights",
            Some(404) => "check `bucket` and `endpoint` of [log.delivery]",
            Some(_) => "the store has to recover",
            None => "check `endpoint` of [log.delivery] and that the store is up",
        },
    }
}

#[cfg(test)]
mod tests;
