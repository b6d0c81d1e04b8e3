//! The `use` lines of a source file.

/// Returns the paths that a file imports, each as its segments. It skips the file's `mod tests`, which may
/// import anything.
pub fn paths(source: &str) -> Vec<Vec<String>> {
    let mut paths = Vec::new();
    let mut rest = source.split("#[cfg(test)]\nmod tests").next().unwrap_or_default();
    while let Some(at) = rest.find("use ") {
        let is_statement = rest[..at].rsplit('\n').next().is_some_and(is_before_use);
        rest = &rest[at + "use ".len()..];
        if !is_statement {
            continue;
        }
        let Some(end) = rest.find(';') else { break };
        expand(&rest[..end], &[], &mut paths);
        rest = &rest[end..];
    }
    paths
}

/// Whether a line may continue with a `use` statement: it is empty so far, or a visibility.
fn is_before_use(text: &str) -> bool {
    let text = text.trim();
    text.is_empty() || text.starts_with("pub") && !text.contains("//")
}

/// Adds each path of a use tree: `a::{b, c::d}` has `a::b` and `a::c::d`.
fn expand(tree: &str, before: &[String], paths: &mut Vec<Vec<String>>) {
    let tree = tree.trim();
    if tree.is_empty() {
        return;
    }
    let Some((path, group)) = tree.split_once('{') else {
        let name = tree.split(" as ").next().unwrap_or_default();
        let mut path = before.to_vec();
        let is_self_of_group = |part: &str| part == "self" && !before.is_empty();
        path.extend(
            name.split("::").map(str::trim).filter(|part| !is_self_of_group(part)).map(str::to_owned),
        );
        return paths.push(path);
    };
    let mut before = before.to_vec();
    before.extend(path.split("::").map(str::trim).filter(|part| !part.is_empty()).map(str::to_owned));
    let group = group.trim_end().strip_suffix('}').unwrap_or(group);
    let (mut depth, mut from) = (0, 0);
    for (at, letter) in group.char_indices() {
        match letter {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                expand(&group[from..at], &before, paths);
                from = at + 1;
            }
            _ => {}
        }
    }
    expand(&group[from..], &before, paths);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_path_of_a_tree_is_found() {
        let source = "use std::fs;\n\nuse crate::{\n    api::{Error, Event as E},\n    load,\n    module::state::{self, Old},\n};\n\
                      // use crate::comment;\npub(crate) use crate::shared::Shared;\n\
                      #[cfg(test)]\nmod tests {\n    use crate::anything;\n}\n";
        let paths: Vec<String> = paths(source).iter().map(|path| path.join("::")).collect();
        let expected = [
            "std::fs",
            "crate::api::Error",
            "crate::api::Event",
            "crate::load",
            "crate::module::state",
            "crate::module::state::Old",
            "crate::shared::Shared",
        ];
        assert_eq!(paths, expected);
    }
}
