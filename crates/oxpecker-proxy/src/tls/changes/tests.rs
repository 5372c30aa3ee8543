//! Real directories and the real kernel: who writes how, and what is heard of it.

use std::os::unix::fs::symlink;
use std::time::Instant;

use super::*;

/// Only a bug waits so long; it is told from the kernel's word by an order of magnitude.
const PATIENCE: Duration = Duration::from_secs(20);

struct Directory(PathBuf);

impl Directory {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("oxpecker-{name}-{}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn write(&self, name: &str) -> PathBuf {
        let path = self.0.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, "x").unwrap();
        path
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn run(test: impl AsyncFnOnce()) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(test());
}

/// `act` is heard of when `file` is followed.
async fn check_heard(changes: &mut Changes, file: &PathBuf, act: impl FnOnce()) {
    changes.follow([file].into_iter());
    let began = Instant::now();
    let wait = changes.wait(PATIENCE);
    act();
    wait.await;
    assert!(began.elapsed() < PATIENCE / 2);
}

#[test]
fn a_file_is_heard_of_however_it_is_written() {
    run(async || {
        let dir = Directory::new("written");
        let file = dir.write("a.crt");
        let mut changes = Changes::new();
        check_heard(&mut changes, &file, || fs::write(&file, "y").unwrap()).await;
        let new = dir.write("new");
        check_heard(&mut changes, &file, || fs::rename(&new, &file).unwrap()).await;
        fs::remove_file(&file).unwrap();
        check_heard(&mut changes, &file, || fs::write(&file, "z").unwrap()).await;
    });
}

/// The directory is replaced by another of the same name, and later by none at all.
#[test]
fn a_new_directory_is_followed() {
    run(async || {
        let dir = Directory::new("directory");
        let file = dir.write("in/a.crt");
        let mut changes = Changes::new();
        changes.follow([&file].into_iter());
        fs::remove_dir_all(dir.0.join("in")).unwrap();
        changes.follow([&file].into_iter());
        dir.write("in/a.crt");
        check_heard(&mut changes, &file, || fs::write(&file, "y").unwrap()).await;
    });
}

#[test]
fn links_are_followed_as_certbot_and_kubernetes_set_them() {
    run(async || {
        let dir = Directory::new("links");
        for name in ["archive/1.pem", "archive/2.pem", "..1/tls.crt", "..2/tls.crt"] {
            dir.write(name);
        }
        fs::create_dir_all(dir.0.join("live")).unwrap();
        let link = |target: &str, name: &str| {
            let temporary = dir.0.join("temporary");
            symlink(target, &temporary).unwrap();
            fs::rename(temporary, dir.0.join(name)).unwrap();
        };
        let mut changes = Changes::new();
        link("../archive/1.pem", "live/full.pem");
        let file = dir.0.join("live/full.pem");
        check_heard(&mut changes, &file, || link("../archive/2.pem", "live/full.pem")).await;
        check_heard(&mut changes, &file, || drop(dir.write("archive/2.pem"))).await;
        link("..1", "..data");
        link("..data/tls.crt", "tls.crt");
        let file = dir.0.join("tls.crt");
        check_heard(&mut changes, &file, || link("..2", "..data")).await;
        check_heard(&mut changes, &file, || drop(dir.write("..2/tls.crt"))).await;
    });
}

/// Other files beside them, as in a busy directory, wake nobody.
#[test]
fn other_files_do_not_count() {
    run(async || {
        let dir = Directory::new("others");
        let file = dir.write("a.crt");
        let mut changes = Changes::new();
        changes.follow([&file].into_iter());
        dir.write("other");
        assert!(!changes.heard(changes.kernel.as_ref().unwrap()).await);
    });
}

#[test]
fn links_in_a_circle_end() {
    let dir = Directory::new("circle");
    symlink("b", dir.0.join("a")).unwrap();
    symlink("a", dir.0.join("b")).unwrap();
    assert_eq!(places(&dir.0.join("a")).len(), LINKS_MAX + 1);
}
