//! Reads HAProxy's `option tcplog` as the scripts of operators do: field by field.

/// One access record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tcplog {
    /// `address:port`
    pub client: String,
    pub time: String,
    pub virtual_server: String,
    pub pool: String,
    pub member: String,
    /// Milliseconds; -1 = never reached.
    pub queued: i64,
    pub connected: i64,
    pub total: i64,
    pub bytes: u64,
    /// Who ended it and in which phase.
    pub letters: String,
    /// Open connections of process, virtual server, pool and member.
    pub open: [u32; 4],
    pub retries: u32,
    pub redispatched: bool,
    pub queue_ahead: u32,
}

impl Tcplog {
    /// `None`: the line is something else.
    pub fn parse(line: &str) -> Option<Self> {
        let (client, rest) = line.split_once(" [")?;
        let (time, rest) = rest.split_once("] ")?;
        let fields: Vec<&str> = rest.split(' ').collect();
        let [virtual_server, backend, timers, bytes, letters, open, queues] = fields[..] else {
            return None;
        };
        let (pool, member) = backend.split_once('/')?;
        let timers: Vec<i64> = numbers(timers)?;
        let (open, retries) = open.rsplit_once('/')?;
        let queues: Vec<u32> = numbers(queues)?;
        Some(Self {
            client: client.into(),
            time: time.into(),
            virtual_server: virtual_server.into(),
            pool: pool.into(),
            member: member.into(),
            queued: *timers.first()?,
            connected: *timers.get(1)?,
            total: timers.get(2).copied().filter(|_| timers.len() == 3)?,
            bytes: bytes.parse().ok()?,
            letters: Some(letters).filter(|letters| letters.len() == 2)?.into(),
            open: numbers(open)?.try_into().ok()?,
            retries: retries.trim_start_matches('+').parse().ok()?,
            redispatched: retries.starts_with('+'),
            queue_ahead: queues.get(1).copied().filter(|_| queues.len() == 2)?,
        })
    }
}

fn numbers<T: std::str::FromStr>(text: &str) -> Option<Vec<T>> {
    text.split('/').map(|number| number.parse().ok()).collect()
}
