//! One request, on the reactor: nothing in here waits for anything but the network.

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
    response::{Answer, Rejection},
    route::Routes,
    stats::{Count, Gauge, Stats},
    stream::DISCARD_TIME_MAX,
};

/// Takes requests, and sees that each gets one answer.
pub(crate) struct RequestHandler {
    pub(crate) runtime: Runtime,
    pub(crate) routes: Routes,
    pub(crate) config: Config,
    pub(crate) stats: Stats,
    pub(crate) handles: Handles,
    pub(crate) jobs: Sender<Job>,
}

/// The handles of the modules that were asked for.
///
/// A handle is good for ever: it always calls what is current, also where the module had no version for a while. So no
/// request but a module's first needs the runtime's registry, whose locks belong to those who load. Only modules that
/// exist are remembered, so clients cannot make this grow.
#[derive(Default)]
pub(crate) struct Handles {
    by_name: RwLock<HashMap<String, ModuleHandle>>,
}

/// An answer, and whether the request's body is still on its way.
pub(crate) struct Answered {
    pub(crate) answer: Answer,
    pub(crate) body_unread: bool,
}

// === impl RequestHandler ===

impl RequestHandler {
    pub(crate) async fn answer<B>(&self, request: Request<B>) -> Answered
    where
        B: Body<Data = Bytes>,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        self.stats.count(Count::Request);
        let (head, body) = request.into_parts();
        let mut body = pin!(body);
        let (version, has_body) = (head.version, !body.is_end_stream());
        match self.ask(head, body.as_mut()).await {
            Ok(answer) => Answered { answer, body_unread: false },
            Err(rejection) => {
                tracing::debug!(?rejection, "refused a request");
                if let Some(count) = rejection.count() {
                    self.stats.count(count);
                }
                let mut answer = rejection.answer();
                let body_unread = has_body && rejection.leaves_body_unread();
                if body_unread && version == Version::HTTP_2 {
                    // An answer that comes early ends the stream, and clients that still send (curl is one) take that for
                    // an error and never show it.
                    discard_body(body).await;
                    return Answered { answer, body_unread: false };
                }
                if body_unread {
                    // What comes next on the connection is the body that nobody wants, and no request.
                    answer.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
                }
                Answered { answer, body_unread }
            }
        }
    }

    async fn ask<B>(&self, mut head: Parts, body: B) -> Result<Answer, Rejection>
    where
        B: Body<Data = Bytes>,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        check_limits(&head, &self.config)?;
        if head.method == Method::CONNECT {
            return Err(Rejection::Connect);
        }
        let (module, path_start) = self.find(head.uri.path())?;
        let body = self.read(body).await?;
        set_host(&mut head.headers, &head.uri);
        let (answer, answered) = oneshot::channel();
        let waiting = self.stats.track(Gauge::Queued);
        self.jobs.try_send(Job { module, head, path_start, body, answer, waiting }).map_err(|refused| {
            match refused {
                TrySendError::Full(_) => Rejection::QueueFull,
                TrySendError::Disconnected(_) => Rejection::Internal,
            }
        })?;
        // A job that was dropped instead of answered has panicked on its thread, which logs that.
        answered.await.map_err(|_| Rejection::Internal)
    }

    /// The module that a path belongs to, and where the module's own path begins.
    ///
    /// It is looked for here and not in the pool, so that a request for nobody takes no place in the queue.
    fn find(&self, path: &str) -> Result<(ModuleHandle, usize), Rejection> {
        self.routes
            .candidates(path)
            .find_map(|found| Some((self.handles.get(found.module, &self.runtime)?, found.path_start)))
            .ok_or(Rejection::NoModule)
    }

    async fn read<B>(&self, body: B) -> Result<Bytes, Rejection>
    where
        B: Body<Data = Bytes>,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        if body.is_end_stream() {
            return Ok(Bytes::new());
        }
        let bytes_max = self.config.body_bytes_max;
        // The length that the request says: no byte of what is too much needs to come.
        if body.size_hint().lower() > u64::try_from(bytes_max).unwrap_or(u64::MAX) {
            return Err(Rejection::BodyTooLarge);
        }
        match timeout(self.config.body_read_timeout, Limited::new(body, bytes_max).collect()).await {
            Ok(Ok(whole)) => Ok(whole.to_bytes()),
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

/// Reads what is left of a body that nobody wants, for a while.
async fn discard_body<B: Body>(mut body: Pin<&mut B>) {
    // Whether it has come whole, was cut off, or takes too long: the answer is given now.
    let _ = timeout(DISCARD_TIME_MAX, async { while let Some(Ok(_)) = body.frame().await {} }).await;
}

fn check_limits(head: &Parts, config: &Config) -> Result<(), Rejection> {
    let target = head.uri.path_and_query().map_or(0, |target| target.as_str().len());
    if target > config.target_bytes_max {
        return Err(Rejection::TargetTooLong);
    }
    // With the colon, the space and the end of the line, as HTTP/1 writes them.
    let bytes: usize = head.headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum();
    if head.headers.len() > config.header_count_max || bytes > config.header_bytes_max {
        return Err(Rejection::HeadersTooLarge);
    }
    Ok(())
}

/// HTTP/2 says in a pseudo-header which host is meant. A module finds it where it is in HTTP/1 (RFC 9113, 8.3.1).
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
    fn a_head_is_held_against_the_limits() {
        let config =
            Config { target_bytes_max: 10, header_count_max: 3, header_bytes_max: 60, ..Config::default() };
        let verdict = |head: Parts| check_limits(&head, &config);
        assert_eq!(verdict(head("/345678910", 3, "")), Ok(()));
        assert_eq!(verdict(head("/3456?78901", 0, "")), Err(Rejection::TargetTooLong));
        assert_eq!(verdict(head("/", 4, "")), Err(Rejection::HeadersTooLarge));
        assert_eq!(verdict(head("/", 3, "0123456789012")), Ok(()));
        assert_eq!(verdict(head("/", 3, "01234567890123")), Err(Rejection::HeadersTooLarge));
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
