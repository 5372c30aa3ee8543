//! Probe of the hs2-http port: the calls of HiveServer2 as POSTs on one kept-alive connection.

use super::calls::{Calls, Hs2Calls, Next};
use super::http::{check_start, host_value, http_error, path_value, status_error};
use super::{Conversation, Login, ProbeError, Progress, Stage};
use crate::http::{ResponseReader, basic_credentials};

#[derive(Debug)]
pub struct Hs2HttpProbe {
    login: Login,
    host: String,
    path: String,
    calls: Hs2Calls,
    response: ResponseReader,
}

impl Hs2HttpProbe {
    /// `host` is the `Host` header; `path` what clients use, `/cliservice` as a rule.
    pub fn new(login: Login, host: &str, path: &str) -> Self {
        let calls = Hs2Calls::new(login.user());
        Self {
            login,
            host: host_value(host),
            path: path_value(path),
            calls,
            response: ResponseReader::new(),
        }
    }

    fn request(&self, call: &[u8]) -> Vec<u8> {
        let mut head = format!(
            "POST {} HTTP/1.1\r\nHost: {}\r\nUser-Agent: oxpecker-probe\r\n\
             Content-Type: application/x-thrift\r\nAccept: application/x-thrift\r\n\
             Content-Length: {}\r\n",
            self.path,
            self.host,
            call.len(),
        );
        if let Login::Plain { user, password } = &self.login {
            // With every request: cookies are only a short cut, and there are three requests.
            head += &format!("Authorization: Basic {}\r\n", basic_credentials(user, password));
        }
        head += "\r\n";
        [head.as_bytes(), call].concat()
    }

    fn advance(&mut self) -> Result<Progress, ProbeError> {
        let during = self.stage();
        let Some(head) = self.response.head() else { return Ok(Progress::NeedMore) };
        // Thrift's outcome is in the body; any other status is about HTTP. Impala sends 401
        // without a body and closes, so this does not wait for the end.
        if head.status != 200 {
            return Err(status_error(during, head));
        }
        let closes = head.closes;
        if !self.response.is_complete() {
            return Ok(Progress::NeedMore);
        }
        let body = self.response.take_body();
        let Some((next, length)) = self.calls.reply(&body)? else {
            return Err(http_error(during, crate::http::HttpError::CutOff));
        };
        if length < body.len() {
            return Err(ProbeError::Surplus { during });
        }
        self.response = ResponseReader::new();
        Ok(match next {
            Next::Call(call) if closes => Progress::Reconnect { send: self.request(&call) },
            Next::Call(call) => Progress::Send(self.request(&call)),
            Next::Done(verdict) => Progress::Done(verdict),
        })
    }
}

impl Conversation for Hs2HttpProbe {
    fn start(&mut self) -> Vec<u8> {
        self.request(&self.calls.first())
    }

    fn receive(&mut self, bytes: &[u8]) -> Result<Progress, ProbeError> {
        let during = self.stage();
        check_start(&self.response, bytes, during)?;
        self.response.push(bytes).map_err(|error| http_error(during, error))?;
        self.advance()
    }

    fn closed(&mut self) -> Result<Progress, ProbeError> {
        let during = self.stage();
        if self.response.head().is_none() {
            return Err(ProbeError::Closed { during });
        }
        self.response.closed().map_err(|error| http_error(during, error))?;
        self.advance()
    }

    fn stage(&self) -> Stage {
        self.calls.stage()
    }
}
