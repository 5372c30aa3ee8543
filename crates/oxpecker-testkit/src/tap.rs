//! Between two ends: passes on what they say, and remembers every byte of it.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use crate::member::Member;

/// What was said on one connection.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Said {
    /// By whoever connected.
    pub up: Vec<u8>,
    pub down: Vec<u8>,
    pub is_over: bool,
}

/// A listener that connects to another one for each connection that it accepts.
#[derive(Debug)]
pub struct Tap {
    said: Arc<Mutex<Vec<Said>>>,
    _listener: Member,
}

impl Tap {
    #[track_caller]
    pub fn start(at: SocketAddr, to: SocketAddr) -> Self {
        let said = Arc::<Mutex<Vec<Said>>>::default();
        let noted = Arc::clone(&said);
        let listener = Member::serve(at, move |client| {
            let Ok(member) = TcpStream::connect(to) else { return };
            let index = {
                let mut said = noted.lock().unwrap();
                said.push(Said::default());
                said.len() - 1
            };
            let answers = {
                let (from, to) = (member.try_clone().unwrap(), client.try_clone().unwrap());
                let noted = Arc::clone(&noted);
                thread::spawn(move || {
                    pass(from, to, |bytes| {
                        noted.lock().unwrap()[index].down.extend_from_slice(bytes);
                    })
                })
            };
            pass(client, member, |bytes| {
                noted.lock().unwrap()[index].up.extend_from_slice(bytes);
            });
            let _ = answers.join();
            noted.lock().unwrap()[index].is_over = true;
        });
        Self { said, _listener: listener }
    }

    /// What was said so far, connection by connection as they were accepted.
    pub fn said(&self) -> Vec<Said> {
        self.said.lock().unwrap().clone()
    }
}

fn pass(mut from: TcpStream, mut to: TcpStream, note: impl Fn(&[u8])) {
    let mut buffer = vec![0; 64 * 1024];
    while let Ok(count @ 1..) = from.read(&mut buffer) {
        note(&buffer[..count]);
        if to.write_all(&buffer[..count]).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Write);
}
