//! What the registry tells of sessions and operations, without a connection.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use super::*;
use crate::aware::access::Access;
use crate::aware::place::Place;

fn place() -> Place {
    Place { host: "10.0.0.1".into(), port: 21_050 }
}

fn session(registry: &Registry, id: u8) -> Arc<Session> {
    let load = registry.operations_at(&place().host);
    let whose = Whose { virtual_server: "hs2", user: "alice", ..Whose::default() };
    let session =
        Arc::new(Session::new(Some(Id([id; 16])), place(), whose, Access::Bare.remembered(), load));
    registry.opened(&session);
    session
}

fn asked(statement: &str) -> Asked {
    Asked {
        method: "ExecuteStatement",
        statement: statement.into(),
        full: None,
        statement_bytes: statement.len() as u64,
        fingerprint: 7,
        digest: 8,
        at: Instant::now(),
    }
}

fn operation(registry: &Registry, session: &Arc<Session>, id: u8) -> Arc<Operation> {
    let operation = Operation::new(Id([id; 16]), Arc::clone(session), None, asked("select ?"));
    let operation = Arc::new(operation);
    registry.began(&operation);
    operation
}

fn load(registry: &Registry) -> u32 {
    registry.operations_at(&place().host).load(Ordering::Relaxed)
}

#[test]
fn an_operation_is_open_until_it_ends_and_told_once() {
    let registry = Registry::default();
    let told = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&told);
    registry.on_operation_end(Box::new(move |view| {
        assert_eq!((view.rows, view.bytes, view.end), (30, 900, Some(OperationEnd::Closed)));
        count.fetch_add(1, Ordering::Relaxed);
    }));
    let session = session(&registry, 1);
    let operation = operation(&registry, &session, 2);
    assert_eq!((session.operations_open(), load(&registry)), (1, 1));
    operation.fetched(30, 900);
    for _ in 0..2 {
        registry.ended(&operation, OperationEnd::Closed);
    }
    assert_eq!((session.operations_open(), load(&registry)), (0, 0));
    assert_eq!(told.load(Ordering::Relaxed), 1);
    // Clients ask for the profile of what is over.
    assert!(registry.operation(operation.id).is_some());
    let views = registry.operation_views();
    assert!(views.len() == 1 && views[0].first_row.is_some() && views[0].user == "alice");
}

#[test]
fn work_is_told_by_coordinator_and_port() {
    let registry = Registry::default();
    let session = session(&registry, 1);
    let _open = operation(&registry, &session, 2);
    let over = operation(&registry, &session, 3);
    registry.ended(&over, OperationEnd::Closed);
    let work = registry.work_at(&place());
    assert_eq!((work.operations, work.operations_read, work.sessions), (1, 0, 1));
    let other = Place { port: 28_000, ..place() };
    assert_eq!(registry.work_at(&other), work::Work::default());
}

#[test]
fn a_session_that_closes_ends_its_operations_and_no_other() {
    let registry = Registry::default();
    let (first, second) = (session(&registry, 1), session(&registry, 2));
    let (mine, other) = (operation(&registry, &first, 3), operation(&registry, &second, 4));
    // Of the same id, but not known by it.
    let stranger = Registry::default();
    registry.closed(&session(&stranger, 1), OperationEnd::SessionClosed);
    assert!(registry.session(Id([1; 16])).is_some());
    registry.closed(&first, OperationEnd::CoordinatorLost);
    assert!(registry.session(Id([1; 16])).is_none() && registry.session(Id([2; 16])).is_some());
    let end = |operation: &Operation| operation.view().end;
    assert_eq!((end(&mine), end(&other)), (Some(OperationEnd::CoordinatorLost), None));
    assert_eq!(load(&registry), 1);
}

#[test]
fn what_failed_is_told_as_failed_although_it_was_closed() {
    let registry = Registry::default();
    let session = session(&registry, 1);
    let operation = operation(&registry, &session, 2);
    operation.fail(b"42000");
    operation.fail(b"HY000");
    registry.ended(&operation, OperationEnd::Closed);
    let view = operation.view();
    assert_eq!((view.end, &*view.sql_state), (Some(OperationEnd::Failed), "42000"));
}

#[test]
fn tables_are_bounded() {
    let registry = Registry::default();
    let new = |number: u32| {
        let mut id = [0; 16];
        // All in one shard.
        id[4..8].copy_from_slice(&number.to_be_bytes());
        Id(id)
    };
    for number in 0..SESSIONS_MAX as u32 + 100 {
        let load = registry.operations_at(&place().host);
        let session = Arc::new(Session::new(
            Some(new(number)),
            place(),
            Whose::default(),
            Access::Bare.remembered(),
            load,
        ));
        registry.opened(&session);
        let operation = Operation::new(new(number), Arc::clone(&session), None, asked(""));
        registry.began(&Arc::new(operation));
    }
    assert_eq!(registry.session_views().len(), SESSIONS_MAX);
    let views = registry.operation_views();
    let forgotten = |view: &&OperationView| view.end == Some(OperationEnd::Forgotten);
    assert_eq!(views.iter().filter(forgotten).count(), 100);
    assert_eq!(views.len(), OPERATIONS_MAX + 100);
    assert_eq!(load(&registry), OPERATIONS_MAX as u32);
}

#[test]
fn a_session_in_use_is_counted() {
    let registry = Registry::default();
    let session = session(&registry, 1);
    let connections = || registry.session_views()[0].connections;
    let (first, second) = (Use::of(&session), Use::of(&session));
    assert_eq!(connections(), 2);
    drop((first, second));
    assert_eq!(connections(), 0);
    registry.expire();
    assert_eq!(registry.session_views().len(), 1, "it was used just now");
}

/// Whoever reads a record must not have to guess.
#[test]
fn who_ended_an_operation_is_told() {
    use OperationEnd as End;
    let registry = Registry::default();
    let session = session(&registry, 1);
    let by = |end: OperationEnd, canceller: Option<Canceller>| {
        let operation = Operation::new(NO_ID, Arc::clone(&session), None, asked("select ?"));
        assert_eq!(operation.view().ended_by(), None, "it runs");
        if let Some(canceller) = canceller {
            operation.cancel(canceller);
        }
        registry.refused(&operation, end);
        let view = operation.view();
        (view.end, view.ended_by().unwrap())
    };
    for (end, expected) in [
        (End::Closed, "client"),
        (End::SessionClosed, "client"),
        (End::ClientGone, "client"),
        (End::Failed, "coordinator"),
        (End::CoordinatorLost, "coordinator"),
        (End::AnswerLost, "coordinator"),
        (End::LoginRefused, "coordinator"),
        (End::SessionKilled, "operator"),
        (End::ConnectionKilled, "operator"),
        (End::Abandoned, "gateway"),
        (End::Forgotten, "gateway"),
        (End::GatewayStopped, "gateway"),
        (End::NoCoordinator, "gateway"),
        (End::UnknownSession, "gateway"),
    ] {
        assert_eq!(by(end, None), (Some(end), expected));
    }
    for (canceller, expected) in [
        (Canceller::Client, "client"),
        (Canceller::Operator, "operator"),
        (Canceller::OrphanPolicy, "gateway"),
    ] {
        assert_eq!(by(End::Closed, Some(canceller)), (Some(End::Cancelled), expected));
    }
}
