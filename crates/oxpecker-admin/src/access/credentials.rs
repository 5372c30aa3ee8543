//! Passwords and tokens: what is shown, and whether it is right.
//!
//! A hash of SHA-512-crypt takes milliseconds of a processor on purpose, so it is computed on a
//! thread of its own, few at a time, and what was right is remembered for a while, under a keyed
//! hash. Comparisons take the same time wherever they differ.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, RwLock};
use std::time::{Duration, Instant};

use aws_lc_rs::{constant_time, hmac, rand};
use axum::http::{HeaderMap, header};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use oxpecker_config::model::{self, AdminPassword, Role};
use sha_crypt::{PasswordVerifier, ShaCrypt};
use tokio::sync::Semaphore;

use super::Caller;

/// Hashes computed at once.
const VERIFYING_MAX: usize = 2;

/// Pairs of name and password that are known to be right.
const VERIFIED_MAX: usize = 256;
const VERIFIED_FOR: Duration = Duration::from_secs(300);

/// The time for a hash grows with the password's length.
const PASSWORD_BYTES_MAX: usize = 256;

/// What a name that nobody has is compared with, so that it takes as long: of no password.
const NOBODY: &str = "$6$oxpecker$......................................................................................";

/// What a caller shows.
#[derive(Debug)]
pub(super) enum Presented {
    Password {
        name: String,
        password: Vec<u8>,
    },
    Token(Vec<u8>),
    /// Neither of both, such as `Digest`.
    Other,
}

impl Presented {
    pub(super) fn of(headers: &HeaderMap) -> Option<Self> {
        let value = headers.get(header::AUTHORIZATION)?.as_bytes();
        Some(Self::parse(value).unwrap_or(Self::Other))
    }

    fn parse(value: &[u8]) -> Option<Self> {
        let at = value.iter().position(|b| *b == b' ')?;
        let (scheme, rest) = (&value[..at], value[at..].trim_ascii());
        if scheme.eq_ignore_ascii_case(b"bearer") {
            return Some(Self::Token(rest.to_owned()));
        }
        if !scheme.eq_ignore_ascii_case(b"basic") {
            return None;
        }
        let pair = STANDARD.decode(rest).ok()?;
        let colon = pair.iter().position(|b| *b == b':')?;
        let name = String::from_utf8(pair[..colon].to_owned()).ok()?;
        Some(Self::Password { name, password: pair[colon + 1..].to_owned() })
    }
}

/// What came of it.
#[derive(Debug)]
pub(super) enum Verdict {
    Known(Caller),
    /// The name is for the log: one that nobody has is not repeated there, for people type
    /// passwords into the wrong field.
    Wrong {
        name: Option<String>,
    },
    /// The source was locked out before its turn came.
    NotLooked,
}

#[derive(Debug)]
pub(super) struct Credentials {
    key: hmac::Key,
    known: RwLock<Arc<Known>>,
    verified: Mutex<Verified>,
    turn: Semaphore,
}

/// The configuration's users and tokens.
#[derive(Debug, Default)]
struct Known {
    users: Vec<User>,
    tokens: Vec<Token>,
}

struct User {
    name: String,
    secret: Secret,
    role: Role,
}

struct Token {
    name: String,
    tag: Tag,
    role: Role,
}

enum Secret {
    Clear(Tag),
    Hash(String),
}

type Tag = [u8; 32];

/// Tags of what was right.
#[derive(Debug, Default)]
struct Verified {
    tags: HashMap<Tag, Instant>,
    /// Grows with every change of the users: a tag of before says nothing.
    generation: u64,
}

impl Credentials {
    pub(super) fn new() -> Self {
        let mut secret = Tag::default();
        // Without randomness nothing of this process is safe, TLS included.
        #[expect(clippy::expect_used, reason = "the kernel's random source does not fail")]
        rand::fill(&mut secret).expect("the kernel gives random bytes");
        Self {
            key: hmac::Key::new(hmac::HMAC_SHA256, &secret),
            known: RwLock::default(),
            verified: Mutex::default(),
            turn: Semaphore::new(VERIFYING_MAX),
        }
    }

    pub(super) fn apply(&self, admin: &model::Admin) {
        let users = admin.users.iter().map(|user| User {
            name: user.name.clone(),
            secret: match &user.password {
                AdminPassword::Clear(clear) => {
                    Secret::Clear(self.tag(&[user.name.as_bytes(), clear.reveal().as_bytes()]))
                }
                AdminPassword::Hash(hash) => Secret::Hash(hash.reveal().to_owned()),
            },
            role: user.role,
        });
        let tokens = admin.tokens.iter().map(|token| Token {
            name: token.name.clone(),
            tag: self.tag(&[b"", token.token.reveal().as_bytes()]),
            role: token.role,
        });
        let known = Known { users: users.collect(), tokens: tokens.collect() };
        *self.known.write().unwrap_or_else(|poisoned| poisoned.into_inner()) = Arc::new(known);
        let mut verified = self.verified.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        verified.tags.clear();
        verified.generation += 1;
    }

    /// Somebody can log in.
    pub(super) fn is_known(&self) -> bool {
        !self.known().users.is_empty()
    }

    fn known(&self) -> Arc<Known> {
        Arc::clone(&self.known.read().unwrap_or_else(|poisoned| poisoned.into_inner()))
    }

    /// `is_open` is asked again when the turn has come.
    pub(super) async fn verify(&self, presented: Presented, is_open: impl Fn() -> bool) -> Verdict {
        match presented {
            Presented::Other => Verdict::Wrong { name: None },
            Presented::Token(token) => self.verify_token(&token),
            Presented::Password { name, password } => {
                self.verify_password(&name, password, is_open).await
            }
        }
    }

    fn verify_token(&self, token: &[u8]) -> Verdict {
        let (known, tag) = (self.known(), self.tag(&[b"", token]));
        let mut found = None;
        // All of them are compared, whichever it is.
        for token in &known.tokens {
            if is_same(&token.tag, &tag) {
                found = Some(Caller::new("token", &token.name, token.role));
            }
        }
        found.map_or(Verdict::Wrong { name: None }, Verdict::Known)
    }

    async fn verify_password(
        &self,
        name: &str,
        password: Vec<u8>,
        is_open: impl Fn() -> bool,
    ) -> Verdict {
        let known = self.known();
        let user = known.users.iter().find(|user| user.name == name);
        let wrong = Verdict::Wrong { name: user.map(|user| user.name.clone()) };
        if password.len() > PASSWORD_BYTES_MAX {
            return wrong;
        }
        let tag = self.tag(&[name.as_bytes(), &password]);
        let hash = match user.map(|user| &user.secret) {
            Some(Secret::Clear(clear)) => {
                return if is_same(clear, &tag) { right(user, wrong) } else { wrong };
            }
            Some(Secret::Hash(hash)) => hash.clone(),
            None => NOBODY.to_owned(),
        };
        let generation = match self.look_up(&tag) {
            Ok(()) => return right(user, wrong),
            Err(generation) => generation,
        };
        let Ok(_turn) = self.turn.acquire().await else { return wrong };
        if !is_open() {
            return Verdict::NotLooked;
        }
        let verify = move || ShaCrypt::default().verify_password(&password, hash.as_str()).is_ok();
        if !tokio::task::spawn_blocking(verify).await.unwrap_or(false) {
            return wrong;
        }
        self.remember(tag, generation);
        right(user, wrong)
    }

    /// The error is the generation in which it was not found.
    fn look_up(&self, tag: &Tag) -> Result<(), u64> {
        let verified = self.verified.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        match verified.tags.get(tag) {
            Some(at) if at.elapsed() < VERIFIED_FOR => Ok(()),
            _ => Err(verified.generation),
        }
    }

    fn remember(&self, tag: Tag, generation: u64) {
        let mut verified = self.verified.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        if verified.generation != generation {
            return;
        }
        if verified.tags.len() >= VERIFIED_MAX {
            verified.tags.retain(|_, at| at.elapsed() < VERIFIED_FOR);
            if verified.tags.len() >= VERIFIED_MAX {
                verified.tags.clear();
            }
        }
        verified.tags.insert(tag, Instant::now());
    }

    /// Of parts that cannot run into each other.
    fn tag(&self, parts: &[&[u8]]) -> Tag {
        let mut context = hmac::Context::with_key(&self.key);
        for part in parts {
            context.update(&(part.len() as u64).to_be_bytes());
            context.update(part);
        }
        let mut tag = Tag::default();
        tag.copy_from_slice(context.sign().as_ref());
        tag
    }
}

fn right(user: Option<&User>, wrong: Verdict) -> Verdict {
    user.map_or(wrong, |user| Verdict::Known(Caller::new("admin", &user.name, user.role)))
}

fn is_same(one: &Tag, other: &Tag) -> bool {
    constant_time::verify_slices_are_equal(one, other).is_ok()
}

impl std::fmt::Debug for User {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("User").field("name", &self.name).field("role", &self.role).finish()
    }
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Token").field("name", &self.name).field("role", &self.role).finish()
    }
}

#[cfg(test)]
mod tests;
