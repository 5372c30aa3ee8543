//! The columns of HAProxy's statistics: names and order of its release 2.6, with the tags and types of
//! the typed formats. Scripts read columns by number, so an order once published stays.

/// What a number means to HAProxy's typed formats, and how wide it is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Width {
    U32,
    U64,
    S32,
    Text,
}

impl Width {
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::U32 => "u32",
            Self::U64 => "u64",
            Self::S32 => "s32",
            Self::Text => "str",
        }
    }
}

/// Name, tags (origin, nature, scope; one letter each) and type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Column {
    pub(crate) name: &'static str,
    pub(crate) tags: &'static str,
    pub(crate) width: Width,
}

macro_rules! columns {
    ($($field:ident = $name:literal, $tags:literal, $width:ident;)*) => {
        /// A column; as a number it is its place.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[expect(dead_code, reason = "some columns are always empty here")]
        pub(crate) enum Field {
            $($field,)*
        }

        /// In the order of the places.
        pub(crate) const COLUMNS: &[Column] = &[
            $(Column { name: $name, tags: $tags, width: Width::$width },)*
        ];
    };
}

columns! {
    Pxname = "pxname", "KNS", Text;
    Svname = "svname", "KNS", Text;
    Qcur = "qcur", "MGP", U32;
    Qmax = "qmax", "MMP", U32;
    Scur = "scur", "MGP", U32;
    Smax = "smax", "MMP", U32;
    Slim = "slim", "CLP", U32;
    Stot = "stot", "MCP", U64;
    Bin = "bin", "MCP", U64;
    Bout = "bout", "MCP", U64;
    Dreq = "dreq", "MCP", U64;
    Dresp = "dresp", "MCP", U64;
    Ereq = "ereq", "MCP", U64;
    Econ = "econ", "MCP", U64;
    Eresp = "eresp", "MCP", U64;
    Wretr = "wretr", "MCP", U64;
    Wredis = "wredis", "MCP", U64;
    Status = "status", "SGP", Text;
    Weight = "weight", "MaP", U32;
    Act = "act", "SGP", U32;
    Bck = "bck", "SGP", U32;
    Chkfail = "chkfail", "MCP", U64;
    Chkdown = "chkdown", "MCP", U64;
    Lastchg = "lastchg", "MAP", U32;
    Downtime = "downtime", "MCP", U32;
    Qlimit = "qlimit", "CLS", U32;
    Pid = "pid", "KGP", U32;
    Iid = "iid", "KGS", U32;
    Sid = "sid", "KGS", U32;
    Throttle = "throttle", "MaP", U32;
    Lbtot = "lbtot", "MCP", U64;
    Tracked = "tracked", "KNS", Text;
    Type = "type", "CGS", U32;
    Rate = "rate", "MRP", U32;
    RateLim = "rate_lim", "CLP", U32;
    RateMax = "rate_max", "MMP", U32;
    CheckStatus = "check_status", "MOP", Text;
    CheckCode = "check_code", "MOP", U32;
    CheckDuration = "check_duration", "MDP", U64;
    Hrsp1xx = "hrsp_1xx", "MCP", U64;
    Hrsp2xx = "hrsp_2xx", "MCP", U64;
    Hrsp3xx = "hrsp_3xx", "MCP", U64;
    Hrsp4xx = "hrsp_4xx", "MCP", U64;
    Hrsp5xx = "hrsp_5xx", "MCP", U64;
    HrspOther = "hrsp_other", "MCP", U64;
    Hanafail = "hanafail", "MCP", U64;
    ReqRate = "req_rate", "MRP", U32;
    ReqRateMax = "req_rate_max", "MMP", U32;
    ReqTot = "req_tot", "MCP", U64;
    CliAbrt = "cli_abrt", "MCP", U64;
    SrvAbrt = "srv_abrt", "MCP", U64;
    CompIn = "comp_in", "MCP", U64;
    CompOut = "comp_out", "MCP", U64;
    CompByp = "comp_byp", "MCP", U64;
    CompRsp = "comp_rsp", "MCP", U64;
    Lastsess = "lastsess", "MAP", S32;
    LastChk = "last_chk", "MOP", Text;
    LastAgt = "last_agt", "MOP", Text;
    Qtime = "qtime", "MaP", U32;
    Ctime = "ctime", "MaP", U32;
    Rtime = "rtime", "MaP", U32;
    Ttime = "ttime", "MaP", U32;
    AgentStatus = "agent_status", "MOP", Text;
    AgentCode = "agent_code", "MOP", U32;
    AgentDuration = "agent_duration", "MDP", U64;
    CheckDesc = "check_desc", "MOP", Text;
    AgentDesc = "agent_desc", "MOP", Text;
    CheckRise = "check_rise", "CGS", U32;
    CheckFall = "check_fall", "CGS", U32;
    CheckHealth = "check_health", "CGS", U32;
    AgentRise = "agent_rise", "CGS", U32;
    AgentFall = "agent_fall", "CGS", U32;
    AgentHealth = "agent_health", "CGS", U32;
    Addr = "addr", "CGS", Text;
    Cookie = "cookie", "CNS", Text;
    Mode = "mode", "CGS", Text;
    Algo = "algo", "CGS", Text;
    ConnRate = "conn_rate", "MRP", U32;
    ConnRateMax = "conn_rate_max", "MMP", U32;
    ConnTot = "conn_tot", "MCP", U64;
    Intercepted = "intercepted", "MCP", U64;
    Dcon = "dcon", "MCP", U64;
    Dses = "dses", "MCP", U64;
    Wrew = "wrew", "MCP", U64;
    Connect = "connect", "MCP", U64;
    Reuse = "reuse", "MCP", U64;
    CacheLookups = "cache_lookups", "MCP", U64;
    CacheHits = "cache_hits", "MCP", U64;
    SrvIcur = "srv_icur", "MGP", U32;
    SrcIlim = "src_ilim", "CLP", U32;
    QtimeMax = "qtime_max", "MMP", U32;
    CtimeMax = "ctime_max", "MMP", U32;
    RtimeMax = "rtime_max", "MMP", U32;
    TtimeMax = "ttime_max", "MMP", U32;
    Eint = "eint", "MCP", U64;
    IdleConnCur = "idle_conn_cur", "MGP", U32;
    SafeConnCur = "safe_conn_cur", "MGP", U32;
    UsedConnCur = "used_conn_cur", "MGP", U32;
    NeedConnEst = "need_conn_est", "MGP", U32;
    Uweight = "uweight", "MaP", U32;
    AggServerStatus = "agg_server_status", "MGP", U32;
    AggServerCheckStatus = "agg_server_check_status", "MGP", U32;
    AggCheckStatus = "agg_check_status", "MGP", U32;
}

/// Whose numbers a row tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Frontend,
    Backend,
    Server,
}

impl Kind {
    /// Column `type`.
    pub(crate) fn number(self) -> u64 {
        match self {
            Self::Frontend => 0,
            Self::Backend => 1,
            Self::Server => 2,
        }
    }

    /// Which bit of the type mask in `show stat IID TYPE SID` asks for it.
    pub(crate) fn mask(self) -> i64 {
        1 << self.number()
    }

    /// As it begins a line of the typed format.
    pub(crate) fn letter(self) -> char {
        match self {
            Self::Frontend => 'F',
            Self::Backend => 'B',
            Self::Server => 'S',
        }
    }

    /// As the JSON format names it.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Frontend => "Frontend",
            Self::Backend => "Backend",
            Self::Server => "Server",
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Value {
    Number(u64),
    Signed(i32),
    Text(String),
}

impl From<u64> for Value {
    fn from(number: u64) -> Self {
        Self::Number(number)
    }
}

impl From<u32> for Value {
    fn from(number: u32) -> Self {
        Self::Number(number.into())
    }
}

impl From<i32> for Value {
    fn from(number: i32) -> Self {
        Self::Signed(number)
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl std::fmt::Display for Value {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Number(number) => write!(f, "{number}"),
            Self::Signed(number) => write!(f, "{number}"),
            Self::Text(text) => f.write_str(text),
        }
    }
}

/// One line of the statistics. A column that means nothing for its kind is empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Row {
    pub(crate) kind: Kind,
    /// Number of the proxy, and of the server in it; 0 for the proxy itself.
    pub(crate) iid: u32,
    pub(crate) sid: u32,
    values: Vec<Option<Value>>,
}

impl Row {
    pub(crate) fn new(kind: Kind, iid: u32, sid: u32) -> Self {
        let mut row = Self { kind, iid, sid, values: vec![None; COLUMNS.len()] };
        // One process, which HAProxy counts from 1.
        row.put(Field::Pid, 1_u32);
        row.put(Field::Iid, iid);
        row.put(Field::Sid, sid);
        row.put(Field::Type, kind.number());
        row
    }

    pub(crate) fn put(&mut self, field: Field, value: impl Into<Value>) {
        self.values[field as usize] = Some(value.into());
    }

    /// The same number for several columns: mostly nought.
    pub(crate) fn fill(&mut self, fields: &[Field], number: u64) {
        for field in fields {
            self.put(*field, number);
        }
    }

    pub(crate) fn get(&self, field: Field) -> Option<&Value> {
        self.values[field as usize].as_ref()
    }

    pub(crate) fn number(&self, field: Field) -> Option<u64> {
        match self.get(field)? {
            Value::Number(number) => Some(*number),
            Value::Signed(number) => u64::try_from(*number).ok(),
            Value::Text(_) => None,
        }
    }

    pub(crate) fn text(&self, field: Field) -> &str {
        match self.get(field) {
            Some(Value::Text(text)) => text,
            _ => "",
        }
    }

    /// All columns with their places.
    pub(crate) fn values(&self) -> impl Iterator<Item = (usize, &Column, Option<&Value>)> {
        let columns = COLUMNS.iter().zip(&self.values).enumerate();
        columns.map(|(place, (column, value))| (place, column, value.as_ref()))
    }

    /// Tags of a column in this row: some differ for backends.
    pub(crate) fn tags(&self, place: usize) -> &'static str {
        const GAUGES: [usize; 4] = [
            Field::Act as usize,
            Field::Bck as usize,
            Field::Rate as usize,
            Field::RateMax as usize,
        ];
        if self.kind == Kind::Backend && GAUGES.contains(&place) {
            return "MGP";
        }
        COLUMNS[place].tags
    }
}
