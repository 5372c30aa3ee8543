//! Sums, order, and what goes when there are too many.

use super::*;

fn operation(digest: u64, millis: u64, end: OperationEnd) -> OperationView {
    OperationView {
        id: String::new(),
        session: String::new(),
        virtual_server: String::new(),
        pool: String::new(),
        coordinator: String::new(),
        user: String::new(),
        do_as: String::new(),
        client: String::new(),
        statement: format!("select a{digest}"),
        statement_bytes: 9,
        method: "ExecuteStatement",
        fingerprint: 0,
        digest,
        began: Timestamp::now(),
        age: Duration::from_millis(millis),
        first_row: None,
        last_row: None,
        rows: 2,
        rows_written: 0,
        bytes: 10,
        cancelled: false,
        cancelled_by: None,
        sql_state: String::new(),
        end: Some(end),
    }
}

#[test]
fn equal_statements_are_summed_and_the_dearest_is_first() {
    let top = Top::default();
    top.add(&operation(1, 100, OperationEnd::Closed));
    top.add(&operation(2, 150, OperationEnd::Failed));
    top.add(&operation(1, 300, OperationEnd::Failed));
    let views = top.views(10);
    let [first, second] = &views[..] else { panic!("{views:?}") };
    assert_eq!((first.count, first.errors, first.rows, first.bytes), (2, 1, 4, 20));
    let millis = |duration: Duration| duration.as_millis();
    assert_eq!((millis(first.total), millis(first.max), millis(first.mean())), (400, 300, 200));
    assert_eq!((&*first.statement, second.digest), ("select a1", 2));
    assert_eq!(top.views(1).len(), 1);
    top.reset();
    assert!(top.views(10).is_empty());
}

#[test]
fn the_cheapest_make_room() {
    let top = Top::default();
    for digest in 0..5 * KINDS_MAX as u64 {
        // One in a hundred is worth remembering.
        let millis = if digest % 100 == 0 { 1000 } else { 1 };
        top.add(&operation(digest, millis, OperationEnd::Closed));
    }
    let views = top.views(usize::MAX);
    assert!(views.len() <= KINDS_MAX, "{}", views.len());
    let dear = views.iter().filter(|view| view.digest % 100 == 0).count();
    assert_eq!(dear, (5 * KINDS_MAX).div_ceil(100));
}

#[test]
fn texts_are_cut_and_metadata_calls_have_their_method() {
    let top = Top::default();
    let long = OperationView {
        statement: "é".repeat(STATEMENT_BYTES_MAX),
        ..operation(1, 2, OperationEnd::Closed)
    };
    let bare = OperationView {
        statement: String::new(),
        method: "GetTables",
        ..operation(2, 1, OperationEnd::Closed)
    };
    top.add(&long);
    top.add(&bare);
    let views = top.views(2);
    assert_eq!(views[0].statement.len(), STATEMENT_BYTES_MAX);
    assert_eq!(views[1].statement, "GetTables");
}
