//! The runtime socket: lines in, answers out. A connection ends after its answers unless it asked for a
//! prompt. Nobody here can hold up traffic, and slow or silent peers hold nothing but their own slot.

use std::time::Duration;

use oxpecker_config::model::Role;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::time::timeout;

use super::desk::{Desk, Talk};

/// HAProxy's buffer, and so the longest line it takes.
const LINE_BYTES_MAX: usize = 16 * 1024;

/// HAProxy's `stats timeout`, until `set timeout cli` says otherwise.
const IDLE: Duration = Duration::from_secs(10);

/// For a peer to take a part of an answer.
const WRITE_WAIT: Duration = Duration::from_secs(10);

/// Until the peer or its patience ends.
pub(crate) async fn talk(mut stream: UnixStream, desk: &Desk, level: Role) {
    let mut talk = Talk { level, prompt: false, idle: IDLE, ends: false };
    let mut input = Vec::new();
    let mut closed = false;
    loop {
        let Some(line) = next_line(&mut input, closed) else {
            // Without a prompt one burst of lines is all.
            let is_over = closed || (!input.is_empty() && input.len() > LINE_BYTES_MAX);
            if is_over || !read(&mut stream, &mut input, talk.idle, &mut closed).await {
                return;
            }
            continue;
        };
        let answer = desk.answer(&mut talk, &line).await;
        if !write(&mut stream, answer.as_bytes()).await || talk.ends {
            return;
        }
        let more = !input.is_empty();
        if !talk.prompt && !more {
            return;
        }
    }
}

/// A line without its end. What comes last before the peer closed its side is one, too.
fn next_line(input: &mut Vec<u8>, closed: bool) -> Option<String> {
    let end = input.iter().position(|byte| *byte == b'\n');
    let line = match end {
        Some(end) => input.drain(..=end).take(end).collect(),
        None if closed && !input.is_empty() => std::mem::take(input),
        None => return None,
    };
    Some(String::from_utf8_lossy(&line).into_owned())
}

/// Whether there is still a peer to listen to.
async fn read(
    stream: &mut UnixStream,
    input: &mut Vec<u8>,
    idle: Duration,
    closed: &mut bool,
) -> bool {
    let mut piece = [0; 4096];
    match timeout(idle, stream.read(&mut piece)).await {
        Ok(Ok(0)) => {
            *closed = true;
            !input.is_empty()
        }
        Ok(Ok(count)) => {
            input.extend_from_slice(&piece[..count]);
            true
        }
        Ok(Err(_)) | Err(_) => false,
    }
}

async fn write(stream: &mut UnixStream, mut bytes: &[u8]) -> bool {
    while !bytes.is_empty() {
        match timeout(WRITE_WAIT, stream.write(bytes)).await {
            Ok(Ok(count)) if count > 0 => bytes = &bytes[count..],
            _ => return false,
        }
    }
    true
}
