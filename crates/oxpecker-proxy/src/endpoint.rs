//! One side of a relay: a socket as it is, or TLS over it.

use std::io;
use std::task::{Context, Poll};

use crate::socket::Stream;
use crate::tls::TlsStream;

pub(crate) enum Endpoint {
    Plain(Stream),
    /// Boxed: a plain relay shall not pay for it.
    Tls(Box<TlsStream>),
}

impl Endpoint {
    pub(crate) fn stream(&self) -> &Stream {
        match self {
            Self::Plain(stream) => stream,
            Self::Tls(tls) => tls.stream(),
        }
    }

    /// The socket, when its bytes are the payload itself.
    pub(crate) fn plain(&self) -> Option<&Stream> {
        match self {
            Self::Plain(stream) => Some(stream),
            Self::Tls(_) => None,
        }
    }

    /// Reads payload; `buffer` is a scratch buffer. `Ok(0)` is the end.
    pub(crate) fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        match self {
            Self::Plain(stream) => stream.poll_read(cx, buffer),
            Self::Tls(tls) => tls.poll_read(cx, buffer),
        }
    }

    /// Writes what is taken of `bytes`; what TLS takes may still wait for a flush.
    pub(crate) fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self {
            Self::Plain(stream) => stream.poll_write(cx, bytes),
            Self::Tls(tls) => tls.poll_write(cx, bytes),
        }
    }

    /// Ready when everything that was taken has gone to the kernel.
    pub(crate) fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Plain(_) => Poll::Ready(Ok(())),
            Self::Tls(tls) => tls.poll_flush(cx),
        }
    }

    /// Ends this side's direction. `whole`: the other side said that nothing is missing, as far
    /// as it could say so.
    pub(crate) fn poll_shutdown(
        &mut self,
        cx: &mut Context<'_>,
        whole: bool,
    ) -> Poll<io::Result<()>> {
        match self {
            Self::Plain(stream) => Poll::Ready(stream.shutdown_write()),
            Self::Tls(tls) if whole => tls.poll_shutdown(cx),
            Self::Tls(tls) => Poll::Ready(tls.shutdown_truncated()),
        }
    }

    pub(crate) async fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        std::future::poll_fn(|cx| self.poll_read(cx, buffer)).await
    }

    pub(crate) async fn write_all(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            let n = std::future::poll_fn(|cx| self.poll_write(cx, bytes)).await?;
            bytes = &bytes[n..];
        }
        std::future::poll_fn(|cx| self.poll_flush(cx)).await
    }

    /// The peer ended its TLS stream without saying that it was complete.
    pub(crate) fn was_truncated(&self) -> bool {
        match self {
            Self::Plain(_) => false,
            Self::Tls(tls) => tls.was_truncated(),
        }
    }
}
