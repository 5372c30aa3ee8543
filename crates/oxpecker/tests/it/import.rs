//! Other balancers' files on the command line: by extension, in directories, translated; and
//! beside HAProxy itself.

mod output;
mod probes;
mod rules;

use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::process::{Command, Stdio};

use oxpecker_testkit::client::try_connect;
use oxpecker_testkit::{Launch, Net, TempDir, wait_until};

use crate::command_line::oxpecker;
use crate::site::PROGRAM;

const LISTEN: &str = "\
defaults
    mode tcp
    option redispatch
    timeout connect 5s
    timeout client 1h
    timeout server 1h
listen hs2
    bind 10.17.84.12:21050
    balance roundrobin
    server coord-1 10.17.84.11:21050 check
";

fn with(name: &str, text: &str) -> (TempDir, String) {
    let dir = TempDir::new();
    let file = dir.write(name, text).display().to_string();
    (dir, file)
}

#[test]
fn a_cfg_file_is_checked_and_explained_as_haproxys() {
    let (_dir, file) = with("haproxy.cfg", LISTEN);
    let (status, out, err) = oxpecker(&["check", "--strict", "-f", &file]);
    assert_eq!((status, out.as_str(), err.as_str()), (0, "configuration is fine\n", ""));
    let (status, out, _) = oxpecker(&["explain", "-f", &file]);
    assert_eq!(status, 0);
    let timeout = out.lines().find(|line| line.starts_with("client_timeout")).unwrap();
    assert!(timeout.starts_with("client_timeout = \"1h\"  # "), "{timeout}");
    assert!(timeout.ends_with("haproxy.cfg:5"), "{timeout}");
    // Places are those of the file that the administrator has.
    assert!(out.contains("haproxy.cfg:10"), "{out}");
    assert!(!out.contains("oxpecker.toml"), "{out}");
}

#[test]
fn problems_are_told_where_the_foreign_file_has_them() {
    let broken =
        LISTEN.replace("timeout client 1h", "timeot client 1h").replace(":21050 check", ":25000");
    let (_dir, file) = with("haproxy.cfg", &broken);
    for command in ["check", "explain", "run"] {
        let (status, out, err) = oxpecker(&[command, "-f", &file]);
        assert_eq!(status, 3, "{command}");
        let shown = out + &err;
        assert!(shown.contains("haproxy.cfg:5:5"), "{shown}");
        assert!(shown.contains("help: did you mean `timeout`?"), "{shown}");
    }
    // What only the check of the result finds.
    let (_dir, file) = with("haproxy.cfg", &LISTEN.replace("11:21050", "11:25000"));
    let (status, out, _) = oxpecker(&["check", "-f", &file]);
    assert_eq!(status, 3);
    assert!(
        out.contains("port 25000 is impalad's web server") && out.contains("haproxy.cfg:10:"),
        "{out}"
    );
}

#[test]
fn a_missing_certificate_is_told_where_bind_names_it() {
    let text = LISTEN.replace("12:21050", "12:21050 ssl crt missing.pem");
    let (dir, file) = with("haproxy.cfg", &text);
    let (status, out, _) = oxpecker(&["check", "-f", &file]);
    assert_eq!(status, 3, "{out}");
    assert!(out.contains("missing.pem: no such file") && out.contains("haproxy.cfg:8:"), "{out}");
    // HAProxy would read every file in it.
    fs::create_dir(dir.join("certs")).unwrap();
    let file = dir.write("haproxy.cfg", &text.replace("missing.pem", "certs"));
    let (status, out, _) = oxpecker(&["check", "-f", file.to_str().unwrap()]);
    assert!(status == 3 && out.contains("name each certificate's file"), "{out}");
}

#[test]
fn import_writes_a_file_that_means_the_same() {
    let (dir, file) = with("haproxy.cfg", LISTEN);
    let to = dir.join("oxpecker.toml").display().to_string();
    let (status, out, err) = oxpecker(&["import", "haproxy", &file, "-o", &to]);
    assert_eq!((status, out.as_str()), (0, ""), "{err}");
    assert!(err.contains(" kept     server coord-1 10.17.84.11:21050 check"), "{err}");
    assert!(err.contains("9 kept, 1 changed, 0 dropped, 0 refused, 0 warnings"), "{err}");
    // Values are the same; where they come from is not.
    let values = |file: &str| {
        let (status, out, err) = oxpecker(&["explain", "-f", file]);
        assert_eq!(status, 0, "{err}");
        let value =
            |line: &str| line.rsplit_once("  # ").map_or(line, |(value, _)| value).to_owned();
        out.lines().map(value).collect::<Vec<_>>()
    };
    assert_eq!(values(&file), values(&to));
    assert_eq!(oxpecker(&["check", "--strict", "-f", &to]).0, 0);
    // Without -o it goes to standard output.
    let (_, out, _) = oxpecker(&["import", "haproxy", &file]);
    assert_eq!(out, fs::read_to_string(&to).unwrap());
}

/// It may hold the password of a statistics page.
#[test]
fn strangers_cannot_read_what_import_writes() {
    let (dir, file) = with("haproxy.cfg", LISTEN);
    let to = dir.join("oxpecker.toml");
    let import = |umask: &str| {
        let script = format!("umask {umask}; exec \"$@\"");
        let status = Command::new("sh")
            .args(["-c", &script, "sh", PROGRAM, "import", "haproxy", &file, "--force", "-o"])
            .arg(&to)
            .stderr(Stdio::null())
            .status()
            .unwrap();
        assert!(status.success(), "umask {umask}: {status}");
        let (text, mode) = (fs::read_to_string(&to).unwrap(), fs::metadata(&to).unwrap().mode());
        assert!(text.contains("10.17.84.11"), "{text}");
        assert!(!text.contains("old text"), "{text}");
        mode & 0o7777
    };
    for (umask, expected) in [("000", 0o640), ("022", 0o640), ("077", 0o600)] {
        assert_eq!(import(umask), expected, "a new file under umask {umask}");
        fs::remove_file(&to).unwrap();
    }
    // A file that is there keeps what its owner and group may do.
    let old = "old text\n".repeat(1000);
    for (before, expected) in [(0o644, 0o640), (0o666, 0o660), (0o660, 0o660), (0o600, 0o600)] {
        fs::write(&to, &old).unwrap();
        fs::set_permissions(&to, fs::Permissions::from_mode(before)).unwrap();
        assert_eq!(import("000"), expected, "a file of mode {before:o}");
    }
}

#[test]
fn what_import_writes_can_go_into_a_pipe() {
    let (_dir, file) = with("haproxy.cfg", LISTEN);
    let (status, out, err) = oxpecker(&["import", "haproxy", &file, "-o", "/dev/stdout"]);
    assert_eq!(status, 0, "{err}");
    assert!(out.contains("10.17.84.11"), "{out}");
}

#[test]
fn what_is_refused_writes_nothing_unless_asked_to() {
    let text = format!("{LISTEN}    tcp-request content lua.check\n");
    let (dir, file) = with("haproxy.cfg", &text);
    let to = dir.join("oxpecker.toml");
    let arguments = ["import", "haproxy", &file, "-o", to.to_str().unwrap()];
    let (status, _, err) = oxpecker(&arguments);
    assert_eq!(status, 3);
    assert!(err.contains("11:5 refused") && err.contains("nothing was written"), "{err}");
    assert!(!to.exists());
    let (status, ..) = oxpecker(&[&arguments[..], &["--partial"]].concat());
    assert_eq!(status, 3);
    assert_eq!(oxpecker(&["check", "-f", to.to_str().unwrap()]).0, 0);
}

#[test]
fn warnings_are_status_4_under_strict() {
    let (_dir, file) = with("haproxy.cfg", &LISTEN.replace(" check", ""));
    assert_eq!(oxpecker(&["import", "haproxy", &file]).0, 0);
    assert_eq!(oxpecker(&["import", "haproxy", &file, "--strict"]).0, 4);
    assert_eq!(oxpecker(&["check", "-f", &file, "--strict"]).0, 4);
}

#[test]
fn the_report_speaks_json() {
    let (_dir, file) = with("haproxy.cfg", LISTEN);
    let (_, _, err) = oxpecker(&["import", "haproxy", &file, "--format", "json"]);
    let report: serde_json::Value = serde_json::from_str(&err).unwrap();
    assert_eq!((&report["counts"]["kept"], &report["counts"]["refused"]), (&9.into(), &0.into()));
    let list = report["directives"].as_array().unwrap();
    assert_eq!(list.len(), 10);
    assert_eq!((&list[2]["verdict"], &list[2]["line"]), (&"changed".into(), &3.into()));
    assert_eq!(list[2]["text"], "option redispatch");
}

/// As `haproxy -f DIRECTORY`: *.cfg in byte order, hidden ones left out, `defaults` go on.
#[test]
fn a_directory_of_cfg_files_is_read_in_order() {
    let dir = TempDir::new();
    let (defaults, listen) = LISTEN.split_at(LISTEN.find("listen").unwrap());
    dir.write("conf.d/10-defaults.cfg", defaults);
    dir.write("conf.d/20-listen.cfg", listen);
    for broken in [".hidden.cfg", "30-old.cfg.dpkg-old", "README"] {
        dir.write(&format!("conf.d/{broken}"), "this is nothing");
    }
    let conf_d = dir.join("conf.d").display().to_string();
    let (status, out, err) = oxpecker(&["check", "--strict", "-f", &conf_d]);
    assert_eq!(status, 0, "{out}{err}");
    let files = ["10-defaults.cfg", "20-listen.cfg"].map(|name| format!("{conf_d}/{name}"));
    assert_eq!(oxpecker(&["check", "--strict", "-f", &files[0], "-f", &files[1]]).0, 0);
    // In the other order there are no defaults yet, and retries stay with one server.
    let (_, out, _) = oxpecker(&["explain", "-f", &files[1], "-f", &files[0]]);
    assert!(out.contains("redispatch = false"), "{out}");
}

#[test]
fn two_languages_are_not_one_configuration() {
    let (dir, cfg) = with("haproxy.cfg", LISTEN);
    let toml = dir.write("oxpecker.toml", "").display().to_string();
    let (status, _, err) = oxpecker(&["check", "-f", &cfg, "-f", &toml]);
    assert_eq!(status, 2, "{err}");
    assert!(err.contains("is HAProxy") && err.contains("is native"), "{err}");
}

/// By extension, and by the word of `import`, whatever the file is called.
#[test]
fn f5s_and_awss_files_are_read_too() {
    let samples = concat!(env!("CARGO_MANIFEST_DIR"), "/../oxpecker-import/tests/samples");
    for (balancer, name) in [("bigip", "bigip.conf"), ("bigip", "tmsh.conf"), ("elb", "elb.json")] {
        let file = format!("{samples}/{name}");
        let (status, out, err) = oxpecker(&["check", "-f", &file]);
        assert_eq!(status, 0, "{out}{err}");
        let (status, out, err) = oxpecker(&["explain", "-f", &file]);
        assert!(status == 0 && out.contains(name), "{out}{err}");
        let dir = TempDir::new();
        let copy = dir.write("copy.txt", &fs::read_to_string(&file).unwrap());
        let (status, toml, err) = oxpecker(&["import", balancer, copy.to_str().unwrap()]);
        assert!(status == 0 && err.contains(" kept "), "{err}");
        let written = dir.write("oxpecker.toml", &toml);
        assert_eq!(oxpecker(&["check", "-f", written.to_str().unwrap()]).0, 0);
    }
}

#[test]
fn variables_come_from_the_environment() {
    let text = LISTEN.replace("10.17.84.11:21050", "\"${COORDINATOR}\":\"$PORT\"");
    let (_dir, file) = with("haproxy.cfg", &text);
    let run = |port: &str| {
        let mut command = Command::new(PROGRAM);
        command.args(["explain", "-f", &file]).env("COORDINATOR", "10.9.9.9").env("PORT", port);
        String::from_utf8(command.output().unwrap().stdout).unwrap()
    };
    let out = run("21051");
    assert!(out.contains("address = \"10.9.9.9\"") && out.contains("port = 21051"), "{out}");
}

#[test]
fn a_huge_file_is_refused_with_a_word() {
    let dir = TempDir::new();
    let file = dir.join("haproxy.cfg");
    fs::write(&file, vec![b'#'; 100 << 20]).unwrap();
    let (status, _, err) = oxpecker(&["check", "-f", file.to_str().unwrap()]);
    assert_eq!(status, 3);
    assert!(err.contains("larger than 16777216 bytes"), "{err}");
}

fn haproxy(args: &[&str]) -> Command {
    let mut command = Command::new("/usr/sbin/haproxy");
    command.args(args).stdout(Stdio::null()).stderr(Stdio::null());
    command
}

/// What both take, and what both refuse.
#[test]
fn haproxy_takes_and_refuses_the_same() {
    let (good, bad) = (true, false);
    for (taken, from, to) in [
        (good, "", ""),
        (good, "roundrobin", "leastconn"),
        (good, "roundrobin", "random(3)"),
        (good, "roundrobin", "first"),
        (good, "check", "check inter 3s fastinter 1s downinter 5s rise 1 fall 2 weight 0 backup"),
        (good, "check", "check slowstart 30s on-marked-down shutdown-sessions send-proxy-v2"),
        (good, "check", "check observe layer4 error-limit 5 on-error mark-down"),
        (good, "balance roundrobin", "stick-table type ip size 1m expire 1h\n    stick on src"),
        (
            good,
            "balance roundrobin",
            "acl a src 10.0.0.0/8\n    tcp-request connection reject unless a",
        ),
        (good, "12:21050", "12:21050,:21060-21062"),
        (good, "12:21050", "12:21050 interface lo backlog 10 maxconn 20 tcp-ut 30s"),
        (
            good,
            "mode tcp",
            "mode tcp\n    timeout tunnel 1d\n    timeout queue 1m\n    timeout check 500",
        ),
        (
            good,
            "mode tcp",
            "mode tcp\n    option clitcpka\n    clitcpka-idle 1m\n    clitcpka-cnt 3",
        ),
        (good, "defaults", "global\n    log \"127.0.0.1\" local0 notice\ndefaults"),
        (good, "coord-1", "'coord-1' "),
        (bad, "check", "chek"),
        (bad, "1h", "1x"),
        (bad, "1h", "30d"),
        (bad, "roundrobin", "fastest"),
        (bad, "timeout client", "timout client"),
        (bad, "12:21050", "12"),
        (bad, "12:21050", "12:70000"),
        (bad, "coord-1", "\"coord-1"),
        (bad, "defaults", "default"),
        (bad, "defaults", "defaults a from b"),
        (bad, "balance roundrobin", "default_backend nobody"),
        (bad, "check", "check\n    server coord-1 10.0.0.2:21050"),
        (bad, "check", "check ssl verify required verifyhost"),
        (bad, "listen hs2", ""),
    ] {
        let text = LISTEN.replacen(from, to, 1);
        // Where a default backend is missing, no server may stand in for it.
        let text = match to {
            "default_backend nobody" => {
                text.lines().filter(|l| !l.contains("server coord")).collect::<Vec<_>>().join("\n")
                    + "\n"
            }
            _ => text,
        };
        let (_dir, file) = with("haproxy.cfg", &text);
        let theirs = haproxy(&["-c", "-f", &file]).status().unwrap().success();
        let (status, out, err) = oxpecker(&["check", "-f", &file]);
        assert_eq!(theirs, taken, "haproxy -c of\n{text}");
        assert_eq!(status == 0, taken, "{out}{err}\n{text}");
    }
}

/// A port that is free on all addresses, for those that no test has to itself.
fn free_port() -> u16 {
    std::net::TcpListener::bind("[::]:0").unwrap().local_addr().unwrap().port()
}

/// The same addresses are open, and no other.
#[test]
fn haproxy_listens_on_the_same_addresses() {
    let net = Net::new();
    let ip = net.ip(1);
    let [every, one, six] = [(); 3].map(|()| free_port());
    let text = format!(
        "defaults\n mode tcp\n timeout connect 5s\n timeout client 1h\n timeout server 1h\n\
         frontend a\n bind {ip}:23001-23003,{ip}:23005\n bind ipv4@{ip}:23006 name x\n default_backend b\n\
         listen c\n bind :{every}\n server m 127.0.0.1:1\n\
         listen d\n bind [::1]:{one}\n bind :::{six} v6only\n server m 127.0.0.1:1\n\
         backend b\n server m 127.0.0.1:1\n"
    );
    let (_dir, file) = with("haproxy.cfg", &text);
    let global = [every, one, six];
    let candidates: Vec<SocketAddr> = (23_001..=23_007)
        .chain(global)
        .map(|port| SocketAddr::new(ip, port))
        .chain(global.map(|port| SocketAddr::new("::1".parse().unwrap(), port)))
        .collect();
    let open =
        || candidates.iter().filter(|to| try_connect(None, **to).is_ok()).collect::<Vec<_>>();
    let mut peer = haproxy(&["-db", "-f", &file]).spawn().unwrap();
    // Of the thirteen.
    wait_until("haproxy listens on its eight", || open().len() == 8);
    let theirs = open();
    peer.kill().unwrap();
    peer.wait().unwrap();
    let _ours = Launch::named(TempDir::new(), PROGRAM, "haproxy.cfg", &text).start();
    assert_eq!(open(), theirs);
}
