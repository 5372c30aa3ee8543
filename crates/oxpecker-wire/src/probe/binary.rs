//! Probes of the binary ports: bare Thrift or Thrift behind SASL PLAIN.

use super::calls::{BeeswaxCalls, Calls, Hs2Calls, Next};
use super::{BUFFER_BYTES_MAX, Conversation, Login, ProbeError, Progress, Speaks, Stage};
use crate::sasl::{self, Status};

/// HiveServer2: log in, OpenSession, PingImpalaHS2Service, CloseSession.
#[derive(Debug)]
pub struct Hs2Probe(Binary<Hs2Calls>);

impl Hs2Probe {
    pub fn new(login: Login) -> Self {
        let calls = Hs2Calls::new(login.user());
        Self(Binary::new(login, calls))
    }
}

/// Beeswax: log in, PingImpalaService.
#[derive(Debug)]
pub struct BeeswaxProbe(Binary<BeeswaxCalls>);

impl BeeswaxProbe {
    pub fn new(login: Login) -> Self {
        Self(Binary::new(login, BeeswaxCalls))
    }
}

impl Conversation for Hs2Probe {
    fn start(&mut self) -> Vec<u8> {
        self.0.start()
    }
    fn receive(&mut self, bytes: &[u8]) -> Result<Progress, ProbeError> {
        self.0.receive(bytes)
    }
    fn closed(&mut self) -> Result<Progress, ProbeError> {
        self.0.closed()
    }
    fn stage(&self) -> Stage {
        self.0.stage()
    }
}

impl Conversation for BeeswaxProbe {
    fn start(&mut self) -> Vec<u8> {
        self.0.start()
    }
    fn receive(&mut self, bytes: &[u8]) -> Result<Progress, ProbeError> {
        self.0.receive(bytes)
    }
    fn closed(&mut self) -> Result<Progress, ProbeError> {
        self.0.closed()
    }
    fn stage(&self) -> Stage {
        self.0.stage()
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Transport {
    Raw,
    /// Waiting for the server's answer to the PLAIN response.
    Negotiating,
    /// Every chunk has its length in front.
    Framed,
}

#[derive(Debug)]
struct Binary<C> {
    login: Login,
    calls: C,
    transport: Transport,
    /// As received and not yet unframed; only used with SASL.
    arrived: Vec<u8>,
    /// The Thrift stream, up to the end of the reply that is due.
    stream: Vec<u8>,
    /// The first answer tells whether the port speaks what we do.
    any_answer: bool,
}

impl<C: Calls> Binary<C> {
    fn new(login: Login, calls: C) -> Self {
        let transport = match login {
            Login::None { .. } => Transport::Raw,
            Login::Plain { .. } => Transport::Negotiating,
        };
        Self { login, calls, transport, arrived: Vec::new(), stream: Vec::new(), any_answer: false }
    }

    fn plain_response(&self) -> Result<Vec<u8>, ProbeError> {
        let Login::Plain { user, password } = &self.login else { return Ok(Vec::new()) };
        sasl::plain_response(user, password).map_err(ProbeError::Credentials)
    }

    fn start(&mut self) -> Vec<u8> {
        if self.transport == Transport::Raw {
            return self.calls.first();
        }
        let mut bytes = Vec::new();
        sasl::write_negotiation(Status::Start, sasl::MECHANISM_PLAIN.as_bytes(), &mut bytes);
        // Both frames at once, as impyla and Hive JDBC send them. Credentials that cannot be
        // written are not sent in part: the server refuses the empty response, and its answer is
        // turned into the true reason.
        let response = self.plain_response().unwrap_or_default();
        sasl::write_negotiation(Status::Ok, &response, &mut bytes);
        bytes
    }

    fn receive(&mut self, bytes: &[u8]) -> Result<Progress, ProbeError> {
        if bytes.is_empty() {
            return Ok(Progress::NeedMore);
        }
        if self.transport == Transport::Raw {
            return self.receive_raw(bytes);
        }
        self.plain_response()?;
        // Bounded even for a caller that hands over more than one read.
        if self.arrived.len() + bytes.len() > BUFFER_BYTES_MAX {
            return Err(ProbeError::TooLong { during: self.stage() });
        }
        self.arrived.extend_from_slice(bytes);
        if self.transport == Transport::Negotiating {
            return self.negotiate();
        }
        self.unframe()?;
        self.advance()
    }

    fn receive_raw(&mut self, bytes: &[u8]) -> Result<Progress, ProbeError> {
        if self.stream.len() + bytes.len() > BUFFER_BYTES_MAX {
            return Err(ProbeError::TooLong { during: self.stage() });
        }
        self.stream.extend_from_slice(bytes);
        if !self.any_answer {
            if self.stream.first() != Some(&0x80) {
                return self.speaks_something_else();
            }
            self.any_answer = true;
        }
        self.advance()
    }

    /// A SASL server's complaint is worth waiting for; anything else is told by its start.
    fn speaks_something_else(&self) -> Result<Progress, ProbeError> {
        let found = Speaks::of(&self.stream);
        let worth_waiting = matches!(found, Speaks::Sasl { .. })
            && sasl_text_is_due(&self.stream)
            && self.stream.len() < BUFFER_BYTES_MAX;
        if worth_waiting {
            return Ok(Progress::NeedMore);
        }
        Err(ProbeError::Speaks { found, during: self.stage() })
    }

    fn negotiate(&mut self) -> Result<Progress, ProbeError> {
        let during = Stage::SaslLogin;
        let first = self.arrived.first().copied().unwrap_or(0);
        let Some(status) = Status::from_byte(first) else {
            return Err(ProbeError::Speaks { found: Speaks::of(&self.arrived), during });
        };
        let Some((_, length)) = sasl::read_negotiation_header(&self.arrived) else {
            return Ok(Progress::NeedMore);
        };
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        let frame_size = sasl::NEGOTIATION_HEADER_SIZE.saturating_add(length);
        if frame_size > BUFFER_BYTES_MAX {
            return Err(ProbeError::TooLong { during });
        }
        let Some(payload) = self.arrived.get(sasl::NEGOTIATION_HEADER_SIZE..frame_size) else {
            return Ok(Progress::NeedMore);
        };
        match status {
            Status::Complete => {}
            Status::Bad | Status::Error => {
                let text = crate::text::clean(payload);
                return Err(ProbeError::LoginRefused { status, text });
            }
            // PLAIN has no challenge.
            Status::Start | Status::Ok => return Err(ProbeError::LoginAnswer { status: first }),
        }
        if self.arrived.len() > frame_size {
            // Nothing was asked yet.
            return Err(ProbeError::Surplus { during });
        }
        self.arrived.clear();
        self.transport = Transport::Framed;
        self.any_answer = true;
        Ok(Progress::Send(self.wrap(self.calls.first())))
    }

    /// Moves the contents of whole frames into the stream.
    fn unframe(&mut self) -> Result<(), ProbeError> {
        let during = self.stage();
        let mut rest = self.arrived.as_slice();
        while let Some(length) = sasl::read_frame_header(rest) {
            let length = usize::try_from(length).unwrap_or(usize::MAX);
            let frame_size = sasl::FRAME_HEADER_SIZE.saturating_add(length);
            if frame_size.saturating_add(self.stream.len()) > BUFFER_BYTES_MAX {
                return Err(ProbeError::TooLong { during });
            }
            let Some(chunk) = rest.get(sasl::FRAME_HEADER_SIZE..frame_size) else { break };
            self.stream.extend_from_slice(chunk);
            rest = rest.get(frame_size..).unwrap_or(&[]);
        }
        let used = self.arrived.len() - rest.len();
        self.arrived.drain(..used);
        Ok(())
    }

    fn advance(&mut self) -> Result<Progress, ProbeError> {
        let during = self.stage();
        let Some((next, length)) = self.calls.reply(&self.stream)? else {
            return Ok(Progress::NeedMore);
        };
        if self.stream.len() > length || !self.arrived.is_empty() {
            return Err(ProbeError::Surplus { during });
        }
        self.stream.clear();
        Ok(match next {
            Next::Call(call) => Progress::Send(self.wrap(call)),
            Next::Done(verdict) => Progress::Done(verdict),
        })
    }

    fn wrap(&self, call: Vec<u8>) -> Vec<u8> {
        if self.transport == Transport::Raw {
            return call;
        }
        let mut framed = Vec::with_capacity(sasl::FRAME_HEADER_SIZE + call.len());
        sasl::write_frame(&call, &mut framed);
        framed
    }

    fn closed(&mut self) -> Result<Progress, ProbeError> {
        if self.transport == Transport::Negotiating {
            self.plain_response()?;
        }
        if !self.any_answer && !self.stream.is_empty() {
            let found = Speaks::of(&self.stream);
            return Err(ProbeError::Speaks { found, during: self.stage() });
        }
        let during = self.stage();
        if self.transport == Transport::Raw && !self.any_answer {
            return Err(ProbeError::ClosedAtOnce { during });
        }
        Err(ProbeError::Closed { during })
    }

    fn stage(&self) -> Stage {
        match self.transport {
            Transport::Negotiating => Stage::SaslLogin,
            Transport::Raw | Transport::Framed => self.calls.stage(),
        }
    }
}

/// The negotiation frame at the front has not arrived whole.
fn sasl_text_is_due(bytes: &[u8]) -> bool {
    match sasl::read_negotiation_header(bytes) {
        None => true,
        // Longer texts are not worth the wait; the clean text is cut anyway.
        Some((_, length)) => {
            length < 4096 && bytes.len() - sasl::NEGOTIATION_HEADER_SIZE < length as usize
        }
    }
}
