//! What HiveServer2 over HTTP adds to a call: heads around it, credentials with every one, cookies.
//!
//! A coordinator's cookie means nothing to another one, and a connection to a coordinator remembers
//! who used it. So with Basic and Bearer the cookies of coordinators stay here, one for each line,
//! and a line serves one identity only: the credentials and the target of its first request. With
//! Kerberos only the client can make credentials; its cookies pass as they are.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use oxpecker_wire::scan::http::{self, Body, Framing, Head, HeadEnd};

use super::link::{Broken, Inward, Link, Outward};

/// Interim replies before an answer; one is usual.
const INTERIM_MAX: usize = 8;

/// The status of every answer that has a Thrift reply in it.
pub(super) const OK: u16 = 200;
pub(super) const UNAUTHORIZED: u16 = 401;

/// What a request says around its call.
#[derive(Clone)]
pub(crate) struct Request {
    head: Vec<u8>,
    framing: Framing,
    pub(super) closes: bool,
    identity: Vec<u8>,
    /// Whom the target says the client acts for.
    do_as: Option<Box<str>>,
    /// Its coordinator's cookies are kept here.
    pub(super) keeps_cookies: bool,
    standing: Standing,
    expects_continue: bool,
}

/// Characters; longer names are cut, as those in calls are.
const NAME_MAX: usize = 256;
/// Scheme of HTTP's Basic authentication, RFC 7617.
const BASIC: &[u8] = b"basic ";

/// Whether another call may have the same around it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// There is nothing in it that only this client may say.
    Open,
    /// Its credentials are good for many calls.
    Repeats,
    /// Only the client can make what it carries.
    Single,
}

/// What a reply says around its body.
#[derive(Debug)]
pub(super) struct Response {
    head: Vec<u8>,
    pub(super) status: u16,
    framing: Framing,
    pub(super) closes: bool,
}

/// Why a request gets an answer from us instead of a coordinator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Bad {
    Request,
    Method,
}

impl Bad {
    /// The whole answer; the connection ends with it.
    pub(super) fn answer(self) -> &'static [u8] {
        match self {
            Self::Request => {
                b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
            }
            Self::Method => {
                b"HTTP/1.1 405 Method Not Allowed\r\nAllow: POST\r\nContent-Length: 0\r\n\
                  Connection: close\r\n\r\n"
            }
        }
    }
}

/// Reads a head, its empty line included, off the front of what arrives.
async fn read_head(link: &mut Link) -> Result<Vec<u8>, Broken> {
    let mut end = HeadEnd::default();
    let mut head = Vec::new();
    loop {
        let (used, over) = end.feed(link.received())?;
        head.extend_from_slice(&link.received()[..used]);
        link.skip(used);
        if over {
            return Ok(head);
        }
        link.more().await?;
    }
}

/// Reads the head of the next request; its body is payload from then on. The caller has made sure
/// that its first byte is there.
pub(super) async fn read_request(client: &mut Link) -> Result<Result<Request, Bad>, Broken> {
    let head = match read_head(client).await {
        Err(Broken::Http(_)) => return Ok(Err(Bad::Request)),
        head => head?,
    };
    let Ok(request) = http::request(&head) else { return Ok(Err(Bad::Request)) };
    if request.method != b"POST" {
        return Ok(Err(Bad::Method));
    }
    let is_authorization = |name: &[u8]| is_one_of(name, &["authorization"]);
    if request.head.lines().filter(|(name, _)| is_authorization(name)).count() > 1 {
        // We and a coordinator might believe different ones.
        return Ok(Err(Bad::Request));
    }
    let framing = request.head.framing;
    let credentials = request.head.get("authorization").unwrap_or_default();
    let scheme = credentials.split(|&b| b == b' ').next().unwrap_or_default();
    let repeats = [&b"basic"[..], b"bearer"].iter().any(|known| scheme.eq_ignore_ascii_case(known));
    // Single-use tickets do not tell who somebody is over time; the connection's other side does.
    let identity = match repeats {
        true => [credentials, b"\0", request.target].concat(),
        false => [b"\0", request.target].concat(),
    };
    let expects = request.head.get("expect");
    let expects_continue = expects.is_some_and(|value| value.eq_ignore_ascii_case(b"100-continue"));
    let closes = request.head.closes;
    client.inward = Inward::Http(Body::new(framing));
    let keeps_cookies = repeats;
    let has_cookie = request.head.get("cookie").is_some();
    let standing = match (credentials.is_empty(), repeats) {
        (_, true) => Standing::Repeats,
        (true, false) if !has_cookie => Standing::Open,
        _ => Standing::Single,
    };
    let do_as = do_as(request.target).map(Into::into);
    Ok(Ok(Request {
        head,
        framing,
        closes,
        identity,
        do_as,
        keeps_cookies,
        standing,
        expects_continue,
    }))
}

impl Request {
    pub(super) fn standing(&self) -> Standing {
        self.standing
    }

    /// Whose line may carry it.
    pub(super) fn identity(&self) -> &[u8] {
        &self.identity
    }

    pub(super) fn do_as(&self) -> Option<&str> {
        self.do_as.as_deref()
    }

    /// Whose password it carries; `None` without one, and for tokens.
    pub(super) fn user(&self) -> Option<String> {
        let request = http::request(&self.head).ok()?;
        let mut lines = request.head.lines();
        let (_, value) = lines.find(|(name, _)| name.eq_ignore_ascii_case(b"authorization"))?;
        basic_user(value)
    }

    /// The client waits for leave to send its body. Asked once.
    pub(super) fn take_expectation(&mut self) -> bool {
        std::mem::take(&mut self.expects_continue)
    }

    /// The head for a coordinator, for a call that is so many bytes shorter than it came.
    pub(super) fn queue(&self, link: &mut Link, shorter: usize, cookie: &[u8]) {
        self.queue_framed(link, self.framing, shorter, cookie);
    }

    /// The head for another call of so many bytes.
    pub(super) fn queue_alone(&self, link: &mut Link, length: usize, cookie: &[u8]) {
        self.queue_framed(link, Framing::Length(length as u64), 0, cookie);
    }

    fn queue_framed(&self, link: &mut Link, framing: Framing, shorter: usize, cookie: &[u8]) {
        let Ok(request) = http::request(&self.head) else { return };
        let mut head = [request.method, b" ", request.target, b" HTTP/1.1\r\n"].concat();
        let ours = |name: &[u8]| {
            is_one_of(name, &["content-length", "transfer-encoding", "connection", "expect"])
        };
        for (name, value) in request.head.lines() {
            if ours(name) || self.keeps_cookies && is_one_of(name, &["cookie"]) {
                continue;
            }
            push_line(&mut head, name, value);
        }
        if self.keeps_cookies {
            let cookies = cookies_for(&request.head, cookie);
            if !cookies.is_empty() {
                push_line(&mut head, b"Cookie", &cookies);
            }
        }
        link.outward = push_framing(&mut head, framing, -(shorter as i64));
        push_connection(&mut head, false);
        link.queue_bare(&head);
    }

    /// The end of a body in chunks.
    pub(super) fn queue_end(&self, link: &mut Link) {
        if link.outward == Outward::Chunked {
            link.queue_bare(b"0\r\n\r\n");
        }
    }
}

/// Takes what is left of a body whose message is over. False: there was more payload. Does nothing
/// to what is no HTTP.
pub(super) async fn drain(link: &mut Link) -> Result<bool, Broken> {
    while matches!(link.inward, Inward::Http(_)) {
        let is_empty = link.payload()?.is_empty();
        link.took(0);
        if !is_empty {
            return Ok(false);
        }
        if link.payload_is_over() || link.may_end() {
            break;
        }
        link.more().await?;
    }
    Ok(true)
}

/// Reads the head of a coordinator's answer; its body is payload from then on.
pub(super) async fn read_response(link: &mut Link) -> Result<Response, Broken> {
    for _ in 0..INTERIM_MAX {
        let head = read_head(link).await?;
        let response = http::response(&head)?;
        if (100..200).contains(&response.status) {
            continue;
        }
        let (status, framing) = (response.status, response.head.framing);
        let closes = response.head.closes;
        link.inward = Inward::Http(Body::new(framing));
        return Ok(Response { status, framing, closes, head });
    }
    Err(Broken::Ended)
}

impl Response {
    /// The head for the client, for a body that is so many bytes longer than it came. Returns the
    /// coordinator's own cookie, when it sets one and that stays here.
    pub(super) fn queue(
        &self,
        client: &mut Link,
        longer: usize,
        keeps_cookies: bool,
        closes: bool,
    ) -> Option<Vec<u8>> {
        let response = http::response(&self.head).ok()?;
        let start = self.head.split(|&b| b == b'\r').next().unwrap_or_default();
        let mut head = [start, b"\r\n"].concat();
        let mut cookie = None;
        for (name, value) in response.head.lines() {
            if is_one_of(name, &["content-length", "transfer-encoding", "connection"]) {
                continue;
            }
            if keeps_cookies && is_one_of(name, &["set-cookie"]) && is_auth_cookie(value) {
                let pair = value.split(|&b| b == b';').next().unwrap_or_default();
                // An empty one takes the cookie back.
                let ends = pair.ends_with(b"=");
                cookie = Some(if ends { Vec::new() } else { pair.to_vec() });
                continue;
            }
            push_line(&mut head, name, value);
        }
        let framing = match self.framing {
            // Its end would be the connection's, and ours goes on.
            Framing::UntilClose if !closes => Framing::Chunked,
            framing => framing,
        };
        client.outward = push_framing(&mut head, framing, longer as i64);
        push_connection(&mut head, closes);
        client.queue_bare(&head);
        cookie
    }

    pub(super) fn queue_end(&self, client: &mut Link) {
        if client.outward == Outward::Chunked {
            client.queue_bare(b"0\r\n\r\n");
        }
    }
}

/// The head of an answer that we give in a coordinator's place.
pub(super) fn queue_own(client: &mut Link, length: usize, closes: bool) {
    let mut head = b"HTTP/1.1 200 OK\r\nContent-Type: application/x-thrift\r\n".to_vec();
    client.outward = push_framing(&mut head, Framing::Length(length as u64), 0);
    push_connection(&mut head, closes);
    client.queue_bare(&head);
}

fn push_connection(head: &mut Vec<u8>, closes: bool) {
    let word: &[u8] = if closes { b"close" } else { b"Keep-Alive" };
    push_line(head, b"Connection", word);
    head.extend_from_slice(b"\r\n");
}

fn push_framing(head: &mut Vec<u8>, framing: Framing, difference: i64) -> Outward {
    match framing {
        Framing::Length(length) => {
            let length = length.saturating_add_signed(difference).to_string();
            push_line(head, b"Content-Length", length.as_bytes());
            Outward::Raw
        }
        Framing::Chunked => {
            push_line(head, b"Transfer-Encoding", b"chunked");
            Outward::Chunked
        }
        Framing::UntilClose => Outward::Raw,
    }
}

fn push_line(head: &mut Vec<u8>, name: &[u8], value: &[u8]) {
    for part in [name, b": ", value, b"\r\n"] {
        head.extend_from_slice(part);
    }
}

fn is_one_of(name: &[u8], names: &[&str]) -> bool {
    names.iter().any(|known| name.eq_ignore_ascii_case(known.as_bytes()))
}

/// `impala.auth`, `hive.server2.auth`: what clients take for a log-in, too.
fn is_auth_cookie(pair: &[u8]) -> bool {
    let name = pair.split(|&b| b == b'=').next().unwrap_or_default();
    name.trim_ascii().ends_with(b".auth")
}

/// The client's cookies but for log-ins, and the coordinator's own.
fn cookies_for(head: &Head<'_>, own: &[u8]) -> Vec<u8> {
    let mut cookies = Vec::new();
    let theirs = head
        .lines()
        .filter(|(name, _)| is_one_of(name, &["cookie"]))
        .flat_map(|(_, value)| value.split(|&b| b == b';'))
        .map(<[u8]>::trim_ascii)
        .filter(|pair| !pair.is_empty() && !is_auth_cookie(pair));
    // First: Impala looks at five.
    let own = (!own.is_empty()).then_some(own);
    for pair in own.into_iter().chain(theirs) {
        if !cookies.is_empty() {
            cookies.extend_from_slice(b"; ");
        }
        cookies.extend_from_slice(pair);
    }
    cookies
}

/// Whom the client acts for by a request's target, read as Impala reads it.
fn do_as(target: &[u8]) -> Option<String> {
    let at = target.iter().position(|&byte| byte == b'?')?;
    let mut parameters = form_urlencoded::parse(&target[at + 1..]);
    let (_, name) = parameters.find(|(name, _)| name == "doAs")?;
    (!name.is_empty()).then(|| name.chars().take(NAME_MAX).collect())
}

/// The name in the credentials of HTTP's Basic authentication.
fn basic_user(authorization: &[u8]) -> Option<String> {
    let (scheme, credentials) = authorization.split_at_checked(BASIC.len())?;
    if !scheme.eq_ignore_ascii_case(BASIC) {
        return None;
    }
    let credentials = BASE64_STANDARD.decode(credentials.trim_ascii()).ok()?;
    let user = credentials.split(|&byte| byte == b':').next()?;
    Some(String::from_utf8_lossy(user).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whom_a_client_acts_for_is_in_its_target() {
        let name = |target: &str| do_as(target.as_bytes());
        assert_eq!(name("/cliservice?doAs=bob"), Some("bob".to_owned()));
        assert_eq!(name("/?a=b&doAs=b%c3%B6b+x%2&doAs=eve"), Some("b\u{f6}b x%2".to_owned()));
        for other in
            ["/cliservice", "/?", "/?doAs=", "/?doas=bob", "/?xdoAs=bob", "/doAs=bob", "?&"]
        {
            assert_eq!(name(other), None, "{other}");
        }
        let long = name(&format!("/?doAs={}", "x".repeat(10_000)));
        assert_eq!(long.map(|name| name.len()), Some(NAME_MAX));
        assert_eq!(name("/?doAs=%ff%0a"), Some("\u{fffd}\n".to_owned()));
    }

    #[test]
    fn the_user_is_who_logs_in() {
        let user = |authorization: &str| basic_user(authorization.as_bytes());
        assert_eq!(user("Basic YWxpY2U6c2VjcmV0OjE="), Some("alice".to_owned()));
        assert_eq!(user("basic  YWxpY2U6 "), Some("alice".to_owned()));
        for other in ["Bearer YWxpY2U6", "Basic ?", "Basic", "Negotiate YWxpY2U6", ""] {
            assert_eq!(user(other), None, "{other}");
        }
    }
}
