//! Lines of the runtime socket: how they fall into commands and words, which commands there are, and who
//! may use them.

use oxpecker_config::model::Role;

/// What a command does; its arguments are read there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verb {
    AddServer,
    ClearCounters,
    ClearTable,
    DelServer,
    DisableFrontend,
    DisableHealth,
    DisableServer,
    EnableFrontend,
    EnableHealth,
    EnableServer,
    GetWeight,
    Help,
    LevelOperator,
    LevelUser,
    Prompt,
    Quit,
    SetMaxconnFrontend,
    SetMaxconnGlobal,
    SetMaxconnServer,
    SetServer,
    SetTimeout,
    SetWeight,
    ShowActivity,
    ShowBackend,
    ShowEnv,
    ShowErrors,
    ShowEvents,
    ShowInfo,
    ShowLevel,
    ShowServersConn,
    ShowServersState,
    ShowSess,
    ShowStat,
    ShowTable,
    ShowVersion,
    ShutdownSession,
    ShutdownSessions,
}

#[derive(Debug)]
pub(crate) struct Command {
    pub(crate) verb: Verb,
    /// The words it begins with.
    words: &'static str,
    usage: &'static str,
    what: &'static str,
    pub(crate) level: Role,
}

const fn command(
    verb: Verb,
    level: Role,
    words: &'static str,
    usage: &'static str,
    what: &'static str,
) -> Command {
    Command { verb, words, usage, what, level }
}

/// In the order of `help`. Levels are HAProxy's.
pub(crate) const COMMANDS: &[Command] = &[
    command(
        Verb::AddServer,
        Role::Admin,
        "add server",
        "<bk>/<srv> <addr>:<port> [opts]",
        "add a member to a pool",
    ),
    command(
        Verb::ClearCounters,
        Role::Operator,
        "clear counters",
        "[all]",
        "reset the maxima, or all statistics",
    ),
    command(
        Verb::ClearTable,
        Role::Operator,
        "clear table",
        "<table> [key <addr>]",
        "forget where clients stick to",
    ),
    command(
        Verb::DelServer,
        Role::Admin,
        "del server",
        "<bk>/<srv>",
        "remove a member that is in maintenance",
    ),
    command(
        Verb::DisableFrontend,
        Role::Admin,
        "disable frontend",
        "<frontend>",
        "accept nothing new there",
    ),
    command(
        Verb::DisableHealth,
        Role::Admin,
        "disable health",
        "<bk>/<srv>",
        "says what to use instead: probes go on",
    ),
    command(
        Verb::DisableServer,
        Role::Admin,
        "disable server",
        "<bk>/<srv>",
        "as `set server <bk>/<srv> state maint`",
    ),
    command(Verb::EnableFrontend, Role::Admin, "enable frontend", "<frontend>", "accept again"),
    command(
        Verb::EnableHealth,
        Role::Admin,
        "enable health",
        "<bk>/<srv>",
        "whether the pool's monitor probes it",
    ),
    command(
        Verb::EnableServer,
        Role::Admin,
        "enable server",
        "<bk>/<srv>",
        "as `set server <bk>/<srv> state ready`",
    ),
    command(
        Verb::GetWeight,
        Role::Viewer,
        "get weight",
        "<bk>/<srv>",
        "weight now, and in the configuration",
    ),
    command(
        Verb::LevelOperator,
        Role::Operator,
        "operator",
        "",
        "lower the level of this connection to operator",
    ),
    command(
        Verb::SetMaxconnFrontend,
        Role::Admin,
        "set maxconn frontend",
        "<frontend> <n>",
        "limit the connections of a virtual server",
    ),
    command(
        Verb::SetMaxconnGlobal,
        Role::Admin,
        "set maxconn global",
        "<n>",
        "limit the connections of the process",
    ),
    command(
        Verb::SetMaxconnServer,
        Role::Admin,
        "set maxconn server",
        "<bk>/<srv> <n>",
        "limit the connections of a member",
    ),
    command(
        Verb::SetServer,
        Role::Admin,
        "set server",
        "<bk>/<srv> state|weight|addr ...",
        "change a member's state, weight or address",
    ),
    command(
        Verb::SetTimeout,
        Role::Viewer,
        "set timeout",
        "cli <seconds>",
        "how long this connection may be idle",
    ),
    command(
        Verb::SetWeight,
        Role::Admin,
        "set weight",
        "<bk>/<srv> <n>[%]",
        "as `set server <bk>/<srv> weight <n>`",
    ),
    command(Verb::ShowActivity, Role::Viewer, "show activity", "", "what the process is busy with"),
    command(Verb::ShowBackend, Role::Viewer, "show backend", "", "names of the pools"),
    command(Verb::ShowLevel, Role::Viewer, "show cli level", "", "what this connection may do"),
    command(Verb::ShowEnv, Role::Admin, "show env", "[<name>]", "names of environment variables"),
    command(
        Verb::ShowErrors,
        Role::Operator,
        "show errors",
        "",
        "connections that did not end in order",
    ),
    command(Verb::ShowEvents, Role::Operator, "show events", "", "what happened lately"),
    command(Verb::ShowInfo, Role::Viewer, "show info", "[typed|json]", "the process"),
    command(
        Verb::ShowServersConn,
        Role::Viewer,
        "show servers conn",
        "[<backend>]",
        "connections of members",
    ),
    command(
        Verb::ShowServersState,
        Role::Viewer,
        "show servers state",
        "[<backend>]",
        "states of members",
    ),
    command(Verb::ShowSess, Role::Operator, "show sess", "[all|<id>]", "open connections"),
    command(
        Verb::ShowStat,
        Role::Viewer,
        "show stat",
        "[<iid> <type> <sid>] [typed|json] [up|no-maint]",
        "statistics",
    ),
    command(
        Verb::ShowTable,
        Role::Viewer,
        "show table",
        "[<table>]",
        "which client sticks to which member",
    ),
    command(Verb::ShowVersion, Role::Viewer, "show version", "", "version of the program"),
    command(Verb::ShutdownSession, Role::Admin, "shutdown session", "<id>", "end a connection"),
    command(
        Verb::ShutdownSessions,
        Role::Admin,
        "shutdown sessions server",
        "<bk>/<srv>",
        "end all connections to a member",
    ),
    command(
        Verb::LevelUser,
        Role::Viewer,
        "user",
        "",
        "lower the level of this connection to user",
    ),
    command(
        Verb::Help,
        Role::Viewer,
        "help",
        "[<command>]",
        "this list, or the part that begins so",
    ),
    command(Verb::Prompt, Role::Viewer, "prompt", "", "stay connected, and show a prompt"),
    command(Verb::Quit, Role::Viewer, "quit", "", "disconnect"),
];

/// The command with its other words; those of the table must all be there.
pub(crate) fn find(words: &[String]) -> Option<(&'static Command, &[String])> {
    let fits = |command: &&Command| {
        let mut wanted = command.words.split(' ').enumerate();
        wanted.all(|(at, word)| words.get(at).is_some_and(|said| said == word))
    };
    // The longest one: `shutdown sessions server` is none of `shutdown session`.
    let found = COMMANDS.iter().filter(fits).max_by_key(|command| command.words.len())?;
    Some((found, &words[found.words.split(' ').count()..]))
}

/// Lines of `help` that begin with these words and that `level` may use.
pub(crate) fn help(begin: &[String], level: Role) -> String {
    let mut out = String::new();
    for command in COMMANDS {
        let matches = begin.iter().zip(command.words.split(' ')).all(|(said, word)| said == word);
        let always = matches!(command.verb, Verb::Help | Verb::Prompt | Verb::Quit);
        if command.level <= level && (matches || always) {
            let usage = format!("{} {}", command.words, command.usage);
            out.push_str(&format!("  {:<40}: {}\n", usage.trim_end(), command.what));
        }
    }
    out
}

/// Answer to words that are no command: what begins alike, or all.
pub(crate) fn unknown(words: &[String], level: Role) -> String {
    let first = words.first().filter(|word| {
        COMMANDS.iter().any(|command| command.words.split(' ').next() == Some(word.as_str()))
    });
    match first {
        Some(first) => {
            let lines = help(std::slice::from_ref(first), level);
            format!(
                "Unknown command, but maybe one of the following ones is a better match:\n{lines}"
            )
        }
        None => {
            let lines = help(&[], level);
            format!("Unknown command. Please enter one of the following commands only:\n{lines}")
        }
    }
}

/// Commands of a line are parted by `;`, words by blanks; a backslash takes the meaning of what follows.
pub(crate) fn split(line: &str) -> Vec<Vec<String>> {
    let mut commands = vec![vec![]];
    let mut word: Option<String> = None;
    let mut letters = line.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '\\' => {
                if let Some(next) = letters.next() {
                    word.get_or_insert_default().push(next);
                }
            }
            ' ' | '\t' | ';' | '\r' => {
                if let (Some(word), Some(words)) = (word.take(), commands.last_mut()) {
                    words.push(word);
                }
                if letter == ';' {
                    commands.push(vec![]);
                }
            }
            letter => word.get_or_insert_default().push(letter),
        }
    }
    if let (Some(word), Some(words)) = (word, commands.last_mut()) {
        words.push(word);
    }
    // A `;` at the end begins nothing.
    if commands.len() > 1 && commands.last().is_some_and(Vec::is_empty) {
        commands.pop();
    }
    commands
}
