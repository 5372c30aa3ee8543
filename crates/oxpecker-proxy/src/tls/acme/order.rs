//! One certificate from an authority: account, order, challenges, key, chain.

use std::sync::Arc;
use std::time::Duration;

use instant_acme::{
    Account, AccountCredentials, AuthorizationStatus, ChallengeStatus, ChallengeType, Error,
    Identifier, NewAccount, NewOrder, Order, OrderStatus, Problem, RetryPolicy,
};
use oxpecker_config::model::AcmeChallenge;
use serde_json::{Value, json};

use super::Plan;
use super::challenge::{Challenges, Open};
use super::http::{Client, TransportError};
use super::schedule::Kind;
use super::store::{Store, StoreError};

/// Authorities look within seconds, but some are busy.
const POLL: RetryPolicy = RetryPolicy::new()
    .initial_delay(Duration::from_millis(250))
    .backoff(1.5)
    .timeout(Duration::from_secs(120));

/// The authority lost or closed our account, or is another one than before at the same address.
const NO_ACCOUNT: &str = "accountDoesNotExist";

/// Why there is no certificate, and what to do about it.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) kind: Kind,
    pub(super) text: String,
    pub(super) help: String,
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self { kind: Kind::Passing, help: error.help(), text: error.to_string() }
    }
}

/// Everything that a try needs.
pub(super) struct Applicant<'a> {
    pub(super) plan: &'a Plan,
    pub(super) store: &'a Store,
    pub(super) client: &'a Client,
    pub(super) challenges: &'a Arc<Challenges>,
}

impl Applicant<'_> {
    /// Key and chain as PEM. Bounded by the caller's timeout.
    pub(super) async fn obtain(&self, names: &[String]) -> Result<String, Failure> {
        let account = self.account().await?;
        match self.order(&account, names).await {
            Err(Trouble::Acme(Error::Api(problem))) if kind_of(&problem) == NO_ACCOUNT => {
                let authority = &self.plan.acme.name;
                tracing::warn!(
                    authority,
                    "the authority does not know the account, making another"
                );
                self.store.forget_account();
                let account = self.account().await?;
                self.order(&account, names).await.map_err(|trouble| self.failure(trouble))
            }
            result => result.map_err(|trouble| self.failure(trouble)),
        }
    }

    /// The account that was made earlier, or a new one.
    async fn account(&self) -> Result<Account, Failure> {
        let acme = &self.plan.acme;
        let builder = || Account::builder_with_http(Box::new(self.client.clone()));
        let contact: Vec<String> =
            acme.contact.iter().map(|mail| format!("mailto:{mail}")).collect();
        let contact: Vec<&str> = contact.iter().map(String::as_str).collect();
        let known = self.store.account().unwrap_or_default();
        if known["credentials"]["directory"].as_str() == Some(&acme.directory)
            && let Ok(credentials) =
                serde_json::from_value::<AccountCredentials>(known["credentials"].clone())
        {
            let account = builder()
                .from_credentials(credentials)
                .await
                .map_err(|e| self.failure(e.into()))?;
            if known["contact"] != json!(contact) {
                match account.update_contacts(&contact).await {
                    Err(Error::Api(problem)) if kind_of(&problem) == NO_ACCOUNT => {}
                    Err(error) => return Err(self.failure(error.into())),
                    Ok(()) => self.keep(&contact, known["credentials"].clone())?,
                }
            }
            return Ok(account);
        }
        let new = NewAccount {
            contact: &contact,
            terms_of_service_agreed: true,
            only_return_existing: false,
        };
        let made = builder().create(&new, acme.directory.clone(), None).await;
        let (account, credentials) = made.map_err(|error| self.failure(error.into()))?;
        let credentials =
            serde_json::to_value(credentials).map_err(|e| self.failure(Error::from(e).into()))?;
        self.keep(&contact, credentials)?;
        tracing::info!(authority = acme.name, account = account.id(), "account made");
        Ok(account)
    }

    fn keep(&self, contact: &[&str], credentials: Value) -> Result<(), StoreError> {
        self.store.set_account(&json!({ "contact": contact, "credentials": credentials }))
    }

    async fn order(&self, account: &Account, names: &[String]) -> Result<String, Trouble> {
        let identifiers: Vec<_> = names.iter().cloned().map(Identifier::Dns).collect();
        let mut order = account.new_order(&NewOrder::new(&identifiers)).await?;
        let open = self.answer(&mut order).await?;
        let polled = order.poll_ready(&POLL).await;
        drop(open);
        match polled {
            Ok(OrderStatus::Ready) => {}
            Ok(_) => return Err(diagnose(&mut order).await.unwrap_or(Trouble::Invalid)),
            Err(error) => return Err(diagnose(&mut order).await.unwrap_or(error.into())),
        }
        // The key is made here and now: a new one for each certificate.
        let key = order.finalize().await?;
        let chain = order.poll_certificate(&POLL).await?;
        Ok(format!("{key}{chain}"))
    }

    /// Makes ready for the authority's look, and tells it so, for each name that it wants to look
    /// at.
    async fn answer(&self, order: &mut Order) -> Result<Vec<Open>, Trouble> {
        let mut open = Vec::new();
        let mut authorizations = order.authorizations();
        while let Some(authorization) = authorizations.next().await {
            let mut authorization = authorization?;
            if authorization.status == AuthorizationStatus::Valid {
                continue;
            }
            let name = authorization.identifier().to_string();
            let kind = match self.plan.acme.challenge {
                AcmeChallenge::TlsAlpn01 => ChallengeType::TlsAlpn01,
                AcmeChallenge::Http01 { .. } => ChallengeType::Http01,
            };
            let Some(mut challenge) = authorization.challenge(kind) else {
                return Err(Trouble::NotOffered { name });
            };
            let proof = challenge.key_authorization();
            open.push(match self.plan.acme.challenge {
                AcmeChallenge::TlsAlpn01 => self
                    .challenges
                    .open_handshake(&name, proof.digest().as_ref())
                    .map_err(Trouble::Challenge)?,
                AcmeChallenge::Http01 { .. } => {
                    self.challenges.open_answer(&challenge.token, proof.as_str())
                }
            });
            challenge.set_ready().await?;
        }
        Ok(open)
    }

    fn challenge_name(&self) -> &'static str {
        match self.plan.acme.challenge {
            AcmeChallenge::TlsAlpn01 => "tls-alpn-01",
            AcmeChallenge::Http01 { .. } => "http-01",
        }
    }

    /// How the authority is to find us.
    fn route(&self, name: &str) -> String {
        match &self.plan.acme.challenge {
            AcmeChallenge::TlsAlpn01 => format!(
                "port 443 of {name} must lead to a virtual server with `tls_client` here, from \
                 wherever the authority is: look at DNS, firewalls and `allow`"
            ),
            AcmeChallenge::Http01 { listen } => format!(
                "port 80 of {name} must lead to `http_listen` ({listen}) here, from wherever the \
                 authority is: look at DNS and firewalls"
            ),
        }
    }

    fn failure(&self, trouble: Trouble) -> Failure {
        let refused = |text, help: String| Failure { kind: Kind::Refused, text, help };
        let passing = |text, help: String| Failure { kind: Kind::Passing, text, help };
        match trouble {
            Trouble::Looked { name, problem } => {
                let text = format!(
                    "the authority looked for {name} by {} and failed: {}",
                    self.challenge_name(),
                    told(&problem)
                );
                refused(text, self.route(&name))
            }
            Trouble::NotOffered { name } => refused(
                format!("the authority offers no {} for {name}", self.challenge_name()),
                "write another `challenge`".to_owned(),
            ),
            Trouble::Challenge(problem) => {
                passing(format!("failed to make a challenge's certificate: {problem}"), "-".into())
            }
            Trouble::Invalid => refused("the authority turned the order down".into(), "-".into()),
            Trouble::Acme(Error::Api(problem)) => {
                let kind = match kind_of(&problem) {
                    "badNonce" | "serverInternal" => Kind::Passing,
                    _ => Kind::Refused,
                };
                Failure { kind, text: told(&problem), help: help(&problem).to_owned() }
            }
            Trouble::Acme(Error::Other(error)) if error.is::<TransportError>() => passing(
                error.to_string(),
                "`directory` must be reachable from here; `ca_file` names the authority behind \
                 its certificate"
                    .to_owned(),
            ),
            Trouble::Acme(Error::Timeout(_)) => {
                passing("the authority does not finish the order".to_owned(), "-".to_owned())
            }
            Trouble::Acme(Error::Json(error)) => passing(
                format!("the authority's answer cannot be read: {error}"),
                "`directory` must be the address of an ACME directory".to_owned(),
            ),
            Trouble::Acme(error) => passing(error.to_string(), "-".to_owned()),
        }
    }
}

enum Trouble {
    /// The authority looked whether a name is ours, and was not convinced.
    Looked {
        name: String,
        problem: Problem,
    },
    NotOffered {
        name: String,
    },
    Challenge(String),
    /// It does not say why.
    Invalid,
    Acme(Error),
}

impl From<Error> for Trouble {
    fn from(error: Error) -> Self {
        Self::Acme(error)
    }
}

/// Which name it was that an order failed for; `None`: the authority does not tell.
async fn diagnose(order: &mut Order) -> Option<Trouble> {
    let mut authorizations = order.authorizations();
    while let Some(authorization) = authorizations.next().await {
        let mut authorization = authorization.ok()?;
        let state = authorization.refresh().await.ok()?;
        let failed = state.challenges.iter().find(|c| c.status == ChallengeStatus::Invalid);
        if let Some(problem) = failed.and_then(|challenge| challenge.error.clone()) {
            return Some(Trouble::Looked { name: state.identifier().to_string(), problem });
        }
    }
    None
}

/// `urn:ietf:params:acme:error:KIND`
fn kind_of(problem: &Problem) -> &str {
    problem.r#type.as_deref().and_then(|kind| kind.rsplit(':').next()).unwrap_or("")
}

/// The authority's own words.
fn told(problem: &Problem) -> String {
    let mut text = problem.detail.clone().unwrap_or_else(|| "no reason given".to_owned());
    for part in &problem.subproblems {
        text.push_str("; ");
        if let Some(identifier) = &part.identifier {
            text.push_str(&format!("{}: ", identifier.authorized(false)));
        }
        text.push_str(part.detail.as_deref().unwrap_or("no reason given"));
    }
    format!("{text} ({})", kind_of(problem))
}

/// What to do about a refusal (RFC 8555, section 6.7).
fn help(problem: &Problem) -> &'static str {
    match kind_of(problem) {
        "rateLimited" => "authorities limit how often they are asked; it goes on by itself",
        "rejectedIdentifier" | "caa" => {
            "this authority does not issue for the name: look at its rules and at CAA records"
        }
        "invalidContact" | "unsupportedContact" => "correct `contact`",
        "externalAccountRequired" => {
            "this authority wants accounts bound to its customers, which is not possible here"
        }
        "userActionRequired" => "the authority changed its terms: its message says what to do",
        "unauthorized" => {
            "if the account was closed, remove account.json in the state directory and reload"
        }
        _ => "-",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_is_told_in_the_authoritys_words() {
        let problem: Problem = serde_json::from_value(json!({
            "type": "urn:ietf:params:acme:error:rejectedIdentifier",
            "detail": "Some names were rejected",
            "status": 400,
            "subproblems": [{
                "type": "urn:ietf:params:acme:error:caa",
                "detail": "CAA forbids it",
                "identifier": { "type": "dns", "value": "a.example.com" },
            }],
        }))
        .expect("a problem");
        let expected =
            "Some names were rejected; a.example.com: CAA forbids it (rejectedIdentifier)";
        assert_eq!(told(&problem), expected);
        assert!(help(&problem).contains("CAA records"));
    }
}
