//! Where a call goes: decided from its handles, without a socket in sight.

use oxpecker_wire::answer;
use oxpecker_wire::scan::Handle;
use oxpecker_wire::scan::call::Call;
use oxpecker_wire::scan::handle::{ID_BYTES, Id};
use oxpecker_wire::scan::method::{Method, Names};

use super::place::Place;
use super::tags::{PlaceMark, TAGGED_BYTES, Tags};

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Target {
    /// A new session: the balancer chooses.
    New,
    /// Any coordinator can answer it, or says itself what is wrong with it.
    Any,
    Place(Place),
    Marked(PlaceMark),
    /// Nobody here knows the handle: ask the coordinators.
    Search {
        names: Names,
        id: Id,
        secret: [u8; ID_BYTES],
    },
    /// No coordinator needs to see it: the message for its sender.
    Refuse(String),
}

/// What is known of handles.
pub(super) trait Known {
    fn session(&self, id: Id) -> Option<Place>;
    fn operation(&self, id: Id) -> Option<Place>;
}

pub(super) fn target(call: &Call, tags: Option<&Tags>, known: &impl Known) -> Target {
    match call.names() {
        Names::Nothing if call.method() == Method::OpenSession => Target::New,
        Names::Nothing => Target::Any,
        Names::Query | Names::QueryId => {
            let place = Id::parse(call.query_id.kept()).and_then(|id| known.operation(id));
            place.map_or(Target::Any, Target::Place)
        }
        names => match call.handle() {
            Some(handle) => by_handle(names, handle, call.second_handle(), tags, known),
            None => Target::Any,
        },
    }
}

fn by_handle(
    names: Names,
    handle: &Handle,
    second: Option<&Handle>,
    tags: Option<&Tags>,
    known: &impl Known,
) -> Target {
    let (Some(id), Some(secret)) = (handle.id(), handle.secret()) else { return Target::Any };
    let is_operation = matches!(names, Names::Operation | Names::OperationAndSession);
    if let Some(tags) = tags
        && secret.len() == TAGGED_BYTES
    {
        return match tags.open(id, secret) {
            Some(mark) => Target::Marked(mark),
            None => Target::Refuse(refusal(is_operation, id)),
        };
    }
    let Ok(secret) = secret.try_into() else { return Target::Any };
    let place = if is_operation { known.operation(id) } else { known.session(id) };
    let by_session = || second.and_then(Handle::id).and_then(|id| known.session(id));
    // Of an unknown method nobody can say whose handle it carries.
    let either = || if names == Names::Unknown { known.operation(id) } else { None };
    match place.or_else(by_session).or_else(either) {
        Some(place) => Target::Place(place),
        None if names == Names::Unknown => Target::Any,
        None => Target::Search { names, id, secret },
    }
}

/// What a coordinator says of such a handle.
pub(super) fn refusal(is_operation: bool, id: Id) -> String {
    if is_operation { answer::unknown_query(id) } else { answer::invalid_session(id) }
}

/// The refusal that fits a call, if it names anything.
pub(super) fn refusal_of(call: &Call) -> Option<String> {
    match call.names() {
        Names::Session | Names::Unknown => {
            call.handle().and_then(Handle::id).map(answer::invalid_session)
        }
        Names::Operation | Names::OperationAndSession => {
            call.handle().and_then(Handle::id).map(answer::unknown_query)
        }
        Names::Query | Names::QueryId => Id::parse(call.query_id.kept()).map(answer::unknown_query),
        Names::Nothing => None,
    }
}

/// Takes the tags off the secrets of a call whose head is at the front of `message`. Returns how
/// many bytes it is shorter.
pub(super) fn strip(message: &mut Vec<u8>, call: &Call, tags: Option<&Tags>) -> usize {
    if tags.is_none() {
        return 0;
    }
    let mut handles = [call.handle(), call.second_handle()];
    // From behind, so that places in front stay.
    handles.sort_by_key(|handle| std::cmp::Reverse(handle.map(|handle| handle.secret_at)));
    let mut shorter = 0;
    for handle in handles.into_iter().flatten() {
        let is_tagged = handle.secret().is_some_and(|secret| secret.len() == TAGGED_BYTES);
        let at = handle.secret_at as usize;
        if is_tagged && at + 4 + TAGGED_BYTES <= message.len() {
            message[at..at + 4].copy_from_slice(&(ID_BYTES as u32).to_be_bytes());
            message.drain(at + 4 + ID_BYTES..at + 4 + TAGGED_BYTES);
            shorter += TAGGED_BYTES - ID_BYTES;
        }
    }
    shorter
}

/// Puts a tag behind the secret of a handle that `place` gave out. Returns how many bytes the
/// message is longer.
pub(super) fn seal(message: &mut Vec<u8>, handle: &Handle, tags: &Tags, place: &Place) -> usize {
    let (Some(id), Some(secret)) = (handle.id(), handle.secret()) else { return 0 };
    let Ok(secret) = secret.try_into() else { return 0 };
    let at = handle.secret_at as usize;
    if at + 4 + ID_BYTES > message.len() {
        return 0;
    }
    message[at..at + 4].copy_from_slice(&(TAGGED_BYTES as u32).to_be_bytes());
    let behind = at + 4 + ID_BYTES;
    let tag = tags.seal(id, secret, place);
    message.splice(behind..behind, tag);
    tag.len()
}

#[cfg(test)]
mod tests;
