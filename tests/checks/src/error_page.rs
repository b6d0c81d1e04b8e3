//! Events and error codes that the guide does not explain.

use serde_json::Value;

/// Returns the events and error codes of the description that do not appear in backticks on the page.
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
    fn a_name_missing_from_the_page_is_found() {
        let description = json!({"components": {"schemas": {
            "Record": {"properties": {"event": {"enum": ["loaded", "purged"]}}},
            "ErrorObject": {"properties": {"code": {"enum": ["busy"]}}}
        }}});
        assert_eq!(missing(&description, "`loaded` and `busy`"), ["purged"]);
    }
}
