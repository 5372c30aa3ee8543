//! Kerberos keytab files: reading, and merging several into one.
//!
//! The format is MIT's version 2 (`0x05 0x02`), which every Kerberos writes since 1995: see
//! "Keytab file format" in the documentation of MIT Kerberos. Keys are carried as they are and
//! never shown.

mod command;

use std::fmt;

pub(crate) use command::{Command, read, run};

/// What a file begins with.
const MAGIC: [u8; 2] = [5, 2];

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Keytab {
    pub(crate) entries: Vec<Entry>,
}

/// One key of one principal.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) principal: Principal,
    name_type: u32,
    /// Seconds since 1970, when the key was written.
    timestamp: u32,
    pub(crate) version: u32,
    /// Number of the encryption type: 18 = aes256-cts-hmac-sha1-96.
    pub(crate) encryption: u16,
    key: Vec<u8>,
}

/// `impala/host.example.com@EXAMPLE.COM`
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Principal {
    pub(crate) components: Vec<String>,
    pub(crate) realm: String,
}

/// Why a file is not a keytab, and at which byte.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum KeytabError {
    #[error("not a keytab: it does not begin with the bytes 05 02")]
    Magic,
    #[error("the file ends in the middle of the entry at byte {at}")]
    Truncated { at: usize },
    #[error("the entry at byte {at} says nothing sensible: {what}")]
    Entry { at: usize, what: &'static str },
}

impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (version {}, {})", self.principal, self.version, self.encryption_name())
    }
}

impl fmt::Display for Principal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.components.join("/"), self.realm)
    }
}

impl Entry {
    /// As `klist -e` prints it.
    pub(crate) fn encryption_name(&self) -> String {
        match self.encryption {
            1 => "des-cbc-crc".to_owned(),
            3 => "des-cbc-md5".to_owned(),
            16 => "des3-cbc-sha1".to_owned(),
            17 => "aes128-cts-hmac-sha1-96".to_owned(),
            18 => "aes256-cts-hmac-sha1-96".to_owned(),
            19 => "aes128-cts-hmac-sha256-128".to_owned(),
            20 => "aes256-cts-hmac-sha384-192".to_owned(),
            23 => "arcfour-hmac".to_owned(),
            other => format!("encryption type {other}"),
        }
    }

    /// Broken for years; newer Kerberos libraries refuse them.
    pub(crate) fn is_weak(&self) -> bool {
        matches!(self.encryption, 1..=3 | 16 | 23)
    }
}

impl Keytab {
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, KeytabError> {
        let mut rest = bytes.strip_prefix(&MAGIC).ok_or(KeytabError::Magic)?;
        let mut entries = Vec::new();
        while !rest.is_empty() {
            let at = bytes.len() - rest.len();
            let (length, after) = rest.split_first_chunk().ok_or(KeytabError::Truncated { at })?;
            let length = i32::from_be_bytes(*length);
            let size = length.unsigned_abs() as usize;
            // Some writers leave zeros behind the last entry.
            if length == 0 {
                break;
            }
            let entry = after.get(..size).ok_or(KeytabError::Truncated { at })?;
            // A negative length is the hole a removed entry left.
            if length > 0 {
                entries.push(Reader { rest: entry, at }.entry()?);
            }
            rest = &after[size..];
        }
        Ok(Self { entries })
    }

    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        for entry in &self.entries {
            let body = entry.to_bytes();
            // Lengths below come from files whose own lengths fit.
            bytes.extend((body.len() as u32).to_be_bytes());
            bytes.extend(body);
        }
        bytes
    }

    /// Adds what is missing here; of two keys with the same principal, version and encryption the
    /// first stays. Returns those that were left out although their key differs.
    pub(crate) fn merge(&mut self, other: Self) -> Vec<Entry> {
        let mut left_out = Vec::new();
        for entry in other.entries {
            match self.entries.iter().find(|known| known.is_same_slot(&entry)) {
                None => self.entries.push(entry),
                Some(known) if known.key == entry.key => {}
                Some(_) => left_out.push(entry),
            }
        }
        left_out
    }

    pub(crate) fn has(&self, principal: &Principal) -> bool {
        self.entries.iter().any(|entry| entry.principal == *principal)
    }
}

impl Entry {
    fn is_same_slot(&self, other: &Self) -> bool {
        self.principal == other.principal
            && self.version == other.version
            && self.encryption == other.encryption
    }

    fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        let counted = |bytes: &mut Vec<u8>, text: &[u8]| {
            bytes.extend((text.len() as u16).to_be_bytes());
            bytes.extend(text);
        };
        let Principal { components, realm } = &self.principal;
        bytes.extend((components.len() as u16).to_be_bytes());
        counted(&mut bytes, realm.as_bytes());
        for component in components {
            counted(&mut bytes, component.as_bytes());
        }
        bytes.extend(self.name_type.to_be_bytes());
        bytes.extend(self.timestamp.to_be_bytes());
        // The eight bits that old readers look at; the full number follows the key.
        bytes.push(self.version as u8);
        bytes.extend(self.encryption.to_be_bytes());
        counted(&mut bytes, &self.key);
        bytes.extend(self.version.to_be_bytes());
        bytes
    }
}

/// Takes one entry apart.
struct Reader<'a> {
    rest: &'a [u8],
    /// Where the entry begins in the file.
    at: usize,
}

impl<'a> Reader<'a> {
    fn entry(mut self) -> Result<Entry, KeytabError> {
        let count = u16::from_be_bytes(self.take()?);
        let realm = self.text()?;
        let components = (0..count).map(|_| self.text()).collect::<Result<Vec<_>, _>>()?;
        if components.is_empty() {
            return Err(KeytabError::Entry { at: self.at, what: "the principal has no name" });
        }
        let name_type = u32::from_be_bytes(self.take()?);
        let timestamp = u32::from_be_bytes(self.take()?);
        let [short_version] = self.take()?;
        let encryption = u16::from_be_bytes(self.take()?);
        let key = self.counted()?.to_vec();
        // Absent in old files; zero where a writer had nothing to say.
        let version = match self.rest.first_chunk() {
            Some(&bytes) if bytes != [0; 4] => u32::from_be_bytes(bytes),
            _ => u32::from(short_version),
        };
        let principal = Principal { components, realm };
        Ok(Entry { principal, name_type, timestamp, version, encryption, key })
    }

    fn take<const N: usize>(&mut self) -> Result<[u8; N], KeytabError> {
        let (taken, rest) =
            self.rest.split_first_chunk().ok_or(KeytabError::Truncated { at: self.at })?;
        self.rest = rest;
        Ok(*taken)
    }

    fn counted(&mut self) -> Result<&'a [u8], KeytabError> {
        let length = usize::from(u16::from_be_bytes(self.take()?));
        let (taken, rest) =
            self.rest.split_at_checked(length).ok_or(KeytabError::Truncated { at: self.at })?;
        self.rest = rest;
        Ok(taken)
    }

    fn text(&mut self) -> Result<String, KeytabError> {
        let what = "a name is not UTF-8";
        let at = self.at;
        let text = std::str::from_utf8(self.counted()?);
        text.map(str::to_owned).map_err(|_| KeytabError::Entry { at, what })
    }
}

#[cfg(test)]
mod tests;
