//! The guide's page on the control API, generated from `openapi.json`.

use std::fmt::Write as _;

use serde_json::Value;

/// Returns the page as Markdown.
pub fn page(description: &Value) -> String {
    let mut page =
        "# Control API\n\n<!-- Made from openapi.json by `cargo run -p segue-checks -- api`. -->\n\n"
            .to_owned();
    page.push_str(text(&description["info"]["description"]));
    page.push_str("\n\n`GET /openapi.json` answers with the whole description.\n\n## Requests\n\n");
    page.push_str("| request | does | body | answers |\n| --- | --- | --- | --- |\n");
    for (path, methods) in entries(&description["paths"]) {
        for (method, operation) in entries(methods) {
            let body = schema(&operation["requestBody"]["content"]);
            let codes: Vec<&str> = entries(&operation["responses"]).map(|(code, _)| code.as_str()).collect();
            let answer = schema(&operation["responses"]["200"]["content"]);
            // Writing to a string cannot fail.
            let _ = writeln!(
                page,
                "| `{} {path}` | {} | {body} | {answer} {} |",
                method.to_uppercase(),
                cell(text(&operation["summary"])),
                codes.join(" "),
            );
        }
    }
    page.push_str("\n## Objects\n");
    for (name, schema) in entries(&description["components"]["schemas"]) {
        let _ = write!(page, "\n### {name}\n\n{}\n", text(&schema["description"]));
        let fields: Vec<_> = entries(&schema["properties"]).collect();
        if fields.is_empty() {
            continue;
        }
        page.push_str("\n| field | type | meaning |\n| --- | --- | --- |\n");
        for (field, of) in fields {
            let _ = writeln!(page, "| `{field}` | {} | {} |", type_of(of), cell(text(&of["description"])));
        }
    }
    page
}

fn entries(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    value.as_object().into_iter().flatten()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// Escapes a text for a table cell.
fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('\n', " ")
}

/// Returns the name of a body's schema with a link to it.
fn schema(content: &Value) -> String {
    let Some((kind, of)) = entries(content).next() else { return String::new() };
    let name = type_of(&of["schema"]);
    if name.is_empty() { format!("`{kind}`") } else { name }
}

/// Describes a type: a link to an object, `string`, or a list of these.
fn type_of(schema: &Value) -> String {
    if let Some(name) = schema["$ref"].as_str().and_then(|path| path.rsplit('/').next()) {
        return format!("[{name}](#{})", name.to_lowercase());
    }
    if let Some(choices) = schema["enum"].as_array() {
        let choices: Vec<String> = choices.iter().map(|choice| format!("`{}`", text(choice))).collect();
        return choices.join(", ");
    }
    for of in ["oneOf", "anyOf", "allOf"] {
        if let Some(choices) = schema[of].as_array() {
            return choices.iter().map(type_of).collect::<Vec<_>>().join(" or ");
        }
    }
    match &schema["type"] {
        Value::String(name) if name == "array" => format!("list of {}", type_of(&schema["items"])),
        Value::String(name) => name.clone(),
        Value::Array(names) => names.iter().map(text).collect::<Vec<_>>().join(" or "),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_page_has_each_request_and_each_field() {
        let page = page(&json!({
            "info": {"description": "All of it."},
            "paths": {"/v1/x": {"post": {
                "summary": "Does x|y",
                "requestBody": {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Ask"}}}},
                "responses": {"200": {}, "404": {}}
            }}},
            "components": {"schemas": {"Ask": {"description": "A question.", "properties": {
                "names": {"type": "array", "items": {"type": "string"}, "description": "Which."}
            }}}}
        }));
        assert!(page.contains("| `POST /v1/x` | Does x\\|y | [Ask](#ask) |  200 404 |"), "{page}");
        assert!(
            page.contains("### Ask\n\nA question.\n")
                && page.contains("| `names` | list of string | Which. |"),
            "{page}"
        );
    }
}
