//! Routes: which module a path belongs to.

use std::{fmt, str::FromStr};

use crate::Error;

/// Maps the paths under a prefix to a module: `/api/v1=pricing`.
///
/// A prefix matches complete segments: `/api` matches `/api` and `/api/x`, but not `/apis`. The module sees
/// the path after the prefix, at least `/`. The longest prefix wins. A module's name acts as a prefix of one
/// segment, so a route for `/` gets only paths that name no other module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// Starts with a slash and does not end with one. Empty for `/`.
    prefix: String,
    module: String,
}

/// Why a text is not a [`Route`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ParseRouteError {
    /// The text has no equals sign.
    #[error("a route must be PREFIX=MODULE, for example /api=pricing")]
    MissingEquals,
    /// The prefix is not an absolute path.
    #[error("the prefix {prefix:?} does not start with a slash")]
    NotAbsolute {
        /// The prefix.
        prefix: String,
    },
    /// The prefix contains a character that a request's path cannot contain.
    #[error("the prefix {prefix:?} contains {found:?}, which a path cannot contain")]
    InvalidCharacter {
        /// The prefix.
        prefix: String,
        /// The invalid character.
        found: char,
    },
    /// The module's name is invalid.
    #[error("{module:?} is not a module name; use letters, digits, - and _")]
    InvalidModule {
        /// The name.
        module: String,
    },
}

/// All routes of a server, the longest prefix first.
#[derive(Debug, Default)]
pub(crate) struct Routes {
    sorted: Vec<Route>,
}

/// A module that a path may belong to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Candidate<'a> {
    pub(crate) module: &'a str,
    /// The index at which the module's own path starts. If nothing follows, the module sees `/`.
    pub(crate) path_start: usize,
}

// === impl Route ===

impl Route {
    /// The prefix of the paths.
    pub fn prefix(&self) -> &str {
        if self.prefix.is_empty() { "/" } else { &self.prefix }
    }

    /// The module that the paths belong to.
    pub fn module(&self) -> &str {
        &self.module
    }
}

impl FromStr for Route {
    type Err = ParseRouteError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        // A path may contain an equals sign; a module's name cannot.
        let (prefix, module) = text.rsplit_once('=').ok_or(ParseRouteError::MissingEquals)?;
        if !prefix.starts_with('/') {
            return Err(ParseRouteError::NotAbsolute { prefix: prefix.to_owned() });
        }
        if let Some(found) = prefix.chars().find(|&c| !c.is_ascii_graphic() || matches!(c, '?' | '#')) {
            return Err(ParseRouteError::InvalidCharacter { prefix: prefix.to_owned(), found });
        }
        let is_valid = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
        if module.is_empty() || !module.chars().all(is_valid) {
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

    /// The modules that a path may belong to, best match first. It belongs to the first one that exists.
    pub(crate) fn candidates<'a>(&'a self, path: &'a str) -> impl Iterator<Item = Candidate<'a>> {
        let routed = self.sorted.iter().find_map(|route| {
            let rest = path.strip_prefix(route.prefix.as_str())?;
            let whole_segments = rest.is_empty() || rest.starts_with('/');
            // The target `*` of OPTIONS is not a path and belongs to no module.
            (whole_segments && path.starts_with('/')).then_some(route)
        });
        let named = path.strip_prefix('/').map(|rest| rest.split('/').next().unwrap_or(rest));
        let named = named
            .filter(|name| !name.is_empty())
            .map(|name| Candidate { module: name, path_start: 1 + name.len() });
        let routed = routed.map(|route| Candidate { module: &route.module, path_start: route.prefix.len() });
        match routed {
            // A route of at least one segment is as long as the module's name or longer, so it wins.
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

    fn candidates<'a>(routes: &'a Routes, path: &'a str) -> Vec<(&'a str, &'a str)> {
        routes.candidates(path).map(|candidate| (candidate.module, &path[candidate.path_start..])).collect()
    }

    #[test]
    fn the_first_segment_names_the_module() {
        let routes = routes(&[]);
        assert_eq!(candidates(&routes, "/greeter/x"), [("greeter", "/x")]);
        assert_eq!(candidates(&routes, "/greeter"), [("greeter", "")]);
        assert_eq!(candidates(&routes, "/greeter/"), [("greeter", "/")]);
        assert_eq!(candidates(&routes, "/"), []);
        assert_eq!(candidates(&routes, "//x"), []);
        assert_eq!(candidates(&routes, "*"), []);
        assert_eq!(candidates(&routes, ""), []);
    }

    #[test]
    fn the_longest_prefix_wins_by_segments() {
        let routes = routes(&["/api=old", "/api/v1=pricing", "/a=a"]);
        assert_eq!(candidates(&routes, "/api/v1/quote"), [("pricing", "/quote")]);
        assert_eq!(candidates(&routes, "/api/v1"), [("pricing", "")]);
        assert_eq!(candidates(&routes, "/api/v10"), [("old", "/v10")]);
        assert_eq!(candidates(&routes, "/apis"), [("apis", "")]);
        assert_eq!(candidates(&routes, "/a"), [("a", "")]);
    }

    #[test]
    fn a_route_for_the_root_gets_paths_that_name_no_module() {
        let routes = routes(&["/=site", "/shop=shop2"]);
        assert_eq!(candidates(&routes, "/greeter/x"), [("greeter", "/x"), ("site", "/greeter/x")]);
        assert_eq!(candidates(&routes, "/"), [("site", "/")]);
        assert_eq!(candidates(&routes, "/shop/1"), [("shop2", "/1")]);
        assert_eq!(candidates(&routes, "*"), []);
    }

    #[test]
    fn a_route_is_parsed_and_printed() {
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
    fn two_routes_with_the_same_prefix_are_an_error() {
        let routes = ["/a=x", "/b=y", "/a/=z"].iter().map(|text| text.parse().unwrap()).collect();
        assert!(matches!(Routes::new(routes), Err(Error::DuplicateRoute { prefix, .. }) if prefix == "/a"));
    }
}
