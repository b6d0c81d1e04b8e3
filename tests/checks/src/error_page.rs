//! Whether the guide explains each event and each error code.

use serde_json::Value;

/// Events and error codes of the description that the page does not have in backticks.
pub fn missing(description: &Value, page: &str) -> Vec<String> {
    let schemas = &description["components"]["schemas"];
    let names = [
        &schemas["Record"]["properties"]["event"]["enum"],
        &schemas["ErrorObject"]["properties"]["code"]["enum"],
    ];
    let names =
        names.into_iter().flat_map(|names| names.as_array().into_iter().flatten()).filter_map(Value::as_str);
    names.filter(|name| !page.contains(&format!("`{name}`"))).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_name_that_the_page_lacks_is_found() {
        let description = json!({"components": {"schemas": {
            "Record": {"properties": {"event": {"enum": ["loaded", "purged"]}}},
            "ErrorObject": {"properties": {"code": {"enum": ["busy"]}}}
        }}});
        assert_eq!(missing(&description, "`loaded` and `busy`"), ["purged"]);
    }
}
