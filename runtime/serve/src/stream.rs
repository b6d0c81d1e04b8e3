//! The bytes of one connection: protocol detection, and reading the rest of a request after its response.

use std::{
    io::{self, IoSlice},
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use bytes::{Buf, Bytes, BytesMut};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf},
    net::{
        TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::oneshot,
    time::timeout,
};

/// The first bytes of an HTTP/2 connection whose client knows that the server speaks HTTP/2 (RFC 9113, 3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// The size of the first read, in bytes. Most first requests fit.
const FIRST_READ_BYTES: usize = 2048;
/// How long a client may continue to send after an early response. After that it may not receive the
/// response.
pub(crate) const DISCARD_TIME_MAX: Duration = Duration::from_secs(2);

/// The protocol of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protocol {
    Http1,
    Http2,
}

/// A connection whose first bytes were already read. Dropping it shuts down the sending side and returns the
/// receiving side to the creator, who can read what the client still sends.
#[derive(Debug)]
pub(crate) struct PrefixedStream {
    prefix: Bytes,
    writer: OwnedWriteHalf,
    reader: Option<(OwnedReadHalf, oneshot::Sender<OwnedReadHalf>)>,
}

/// A connection, the bytes that were read from it, and the protocol that they belong to.
#[derive(Debug)]
pub(crate) struct Opening {
    pub(crate) protocol: Protocol,
    pub(crate) bytes: Bytes,
    pub(crate) stream: TcpStream,
}

/// Reads until the protocol is known. `None` if the client disconnected before.
pub(crate) async fn detect_protocol(mut stream: TcpStream) -> io::Result<Option<Opening>> {
    let mut bytes = BytesMut::with_capacity(FIRST_READ_BYTES);
    loop {
        if stream.read_buf(&mut bytes).await? == 0 {
            return Ok(None);
        }
        if bytes.starts_with(PREFACE) {
            return Ok(Some(Opening { protocol: Protocol::Http2, bytes: bytes.freeze(), stream }));
        }
        if !PREFACE.starts_with(&bytes) {
            return Ok(Some(Opening { protocol: Protocol::Http1, bytes: bytes.freeze(), stream }));
        }
    }
}

/// Reads and drops what a client still sends after its response. Without this the client could lose the
/// response: closing a socket with unread bytes resets the connection and discards data on its way to the
/// client.
pub(crate) async fn discard_input(mut reader: OwnedReadHalf) {
    let mut discarded = [0; 8 * 1024];
    // Both outcomes are fine: the client has its response, or does not read it.
    let _ =
        timeout(DISCARD_TIME_MAX, async { while let Ok(1..) = reader.read(&mut discarded).await {} }).await;
}

// === impl PrefixedStream ===

impl PrefixedStream {
    /// The stream, and the receiver of its reading half when the stream is dropped.
    pub(crate) fn new(prefix: Bytes, stream: TcpStream) -> (Self, oneshot::Receiver<OwnedReadHalf>) {
        let (reader, writer) = stream.into_split();
        let (sender, returned_reader) = oneshot::channel();
        (PrefixedStream { prefix, writer, reader: Some((reader, sender)) }, returned_reader)
    }
}

impl AsyncRead for PrefixedStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if !self.prefix.is_empty() {
            let length = self.prefix.len().min(buffer.remaining());
            buffer.put_slice(&self.prefix[..length]);
            self.prefix.advance(length);
            return Poll::Ready(Ok(()));
        }
        match &mut self.reader {
            Some((reader, _)) => Pin::new(reader).poll_read(cx, buffer),
            // Unreachable: only `drop` takes the reader. Report the end of the stream.
            None => Poll::Ready(Ok(())),
        }
    }
}

impl AsyncWrite for PrefixedStream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.writer).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.writer).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.writer.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.writer).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.writer).poll_shutdown(cx)
    }
}

impl Drop for PrefixedStream {
    fn drop(&mut self) {
        if let Some((reader, sender)) = self.reader.take() {
            // Fails if the connection was aborted: then there is no receiver.
            let _ = sender.send(reader);
        }
    }
}
