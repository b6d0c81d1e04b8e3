//! Serves one connection, from its first byte to its last.

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
    stream::{self, Opening, PrefixedStream, Protocol},
};

/// The most bytes of a request's head that are read before the response is 431. It is larger than the limits
/// in [`Config`], so the server can usually tell a target past its limit (414) from headers past theirs
/// (431).
const HEAD_BYTES_READ_MAX: usize = 256 * 1024;

/// How long a connection without any bytes stays open when the server stops. Its first request may be on its
/// way, and closing would reset it. Such connections delay the stop by this much.
const FIRST_BYTE_GRACE: Duration = Duration::from_millis(100);

/// Serves connections. All have the same settings.
pub(crate) struct ConnectionServer {
    http1: auto::Builder<TokioExecutor>,
    http2: auto::Builder<TokioExecutor>,
    config: Config,
    stats: Stats,
}

/// Becomes true when the server starts to stop.
#[derive(Clone)]
pub(crate) struct StopSignal(pub(crate) watch::Receiver<bool>);

/// Whether the client may have sent bytes that were not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Input {
    Consumed,
    Unread,
}

// === impl ConnectionServer ===

impl ConnectionServer {
    pub(crate) fn new(config: &Config, stats: Stats) -> Self {
        let head_bytes_max = HEAD_BYTES_READ_MAX.max(2 * (config.target_bytes_max + config.header_bytes_max));
        // Two builders, because one that detects the protocol waits for the first byte without a timeout.
        let mut http1 = auto::Builder::new(TokioExecutor::new()).http1_only();
        http1
            .http1()
            .timer(TokioTimer::new())
            // A client that has shut down its sending side still waits for the response.
            .half_close(true)
            .header_read_timeout(config.header_read_timeout)
            .max_headers(config.header_count_max)
            .max_buf_size(head_bytes_max);
        let mut http2 = auto::Builder::new(TokioExecutor::new()).http2_only();
        http2
            .http2()
            .timer(TokioTimer::new())
            // Detects clients that have vanished. HTTP/2 has no idle timeout of its own.
            .keep_alive_interval(config.header_read_timeout)
            .max_concurrent_streams(config.streams_per_connection_max)
            .max_header_list_size(u32::try_from(head_bytes_max).unwrap_or(u32::MAX));
        ConnectionServer { http1, http2, config: config.clone(), stats }
    }

    /// Serves one connection until it ends. When the server stops, it ends as soon as no request is in
    /// progress.
    pub(crate) async fn serve(
        &self,
        stream: TcpStream,
        handler: Arc<RequestHandler>,
        mut stop_signal: StopSignal,
    ) {
        // Responses are written in one piece, so Nagle's algorithm would only delay them.
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "cannot set TCP_NODELAY on a connection");
        }
        let mut opening = pin!(timeout(self.config.header_read_timeout, stream::detect_protocol(stream)));
        let opening = tokio::select! {
            opening = opening.as_mut() => opening,
            () = stop_signal.wait() => timeout(FIRST_BYTE_GRACE, opening).await.and_then(identity),
        };
        // On a timeout, or if the client disconnected, there is no request to respond to.
        let Ok(Ok(Some(Opening { protocol, bytes, stream }))) = opening else { return };
        let (stream, returned_reader) = PrefixedStream::new(bytes, stream);
        if self.serve_requests(protocol, stream, handler, stop_signal).await == Input::Unread
            && let Ok(reader) = returned_reader.await
        {
            stream::discard_input(reader).await;
        }
    }

    /// Serves all requests of one connection.
    async fn serve_requests(
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
                let handled = handler.handle(request).await;
                if handled.body_unread {
                    unread.store(true, Ordering::Relaxed);
                }
                Ok::<_, Infallible>(handled.response)
            }
        });
        let builder = match protocol {
            Protocol::Http1 => &self.http1,
            Protocol::Http2 => &self.http2,
        };
        let mut connection = pin!(builder.serve_connection(TokioIo::new(stream), service));
        let served = tokio::select! {
            // The connection first: a request that has already arrived starts, and so gets its response,
            // before the stop takes effect.
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
            Err(error) => self.record_error(&*error),
        }
    }

    /// Counts and logs an error of a connection. Its cause is the client: it disconnected, or sent invalid
    /// HTTP.
    fn record_error(&self, error: &(dyn std::error::Error + Send + Sync + 'static)) -> Input {
        tracing::debug!(error, "a connection failed");
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
    /// Waits until the server starts to stop or is dropped.
    async fn wait(&mut self) {
        let _ = self.0.wait_for(|stop| *stop).await;
    }
}
