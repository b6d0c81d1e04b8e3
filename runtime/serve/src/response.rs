//! HTTP responses: from a module's reply, and the server's own rejections.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode, header};
use http_body_util::Full;
use segue::{Reply, VersionId};

use crate::stats::Count;

/// A complete response.
pub(crate) type HttpResponse = Response<Full<Bytes>>;

const MODULE: HeaderName = HeaderName::from_static("x-segue-module");
const VERSION: HeaderName = HeaderName::from_static("x-segue-version");

/// Headers that only the server may set: those of the connection and of message framing (RFC 9110, 7.6.1),
/// and those that name the module and version. A module that sets them could break the connection for other
/// requests, or impersonate another module.
const RESERVED_HEADERS: [HeaderName; 10] = [
    header::CONNECTION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
    header::CONTENT_LENGTH,
    MODULE,
    VERSION,
];

/// The most headers that a module can set on one response; further ones are dropped. Most clients accept no
/// more than a hundred.
const HEADER_COUNT_MAX: usize = 256;

/// The module and version that serve a request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Responder<'a> {
    pub(crate) module: &'a str,
    pub(crate) version: &'a VersionId,
}

/// Why a request gets a response without a reply from a module.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rejection {
    NoModule,
    TargetTooLong,
    HeadersTooLarge,
    BodyTooLarge,
    BodyTooSlow,
    BodyBroken,
    QueueFull,
    Connect,
    Internal,
}

// === impl Responder ===

impl Responder<'_> {
    /// Converts a module's reply to valid HTTP. Headers that cannot be sent are dropped and logged.
    pub(crate) fn reply(&self, reply: Reply, method: &Method) -> HttpResponse {
        let Some(status) = final_status(reply.status) else {
            let Responder { module, version } = self;
            tracing::error!(module, %version, status = reply.status, "the module's status is not final");
            return self.failure();
        };
        let mut headers = HeaderMap::with_capacity(reply.headers.len().min(HEADER_COUNT_MAX) + 3);
        for (name, value) in &reply.headers {
            if let Err(reason) = append(&mut headers, name, value) {
                let Responder { module, version } = self;
                tracing::warn!(module, %version, header = name.as_str(), reason, "dropped a header");
            }
        }
        // These three statuses never have a body. A response to HEAD has everything but the body (RFC 9110,
        // 9.3.2).
        let bodyless =
            matches!(status, StatusCode::NO_CONTENT | StatusCode::RESET_CONTENT | StatusCode::NOT_MODIFIED);
        let body = if bodyless {
            Bytes::new()
        } else if method == Method::HEAD {
            headers.insert(header::CONTENT_LENGTH, HeaderValue::from(reply.body.len()));
            Bytes::new()
        } else {
            Bytes::from(reply.body)
        };
        self.finish(status, headers, body)
    }

    /// The response to a call that failed. It has no details: those are only in the log.
    pub(crate) fn failure(&self) -> HttpResponse {
        let mut headers = HeaderMap::with_capacity(3);
        headers.insert(header::CONTENT_TYPE, PLAIN);
        self.finish(StatusCode::INTERNAL_SERVER_ERROR, headers, Bytes::from_static(b"the module failed\n"))
    }

    /// Builds the response, with the headers that name the module and version.
    fn finish(&self, status: StatusCode, mut headers: HeaderMap, body: Bytes) -> HttpResponse {
        // The loader checks both in a file's metadata, so they are valid header values. If one were not, the
        // response would go out without it.
        if let Ok(module) = HeaderValue::from_str(self.module) {
            headers.insert(MODULE, module);
        }
        if let Ok(version) = HeaderValue::try_from(self.version.to_string()) {
            headers.insert(VERSION, version);
        }
        let mut response = Response::new(Full::new(body));
        *response.status_mut() = status;
        *response.headers_mut() = headers;
        response
    }
}

const PLAIN: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");

fn final_status(status: u16) -> Option<StatusCode> {
    (200..600).contains(&status).then(|| StatusCode::from_u16(status).ok()).flatten()
}

fn append(headers: &mut HeaderMap, name: &str, value: &[u8]) -> Result<(), &'static str> {
    let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| "invalid name")?;
    let value = HeaderValue::from_bytes(value).map_err(|_| "invalid value")?;
    if RESERVED_HEADERS.contains(&name) {
        return Err("only the server may set it");
    }
    // A second content type is a mistake of the module, and each client would have to guess which one counts.
    // Headers such as set-cookie may occur several times.
    if name == header::CONTENT_TYPE && headers.contains_key(&name) {
        return Err("it is already set");
    }
    if headers.len() >= HEADER_COUNT_MAX {
        return Err("too many headers");
    }
    headers.append(name, value);
    Ok(())
}

// === impl Rejection ===

impl Rejection {
    pub(crate) fn response(self) -> HttpResponse {
        let (status, text) = match self {
            Rejection::NoModule => (StatusCode::NOT_FOUND, "no such module\n"),
            Rejection::TargetTooLong => (StatusCode::URI_TOO_LONG, "the request target is too long\n"),
            Rejection::HeadersTooLarge => {
                (StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, "the headers are too many or too large\n")
            }
            Rejection::BodyTooLarge => (StatusCode::PAYLOAD_TOO_LARGE, "the body is too large\n"),
            Rejection::BodyTooSlow => (StatusCode::REQUEST_TIMEOUT, "the body took too long\n"),
            Rejection::BodyBroken => (StatusCode::BAD_REQUEST, "the body is incomplete or invalid\n"),
            Rejection::QueueFull => {
                (StatusCode::SERVICE_UNAVAILABLE, "the server is overloaded, try again later\n")
            }
            Rejection::Connect => (StatusCode::NOT_IMPLEMENTED, "this server is not a proxy\n"),
            Rejection::Internal => (StatusCode::INTERNAL_SERVER_ERROR, "internal error\n"),
        };
        let mut response = Response::new(Full::new(Bytes::from_static(text.as_bytes())));
        *response.status_mut() = status;
        response.headers_mut().insert(header::CONTENT_TYPE, PLAIN);
        if self == Rejection::QueueFull {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        response
    }

    /// Whether the request is rejected before its whole body was read.
    pub(crate) fn leaves_body_unread(self) -> bool {
        match self {
            Rejection::NoModule
            | Rejection::TargetTooLong
            | Rejection::HeadersTooLarge
            | Rejection::Connect => true,
            Rejection::BodyTooLarge | Rejection::BodyTooSlow | Rejection::BodyBroken => true,
            Rejection::QueueFull | Rejection::Internal => false,
        }
    }

    /// The counter for this rejection. `None` for an internal error, which was logged when it happened.
    pub(crate) fn count(self) -> Option<Count> {
        match self {
            Rejection::NoModule | Rejection::Connect => Some(Count::NoModule),
            Rejection::TargetTooLong => Some(Count::TargetTooLong),
            Rejection::HeadersTooLarge => Some(Count::HeadersTooLarge),
            Rejection::BodyTooLarge => Some(Count::BodyTooLarge),
            Rejection::BodyTooSlow | Rejection::BodyBroken => Some(Count::BodyBroken),
            Rejection::QueueFull => Some(Count::QueueFull),
            Rejection::Internal => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::BodyExt;

    fn respond(status: u16, headers: &[(&str, &[u8])], method: &Method) -> HttpResponse {
        let version = VersionId { version: "1.2.0".to_owned(), generation: 7 };
        let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), value.to_vec())).collect();
        let reply = Reply { status, headers, body: b"body!".to_vec() };
        Responder { module: "greeter", version: &version }.reply(reply, method)
    }

    async fn body(response: HttpResponse) -> Bytes {
        response.into_body().collect().await.unwrap().to_bytes()
    }

    #[tokio::test]
    async fn a_response_names_the_module_and_version() {
        let response = respond(201, &[("X-Own", b"1")], &Method::GET);
        assert_eq!(response.status(), 201);
        assert_eq!(response.headers()["x-segue-module"], "greeter");
        assert_eq!(response.headers()["x-segue-version"], "1.2.0+g7");
        assert_eq!(response.headers()["x-own"], "1");
        assert_eq!(body(response).await, "body!");
    }

    #[test]
    fn invalid_and_reserved_headers_are_dropped() {
        let set: &[(&str, &[u8])] = &[
            ("Connection", b"close"),
            ("Keep-Alive", b"timeout=1"),
            ("Transfer-Encoding", b"chunked"),
            ("Content-Length", b"1"),
            ("Upgrade", b"h2c"),
            ("Trailer", b"x"),
            ("X-Segue-Version", b"9.9.9+g1"),
            ("bad name", b"x"),
            ("", b"x"),
            ("split", b"a\r\nset-cookie: b"),
            ("content-type", b"text/html"),
            ("content-type", b"text/plain"),
            ("set-cookie", b"a=1"),
            ("set-cookie", b"b=2"),
            ("bytes", b"\xff\xe9"),
        ];
        let response = respond(200, set, &Method::GET);
        let mut names: Vec<_> = response.headers().iter().map(|(name, _)| name.as_str()).collect();
        names.sort_unstable();
        let kept = ["bytes", "content-type", "set-cookie", "set-cookie", "x-segue-module", "x-segue-version"];
        assert_eq!(names, kept);
        assert_eq!(response.headers()["x-segue-version"], "1.2.0+g7");
        assert_eq!(response.headers()["content-type"], "text/html");
    }

    #[test]
    fn headers_past_the_limit_are_dropped() {
        let set: Vec<(String, Vec<u8>)> = (0..40_000).map(|n| (format!("x-{n}"), vec![b'1'])).collect();
        let reply = Reply { status: 200, headers: set, body: Vec::new() };
        let version = VersionId { version: "1.0.0".to_owned(), generation: 1 };
        let response = Responder { module: "greeter", version: &version }.reply(reply, &Method::GET);
        assert_eq!(response.headers().len(), HEADER_COUNT_MAX + 2);
        assert_eq!(response.headers()["x-segue-version"], "1.0.0+g1");
    }

    #[tokio::test]
    async fn a_status_that_is_not_final_is_a_failure() {
        for status in [0, 99, 100, 101, 103, 199, 600, 999, u16::MAX] {
            let response = respond(status, &[], &Method::GET);
            assert_eq!(response.status(), 500, "{status}");
            assert_eq!(response.headers()["x-segue-module"], "greeter");
            assert_eq!(body(response).await, "the module failed\n");
        }
        assert_eq!(respond(599, &[], &Method::GET).status(), 599);
    }

    #[tokio::test]
    async fn head_and_bodyless_statuses_have_no_body() {
        let head = respond(200, &[], &Method::HEAD);
        assert_eq!(head.headers()["content-length"], "5");
        assert_eq!(body(head).await, "");
        for status in [204, 205, 304] {
            let response = respond(status, &[], &Method::GET);
            assert!(!response.headers().contains_key("content-length"));
            assert_eq!(body(response).await, "");
        }
    }

    #[test]
    fn a_full_queue_is_503_with_retry_after() {
        let response = Rejection::QueueFull.response();
        assert_eq!(response.status(), 503);
        assert_eq!(response.headers()["retry-after"], "1");
    }
}
