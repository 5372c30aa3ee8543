//! Bytes on the wire. Pure.
