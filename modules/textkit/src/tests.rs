//! The module as a client sees it.

use segue_sdk::testing::{self, Answer, Loaded};

use super::Textkit;

fn textkit() -> Loaded<Textkit> {
    testing::load().unwrap()
}

fn post(target: &str, body: impl AsRef<[u8]>) -> Answer {
    textkit().call("POST", target, body.as_ref()).unwrap()
}

fn error(answer: &Answer) -> String {
    let value: serde_json::Value = serde_json::from_slice(&answer.body).unwrap();
    value["error"].as_str().unwrap().to_owned()
}

#[test]
fn it_describes_itself() {
    let answer = textkit().get("/").unwrap();
    let description: serde_json::Value = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!(answer.header("content-type").unwrap(), "application/json");
    assert_eq!((&description["name"], &description["version"]), (&"test".into(), &"0.0.0".into()));
    assert_eq!(description["routes"].as_array().unwrap().len(), 4);
    assert_eq!(description["routes"][1]["path"], "/markdown");
}

#[test]
fn it_renders_markdown() {
    let answer = post("/markdown", "*hi* <b>");
    assert_eq!((answer.status, answer.text().as_str()), (200, "<p><em>hi</em> &lt;b&gt;</p>\n"));
    assert_eq!(answer.header("content-type").unwrap(), "text/html; charset=utf-8");
}

#[test]
fn it_follows_pointers() {
    let body = r#"{"a":{"b c":[1, 2.50]}}"#;
    let answer = post("/json/pointer?p=/a/b%20c/1", body);
    assert_eq!((answer.status, answer.text().as_str()), (200, "2.50"));
    assert_eq!(answer.header("content-type").unwrap(), "application/json");
    assert_eq!(post("/json/pointer?p=", body).text(), body);

    let missing = post("/json/pointer?p=/a/x", body);
    assert_eq!((missing.status, error(&missing).as_str()), (404, "the body has no value at \"/a/x\""));
}

#[test]
fn invalid_json_is_reported_with_line_and_column() {
    let answer = post("/json/pointer?p=/a", "{\"a\":\n  tru}");
    let body: serde_json::Value = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!((answer.status, &body["line"], &body["column"]), (400, &2.into(), &6.into()));
    assert_eq!(post("/json/pointer?p=a", "{}").status, 400);
    assert_eq!(post("/json/pointer", "{}").status, 400);
}

#[test]
fn it_finds_matches_with_byte_offsets_and_groups() {
    let answer =
        post("/regex?re=(%3FP%3Cyear%3E%5Cd%7B4%7D)(-(%3FP%3Cmonth%3E%5Cd%5Cd))%3F", "é 2024-05, 1999");
    assert_eq!(
        answer.text(),
        concat!(
            r#"[{"start":3,"end":10,"text":"2024-05","groups":{"year":{"start":3,"end":7,"text":"2024"},"#,
            r#""month":{"start":8,"end":10,"text":"05"}}},"#,
            r#"{"start":12,"end":16,"text":"1999","groups":{"year":{"start":12,"end":16,"text":"1999"},"month":null}}]"#
        )
    );
    assert_eq!(post("/regex?re=x", "abc").text(), "[]");
}

#[test]
fn an_invalid_or_too_large_expression_is_refused() {
    let unclosed = post("/regex?re=%28a", "a");
    assert_eq!(unclosed.status, 400);
    assert!(error(&unclosed).contains("unclosed group"), "{}", error(&unclosed));
    assert!(error(&post("/regex", "a")).contains("missing"));
    assert!(error(&post(&format!("/regex?re={}", "a".repeat(1025)), "a")).contains("longer than 1024 bytes"));
    assert!(error(&post("/regex?re=%5Cw%7B9999%7D", "a")).contains("exceeds size limit"));
    assert_eq!(post("/regex?re=", "a".repeat(9_999)).status, 200);
    assert_eq!(post("/regex?re=", "a".repeat(10_000)).status, 422);
}

#[test]
fn a_body_that_is_not_utf8_is_refused() {
    for target in ["/markdown", "/json/pointer?p=", "/regex?re=a"] {
        let answer = post(target, b"ab\xff");
        assert_eq!(
            (answer.status, error(&answer).as_str()),
            (400, "the body is not UTF-8 at byte 2"),
            "{target}"
        );
    }
}

#[test]
fn other_methods_and_paths_are_refused() {
    let answer = textkit().get("/markdown").unwrap();
    assert_eq!((answer.status, answer.header("allow").as_deref()), (405, Some("POST")));
    let answer = post("/", "");
    assert_eq!((answer.status, answer.header("allow").as_deref()), (405, Some("GET, HEAD")));
    assert_eq!(textkit().call("HEAD", "/", b"").unwrap().status, 200);
    assert_eq!(post("/markdown/x", "").status, 404);
    assert_eq!(post("/json", "").status, 404);
    assert_eq!(post("/markdown/", "").status, 200);
}
