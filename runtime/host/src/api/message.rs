//! One call, as the host's side writes and reads it.

/// A request: what a module is asked. Everything is borrowed; nothing is copied on the way into the module.
///
/// ```
/// use segue::Request;
///
/// let request = Request::get("/ada").header("accept", b"text/plain");
/// assert_eq!(request.path, "/ada");
/// ```
#[derive(Clone, Debug, Default)]
pub struct Request<'a> {
    /// The method, in capitals.
    pub method: &'a str,
    /// The path inside the module, beginning with a slash.
    pub path: &'a str,
    /// What follows the question mark, still encoded; empty where there is nothing.
    pub query: &'a str,
    /// The headers: names in lower case, and values.
    pub headers: Vec<(&'a str, &'a [u8])>,
    /// The whole body.
    pub body: &'a [u8],
}

/// A reply: what a module answered, in memory of the host. It stays valid whatever becomes of the module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// The status; 200 where the module set none.
    pub status: u16,
    /// The headers, in the order in which the module added them: any text and any bytes.
    pub headers: Vec<(String, Vec<u8>)>,
    /// The body.
    pub body: Vec<u8>,
}

// === impl Request ===

impl<'a> Request<'a> {
    /// A `GET` of this path.
    pub fn get(path: &'a str) -> Self {
        Request { method: "GET", path, ..Request::default() }
    }

    /// A `POST` of this body to this path.
    pub fn post(path: &'a str, body: &'a [u8]) -> Self {
        Request { method: "POST", path, body, ..Request::default() }
    }

    /// Adds a header; the name in lower case.
    #[must_use]
    pub fn header(mut self, name: &'a str, value: &'a [u8]) -> Self {
        self.headers.push((name, value));
        self
    }
}
