//! The error that a module returns.

use std::{error::Error, fmt};

/// The error of a method, a request or a load: a text for the caller and for the host's log.
///
/// Any error converts to it, with its sources, so `?` works in a function that returns a `Result` with a
/// `Fault`:
///
/// ```
/// use segue_interface::Fault;
///
/// fn port(text: &str) -> Result<u16, Fault> {
///     Ok(text.parse()?)
/// }
/// assert_eq!(port("http").unwrap_err().to_string(), "invalid digit found in string");
/// ```
//
// It is not a `std::error::Error` itself. Otherwise the conversion would overlap with `impl From<T> for T`.
pub struct Fault {
    text: String,
}

impl Fault {
    /// Creates a fault with this text.
    pub fn new(text: impl fmt::Display) -> Self {
        Fault { text: text.to_string() }
    }

    /// The text.
    pub fn text(&self) -> &str {
        &self.text
    }
}

impl<E: Error> From<E> for Fault {
    fn from(error: E) -> Self {
        let mut text = error.to_string();
        let mut source = error.source();
        while let Some(cause) = source {
            text.push_str(": ");
            text.push_str(&cause.to_string());
            source = cause.source();
        }
        Fault { text }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Fault({:?})", self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_contains_the_sources_of_its_error() {
        #[derive(Debug)]
        struct Outer(std::num::ParseIntError);
        impl fmt::Display for Outer {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("no port")
            }
        }
        impl Error for Outer {
            fn source(&self) -> Option<&(dyn Error + 'static)> {
                Some(&self.0)
            }
        }
        let fault = Fault::from(Outer("x".parse::<u16>().unwrap_err()));
        assert_eq!(fault.text(), "no port: invalid digit found in string");
    }
}
