//! A whole stream read through the layers it has, in pieces as the test wants them.

use oxpecker_wire::sasl;
use oxpecker_wire::scan::frames::Frames;
use oxpecker_wire::scan::http::{self, Body, HeadEnd};
use oxpecker_wire::scan::{CallScanner, Dialect, Progress, ReplyScanner};
use oxpecker_wire::thrift::MessageKind;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Direction {
    ToServer,
    ToClient,
}

/// A message that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Message {
    pub(crate) kind: MessageKind,
    pub(crate) name: String,
    pub(crate) bytes: u64,
    /// All else that the scanner says of it.
    pub(crate) facts: String,
}

enum Scanner {
    Calls(CallScanner),
    Replies(ReplyScanner),
}

impl Scanner {
    fn feed(&mut self, bytes: &[u8]) -> Result<(usize, Progress), String> {
        match self {
            Self::Calls(scanner) => scanner.feed(bytes),
            Self::Replies(scanner) => scanner.feed(bytes),
        }
        .map_err(|fault| fault.to_string())
    }

    fn message(&mut self) -> Message {
        let (header, bytes, facts) = match self {
            Self::Calls(scanner) => {
                let call = scanner.call();
                let facts = format!(
                    "{:?} {:?} {:?} {} {} {} {} {:x} {:?} {}",
                    call.method(),
                    call.handle(),
                    call.second_handle(),
                    String::from_utf8_lossy(call.query_id.kept()),
                    String::from_utf8_lossy(call.user.kept()),
                    String::from_utf8_lossy(call.do_as.kept()),
                    String::from_utf8_lossy(call.statement.kept()),
                    call.statement.fingerprint(),
                    call.rows_max,
                    call.fetches_log,
                );
                (*call.header().unwrap(), scanner.position(), facts)
            }
            Self::Replies(scanner) => {
                let reply = scanner.reply();
                let facts = format!(
                    "{:?} {:?} {:?} {} {} {:?} {:?} {:?} {} {:?} {}",
                    reply.method(),
                    reply.handle(),
                    reply.status,
                    String::from_utf8_lossy(reply.sql_state.kept()),
                    String::from_utf8_lossy(reply.error.kept()),
                    reply.operation_state,
                    reply.has_result_set,
                    reply.has_more_rows,
                    reply.rows,
                    reply.rows_written,
                    String::from_utf8_lossy(reply.query_id.kept()),
                );
                (*reply.header().unwrap(), scanner.position(), facts)
            }
        };
        match self {
            Self::Calls(scanner) => scanner.reset(),
            Self::Replies(scanner) => scanner.reset(),
        }
        let name = String::from_utf8_lossy(header.name()).into_owned();
        Message { kind: header.kind, name, bytes, facts }
    }
}

enum Layer {
    Undecided,
    Bare,
    /// Bytes of the current negotiation frame's header so far, and left of its payload.
    Negotiation(Vec<u8>, u32),
    Sasl(Frames),
    HttpHead(HeadEnd, Vec<u8>),
    HttpBody(Body),
}

/// Reads one direction of one connection.
pub(crate) struct Stream {
    layer: Layer,
    direction: Direction,
    scanner: Scanner,
    heads: usize,
    pub(crate) messages: Vec<Message>,
}

impl Stream {
    pub(crate) fn new(direction: Direction, dialect: Dialect) -> Self {
        let scanner = match direction {
            Direction::ToServer => Scanner::Calls(CallScanner::new(dialect)),
            Direction::ToClient => Scanner::Replies(ReplyScanner::new(dialect)),
        };
        Self { layer: Layer::Undecided, direction, scanner, heads: 0, messages: Vec::new() }
    }

    pub(crate) fn push(&mut self, mut bytes: &[u8]) -> Result<(), String> {
        while !bytes.is_empty() {
            match &mut self.layer {
                Layer::Undecided => {
                    self.layer = match bytes[0] {
                        1..=5 => Layer::Negotiation(Vec::new(), 0),
                        b'P' | b'H' => Layer::HttpHead(HeadEnd::default(), Vec::new()),
                        _ => Layer::Bare,
                    };
                }
                Layer::Bare => {
                    self.thrift(bytes)?;
                    bytes = &[];
                }
                Layer::Negotiation(header, left) if *left > 0 => {
                    let count = bytes.len().min(*left as usize);
                    *left -= count as u32;
                    if *left == 0 {
                        header.clear();
                    }
                    bytes = &bytes[count..];
                }
                Layer::Negotiation(header, left) => {
                    // Frames after the negotiation begin with the high byte of a length.
                    if header.is_empty() && bytes[0] == 0 {
                        self.layer = Layer::Sasl(Frames::default());
                        continue;
                    }
                    header.push(bytes[0]);
                    bytes = &bytes[1..];
                    if let Some((_, length)) = sasl::read_negotiation_header(header) {
                        *left = length;
                        if length == 0 {
                            header.clear();
                        }
                    }
                }
                Layer::Sasl(frames) => {
                    let (passed, count) = frames.next(bytes).map_err(|fault| fault.to_string())?;
                    frames.took(count);
                    let payload = &bytes[passed..passed + count];
                    bytes = &bytes[passed + count..];
                    self.thrift(payload)?;
                }
                Layer::HttpHead(end, head) => {
                    let (count, over) = end.feed(bytes).map_err(|fault| fault.to_string())?;
                    head.extend_from_slice(&bytes[..count]);
                    bytes = &bytes[count..];
                    if over {
                        let framing = match self.direction {
                            Direction::ToServer => http::request(head).map(|r| r.head.framing),
                            Direction::ToClient => http::response(head).map(|r| r.head.framing),
                        };
                        self.heads += 1;
                        self.body(Body::new(framing.map_err(|fault| fault.to_string())?));
                    }
                }
                Layer::HttpBody(body) => {
                    let (passed, count) = body.next(bytes).map_err(|fault| fault.to_string())?;
                    body.took(count);
                    let body = *body;
                    let payload = &bytes[passed..passed + count];
                    bytes = &bytes[passed + count..];
                    self.thrift(payload)?;
                    self.body(body);
                }
            }
        }
        Ok(())
    }

    fn body(&mut self, body: Body) {
        self.layer = if body.is_done() {
            Layer::HttpHead(HeadEnd::default(), Vec::new())
        } else {
            Layer::HttpBody(body)
        };
    }

    fn thrift(&mut self, mut bytes: &[u8]) -> Result<(), String> {
        loop {
            let (used, progress) = self.scanner.feed(bytes)?;
            bytes = &bytes[used..];
            match progress {
                Progress::More => {
                    assert!(bytes.is_empty(), "`More` means that all was used");
                    return Ok(());
                }
                Progress::Head => {}
                Progress::End => {
                    let message = self.scanner.message();
                    self.messages.push(message);
                    if bytes.is_empty() {
                        return Ok(());
                    }
                }
            }
        }
    }
}
