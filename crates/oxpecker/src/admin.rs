//! What the admin side needs of the process: paths, and whom its socket files belong to.

use std::path::Path;

use oxpecker_admin::{Admin, Owner, Prepared};
use oxpecker_config::model::Config;
use oxpecker_config::{Checked, explain};

use crate::privileges::Identity;

/// Makes relative names mean "beside the configuration". Sockets have absolute ones.
pub(crate) fn make_absolute(config: &mut Config, base: &Path) {
    if let Some(path) = config.admin.as_mut().and_then(|admin| admin.state_file.as_mut()) {
        *path = base.join(&*path);
    }
}

/// Opens what this configuration asks for and is not open yet.
pub(crate) fn prepare(
    admin: &Admin,
    checked: &Checked,
    identity: &Identity,
) -> anyhow::Result<Prepared> {
    let owner = Owner {
        user: identity.user.as_ref().map(|user| user.uid.as_raw()),
        group: identity.group().map(|group| group.as_raw()),
    };
    let explained = explain(checked);
    Ok(admin.prepare(checked.config.admin.as_ref(), explained, owner)?)
}
