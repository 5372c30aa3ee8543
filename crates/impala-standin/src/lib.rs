//! stub
#![allow(dead_code, unused_imports)]
mod clock;
mod ids;
mod sql;
mod thrift_io;
