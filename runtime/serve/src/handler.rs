//! Handles one request on the reactor. This file waits for the network and for the pool's response, and never
//! blocks.

use std::{
    collections::HashMap,
    pin::{Pin, pin},
};

use bytes::Bytes;
use crossbeam_channel::{Sender, TrySendError};
use http::{HeaderMap, HeaderValue, Method, Request, Uri, Version, header, request::Parts};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::Body;
use parking_lot::RwLock;
use segue::{ModuleHandle, Runtime};
use tokio::{sync::oneshot, time::timeout};

use crate::{
    Config,
    pool::Job,
    response::{HttpResponse, Rejection},
    route::Routes,
    stats::{Count, Gauge, Stats},
    stream::DISCARD_TIME_MAX,
};

/// Handles requests: each gets one response.
pub(crate) struct RequestHandler {
    pub(crate) runtime: Runtime,
    pub(crate) routes: Routes,
    pub(crate) config: Config,
    pub(crate) stats: Stats,
    pub(crate) handles: Handles,
    pub(crate) jobs: Sender<Job>,
}

/// The handles of the modules that were requested.
///
/// A handle stays valid: it always calls the current version, even if the module had none for a while. So
/// only the first request for a module takes a lock of the runtime's registry, which loads take too. Only
/// modules that exist are cached, so clients cannot make the cache grow.
#[derive(Default)]
pub(crate) struct Handles {
    by_name: RwLock<HashMap<String, ModuleHandle>>,
}

/// A response, and whether some of the request's body was not read.
pub(crate) struct Handled {
    pub(crate) response: HttpResponse,
    pub(crate) body_unread: bool,
}

// === impl RequestHandler ===

impl RequestHandler {
    pub(crate) async fn handle<B>(&self, request: Request<B>) -> Handled
    where
        B: Body<Data = Bytes>,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        self.stats.count(Count::Request);
        let (head, body) = request.into_parts();
        let mut body = pin!(body);
        let (version, has_body) = (head.version, !body.is_end_stream());
        match self.call_module(head, body.as_mut()).await {
            Ok(response) => Handled { response, body_unread: false },
            Err(rejection) => {
                tracing::debug!(?rejection, "rejected a request");
                if let Some(count) = rejection.count() {
                    self.stats.count(count);
                }
                let mut response = rejection.response();
                let body_unread = has_body && rejection.leaves_body_unread();
                if body_unread && version == Version::HTTP_2 {
                    // An early response ends the stream. Clients that are still sending, such as curl, then
                    // report an error and do not show the response.
                    discard_body(body).await;
                    return Handled { response, body_unread: false };
                }
                if body_unread {
                    // The next bytes on the connection are the unread body, not a request.
                    response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
                }
                Handled { response, body_unread }
            }
        }
    }

    /// Reads the request, queues it for the pool, and waits for the response.
    async fn call_module<B>(&self, mut head: Parts, body: B) -> Result<HttpResponse, Rejection>
    where
        B: Body<Data = Bytes>,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        check_limits(&head, &self.config)?;
        if head.method == Method::CONNECT {
            return Err(Rejection::Connect);
        }
        let (module, path_start) = self.find_module(head.uri.path())?;
        let body = self.read_body(body).await?;
        set_host(&mut head.headers, &head.uri);
        let (response_sender, response) = oneshot::channel();
        let queued = self.stats.track(Gauge::Queued);
        let job = Job { module, head, path_start, body, response: response_sender, queued };
        self.jobs.try_send(job).map_err(|error| match error {
            TrySendError::Full(_) => Rejection::QueueFull,
            TrySendError::Disconnected(_) => Rejection::Internal,
        })?;
        // If the job was dropped without a response, its thread panicked and logged that.
        response.await.map_err(|_| Rejection::Internal)
    }

    /// The module that a path belongs to, and where the module's own path starts.
    ///
    /// The lookup is here and not in the pool, so a request for an unknown module takes no place in the
    /// queue.
    fn find_module(&self, path: &str) -> Result<(ModuleHandle, usize), Rejection> {
        self.routes
            .candidates(path)
            .find_map(|found| Some((self.handles.get(found.module, &self.runtime)?, found.path_start)))
            .ok_or(Rejection::NoModule)
    }

    async fn read_body<B>(&self, body: B) -> Result<Bytes, Rejection>
    where
        B: Body<Data = Bytes>,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        if body.is_end_stream() {
            return Ok(Bytes::new());
        }
        let bytes_max = self.config.body_bytes_max;
        // Checks the declared length first, so a body that is too large is rejected before it is sent.
        if body.size_hint().lower() > u64::try_from(bytes_max).unwrap_or(u64::MAX) {
            return Err(Rejection::BodyTooLarge);
        }
        match timeout(self.config.body_read_timeout, Limited::new(body, bytes_max).collect()).await {
            Ok(Ok(body)) => Ok(body.to_bytes()),
            Ok(Err(error)) if error.is::<LengthLimitError>() => Err(Rejection::BodyTooLarge),
            Ok(Err(_)) => Err(Rejection::BodyBroken),
            Err(_) => Err(Rejection::BodyTooSlow),
        }
    }
}

// === impl Handles ===

impl Handles {
    fn get(&self, name: &str, runtime: &Runtime) -> Option<ModuleHandle> {
        if let Some(known) = self.by_name.read().get(name) {
            return Some(known.clone());
        }
        let handle = runtime.module(name).ok()?;
        self.by_name.write().insert(name.to_owned(), handle.clone());
        Some(handle)
    }
}

/// Reads and drops the rest of a body, for a limited time.
async fn discard_body<B: Body>(mut body: Pin<&mut B>) {
    // The response follows in any case: if the body is complete, broken, or takes too long.
    let _ = timeout(DISCARD_TIME_MAX, async { while let Some(Ok(_)) = body.frame().await {} }).await;
}

fn check_limits(head: &Parts, config: &Config) -> Result<(), Rejection> {
    let target = head.uri.path_and_query().map_or(0, |target| target.as_str().len());
    if target > config.target_bytes_max {
        return Err(Rejection::TargetTooLong);
    }
    // Four bytes for the colon, the space and the line end of HTTP/1.
    let bytes: usize = head.headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum();
    if head.headers.len() > config.header_count_max || bytes > config.header_bytes_max {
        return Err(Rejection::HeadersTooLarge);
    }
    Ok(())
}

/// HTTP/2 names the host in a pseudo-header. Copies it to the header `host`, as in HTTP/1 (RFC 9113, 8.3.1).
fn set_host(headers: &mut HeaderMap, uri: &Uri) {
    let Some(authority) = uri.authority() else { return };
    if let Ok(host) = HeaderValue::from_str(authority.as_str()) {
        headers.entry(header::HOST).or_insert(host);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(target: &str, headers: usize, value: &str) -> Parts {
        let mut request = Request::builder().uri(target);
        for n in 0..headers {
            request = request.header(format!("x-{n}"), value);
        }
        request.body(()).unwrap().into_parts().0
    }

    #[test]
    fn a_head_past_a_limit_is_rejected() {
        let config =
            Config { target_bytes_max: 10, header_count_max: 3, header_bytes_max: 60, ..Config::default() };
        let check = |head: Parts| check_limits(&head, &config);
        assert_eq!(check(head("/345678910", 3, "")), Ok(()));
        assert_eq!(check(head("/3456?78901", 0, "")), Err(Rejection::TargetTooLong));
        assert_eq!(check(head("/", 4, "")), Err(Rejection::HeadersTooLarge));
        assert_eq!(check(head("/", 3, "0123456789012")), Ok(()));
        assert_eq!(check(head("/", 3, "01234567890123")), Err(Rejection::HeadersTooLarge));
    }

    #[test]
    fn the_host_of_the_target_becomes_a_header() {
        let mut headers = HeaderMap::new();
        set_host(&mut headers, &Uri::from_static("/x"));
        assert!(headers.is_empty());
        set_host(&mut headers, &Uri::from_static("http://a.example:80/x"));
        assert_eq!(headers["host"], "a.example:80");
        set_host(&mut headers, &Uri::from_static("http://other/x"));
        assert_eq!(headers["host"], "a.example:80");
    }
}
