//! A request on the command line: `GET /x`, `POST /orders {"id":1}`, or only a path.

use std::{fmt, str::FromStr};

use segue::Request;

/// A request to the module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Call {
    method: String,
    path: String,
    query: String,
    body: String,
}

/// The text is not a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a request is a method, a path and optionally a body, for example 'GET /x?y=1' or 'POST /x text'")]
pub(crate) struct ParseCallError;

// === impl Call ===

impl Call {
    pub(super) fn request(&self) -> Request<'_> {
        Request {
            method: &self.method,
            path: &self.path,
            query: &self.query,
            headers: Vec::new(),
            body: self.body.as_bytes(),
        }
    }
}

impl FromStr for Call {
    type Err = ParseCallError;

    fn from_str(text: &str) -> Result<Self, ParseCallError> {
        let text = text.trim();
        let (method, rest) = match text.split_once(' ') {
            _ if text.starts_with('/') => ("GET", text),
            Some((method, rest)) => (method, rest.trim_start()),
            None => return Err(ParseCallError),
        };
        let (target, body) = rest.split_once(' ').unwrap_or((rest, ""));
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let is_method = !method.is_empty() && method.bytes().all(|byte| byte.is_ascii_uppercase());
        if !is_method || !path.starts_with('/') {
            return Err(ParseCallError);
        }
        let [method, path, query, body] = [method, path, query, body].map(str::to_owned);
        Ok(Call { method, path, query, body })
    }
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Call { method, path, query, body } = self;
        write!(f, "{method} {path}")?;
        if !query.is_empty() {
            write!(f, "?{query}")?;
        }
        if !body.is_empty() {
            write!(f, " {body}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_has_a_method_and_a_path() {
        for text in ["GET /", "GET /x?y=1", "POST /orders {\"id\": 1}"] {
            assert_eq!(text.parse::<Call>().unwrap().to_string(), text);
        }
        assert_eq!("/x".parse::<Call>().unwrap().to_string(), "GET /x");
        let post: Call = "POST /x?y=1 a b".parse().unwrap();
        assert_eq!((post.request().path, post.request().query), ("/x", "y=1"));
        assert_eq!(post.request().body, b"a b");
        for text in ["", "GET", "get /x", "GET x", "x"] {
            assert_eq!(text.parse::<Call>(), Err(ParseCallError), "{text}");
        }
    }
}
