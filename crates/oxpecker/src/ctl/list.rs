//! Listings: each a table, or the API's JSON.

use oxpecker_api::{
    Certificate, Connection, Ending, Listing, Member, Operation, PersistenceEntry, Pool, Session,
    Statement, normalized,
};
use serde::de::DeserializeOwned;

use super::client::{Client, Target};
use super::screen::{self, Screen, Tone};
use super::table::{Cell, Table, number, text};
use super::{Output, Show, find, map, words};
use crate::exit::Exit;

#[derive(Debug, clap::Args)]
pub(crate) struct Search {
    /// Only those with this text in them
    #[arg(long, value_name = "TEXT")]
    search: Option<String>,
    #[command(flatten)]
    limit: Limit,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Limit {
    /// At most so many
    #[arg(long, value_name = "N")]
    limit: Option<u32>,
    #[command(flatten)]
    output: Output,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Connections {
    /// Only those of a member: POOL/MEMBER, or a part of it that names one
    #[arg(long, value_name = "MEMBER")]
    member: Option<String>,
    /// Only those of a virtual server
    #[arg(long = "virtual", value_name = "NAME")]
    virtual_server: Option<String>,
    #[command(flatten)]
    search: Search,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Persistence {
    /// Only those of a virtual server
    #[arg(long = "virtual", value_name = "NAME")]
    virtual_server: Option<String>,
    #[command(flatten)]
    output: Output,
}

/// Fetches, and prints JSON or what `render` makes of it.
pub(super) fn show<T: DeserializeOwned>(
    output: &Output,
    target: Target,
    render: impl FnOnce(&T, Screen) -> String,
) -> anyhow::Result<Exit> {
    show_from(&Client::new(&output.access)?, output, &target, render)
}

fn show_from<T: DeserializeOwned>(
    client: &Client,
    output: &Output,
    target: &Target,
    render: impl FnOnce(&T, Screen) -> String,
) -> anyhow::Result<Exit> {
    let body = client.raw(target)?;
    if output.json {
        screen::print(&body)?;
        screen::print("\n")?;
    } else {
        screen::print(render(&client.decode(&body)?, Screen::now()))?;
    }
    Ok(Exit::Fine)
}

/// A table of a listing; `none` stands for an empty one.
fn listed<T>(
    listing: &Listing<T>,
    screen: Screen,
    none: &str,
    table: impl FnOnce(&[T]) -> Table,
) -> String {
    if listing.items.is_empty() {
        return format!("{none}\n");
    }
    let mut out = table(&listing.items).render(screen);
    if listing.truncated {
        out.push_str("there are more: --limit, or --search for some of them\n");
    }
    out
}

impl Search {
    fn target(&self, listing: &str) -> Target {
        Target::new(listing)
            .ask("search", self.search.as_ref())
            .ask("limit", self.limit.limit.as_ref())
    }

    fn show<T: DeserializeOwned>(
        &self,
        listing: &str,
        render: impl FnOnce(&T, Screen) -> String,
    ) -> anyhow::Result<Exit> {
        show(&self.limit.output, self.target(listing), render)
    }
}

pub(super) fn members(search: &Search) -> anyhow::Result<Exit> {
    // Members have no listing of their own: JSON is that of the pools.
    show(&search.limit.output, Target::new("pools"), |pools: &Listing<Pool>, screen| {
        let members = pools.items.iter().flat_map(|pool| &pool.members);
        let wanted = |member: &&Member| {
            let all =
                format!("{} {}", find::full_name(member), member.address.as_deref().unwrap_or(""));
            search.search.as_ref().is_none_or(|text| all.contains(text.as_str()))
        };
        let limit = search.limit.limit.map_or(usize::MAX, |limit| limit as usize);
        let chosen: Vec<&Member> = members.filter(wanted).take(limit).collect();
        let listing = Listing { items: chosen, truncated: false };
        listed(&listing, screen, "no member", members_table)
    })
}

fn members_table(members: &[&Member]) -> Table {
    let columns = vec![
        text("Member"),
        text("Address").rank(5),
        text("State"),
        text("Health"),
        text("For").rank(4),
        number("Weight").rank(2),
        number("Conns").rank(1),
        number("Ops").rank(1),
        number("Connect").rank(6),
        number("Probe").rank(3),
    ];
    let mut table = Table::new(columns).with_remarks("Reason");
    for member in members {
        let state = if member.admin_state == oxpecker_api::AdminState::Enabled {
            Tone::Plain
        } else {
            Tone::Warn
        };
        let probe = member.probe.as_ref().and_then(|probe| probe.last_seconds);
        table.row_with(
            [
                find::full_name(member).into(),
                member.address.as_deref().unwrap_or(words::NOTHING).into(),
                Cell::new(words::admin_state(member.admin_state), state),
                Cell::new(words::health(member.health), map::tone(member.health)),
                words::duration(member.health_for_seconds).into(),
                member.weight.to_string().into(),
                words::of_limit(member.connections.current, member.connections_max).into(),
                operations_of(member).into(),
                words::maybe_duration(member.connect_seconds_average).into(),
                words::maybe_duration(probe).into(),
            ],
            if member.health == oxpecker_api::Health::Up { "" } else { &member.reason },
        );
    }
    table
}

/// Those through this gateway, and beside them what the coordinator says of all.
fn operations_of(member: &Member) -> String {
    match member.operations_told {
        Some(told) => format!("{} ({told} told)", member.operations),
        None => member.operations.to_string(),
    }
}

pub(super) fn connections(options: &Connections) -> anyhow::Result<Exit> {
    let output = &options.search.limit.output;
    let client = Client::new(&output.access)?;
    let member = match &options.member {
        Some(text) => Some(find::member(&client, text)?),
        None => None,
    };
    let target = options
        .search
        .target("connections")
        .ask("member", member.map(|member| format!("{}/{}", member.pool, member.name)).as_ref())
        .ask("virtual", options.virtual_server.as_ref());
    show_from(&client, output, &target, |listing: &Listing<Connection>, screen| {
        listed(listing, screen, "no open connection", connections_table)
    })
}

fn connections_table(connections: &[Connection]) -> Table {
    let columns = vec![
        number("Id"),
        text("Client"),
        text("Virtual").rank(1),
        text("Member"),
        number("Age").rank(2),
        number("Idle").rank(3),
        number("Bytes In").rank(4),
        number("Bytes Out").rank(4),
    ];
    let mut table = Table::new(columns);
    for connection in connections {
        table.row([
            connection.id.to_string().into(),
            connection.client.as_str().into(),
            connection.virtual_server.as_str().into(),
            member_of(&connection.pool, connection.member.as_deref()).into(),
            words::duration(connection.age_seconds).into(),
            words::maybe_duration(connection.idle_seconds).into(),
            normalized(connection.bytes_in).into(),
            normalized(connection.bytes_out).into(),
        ]);
    }
    table
}

/// Some tell a member with its pool, some without.
fn member_of(pool: &str, member: Option<&str>) -> String {
    match member {
        None => format!("{pool}/{}", words::NOTHING),
        Some(member) if member.contains('/') => member.to_owned(),
        Some(member) => format!("{pool}/{member}"),
    }
}

pub(super) fn endings(limit: &Limit) -> anyhow::Result<Exit> {
    let target = Target::new("endings").ask("limit", limit.limit.as_ref());
    show(&limit.output, target, |listing: &Listing<Ending>, screen| {
        listed(listing, screen, "every connection ended in order", endings_table)
    })
}

fn endings_table(endings: &[Ending]) -> Table {
    let columns = vec![
        text("Ended"),
        text("Client"),
        text("Virtual").rank(2),
        text("Member").rank(1),
        number("Lasted").rank(3),
        number("Bytes In").rank(5),
        number("Bytes Out").rank(5),
        text("End").rank(4),
    ];
    let mut table = Table::new(columns).with_remarks("Reason");
    for ending in endings {
        table.row_with(
            [
                words::time(&ending.at).into(),
                ending.client.as_str().into(),
                ending.virtual_server.as_str().into(),
                member_of(&ending.pool, ending.member.as_deref()).into(),
                words::duration(ending.duration_seconds).into(),
                normalized(ending.bytes_in).into(),
                normalized(ending.bytes_out).into(),
                ending.end_state.as_str().into(),
            ],
            &ending.reason,
        );
    }
    table
}

pub(super) fn sessions(search: &Search) -> anyhow::Result<Exit> {
    search.show("sessions", |listing: &Listing<Session>, screen| {
        listed(listing, screen, "no session is known", sessions_table)
    })
}

fn sessions_table(sessions: &[Session]) -> Table {
    let columns = vec![
        text("Session"),
        text("User"),
        text("Coordinator"),
        text("Client").rank(3),
        text("Virtual").rank(4),
        text("Opened").rank(6),
        number("Idle").rank(2),
        number("Conns").rank(5),
        number("Ops").rank(1),
    ];
    let mut table = Table::new(columns);
    for session in sessions {
        table.row([
            words::or_nothing(&session.id).into(),
            user(&session.user, &session.do_as).into(),
            session.coordinator.as_str().into(),
            session.client.as_str().into(),
            session.virtual_server.as_str().into(),
            words::time(&session.opened).into(),
            words::duration(session.idle_seconds).into(),
            session.connections.to_string().into(),
            session.operations_open.to_string().into(),
        ]);
    }
    table
}

fn user(user: &str, acts_for: &str) -> String {
    let user = words::or_nothing(user);
    if acts_for.is_empty() { user.to_owned() } else { format!("{acts_for} (by {user})") }
}

pub(super) fn operations(search: &Search) -> anyhow::Result<Exit> {
    search.show("operations", |listing: &Listing<Operation>, screen| {
        listed(listing, screen, "no operation is known", operations_table)
    })
}

fn operations_table(operations: &[Operation]) -> Table {
    let columns = vec![
        text("Operation"),
        text("User"),
        text("Coordinator"),
        text("Client").rank(4),
        text("Virtual").rank(5),
        number("Age").rank(1),
        number("Rows").rank(2),
        text("State").rank(3),
    ];
    let mut table = Table::new(columns).with_remarks("Statement");
    for operation in operations {
        let (state, tone) = match (&operation.end, operation.cancelled) {
            (None, false) => ("open", Tone::Good),
            (None, true) => ("cancelled", Tone::Warn),
            (Some(end), _) => (end.as_str(), Tone::Quiet),
        };
        let statement = words::or_nothing(&operation.statement);
        table.row_with(
            [
                words::or_nothing(&operation.id).into(),
                user(&operation.user, &operation.do_as).into(),
                operation.coordinator.as_str().into(),
                operation.client.as_str().into(),
                operation.virtual_server.as_str().into(),
                words::duration(operation.age_seconds).into(),
                normalized(operation.rows + operation.rows_written).into(),
                Cell::new(state, tone),
            ],
            if operation.statement.is_empty() { &operation.method } else { statement },
        );
    }
    table
}

pub(super) fn statements(search: &Search) -> anyhow::Result<Exit> {
    search.show("statements", |listing: &Listing<Statement>, screen| {
        listed(listing, screen, "no statement is known", statements_table)
    })
}

fn statements_table(statements: &[Statement]) -> Table {
    let columns = vec![
        text("Digest").rank(3),
        number("Count"),
        number("Errors"),
        number("Time in all"),
        number("Mean"),
        number("Longest"),
        number("Rows").rank(1),
        number("Bytes").rank(2),
    ];
    let mut table = Table::new(columns).with_remarks("Statement");
    for statement in statements {
        let errors = if statement.errors > 0 { Tone::Bad } else { Tone::Plain };
        table.row_with(
            [
                statement.digest.as_str().into(),
                normalized(statement.count).into(),
                Cell::new(normalized(statement.errors), errors),
                words::duration(statement.seconds_total).into(),
                words::duration(statement.seconds_mean).into(),
                words::duration(statement.seconds_max).into(),
                normalized(statement.rows).into(),
                normalized(statement.bytes).into(),
            ],
            &statement.statement,
        );
    }
    table
}

pub(super) fn certificates(show_it: &Show) -> anyhow::Result<Exit> {
    let target = Target::new("certificates");
    show(&show_it.output, target, |listing: &Listing<Certificate>, screen| {
        listed(listing, screen, "no certificate is shown to anybody", certificates_table)
    })
}

/// The log and `check` warn from here on, too.
const DAYS_LEFT_MIN: i64 = 14;

fn certificates_table(certificates: &[Certificate]) -> Table {
    let columns = vec![
        text("Certificate"),
        text("Shown to").rank(2),
        text("Profile").rank(1),
        text("Ends"),
        number("Days left"),
    ];
    let mut table = Table::new(columns).with_remarks("Names");
    for certificate in certificates {
        let days = certificate.expires_in_days;
        let tone = match days {
            Some(..0) => Tone::Bad,
            Some(..DAYS_LEFT_MIN) => Tone::Warn,
            _ => Tone::Plain,
        };
        let names = certificate.names.join(" ");
        let remark = match &certificate.last_error {
            Some(error) => format!("{names}: {error}"),
            None => names,
        };
        table.row_with(
            [
                certificate.name.as_str().into(),
                certificate.side.as_str().into(),
                certificate.profile.as_str().into(),
                certificate
                    .not_after
                    .as_deref()
                    .map_or_else(|| words::NOTHING.into(), words::time)
                    .into(),
                Cell::new(
                    days.map_or_else(|| words::NOTHING.into(), |days| days.to_string()),
                    tone,
                ),
            ],
            &remark,
        );
    }
    table
}

pub(super) fn persistence(options: &Persistence) -> anyhow::Result<Exit> {
    let target = Target::new("persistence").ask("virtual", options.virtual_server.as_ref());
    show(&options.output, target, |listing: &Listing<PersistenceEntry>, screen| {
        listed(listing, screen, "no client sticks to a member", |entries| {
            let columns = vec![
                text("Client"),
                text("Member"),
                text("Virtual").rank(1),
                number("Idle"),
                number("Open"),
            ];
            let mut table = Table::new(columns);
            for entry in entries {
                table.row([
                    entry.client.as_str().into(),
                    entry.member.as_str().into(),
                    entry.virtual_server.as_str().into(),
                    words::duration(entry.idle_seconds).into(),
                    entry.open.to_string().into(),
                ]);
            }
            table
        })
    })
}
