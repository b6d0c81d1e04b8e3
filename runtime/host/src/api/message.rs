//! The request and the reply of a call, on the host's side.

/// A request to a module. All parts are borrowed, and none is copied on the way into the module.
///
/// ```
/// use segue::Request;
///
/// let request = Request::get("/ada").header("accept", b"text/plain");
/// assert_eq!(request.path, "/ada");
/// ```
#[derive(Clone, Debug, Default)]
pub struct Request<'a> {
    /// The method, in upper case.
    pub method: &'a str,
    /// The path inside the module. It starts with a slash.
    pub path: &'a str,
    /// The query string after the question mark, still encoded. May be empty.
    pub query: &'a str,
    /// The headers: names in lower case, with values.
    pub headers: Vec<(&'a str, &'a [u8])>,
    /// The complete body.
    pub body: &'a [u8],
}

/// A module's reply. It is in host memory and stays valid after the module is gone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// The status; 200 if the module set none.
    pub status: u16,
    /// The headers, in the order in which the module added them. Names are any text, values any bytes.
    pub headers: Vec<(String, Vec<u8>)>,
    /// The body.
    pub body: Vec<u8>,
}

// === impl Request ===

impl<'a> Request<'a> {
    /// Creates a `GET` request.
    pub fn get(path: &'a str) -> Self {
        Request { method: "GET", path, ..Request::default() }
    }

    /// Creates a `POST` request.
    pub fn post(path: &'a str, body: &'a [u8]) -> Self {
        Request { method: "POST", path, body, ..Request::default() }
    }

    /// Adds a header. Write the name in lower case.
    #[must_use]
    pub fn header(mut self, name: &'a str, value: &'a [u8]) -> Self {
        self.headers.push((name, value));
        self
    }
}
