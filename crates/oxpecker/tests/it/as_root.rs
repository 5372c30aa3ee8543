//! What needs root: network namespaces, users, a jail.

mod doctor;
mod guides;
mod privileges;
mod sources;

/// # Panics
/// Without root: a skipped test would look like a passed one.
pub(crate) fn need_root() {
    assert!(
        nix::unistd::geteuid().is_root(),
        "this test needs root; leave it out with --skip as_root"
    );
}
