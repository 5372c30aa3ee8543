//! Calls that a gateway makes on a client's behalf: whole messages, without any framing.

use crate::scan::handle::Id;
use crate::thrift::Writer;

/// HiveServer2: what runs is cancelled; its handle stays until it is closed.
pub fn cancel_operation(id: Id, secret: &[u8]) -> Vec<u8> {
    let mut call = Writer::call("CancelOperation");
    call.field_struct(1).field_struct(1).field_struct(1);
    call.field_binary(1, &id.0).field_binary(2, secret).stop();
    // Required fields that coordinators do not look at.
    call.field_i32(2, 0).field_bool(3, false);
    call.stop().stop().stop();
    call.finish()
}

/// HiveServer2: the session ends, and all it has open.
pub fn close_session(id: Id, secret: &[u8]) -> Vec<u8> {
    let mut call = Writer::call("CloseSession");
    call.field_struct(1).field_struct(1).field_struct(1);
    call.field_binary(1, &id.0).field_binary(2, secret).stop();
    call.stop().stop().stop();
    call.finish()
}

/// Beeswax: as [`cancel_operation`].
pub fn cancel_query(id: Id) -> Vec<u8> {
    let id = id.to_string();
    let mut call = Writer::call("Cancel");
    call.field_struct(1)
        .field_binary(1, id.as_bytes())
        .field_binary(2, id.as_bytes())
        .stop()
        .stop();
    call.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scan::method::{Dialect, Method};
    use crate::scan::{CallScanner, Progress};

    const ID: Id = Id(*b"0123456789abcdef");

    /// Our scanner, judged by Thrift's own library elsewhere, reads them as what they are.
    #[track_caller]
    fn check(dialect: Dialect, call: &[u8], method: Method) -> CallScanner {
        let mut scanner = CallScanner::new(dialect);
        let mut used = 0;
        loop {
            let (count, progress) = scanner.feed(&call[used..]).unwrap();
            used += count;
            if progress == Progress::End {
                break;
            }
            assert_eq!(progress, Progress::Head);
        }
        assert_eq!((used, scanner.call().method()), (call.len(), method));
        scanner
    }

    #[test]
    fn handles_are_where_coordinators_look_for_them() {
        for (call, method) in [
            (cancel_operation(ID, b"fedcba9876543210"), Method::CancelOperation),
            (close_session(ID, b"fedcba9876543210"), Method::CloseSession),
        ] {
            let scanner = check(Dialect::Hs2, &call, method);
            let handle = scanner.call().handle().unwrap();
            assert_eq!(handle.id(), Some(ID));
            assert_eq!(handle.secret(), Some(&b"fedcba9876543210"[..]));
        }
    }

    #[test]
    fn a_query_is_named_as_impala_prints_it() {
        let call = cancel_query(ID);
        let scanner = check(Dialect::Beeswax, &call, Method::Cancel);
        assert_eq!(Id::parse(scanner.call().query_id.kept()), Some(ID));
    }
}
