//! `oxpecker events`, once or as they come.

use std::thread;
use std::time::Duration;

use oxpecker_api::{Event, Listing};

use super::Output;
use super::client::{Client, ClientError, Target};
use super::screen::{self, Screen, Tone};
use super::words::{self, clean};
use crate::exit::Exit;

/// Between two looks for what is new.
const INTERVAL: Duration = Duration::from_secs(1);

/// Shown without `--limit`.
const LIMIT: u32 = 50;

#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Go on, and show what comes
    #[arg(long, short)]
    follow: bool,
    /// Begin with at most so many
    #[arg(long, value_name = "N", default_value_t = LIMIT)]
    limit: u32,
    #[command(flatten)]
    output: Output,
}

pub(super) fn events(options: &Options) -> anyhow::Result<Exit> {
    let client = Client::new(&options.output.access)?;
    let body = client.raw(&Target::new("events").ask("limit", Some(&options.limit)))?;
    if options.output.json && !options.follow {
        screen::print(&body)?;
        screen::print("\n")?;
        return Ok(Exit::Fine);
    }
    let screen = Screen::now();
    let last = tell(&client.decode(&body)?, options.output.json, screen)?.unwrap_or(0);
    if options.follow {
        follow(&client, last, options.output.json, screen)?;
    }
    Ok(Exit::Fine)
}

/// What comes after `last`, until nobody reads it any more or the gateway refuses.
fn follow(client: &Client, mut last: u64, json: bool, screen: Screen) -> anyhow::Result<()> {
    let mut away = false;
    loop {
        thread::sleep(INTERVAL);
        match client.get(&Target::new("events").ask("after", Some(&last))) {
            Ok(listing) => {
                if away {
                    eprintln!("oxpecker: the gateway answers again");
                    away = false;
                }
                last = match newest(&listing) {
                    // A gateway that started anew counts from 1 again.
                    None => began_anew(client, last)?,
                    Some(newest) => newest.max(last),
                };
                tell(&listing, json, screen)?;
            }
            // A restart is what somebody who follows wants to live through.
            Err(error) if error.may_pass() => {
                if !away {
                    eprintln!("oxpecker: {error}");
                    away = true;
                }
            }
            Err(error) => return Err(error.into()),
        }
    }
}

/// Where to go on when nothing came: 0 when the newest event is older than what was seen.
fn began_anew(client: &Client, last: u64) -> Result<u64, ClientError> {
    let listing: Listing<Event> = match client.get(&Target::new("events").ask("limit", Some(&1))) {
        Err(error) if error.may_pass() => return Ok(last),
        result => result?,
    };
    Ok(if newest(&listing).is_some_and(|id| id < last) { 0 } else { last })
}

fn newest(listing: &Listing<Event>) -> Option<u64> {
    listing.items.iter().map(|event| event.id).max()
}

/// Prints events, the oldest first; the newest one's id.
fn tell(listing: &Listing<Event>, json: bool, screen: Screen) -> anyhow::Result<Option<u64>> {
    let mut events: Vec<&Event> = listing.items.iter().collect();
    events.sort_by_key(|event| event.id);
    for event in events {
        let line = if json { serde_json::to_string(event)? } else { render(event, screen) };
        screen::print(line + "\n")?;
    }
    Ok(newest(listing))
}

fn render(event: &Event, screen: Screen) -> String {
    let tone = match event.kind.as_str() {
        "reload-failed" => Tone::Bad,
        "health" | "admin-state" | "draining" | "connections-ended" | "access" => Tone::Warn,
        _ => Tone::Plain,
    };
    let subject = clean(&event.subject);
    let subject = if subject.is_empty() || event.text.contains(&subject) {
        String::new()
    } else {
        format!("{subject}: ")
    };
    format!(
        "{}  {}  {subject}{}  {}",
        words::time(&event.at),
        screen.paint(&format!("{:<17}", clean(&event.kind)), tone),
        clean(&event.text),
        screen.paint(&format!("({})", clean(&event.who)), Tone::Quiet),
    )
}
