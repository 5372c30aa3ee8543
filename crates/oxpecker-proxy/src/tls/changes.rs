//! Waits for files to change: by the kernel's word where it gives one (inotify), and never longer
//! than the caller likes, because it gives none for network file systems.
//!
//! Says that something changed, not what: whoever wants to know looks at the files.

use std::collections::{HashMap, HashSet, VecDeque};
use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::fd::AsFd;
use std::path::{Component, Path, PathBuf};
use std::time::Duration;

use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify, WatchDescriptor};
use socket2::Socket;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use crate::socket::register;

/// Certificate and key come one after the other, and a directory may be busy.
const PAUSE: Duration = Duration::from_millis(10);

/// Linux follows no more symbolic links than this in one path.
const LINKS_MAX: usize = 40;

/// Files that are complete: written and closed, or moved to their place. A link counts as well.
const EVENTS: AddWatchFlags = AddWatchFlags::IN_CLOSE_WRITE
    .union(AddWatchFlags::IN_MOVED_TO)
    .union(AddWatchFlags::IN_CREATE)
    .union(AddWatchFlags::IN_ONLYDIR);

pub(super) struct Changes {
    /// `None`: the kernel has no more of them to give. The timer does it alone.
    kernel: Option<Kernel>,
    directories: HashMap<PathBuf, WatchDescriptor>,
    /// What counts in each directory.
    names: HashMap<WatchDescriptor, HashSet<OsString>>,
}

struct Kernel {
    inotify: Inotify,
    /// Another descriptor of the same, which only tells when there is something to read. What
    /// registers descriptors takes sockets, and asks nothing of them that others do not have.
    bell: AsyncFd<Socket>,
}

impl Kernel {
    fn open() -> io::Result<Self> {
        let inotify = Inotify::init(InitFlags::IN_CLOEXEC | InitFlags::IN_NONBLOCK)?;
        let bell = Socket::from(inotify.as_fd().try_clone_to_owned()?);
        Ok(Self { inotify, bell: register(bell, Interest::READABLE)? })
    }
}

impl Changes {
    pub(super) fn new() -> Self {
        let kernel = Kernel::open().inspect_err(|error| {
            tracing::debug!(%error, "no inotify: certificate files are looked at now and then");
        });
        Self { kernel: kernel.ok(), directories: HashMap::new(), names: HashMap::new() }
    }

    /// From now on these files count, and no others.
    pub(super) fn follow<'p>(&mut self, files: impl Iterator<Item = &'p PathBuf>) {
        let Some(Kernel { inotify, .. }) = &self.kernel else { return };
        let mut wanted: HashMap<PathBuf, HashSet<OsString>> = HashMap::new();
        for (directory, name) in files.flat_map(|file| places(file)) {
            wanted.entry(directory).or_default().insert(name);
        }
        self.directories.retain(|directory, watch| {
            let stays = wanted.contains_key(directory);
            if !stays {
                // It may have gone with the directory.
                let _ = inotify.rm_watch(*watch);
            }
            stays
        });
        self.names.clear();
        for (directory, names) in wanted {
            // Again even when it is watched: it may be another directory of the same name by now.
            match inotify.add_watch(&directory, EVENTS) {
                Ok(watch) => {
                    self.names.entry(watch).or_default().extend(names);
                    self.directories.insert(directory, watch);
                }
                // Missing, or no more watches: the timer is left.
                Err(_) => drop(self.directories.remove(&directory)),
            }
        }
    }

    /// Returns soon after one of the files changed, and after `patience` at the latest.
    pub(super) async fn wait(&self, patience: Duration) {
        let Some(kernel) = &self.kernel else { return tokio::time::sleep(patience).await };
        let changed = async {
            while !self.heard(kernel).await {}
            tokio::time::sleep(PAUSE).await;
        };
        // What happens is the same in both cases: somebody looks.
        let _ = tokio::time::timeout(patience, changed).await;
    }

    /// Takes what the kernel has to say; whether it is about one of the files.
    async fn heard(&self, kernel: &Kernel) -> bool {
        let Ok(mut ready) = kernel.bell.readable().await else {
            return std::future::pending().await;
        };
        match ready.try_io(|_| Ok(kernel.inotify.read_events()?)) {
            Ok(Ok(events)) => events.iter().any(|event| {
                let names = self.names.get(&event.wd);
                let counts = |name| names.is_some_and(|names| names.contains(name));
                // Without a name it is about the directory, or events were lost.
                event.name.as_ref().is_none_or(counts)
            }),
            // Not seen to happen; the timer is left.
            Ok(Err(_)) => std::future::pending().await,
            Err(_) => false,
        }
    }
}

/// Where a path's file can be replaced: its own place, and that of every symbolic link on the way.
/// Kubernetes and certbot swap links.
fn places(path: &Path) -> Vec<(PathBuf, OsString)> {
    let Ok(path) = std::path::absolute(path) else { return Vec::new() };
    let mut left: VecDeque<_> = parts(&path);
    let (mut at, mut found, mut links) = (PathBuf::from("/"), Vec::new(), 0);
    while let Some(part) = left.pop_front() {
        if part == ".." {
            at.pop();
            continue;
        }
        let here = at.join(&part);
        match fs::read_link(&here) {
            Ok(target) if links < LINKS_MAX => {
                links += 1;
                found.push((at.clone(), part));
                if target.is_absolute() {
                    at = PathBuf::from("/");
                }
                for part in parts(&target).into_iter().rev() {
                    left.push_front(part);
                }
            }
            _ if left.is_empty() => found.push((at.clone(), part)),
            _ => at = here,
        }
    }
    found
}

fn parts(path: &Path) -> VecDeque<OsString> {
    let part = |component| match component {
        Component::Normal(name) => Some(name.to_owned()),
        Component::ParentDir => Some("..".into()),
        _ => None,
    };
    path.components().filter_map(part).collect()
}

#[cfg(test)]
mod tests;
