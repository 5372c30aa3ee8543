//! OpenSession, CloseSession, GetInfo.

use super::{Exchange, session_handle};
use crate::state::session::{Session, SessionKind};
use crate::texts::Fault;
use crate::thrift_io::{Reply, ReplyResult};
use std::time::Duration;

/// `TProtocolVersion` V6: columnar results. Impala speaks nothing newer.
const PROTOCOL_MAX: i32 = 5;
/// Hive's JDBC driver puts this before names of options.
const HIVECONF: &str = "set:hiveconf:";

impl Exchange<'_> {
    pub(super) fn open_session(&self, reply: &mut Reply) -> ReplyResult {
        let protocol = self.request.required(1).map(|_| self.request.i32(1).unwrap_or(0))?;
        let protocol = protocol.clamp(0, PROTOCOL_MAX);
        let session = match self.new_session(protocol) {
            Ok(session) => self.server.add_session(session),
            Err(fault) => return self.reply(reply, Some(&fault), |out| out.i32(2, protocol)),
        };
        let mut configuration = session.with(|inner| inner.settings.pairs());
        configuration.push(("http_addr".into(), self.server.web_address()));
        self.server.log(|| {
            format!(
                "session {} opened by {} from {}",
                session.id,
                session.effective_user(),
                session.peer
            )
        });
        self.reply(reply, None, |out| {
            out.i32(2, protocol)?;
            session_handle(out, 3, session.id, session.secret)?;
            out.text_map(4, &configuration)
        })
    }

    fn new_session(&self, protocol: i32) -> Result<Session, Fault> {
        self.server.refuse_when_draining()?;
        let who = self.connection.who();
        // Who logged in counts; the name in the request is only a claim.
        let claimed = self.request.text(2).filter(|name| !name.is_empty());
        let user = who.user.or(claimed).unwrap_or_else(|| "anonymous".into());
        self.check_session_limit(&user)?;
        let session = Session::new(
            SessionKind::HiveServer2,
            user.clone(),
            protocol,
            self.connection.peer.to_string(),
            self.connection.id,
            self.server.options.idle_session_timeout,
        );
        let mut delegated = who.delegated_user;
        session.with(|inner| {
            for (name, value) in self.request.text_map(4) {
                let lower = name.to_ascii_lowercase();
                if lower == "impala.doas.user" {
                    delegated = Some(value);
                } else if lower == "use:database" {
                    if self.server.engine.has_database(&value.to_ascii_lowercase()) {
                        inner.database = value.to_ascii_lowercase();
                    } else {
                        return Err(Fault::general(format!(
                            "AnalysisException: Database does not exist: {value}\n"
                        )));
                    }
                } else {
                    // What is no option of Impala is ignored here.
                    let option = lower.strip_prefix(HIVECONF).unwrap_or(&lower);
                    let _ = inner.settings.set(option, &value);
                }
            }
            if inner.settings.number("IDLE_SESSION_TIMEOUT") > 0 {
                inner.idle_timeout =
                    Duration::from_secs(inner.settings.number("IDLE_SESSION_TIMEOUT"));
            }
            Ok(())
        })?;
        if let Some(other) = delegated.filter(|other| !other.is_empty()) {
            if !self.server.auth.may_delegate(&user, &other) {
                let disabled = self.server.auth.delegation_is_disabled();
                return Err(Fault::not_delegated(&user, &other, disabled));
            }
            session.with(|inner| inner.delegated_user = Some(other));
        }
        Ok(session)
    }

    fn check_session_limit(&self, user: &str) -> Result<(), Fault> {
        let limit = self.server.options.max_hs2_sessions_per_user;
        let sessions = self.server.session_list();
        let open = sessions
            .iter()
            .filter(|s| s.kind == SessionKind::HiveServer2 && s.with(|inner| inner.user == user))
            .count();
        if limit >= 0 && i64::try_from(open).unwrap_or(i64::MAX) >= limit {
            return Err(Fault::too_many_sessions(user, limit));
        }
        Ok(())
    }

    pub(super) fn close_session(&self, reply: &mut Reply) -> ReplyResult {
        let (id, secret) = match crate::state::handle_ids(self.request.required(1)?.required(1)?)? {
            Ok(ids) => ids,
            Err(fault) => return self.fail(reply, &fault),
        };
        // An expired session can still be closed.
        let session = self.server.session(id).filter(|s| s.secret.equals_secret(&secret));
        let Some(session) = session else {
            return self.fail(reply, &Fault::invalid_session(id));
        };
        if let Some(user) = self.connection.user() {
            let owner = session.with(|inner| inner.user.clone());
            if user != owner {
                return self.fail(reply, &Fault::other_user(&user, &owner));
            }
        }
        self.server.close_session(&session, "Session closed");
        self.server.log(|| format!("session {id} closed by its client"));
        self.reply(reply, None, |_| Ok(()))
    }

    pub(super) fn get_info(&self, reply: &mut Reply) -> ReplyResult {
        // `infoValue` is required: without it beeline waits for ever.
        let empty = |out: &mut Reply| out.structure(2, |out| out.text(1, ""));
        if let Err(fault) = self.server.refuse_when_draining() {
            return self.reply(reply, Some(&fault), empty);
        }
        if let Err(fault) = self.session()? {
            return self.reply(reply, Some(&fault), empty);
        }
        let value = match self.request.i32(2) {
            // CLI_SERVER_NAME, CLI_DBMS_NAME, CLI_DBMS_VER.
            Some(13 | 17) => "Impala",
            Some(18) => "4.5.0-STANDIN",
            _ => return self.reply(reply, Some(&Fault::unsupported()), empty),
        };
        self.reply(reply, None, |out| out.structure(2, |out| out.text(1, value)))
    }
}
