//! docs/admin.md: its configuration is run, and every command in it, in their order.

use std::fs;
use std::path::Path;
use std::process::Command;

use oxpecker_testkit::{Launch, Net, TempDir};

use crate::site::PROGRAM;

fn blocks(language: &str) -> Vec<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/admin.md");
    let text = fs::read_to_string(path).unwrap();
    let fence = format!("\n```{language}\n");
    let blocks = text.split(fence.as_str()).skip(1);
    blocks.map(|rest| rest.split_once("\n```").unwrap().0.to_owned() + "\n").collect()
}

#[test]
fn its_commands_do_what_they_say() {
    const TOKEN: &str = "0123456789abcdef";
    let (net, dir) = (Net::new(), TempDir::new());
    let (listen, socket) = (format!("{}:25002", net.ip(1)), dir.join("admin.sock"));
    let here = |text: &str| {
        text.replace("127.0.0.1:25002", &listen)
            .replace("localhost:25002", &listen)
            .replace("/run/oxpecker/admin.sock", socket.to_str().unwrap())
            .replace("10.17.84.19", &net.ip(19).to_string())
    };
    let keys = format!(
        "listen = \"127.0.0.1:25002\"\nsocket = \"{}\"\nstate_file = \"state.toml\"",
        socket.display()
    );
    let admin = blocks("toml").remove(0).replace("listen = \"127.0.0.1:25002\"", &keys);
    let config = format!(
        "{}\n[node.coord-1]\naddress = \"{}\"\n[pool.hs2]\nport = 21050\nmembers = [\"coord-1\"]\n\
         monitor = \"none\"\n[virtual.hs2]\nlisten = \"{}\"\npool = \"hs2\"\n",
        here(&admin),
        net.ip(11),
        net.addr(1)
    );
    let gateway = Launch::within(dir, PROGRAM, &config).env("CI_TOKEN", TOKEN).start();
    let run = |block: &str| {
        let mut command = Command::new("bash");
        command.args(["-e", "-o", "pipefail", "-c", &here(&block.replace("curl -s", "curl -fsS"))]);
        let output = command.env("CI_TOKEN", TOKEN).output().unwrap();
        let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        assert!(output.status.success(), "{block}\n{said}");
        said
    };
    let expected = [
        &["alive", "\"user\":\"alice\"", "\"name\":\"coord-1:21050\"", "\"items\":[]"][..],
        &["\"virtuals\":[{\"name\":\"hs2\""],
        &["\"health\""],
        &["\"host\":", "\"weight\":2", "state.toml"],
        &["event: status", "event: map", "event: statistics"],
    ];
    let commands = blocks("console");
    assert_eq!(commands.len(), expected.len());
    for (block, expected) in commands.iter().zip(expected) {
        let said = run(block);
        for part in expected {
            assert!(said.contains(part), "no {part} from\n{block}\n{said}");
        }
    }
    assert!(fs::read_to_string(gateway.dir.join("state.toml")).unwrap().contains("coord-9"));
}
