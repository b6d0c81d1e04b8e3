//! Which module a path belongs to.

use std::{fmt, str::FromStr};

use crate::Error;

/// Gives the paths under a prefix to a module: `/api/v1=pricing`.
///
/// A prefix matches whole segments: `/api` has `/api` and `/api/x`, and not `/apis`. The module sees what is behind it,
/// at least `/`. The longest prefix wins, and the name of a module is a prefix of one segment, so that a route for `/`
/// gets only what no other module has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// Begins with a slash and does not end with one; empty for `/`.
    prefix: String,
    module: String,
}

/// Why a text is no [`Route`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ParseRouteError {
    /// There is no equals sign.
    #[error("a route is PREFIX=MODULE, as in /api=pricing")]
    MissingEquals,
    /// The prefix is no absolute path.
    #[error("the prefix {prefix:?} does not begin with a slash")]
    NotAbsolute {
        /// The prefix.
        prefix: String,
    },
    /// The prefix has something that the path of a request cannot have.
    #[error("the prefix {prefix:?} has {found:?}, which no path has")]
    InvalidCharacter {
        /// The prefix.
        prefix: String,
        /// What is wrong with it.
        found: char,
    },
    /// The module's name is none.
    #[error("{module:?} is no name of a module: letters, digits, - and _")]
    InvalidModule {
        /// The name.
        module: String,
    },
}

/// All routes of a server, the longest first.
#[derive(Debug, Default)]
pub(crate) struct Routes {
    sorted: Vec<Route>,
}

/// A module that a path may belong to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Candidate<'a> {
    pub(crate) module: &'a str,
    /// Where the module's own path begins. Where nothing is left, it is `/`.
    pub(crate) path_start: usize,
}

// === impl Route ===

impl Route {
    /// What the paths begin with.
    pub fn prefix(&self) -> &str {
        if self.prefix.is_empty() { "/" } else { &self.prefix }
    }

    /// Who gets them.
    pub fn module(&self) -> &str {
        &self.module
    }
}

impl FromStr for Route {
    type Err = ParseRouteError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        // A path may have an equals sign, the name of a module has none.
        let (prefix, module) = text.rsplit_once('=').ok_or(ParseRouteError::MissingEquals)?;
        if !prefix.starts_with('/') {
            return Err(ParseRouteError::NotAbsolute { prefix: prefix.to_owned() });
        }
        if let Some(found) = prefix.chars().find(|&c| !c.is_ascii_graphic() || matches!(c, '?' | '#')) {
            return Err(ParseRouteError::InvalidCharacter { prefix: prefix.to_owned(), found });
        }
        let named = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
        if module.is_empty() || !module.chars().all(named) {
            return Err(ParseRouteError::InvalidModule { module: module.to_owned() });
        }
        Ok(Route { prefix: prefix.trim_end_matches('/').to_owned(), module: module.to_owned() })
    }
}

impl fmt::Display for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.prefix(), self.module)
    }
}

// === impl Routes ===

impl Routes {
    pub(crate) fn new(routes: Vec<Route>) -> Result<Self, Error> {
        let mut sorted = routes;
        sorted.sort_by(|a, b| b.prefix.len().cmp(&a.prefix.len()).then_with(|| a.prefix.cmp(&b.prefix)));
        match sorted.windows(2).find(|pair| pair[0].prefix == pair[1].prefix) {
            Some([first, second, ..]) => Err(Error::DuplicateRoute {
                prefix: first.prefix().to_owned(),
                first: first.module.clone(),
                second: second.module.clone(),
            }),
            _ => Ok(Routes { sorted }),
        }
    }

    /// The modules that a path may belong to, best first: the first one that exists has it.
    pub(crate) fn candidates<'a>(&'a self, path: &'a str) -> impl Iterator<Item = Candidate<'a>> {
        let routed = self.sorted.iter().find_map(|route| {
            let rest = path.strip_prefix(route.prefix.as_str())?;
            let whole_segments = rest.is_empty() || rest.starts_with('/');
            // The target `*` of OPTIONS is no path, and belongs to nobody.
            (whole_segments && path.starts_with('/')).then_some(route)
        });
        let named = path.strip_prefix('/').map(|rest| rest.split('/').next().unwrap_or(rest));
        let named = named
            .filter(|name| !name.is_empty())
            .map(|name| Candidate { module: name, path_start: 1 + name.len() });
        let routed = routed.map(|route| Candidate { module: &route.module, path_start: route.prefix.len() });
        match routed {
            // A route of at least one segment is as long as the module's name, or longer, and says more.
            Some(Candidate { path_start: 1.., .. }) => [routed, None],
            _ => [named, routed],
        }
        .into_iter()
        .flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn routes(texts: &[&str]) -> Routes {
        Routes::new(texts.iter().map(|text| text.parse().unwrap()).collect()).unwrap()
    }

    fn found<'a>(routes: &'a Routes, path: &'a str) -> Vec<(&'a str, &'a str)> {
        routes.candidates(path).map(|found| (found.module, &path[found.path_start..])).collect()
    }

    #[test]
    fn the_first_segment_names_the_module() {
        let routes = routes(&[]);
        assert_eq!(found(&routes, "/greeter/x"), [("greeter", "/x")]);
        assert_eq!(found(&routes, "/greeter"), [("greeter", "")]);
        assert_eq!(found(&routes, "/greeter/"), [("greeter", "/")]);
        assert_eq!(found(&routes, "/"), []);
        assert_eq!(found(&routes, "//x"), []);
        assert_eq!(found(&routes, "*"), []);
        assert_eq!(found(&routes, ""), []);
    }

    #[test]
    fn the_longest_prefix_wins_by_segments() {
        let routes = routes(&["/api=old", "/api/v1=pricing", "/a=a"]);
        assert_eq!(found(&routes, "/api/v1/quote"), [("pricing", "/quote")]);
        assert_eq!(found(&routes, "/api/v1"), [("pricing", "")]);
        assert_eq!(found(&routes, "/api/v10"), [("old", "/v10")]);
        assert_eq!(found(&routes, "/apis"), [("apis", "")]);
        assert_eq!(found(&routes, "/a"), [("a", "")]);
    }

    #[test]
    fn the_root_gets_what_no_module_has() {
        let routes = routes(&["/=site", "/shop=shop2"]);
        assert_eq!(found(&routes, "/greeter/x"), [("greeter", "/x"), ("site", "/greeter/x")]);
        assert_eq!(found(&routes, "/"), [("site", "/")]);
        assert_eq!(found(&routes, "/shop/1"), [("shop2", "/1")]);
        assert_eq!(found(&routes, "*"), []);
    }

    #[test]
    fn a_route_is_written_as_it_is_read() {
        for (text, written) in [("/api/=a-b", "/api=a-b"), ("/=x", "/=x"), ("/a=b=c", "/a=b=c")] {
            assert_eq!(text.parse::<Route>().unwrap().to_string(), written);
        }
        let bad = |text: &str| text.parse::<Route>().unwrap_err();
        assert_eq!(bad("/api"), ParseRouteError::MissingEquals);
        assert!(matches!(bad("api=x"), ParseRouteError::NotAbsolute { .. }));
        assert!(matches!(bad("/a b=x"), ParseRouteError::InvalidCharacter { found: ' ', .. }));
        assert!(matches!(bad("/a?b=x"), ParseRouteError::InvalidCharacter { found: '?', .. }));
        assert!(matches!(bad("/a="), ParseRouteError::InvalidModule { .. }));
        assert!(matches!(bad("/a=b/c"), ParseRouteError::InvalidModule { .. }));
    }

    #[test]
    fn a_prefix_is_given_once() {
        let routes = ["/a=x", "/b=y", "/a/=z"].iter().map(|text| text.parse().unwrap()).collect();
        assert!(matches!(Routes::new(routes), Err(Error::DuplicateRoute { prefix, .. }) if prefix == "/a"));
    }
}
