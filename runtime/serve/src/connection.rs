//! One connection, from its first byte to its last.

use std::{
    convert::{Infallible, identity},
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use hyper::service::service_fn;
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto,
};
use tokio::{net::TcpStream, sync::watch, time::timeout};

use crate::{
    Config,
    handler::RequestHandler,
    stats::{Count, Stats},
    stream::{self, Begun, PrefixedStream, Protocol},
};

/// What is read of the head of a request before it is given up with 431, whatever it holds. Larger than the limits of
/// [`Config`], so that a head that is too large can usually be told apart: a target past its limit (414), or headers (431).
const HEAD_BYTES_READ_MAX: usize = 256 * 1024;

/// How long a connection that has said nothing yet still may, when the server is to stop: its first request may be on its
/// way, and closing would reset it. The server's end is delayed by as much, where such connections are open.
const FIRST_BYTE_GRACE: Duration = Duration::from_millis(100);

/// Serves connections, all alike.
pub(crate) struct ConnectionServer {
    http1: auto::Builder<TokioExecutor>,
    http2: auto::Builder<TokioExecutor>,
    config: Config,
    stats: Stats,
}

/// Becomes true when the server is to stop.
#[derive(Clone)]
pub(crate) struct StopSignal(pub(crate) watch::Receiver<bool>);

// === impl ConnectionServer ===

impl ConnectionServer {
    pub(crate) fn new(config: &Config, stats: Stats) -> Self {
        let head_bytes_max = HEAD_BYTES_READ_MAX.max(2 * (config.target_bytes_max + config.header_bytes_max));
        // Two builders instead of one that finds out by itself, as that one would wait for a first byte for ever.
        let mut http1 = auto::Builder::new(TokioExecutor::new()).http1_only();
        http1
            .http1()
            .timer(TokioTimer::new())
            // A client that has said all it will say, and so has closed its side, still waits for the answer.
            .half_close(true)
            .header_read_timeout(config.header_read_timeout)
            .max_headers(config.header_count_max)
            .max_buf_size(head_bytes_max);
        let mut http2 = auto::Builder::new(TokioExecutor::new()).http2_only();
        http2
            .http2()
            .timer(TokioTimer::new())
            // Finds connections whose other end has vanished: HTTP/2 has no limit of its own for idling.
            .keep_alive_interval(config.header_read_timeout)
            .max_concurrent_streams(config.streams_per_connection_max)
            .max_header_list_size(u32::try_from(head_bytes_max).unwrap_or(u32::MAX));
        ConnectionServer { http1, http2, config: config.clone(), stats }
    }

    /// Serves one connection until it ends, or, from the moment when the server is to stop, until nothing is under way.
    pub(crate) async fn serve(
        &self,
        stream: TcpStream,
        handler: Arc<RequestHandler>,
        mut stop_signal: StopSignal,
    ) {
        // Answers are written whole: waiting for more would only delay them.
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "a connection without TCP_NODELAY");
        }
        let mut begun = pin!(timeout(self.config.header_read_timeout, stream::begin(stream)));
        let begun = tokio::select! {
            begun = begun.as_mut() => begun,
            () = stop_signal.wait() => timeout(FIRST_BYTE_GRACE, begun).await.and_then(identity),
        };
        // Nothing came, or the client is gone: there is nobody to answer.
        let Ok(Ok(Some(Begun { protocol, bytes, stream }))) = begun else { return };
        let (stream, returned) = PrefixedStream::new(bytes, stream);
        if self.exchange(protocol, stream, handler, stop_signal).await == Input::Unread
            && let Ok(reader) = returned.await
        {
            stream::discard_input(reader).await;
        }
    }

    /// All requests of one connection.
    async fn exchange(
        &self,
        protocol: Protocol,
        stream: PrefixedStream,
        handler: Arc<RequestHandler>,
        mut stop_signal: StopSignal,
    ) -> Input {
        let unread = Arc::new(AtomicBool::new(false));
        let service = service_fn(|request| {
            let (handler, unread) = (handler.clone(), unread.clone());
            async move {
                let answered = handler.answer(request).await;
                if answered.body_unread {
                    unread.store(true, Ordering::Relaxed);
                }
                Ok::<_, Infallible>(answered.answer)
            }
        });
        let builder = match protocol {
            Protocol::Http1 => &self.http1,
            Protocol::Http2 => &self.http2,
        };
        let mut connection = pin!(builder.serve_connection(TokioIo::new(stream), service));
        let served = tokio::select! {
            // In this order a request that has come already is begun, and so is answered, before the stop is looked at.
            biased;
            served = connection.as_mut() => served,
            () = stop_signal.wait() => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        };
        match served {
            Ok(()) if unread.load(Ordering::Relaxed) => Input::Unread,
            Ok(()) => Input::Consumed,
            Err(error) => self.note(&*error),
        }
    }

    /// A connection that ended with an error is the client's affair: it went away, or sent what is no HTTP.
    fn note(&self, error: &(dyn std::error::Error + Send + Sync + 'static)) -> Input {
        tracing::debug!(error, "a connection ended with an error");
        match error.downcast_ref::<hyper::Error>() {
            Some(error) if error.is_parse_too_large() => {
                self.stats.count(Count::HeadersTooLarge);
                Input::Unread
            }
            Some(error) if error.is_parse() => {
                self.stats.count(Count::Malformed);
                Input::Unread
            }
            _ => Input::Consumed,
        }
    }
}

// === impl StopSignal ===

impl StopSignal {
    /// Waits until the server is to stop, or is gone.
    async fn wait(&mut self) {
        let _ = self.0.wait_for(|stop| *stop).await;
    }
}

/// What the client may have sent that nobody has read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Input {
    Consumed,
    Unread,
}
