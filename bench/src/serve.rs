//! The backend: answers, streams and checks what the generator asks for, in one epoll loop.
//! It never makes a decision of its own and ends by itself after `lifetime`.

use std::collections::HashMap;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::time::{Duration, Instant};

use anyhow::Context;
use nix::sys::epoll::EpollFlags;
use socket2::{Domain, Socket, Type};

use crate::duplex::{Duplex, SCRATCH_BYTES};
use crate::link::Link;
use crate::poll::{Events, Poll, READ, WRITE};
use crate::thrift::Asked;
use crate::wire::{REQUEST_BYTES, Request, Verdict};

/// Answered and streamed from here; small enough to stay in the cache.
const CHUNK_BYTES: usize = 256 * 1024;
/// Writes to one connection before the next gets its turn.
const WRITES_PER_TURN: usize = 4;
/// An overflow would drop SYNs, and their repetition after 1 s would be booked to the proxy.
const BACKLOG: i32 = 4096;
/// Longest wait for events, so that `lifetime` is noticed.
const WAIT_MAX: Duration = Duration::from_secs(1);
const LISTENER: usize = usize::MAX;

/// Serves until `lifetime` is over.
pub(crate) fn serve(listen: SocketAddr, lifetime: Duration) -> anyhow::Result<()> {
    let listener = listen_on(listen).with_context(|| format!("listen on {listen}"))?;
    let poll = Poll::new()?;
    poll.add(&listener, LISTENER, READ)?;
    let mut backend = Backend {
        listener,
        poll,
        connections: Vec::new(),
        free: Vec::new(),
        verdicts: HashMap::new(),
        scratch: vec![0; SCRATCH_BYTES],
        content: Content {
            chunk: vec![0x5a; CHUNK_BYTES],
            replies: [Asked::State, Asked::Rows].map(|asked| (asked, asked.reply())),
        },
    };
    let end = Instant::now() + lifetime;
    let mut events = Events::new();
    while Instant::now() < end {
        for (token, flags) in backend.poll.wait(&mut events, WAIT_MAX)? {
            if token == LISTENER {
                backend.accept()?;
            } else {
                backend.turn(token, flags);
            }
        }
    }
    Ok(())
}

fn listen_on(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM.nonblocking(), None)?;
    socket.set_reuse_address(true)?;
    // Accepted sockets inherit it: no Nagle delay on the tail of an answer.
    socket.set_tcp_nodelay(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

struct Backend {
    listener: TcpListener,
    poll: Poll,
    connections: Vec<Option<Connection>>,
    free: Vec<usize>,
    verdicts: HashMap<u64, Verdict>,
    scratch: Vec<u8>,
    content: Content,
}

/// What answers are made of.
struct Content {
    chunk: Vec<u8>,
    replies: [(Asked, Vec<u8>); 2],
}

impl Content {
    fn reply(&self, asked: Asked) -> &[u8] {
        self.replies.iter().find(|(known, _)| *known == asked).map_or(&[], |(_, reply)| reply)
    }
}

struct Connection {
    stream: Link,
    doing: Doing,
    interest: EpollFlags,
    head: [u8; REQUEST_BYTES],
    head_bytes: usize,
}

enum Doing {
    Listening,
    Answering { left: u64 },
    Replying { asked: Asked, at: usize },
    Streaming { until: Instant },
    Checking { id: u64, duplex: Box<Duplex> },
}

enum Next {
    Keep,
    Close,
}

impl Backend {
    fn accept(&mut self) -> io::Result<()> {
        loop {
            let stream = match self.listener.accept() {
                Ok((stream, _)) => stream,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => continue,
                Err(error) => return Err(error),
            };
            let token = self.free.pop().unwrap_or_else(|| {
                self.connections.push(None);
                self.connections.len() - 1
            });
            self.poll.add(&stream, token, READ)?;
            self.connections[token] = Some(Connection {
                stream: Link::Plain(stream),
                doing: Doing::Listening,
                interest: READ,
                head: [0; REQUEST_BYTES],
                head_bytes: 0,
            });
        }
    }

    fn turn(&mut self, token: usize, flags: EpollFlags) {
        let Some(connection) = self.connections[token].as_mut() else { return };
        let next = connection
            .turn(flags, &mut self.verdicts, &mut self.scratch, &self.content)
            .and_then(|next| connection.keep_interest(&self.poll, token).map(|()| next))
            // A peer that hangs up is how most works end.
            .unwrap_or(Next::Close);
        if matches!(next, Next::Close) {
            if let Doing::Checking { id, duplex } = &connection.doing
                && !duplex.has_ended()
            {
                self.verdicts.insert(*id, Verdict::Bad);
            }
            self.connections[token] = None;
            self.free.push(token);
        }
    }
}

impl Connection {
    fn turn(
        &mut self,
        flags: EpollFlags,
        verdicts: &mut HashMap<u64, Verdict>,
        scratch: &mut [u8],
        content: &Content,
    ) -> io::Result<Next> {
        match &mut self.doing {
            Doing::Listening if flags.contains(READ) => self.listen(verdicts, scratch, content),
            Doing::Listening => Ok(Next::Close),
            Doing::Answering { .. } => self.answer(&content.chunk),
            Doing::Replying { .. } => self.reply(content),
            Doing::Streaming { until } => {
                if Instant::now() >= *until {
                    return Ok(Next::Close);
                }
                for _ in 0..WRITES_PER_TURN {
                    let chunk = &content.chunk;
                    if self.stream.transmit(chunk)?.is_none_or(|count| count < chunk.len()) {
                        break;
                    }
                }
                Ok(Next::Keep)
            }
            Doing::Checking { .. } => self.check(verdicts, scratch),
        }
    }

    fn listen(
        &mut self,
        verdicts: &mut HashMap<u64, Verdict>,
        scratch: &mut [u8],
        content: &Content,
    ) -> io::Result<Next> {
        let Some(count) = self.stream.receive(scratch)? else { return Ok(Next::Keep) };
        if count == 0 {
            return Ok(Next::Close);
        }
        let take = count.min(REQUEST_BYTES - self.head_bytes);
        self.head[self.head_bytes..self.head_bytes + take].copy_from_slice(&scratch[..take]);
        self.head_bytes += take;
        if self.head_bytes < REQUEST_BYTES {
            return Ok(Next::Keep);
        }
        self.head_bytes = 0;
        if let Some(asked) = Asked::of(&self.head)
            && take == count
        {
            self.doing = Doing::Replying { asked, at: 0 };
            return self.reply(content);
        }
        match Request::decode(&self.head) {
            Some(Request::Check(plan)) => {
                verdicts.insert(plan.id, Verdict::Running);
                let mut duplex = Box::new(Duplex::backend(&plan));
                if take < count {
                    duplex.take(&scratch[take..count]);
                }
                self.doing = Doing::Checking { id: plan.id, duplex };
                self.check(verdicts, scratch)
            }
            // Only a check sends more than it was asked for: these bytes are displaced.
            _ if take < count => Ok(Next::Close),
            Some(Request::Answer { bytes }) => {
                self.doing = Doing::Answering { left: bytes };
                self.answer(&content.chunk)
            }
            Some(Request::Stream { millis }) => {
                let until = Instant::now() + Duration::from_millis(millis);
                self.doing = Doing::Streaming { until };
                Ok(Next::Keep)
            }
            Some(Request::Verdict { id }) => {
                let verdict = verdicts.get(&id).copied().unwrap_or(Verdict::Unknown);
                let sent = self.stream.transmit(&verdict.encode())?;
                Ok(if sent == Some(REQUEST_BYTES) { Next::Keep } else { Next::Close })
            }
            None => Ok(Next::Close),
        }
    }

    fn answer(&mut self, chunk: &[u8]) -> io::Result<Next> {
        let Doing::Answering { left } = &mut self.doing else { return Ok(Next::Keep) };
        for _ in 0..WRITES_PER_TURN {
            let count = (*left).min(chunk.len() as u64) as usize;
            let sent = self.stream.transmit(&chunk[..count])?.unwrap_or(0);
            *left -= sent as u64;
            if *left == 0 {
                self.doing = Doing::Listening;
                break;
            }
            if sent < count {
                break;
            }
        }
        Ok(Next::Keep)
    }

    fn reply(&mut self, content: &Content) -> io::Result<Next> {
        let Doing::Replying { asked, at } = &mut self.doing else { return Ok(Next::Keep) };
        let reply = content.reply(*asked);
        *at += self.stream.transmit(&reply[*at..])?.unwrap_or(0);
        if *at == reply.len() {
            self.doing = Doing::Listening;
        }
        Ok(Next::Keep)
    }

    fn check(
        &mut self,
        verdicts: &mut HashMap<u64, Verdict>,
        scratch: &mut [u8],
    ) -> io::Result<Next> {
        let Doing::Checking { id, duplex } = &mut self.doing else { return Ok(Next::Keep) };
        duplex.advance(&mut self.stream, scratch)?;
        if duplex.is_bad() {
            verdicts.insert(*id, Verdict::Bad);
        } else if duplex.has_ended() {
            verdicts.insert(*id, Verdict::Good);
        }
        Ok(if duplex.is_done(&self.stream) { Next::Close } else { Next::Keep })
    }

    fn keep_interest(&mut self, poll: &Poll, token: usize) -> io::Result<()> {
        let wanted = match &self.doing {
            Doing::Listening => READ,
            Doing::Answering { .. } | Doing::Replying { .. } | Doing::Streaming { .. } => WRITE,
            Doing::Checking { duplex, .. } => duplex.interest(&self.stream),
        };
        if wanted != self.interest {
            poll.change(&self.stream, token, wanted)?;
            self.interest = wanted;
        }
        Ok(())
    }
}
