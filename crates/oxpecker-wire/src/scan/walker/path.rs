//! Where in a message a value is.

/// Where in a message a value is: the field ids from the outermost struct, elements of containers
/// counting as [`ELEMENT`].
///
/// Exact for the first eight levels; what lies deeper has no path that [`path`] can make.
pub type Path = u64;

/// Stands for any element, key or value of a container in a [`Path`].
pub const ELEMENT: i16 = 254;

pub(super) const LEVELS: u8 = 8;

/// The path of nested field ids, such as `path(&[1, 1, 1, 2])`.
pub const fn path(ids: &[i16]) -> Path {
    let mut path = 0;
    let mut at = 0;
    while at < ids.len() {
        path = path << 8 | code(ids[at]);
        at += 1;
    }
    path
}

/// Ids that no message of ours has share one code.
pub(super) const fn code(id: i16) -> u64 {
    if id >= 0 && id <= ELEMENT { id as u64 + 1 } else { 0 }
}
