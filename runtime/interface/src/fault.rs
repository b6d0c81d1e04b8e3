//! Why a method, a call, or a load failed, in a module's words.

use std::{error::Error, fmt};

/// Why a method of an interface, a call, or a load failed: a text for the caller and for the host's log.
///
/// Any error converts, with its sources, so `?` works in whatever answers a `Result` with it:
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
// It is no `std::error::Error` itself: that would rule the conversion out.
pub struct Fault {
    text: String,
}

impl Fault {
    /// A fault with this text.
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
    fn a_fault_tells_its_sources() {
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
