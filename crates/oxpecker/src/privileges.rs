//! Gives up what only binding needed: chroot, group, user, in this order.

use anyhow::{Context, bail};
use nix::unistd::{Gid, Group, Uid, User, chdir, chroot, initgroups, setgid, setuid};
use oxpecker_config::model::Process;

/// Whom the process is to become; `None` = who it is.
#[derive(Debug)]
pub(crate) struct Identity {
    pub(crate) user: Option<User>,
    group: Option<Gid>,
}

impl Identity {
    /// Looks the names up: a chroot hides /etc/passwd.
    pub(crate) fn of(process: &Process) -> anyhow::Result<Self> {
        Ok(Self {
            user: process.user.as_deref().map(user).transpose()?,
            group: process.group.as_deref().map(group).transpose()?,
        })
    }

    /// As configured, else the user's own.
    pub(crate) fn group(&self) -> Option<Gid> {
        self.group.or_else(|| self.user.as_ref().map(|user| user.gid))
    }
}

pub(crate) fn drop_to(process: &Process, identity: &Identity) -> anyhow::Result<()> {
    if let Some(path) = &process.chroot {
        chroot(path).with_context(|| format!("failed to chroot to {}", path.display()))?;
        chdir("/").context("failed to enter the new root")?;
    }
    let user = &identity.user;
    if let Some(gid) = identity.group() {
        if let Some(user) = user {
            let name = std::ffi::CString::new(user.name.as_str())?;
            initgroups(&name, gid).context("failed to set the supplementary groups")?;
        }
        setgid(gid).with_context(|| format!("failed to become group {gid}"))?;
    }
    if let Some(user) = user {
        setuid(user.uid).with_context(|| format!("failed to become user `{}`", user.name))?;
        if user.uid != Uid::from_raw(0) && setuid(Uid::from_raw(0)).is_ok() {
            bail!("still root after becoming user `{}`", user.name);
        }
    }
    Ok(())
}

fn user(name: &str) -> anyhow::Result<User> {
    User::from_name(name)
        .with_context(|| format!("failed to look up user `{name}`"))?
        .with_context(|| format!("no user `{name}`: create it, or change [process] user"))
}

fn group(name: &str) -> anyhow::Result<Gid> {
    Group::from_name(name)
        .with_context(|| format!("failed to look up group `{name}`"))?
        .map(|group| group.gid)
        .with_context(|| format!("no group `{name}`: create it, or change [process] group"))
}
