//! The calls of a probe and what their replies mean, whatever carries them.

use super::{BUFFER_BYTES_MAX, ProbeError, Stage, State, Verdict};
use crate::hs2::{self, SessionHandle, StatusCode};
use crate::text::clean;
use crate::thrift::{ApplicationException, Limits, ReadError, Reply};
use crate::{beeswax, thrift};

/// Real replies nest five deep; more is somebody else's protocol.
const LIMITS: Limits = Limits { depth_max: 16, message_bytes_max: BUFFER_BYTES_MAX };

/// Impala's words when a graceful shutdown has begun (docs/impala.md, "Refusals in words").
const SHUTTING_DOWN: &str = "is being shut down";

/// What follows from a reply.
pub(super) enum Next {
    Call(Vec<u8>),
    Done(Verdict),
}

/// A reply that was understood, and its length.
pub(super) type Answered = Option<(Next, usize)>;

/// A sequence of calls, one outstanding at a time.
pub(super) trait Calls {
    fn first(&self) -> Vec<u8>;

    /// Reads the reply at the front of `bytes`; `None` while it is incomplete.
    fn reply(&mut self, bytes: &[u8]) -> Result<Answered, ProbeError>;

    fn stage(&self) -> Stage;
}

/// OpenSession, ping, CloseSession.
#[derive(Debug)]
pub(super) struct Hs2Calls {
    user: String,
    stage: Stage,
    session: Option<SessionHandle>,
    verdict: Verdict,
}

impl Hs2Calls {
    pub(super) fn new(user: &str) -> Self {
        Self {
            user: user.to_owned(),
            stage: Stage::OpenSession,
            session: None,
            verdict: Verdict::bare(State::Alive),
        }
    }

    fn opened(&mut self, bytes: &[u8]) -> Result<(Next, usize), ReadOrProbe> {
        let (reply, length) = hs2::read_open_session(bytes, LIMITS)?;
        let opened = match reply {
            Reply::Result(opened) => opened,
            Reply::Exception(exception) => return Err(exception_error(self.stage, &exception)),
        };
        if !opened.status.is_success() {
            let text = clean(opened.status.error_message);
            if text.contains(SHUTTING_DOWN) {
                return Ok((Next::Done(Verdict::bare(State::Quiescing)), length));
            }
            return Err(self.refused(opened.status.code, text));
        }
        let session = opened.session.ok_or(thrift::Fault::FieldMissing("sessionHandle"))?;
        let call = hs2::ping_call(&session);
        self.session = Some(session);
        self.stage = Stage::Ping;
        Ok((Next::Call(call), length))
    }

    fn pinged(&mut self, bytes: &[u8]) -> Result<(Next, usize), ReadOrProbe> {
        let (reply, length) = hs2::read_ping(bytes, LIMITS)?;
        match reply {
            Reply::Result(ping) if ping.status.is_success() => {
                self.verdict.version = ping.version.map(clean);
                self.verdict.webserver_address = ping.webserver_address.map(clean);
            }
            Reply::Result(ping) => {
                return Err(self.refused(ping.status.code, clean(ping.status.error_message)));
            }
            // A plain HiveServer2, such as Spark's: it opened a session, which is enough.
            Reply::Exception(exception) if exception.is_unknown_method() => {}
            Reply::Exception(exception) => return Err(exception_error(self.stage, &exception)),
        }
        let session = self.session.take().ok_or(thrift::Fault::FieldMissing("sessionHandle"))?;
        self.stage = Stage::CloseSession;
        Ok((Next::Call(hs2::close_session_call(&session)), length))
    }

    fn close_answered(&mut self, bytes: &[u8]) -> Result<(Next, usize), ReadOrProbe> {
        // Whatever the status: the member worked, and a session it no longer knows is closed.
        let (reply, length) = hs2::read_close_session(bytes, LIMITS)?;
        if let Reply::Exception(exception) = reply {
            return Err(exception_error(self.stage, &exception));
        }
        Ok((Next::Done(self.verdict.clone()), length))
    }

    fn refused(&self, code: StatusCode, text: String) -> ReadOrProbe {
        let text = if text.is_empty() { format!("status {code:?}") } else { text };
        ReadOrProbe::Probe(ProbeError::Refused { during: self.stage, text })
    }
}

impl Calls for Hs2Calls {
    fn first(&self) -> Vec<u8> {
        hs2::open_session_call(&self.user)
    }

    fn reply(&mut self, bytes: &[u8]) -> Result<Answered, ProbeError> {
        let during = self.stage;
        let answered = match during {
            Stage::Ping => self.pinged(bytes),
            Stage::CloseSession => self.close_answered(bytes),
            _ => self.opened(bytes),
        };
        settle(answered, during)
    }

    fn stage(&self) -> Stage {
        self.stage
    }
}

/// PingImpalaService alone: a Beeswax session is the connection.
#[derive(Debug)]
pub(super) struct BeeswaxCalls;

impl Calls for BeeswaxCalls {
    fn first(&self) -> Vec<u8> {
        beeswax::ping_call()
    }

    fn reply(&mut self, bytes: &[u8]) -> Result<Answered, ProbeError> {
        let answered = beeswax::read_ping(bytes, LIMITS).map_err(ReadOrProbe::from).and_then(
            |(reply, length)| match reply {
                Reply::Result(ping) => {
                    let verdict = Verdict {
                        state: State::Alive,
                        version: ping.version.map(clean),
                        webserver_address: ping.webserver_address.map(clean),
                    };
                    Ok((Next::Done(verdict), length))
                }
                // Unlike on HS2 this is the only sign of life asked for, and a port without
                // Impala's Beeswax cannot serve Beeswax clients.
                Reply::Exception(exception) => Err(exception_error(Stage::Ping, &exception)),
            },
        );
        settle(answered, Stage::Ping)
    }

    fn stage(&self) -> Stage {
        Stage::Ping
    }
}

/// Lets `?` carry both kinds until the stage is known.
enum ReadOrProbe {
    Read(ReadError),
    Probe(ProbeError),
}

impl From<ReadError> for ReadOrProbe {
    fn from(error: ReadError) -> Self {
        Self::Read(error)
    }
}

impl From<thrift::Fault> for ReadOrProbe {
    fn from(fault: thrift::Fault) -> Self {
        Self::Read(fault.into())
    }
}

fn settle(
    answered: Result<(Next, usize), ReadOrProbe>,
    during: Stage,
) -> Result<Answered, ProbeError> {
    match answered {
        Ok(answered) => Ok(Some(answered)),
        Err(ReadOrProbe::Read(ReadError::Incomplete)) => Ok(None),
        Err(ReadOrProbe::Read(ReadError::Fault(thrift::Fault::MessageTooLong { .. }))) => {
            Err(ProbeError::TooLong { during })
        }
        Err(ReadOrProbe::Read(ReadError::Fault(fault))) => {
            Err(ProbeError::Malformed { during, fault })
        }
        Err(ReadOrProbe::Probe(error)) => Err(error),
    }
}

fn exception_error(during: Stage, exception: &ApplicationException<'_>) -> ReadOrProbe {
    let text = clean(exception.message);
    let text = if text.is_empty() { format!("type {}", exception.kind) } else { text };
    ReadOrProbe::Probe(ProbeError::Exception { during, text })
}
