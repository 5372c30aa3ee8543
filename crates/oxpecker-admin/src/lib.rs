//! What operators see and touch: the HTTP API, the page, metrics, and HAProxy's runtime socket.
//!
//! Runs on a thread of its own and knows the data plane by [`oxpecker_proxy::control::Handle`] only.
//! Nothing but the binaries depends on it: with it switched off traffic flows as before.
