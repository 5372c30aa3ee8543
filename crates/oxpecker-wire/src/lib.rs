//! Bytes on the wire: PROXY headers, SASL frames, Thrift messages of HiveServer2 and Beeswax,
//! HTTP responses, and the conversations of health probes.
//!
//! Pure: bytes come in as arguments, values and bytes go out. Nothing here opens a socket, reads a
//! clock or keeps state outside its own values, and no input makes it panic or grow without bound.

pub mod answer;
pub mod beeswax;
pub mod client_hello;
pub mod errand;
pub mod hs2;
pub mod http;
pub mod probe;
pub mod proxy_header;
pub mod redact;
pub mod sasl;
pub mod scan;
mod text;
pub mod thrift;
