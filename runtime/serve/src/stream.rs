//! The bytes of one connection.

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

/// What an HTTP/2 connection begins with, where its client knows beforehand that the server speaks it (RFC 9113, 3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// What is asked of the system at once when a connection begins: most first requests fit.
const FIRST_READ_BYTES: usize = 2048;
/// How long a client that was cut short may go on sending. Past it, it may not see its answer.
pub(crate) const DISCARD_TIME_MAX: Duration = Duration::from_secs(2);

/// What a connection speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protocol {
    Http1,
    Http2,
}

/// A connection whose first bytes have been read already. When it is dropped, the client is told that nothing more comes,
/// and what it still sends can be read by whoever made it.
#[derive(Debug)]
pub(crate) struct PrefixedStream {
    begun: Bytes,
    writer: OwnedWriteHalf,
    reader: Option<(OwnedReadHalf, oneshot::Sender<OwnedReadHalf>)>,
}

/// A connection that has begun.
#[derive(Debug)]
pub(crate) struct Begun {
    pub(crate) protocol: Protocol,
    pub(crate) bytes: Bytes,
    pub(crate) stream: TcpStream,
}

/// Reads until it is clear what the client speaks. None where it went away before.
pub(crate) async fn begin(mut stream: TcpStream) -> io::Result<Option<Begun>> {
    let mut begun = BytesMut::with_capacity(FIRST_READ_BYTES);
    loop {
        if stream.read_buf(&mut begun).await? == 0 {
            return Ok(None);
        }
        if begun.starts_with(PREFACE) {
            return Ok(Some(Begun { protocol: Protocol::Http2, bytes: begun.freeze(), stream }));
        }
        if !PREFACE.starts_with(&begun) {
            return Ok(Some(Begun { protocol: Protocol::Http1, bytes: begun.freeze(), stream }));
        }
    }
}

/// Reads and throws away what a client still sends after its answer, so that the answer reaches it: a socket that is
/// closed with bytes unread resets the connection, and takes the answer along.
pub(crate) async fn discard_input(mut reader: OwnedReadHalf) {
    let mut discarded = [0; 8 * 1024];
    // The client may do what it likes: it has its answer, or does not want it.
    let _ =
        timeout(DISCARD_TIME_MAX, async { while let Ok(1..) = reader.read(&mut discarded).await {} }).await;
}

// === impl PrefixedStream ===

impl PrefixedStream {
    /// The stream, and where its reading half goes in the end.
    pub(crate) fn new(begun: Bytes, stream: TcpStream) -> (Self, oneshot::Receiver<OwnedReadHalf>) {
        let (reader, writer) = stream.into_split();
        let (back, returned) = oneshot::channel();
        (PrefixedStream { begun, writer, reader: Some((reader, back)) }, returned)
    }
}

impl AsyncRead for PrefixedStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if !self.begun.is_empty() {
            let length = self.begun.len().min(buffer.remaining());
            buffer.put_slice(&self.begun[..length]);
            self.begun.advance(length);
            return Poll::Ready(Ok(()));
        }
        match &mut self.reader {
            Some((reader, _)) => Pin::new(reader).poll_read(cx, buffer),
            // The end of the stream: only `drop` takes the reader.
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
        if let Some((reader, back)) = self.reader.take() {
            // Nobody waits for it where the connection was cut.
            let _ = back.send(reader);
        }
    }
}
