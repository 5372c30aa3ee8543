//! A Beeswax client's session. It has no name: it is the connection to the coordinator, and with it
//! goes what `USE` and `SET` have set.

use oxpecker_wire::scan::call::Call;

use super::Memory;
use crate::aware::place::Place;
use crate::aware::registry::OperationEnd;

impl Memory {
    pub(in crate::aware) fn has_own_session(&self) -> bool {
        self.own.is_some()
    }

    pub(in crate::aware) fn own_place(&self) -> Option<&Place> {
        self.own.as_ref().map(|own| &own.place)
    }

    /// The session is over. True: its client has to know, for elsewhere its statements would mean
    /// something else.
    pub(in crate::aware) fn lose_own_session(&mut self) -> bool {
        if let Some(own) = self.own.take() {
            self.shared.sessions.end_operations(&own, OperationEnd::CoordinatorLost);
        }
        std::mem::take(&mut self.own_has_settings)
    }

    pub(super) fn note_settings(&mut self, call: &Call) {
        self.own_has_settings |= self.own.is_some() && changes_settings(call.statement.kept());
    }
}

/// `USE` or `SET`, or what cannot be told from it by its first word.
fn changes_settings(statement: &[u8]) -> bool {
    let statement = statement.trim_ascii_start();
    let word = statement.iter().take_while(|byte| byte.is_ascii_alphabetic()).count();
    let (word, rest) = statement.split_at(word);
    match word {
        // A comment may stand before anything.
        [] => matches!(rest.first(), Some(b'/' | b'-')),
        word => word.eq_ignore_ascii_case(b"use") || word.eq_ignore_ascii_case(b"set"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_that_change_a_session() {
        for statement in
            ["use `db`", " \n USE db", "set a=b", "Set", "-- x\nuse db", "/* */ set a=b"]
        {
            assert!(changes_settings(statement.as_bytes()), "{statement}");
        }
        for statement in
            ["select 1", "", "user", "settle", "insert into use values (1)", "(select 1)"]
        {
            assert!(!changes_settings(statement.as_bytes()), "{statement}");
        }
    }
}
