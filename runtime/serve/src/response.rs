//! What goes out: a module's reply in valid HTTP, and the server's own refusals.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode, header};
use http_body_util::Full;
use segue::{Reply, VersionId};

use crate::stats::Count;

/// An answer, whole.
pub(crate) type Answer = Response<Full<Bytes>>;

const MODULE: HeaderName = HeaderName::from_static("x-segue-module");
const VERSION: HeaderName = HeaderName::from_static("x-segue-version");

/// Headers that are about the connection or the message's frame (RFC 9110, 7.6.1), and those that say who answered: the
/// server sets them, and a module that set them could break the connection for others, or pose as somebody else.
const KEPT_FROM_MODULES: [HeaderName; 10] = [
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

/// The headers that a module can set on one answer; what comes later is left out. Most clients take no more than a hundred.
const HEADER_COUNT_MAX: usize = 256;

/// A module, in the version that answers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Responder<'a> {
    pub(crate) module: &'a str,
    pub(crate) version: &'a VersionId,
}

/// Why the server answers without having asked a module, or without an answer of one.
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
    /// A module's reply, in valid HTTP. What cannot be sent is left out, and the log says so.
    pub(crate) fn reply(&self, reply: Reply, method: &Method) -> Answer {
        let Some(status) = final_status(reply.status) else {
            let Responder { module, version } = self;
            tracing::error!(module, %version, status = reply.status, "the status is none that ends a request");
            return self.failure();
        };
        let mut headers = HeaderMap::with_capacity(reply.headers.len().min(HEADER_COUNT_MAX) + 3);
        for (name, value) in &reply.headers {
            if let Err(reason) = append(&mut headers, name, value) {
                let Responder { module, version } = self;
                tracing::warn!(module, %version, header = name.as_str(), reason, "left out a header");
            }
        }
        // To HEAD, everything but the body is answered (RFC 9110, 9.3.2), and these three statuses never have one.
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
        self.signed(status, headers, body)
    }

    /// What a client gets where the module failed this one call. Why is in the log, and is nothing for a client.
    pub(crate) fn failure(&self) -> Answer {
        let mut headers = HeaderMap::with_capacity(3);
        headers.insert(header::CONTENT_TYPE, PLAIN);
        self.signed(StatusCode::INTERNAL_SERVER_ERROR, headers, Bytes::from_static(b"the module failed\n"))
    }

    fn signed(&self, status: StatusCode, mut headers: HeaderMap, body: Bytes) -> Answer {
        // Both are letters, digits and a few signs, as the metadata of a file is checked. A value that could not be sent
        // would be one less to see, not worth a call.
        if let Ok(module) = HeaderValue::from_str(self.module) {
            headers.insert(MODULE, module);
        }
        if let Ok(version) = HeaderValue::try_from(self.version.to_string()) {
            headers.insert(VERSION, version);
        }
        let mut answer = Response::new(Full::new(body));
        *answer.status_mut() = status;
        *answer.headers_mut() = headers;
        answer
    }
}

const PLAIN: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");

fn final_status(status: u16) -> Option<StatusCode> {
    (200..600).contains(&status).then(|| StatusCode::from_u16(status).ok()).flatten()
}

fn append(headers: &mut HeaderMap, name: &str, value: &[u8]) -> Result<(), &'static str> {
    let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| "its name is none")?;
    let value = HeaderValue::from_bytes(value).map_err(|_| "its value is none")?;
    if KEPT_FROM_MODULES.contains(&name) {
        return Err("it is the server's to set");
    }
    // A content type, for instance, that is set twice is a mistake of the module; which one counts would be a guess of
    // each client. Headers that may come several times, as set-cookie, do.
    if name == header::CONTENT_TYPE && headers.contains_key(&name) {
        return Err("it is there already");
    }
    if headers.len() >= HEADER_COUNT_MAX {
        return Err("there are too many");
    }
    headers.append(name, value);
    Ok(())
}

// === impl Rejection ===

impl Rejection {
    pub(crate) fn answer(self) -> Answer {
        let (status, text) = match self {
            Rejection::NoModule => (StatusCode::NOT_FOUND, "no such module\n"),
            Rejection::TargetTooLong => (StatusCode::URI_TOO_LONG, "the request target is too long\n"),
            Rejection::HeadersTooLarge => {
                (StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, "the headers are too many, or too large\n")
            }
            Rejection::BodyTooLarge => (StatusCode::PAYLOAD_TOO_LARGE, "the body is too large\n"),
            Rejection::BodyTooSlow => (StatusCode::REQUEST_TIMEOUT, "the body took too long\n"),
            Rejection::BodyBroken => (StatusCode::BAD_REQUEST, "the body is not valid\n"),
            Rejection::QueueFull => (StatusCode::SERVICE_UNAVAILABLE, "too much to do, try again\n"),
            Rejection::Connect => (StatusCode::NOT_IMPLEMENTED, "this is no proxy\n"),
            Rejection::Internal => (StatusCode::INTERNAL_SERVER_ERROR, "internal error\n"),
        };
        let mut answer = Response::new(Full::new(Bytes::from_static(text.as_bytes())));
        *answer.status_mut() = status;
        answer.headers_mut().insert(header::CONTENT_TYPE, PLAIN);
        if self == Rejection::QueueFull {
            answer.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        answer
    }

    /// Whether it comes before the body was read to its end.
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

    /// As what it is counted. An internal error was counted, or logged, where it happened.
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

    fn answer(status: u16, headers: &[(&str, &[u8])], method: &Method) -> Answer {
        let version = VersionId { version: "1.2.0".to_owned(), generation: 7 };
        let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), value.to_vec())).collect();
        let reply = Reply { status, headers, body: b"body!".to_vec() };
        Responder { module: "greeter", version: &version }.reply(reply, method)
    }

    async fn body(answer: Answer) -> Bytes {
        answer.into_body().collect().await.unwrap().to_bytes()
    }

    #[tokio::test]
    async fn an_answer_says_who_gave_it() {
        let answer = answer(201, &[("X-Own", b"1")], &Method::GET);
        assert_eq!(answer.status(), 201);
        assert_eq!(answer.headers()["x-segue-module"], "greeter");
        assert_eq!(answer.headers()["x-segue-version"], "1.2.0+g7");
        assert_eq!(answer.headers()["x-own"], "1");
        assert_eq!(body(answer).await, "body!");
    }

    #[test]
    fn what_a_module_must_not_set_is_left_out() {
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
        let answer = answer(200, set, &Method::GET);
        let mut names: Vec<_> = answer.headers().iter().map(|(name, _)| name.as_str()).collect();
        names.sort_unstable();
        let kept = ["bytes", "content-type", "set-cookie", "set-cookie", "x-segue-module", "x-segue-version"];
        assert_eq!(names, kept);
        assert_eq!(answer.headers()["x-segue-version"], "1.2.0+g7");
        assert_eq!(answer.headers()["content-type"], "text/html");
    }

    #[test]
    fn more_headers_than_fit_are_left_out() {
        let set: Vec<(String, Vec<u8>)> = (0..40_000).map(|n| (format!("x-{n}"), vec![b'1'])).collect();
        let reply = Reply { status: 200, headers: set, body: Vec::new() };
        let version = VersionId { version: "1.0.0".to_owned(), generation: 1 };
        let answer = Responder { module: "greeter", version: &version }.reply(reply, &Method::GET);
        assert_eq!(answer.headers().len(), HEADER_COUNT_MAX + 2);
        assert_eq!(answer.headers()["x-segue-version"], "1.0.0+g1");
    }

    #[tokio::test]
    async fn a_status_that_ends_no_request_is_a_failure() {
        for status in [0, 99, 100, 101, 103, 199, 600, 999, u16::MAX] {
            let answer = answer(status, &[], &Method::GET);
            assert_eq!(answer.status(), 500, "{status}");
            assert_eq!(answer.headers()["x-segue-module"], "greeter");
            assert_eq!(body(answer).await, "the module failed\n");
        }
        assert_eq!(answer(599, &[], &Method::GET).status(), 599);
    }

    #[tokio::test]
    async fn some_answers_have_no_body() {
        let head = answer(200, &[], &Method::HEAD);
        assert_eq!(head.headers()["content-length"], "5");
        assert_eq!(body(head).await, "");
        for status in [204, 205, 304] {
            let answer = answer(status, &[], &Method::GET);
            assert!(!answer.headers().contains_key("content-length"));
            assert_eq!(body(answer).await, "");
        }
    }

    #[test]
    fn a_full_queue_says_when_to_come_back() {
        let answer = Rejection::QueueFull.answer();
        assert_eq!(answer.status(), 503);
        assert_eq!(answer.headers()["retry-after"], "1");
    }
}
