//! docs/commands.md: every command in it is run, in order, and prints what stands below it.

use std::fs;
use std::path::Path;
use std::process::Command;

use oxpecker_testkit::client::Talk;
use oxpecker_testkit::{Member, connect, wait_until};

use super::Managed;
use crate::site::{PROGRAM, Site};

/// Blocks with their language, in order.
fn blocks() -> Vec<(String, String)> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/commands.md");
    let text = fs::read_to_string(path).unwrap();
    let mut blocks = Vec::new();
    for (number, part) in text.split("```").enumerate().filter(|(number, _)| number % 2 == 1) {
        let (language, body) = part.split_once('\n').unwrap();
        assert!(!body.trim().is_empty(), "block {number}");
        blocks.push((language.to_owned(), body.to_owned()));
    }
    blocks
}

/// Three coordinators, the last of which is down, behind what the guide calls `hue`.
fn config(site: &Site) -> String {
    let mut text = String::new();
    for number in 1..=3 {
        let ip = site.member_addr(number).ip();
        text += &format!("[node.coord-{number}]\naddress = \"{ip}\"\n");
    }
    let front = site.front();
    text + &format!(
        "[pool.hs2]\nport = 21050\nmembers = [\"coord-1\", \"coord-2\", \"coord-3\"]\n\
         monitor = \"quick\"\n\
         [monitor.quick]\nparent = \"tcp\"\ninterval = \"100ms\"\nfall = 1\nrise = 1\n\
         [virtual.hue]\nlisten = \"{front}\"\npool = \"hs2\"\n"
    )
}

#[test]
fn the_guide_shows_what_is_printed() {
    let site = Site::new(3);
    let _members = [1, 2].map(|number| Member::echo(site.member_addr(number)));
    let managed = Managed::run("", &config(&site));
    wait_until("two are up, one is down", || {
        let members = managed.ok(&["members"]);
        members.matches(" up ").count() == 2 && members.matches(" down ").count() == 1
    });
    let mut client = connect(site.front());
    client.check_echo(&[1; 1950]);
    wait_until("it is counted", || managed.ok(&["stats"]).matches("15.6K").count() == 4);
    let directory = &managed.gateway.dir;
    let mut printed = None;
    let mut compared = 0;
    for (language, block) in blocks() {
        match language.as_str() {
            "sh" => {
                let here = directory.path().display().to_string();
                let script = block
                    .replace("/usr/local/share/man/man1", &here)
                    .replace("/etc/bash_completion.d", &here);
                let command = managed.command(&[]);
                let program = format!("{PROGRAM} ");
                let mut shell = Command::new("bash");
                shell.args(["-e", "-c", &script.replace("oxpecker ", &program)]);
                for (name, value) in command.get_envs() {
                    match value {
                        Some(value) => shell.env(name, value),
                        None => shell.env_remove(name),
                    };
                }
                let output = shell.output().unwrap();
                let err = String::from_utf8_lossy(&output.stderr);
                assert!(output.status.success() && err.is_empty(), "{block}: {err}");
                printed = Some((block, String::from_utf8(output.stdout).unwrap()));
            }
            "text" => {
                let (command, out) = printed.take().expect("a command comes first");
                let out = out.replace(&site.front().to_string(), "10.17.84.10:21051");
                let out: String =
                    out.lines().map(|line| line.trim_end().to_owned() + "\n").collect();
                assert_eq!(block, out, "what {command} prints");
                compared += 1;
            }
            _ => {}
        }
    }
    assert_eq!(compared, 5);
}
