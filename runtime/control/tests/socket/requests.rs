//! Requests, their responses and errors.

use std::time::Duration;

use segue::{Code, Digest};
use segue_control::{
    Client, ClientError, Limits,
    api::{ImageRef, LoadRequest},
};
use serde_json::{Value, json};

use crate::{Server, error_of, refused, send, with_server};

#[test]
fn the_client_gets_responses() {
    with_server(Limits::default(), async |server: Server| {
        let client = Client::new(&server.path);
        assert_eq!(client.health().await.unwrap().status, "ok");
        assert_eq!(client.modules().await.unwrap(), []);
        assert!(client.metrics().await.unwrap().contains("segue_images_mapped 0\n"));
        assert_eq!(refused(client.status("greeter").await), (Code::NotFound, 404));
        assert_eq!(refused(client.status("gr/ee ter?ä").await), (Code::NotFound, 404));
        assert_eq!(refused(client.rollback("greeter").await), (Code::NotFound, 404));
        assert_eq!(refused(client.soft_purge("greeter").await), (Code::NotFound, 404));
        assert_eq!(refused(client.purge("greeter", Duration::from_millis(1)).await), (Code::NotFound, 404));
        let missing = LoadRequest::new(ImageRef::Path(server.directory.path().join("missing.so")));
        assert_eq!(refused(client.load(&missing).await), (Code::NotFound, 404));
        let absent = LoadRequest::new(ImageRef::Digest(Digest::of(b"never put")));
        assert_eq!(refused(client.load(&absent).await), (Code::NotFound, 404));
    });
}

#[test]
fn a_file_that_is_not_a_module_is_refused_by_path_and_by_upload() {
    with_server(Limits::default(), async |server: Server| {
        let client = Client::new(&server.path);
        let path = server.directory.path().join("readme.so");
        std::fs::write(&path, "not an ELF file").unwrap();
        assert_eq!(refused(client.load(&LoadRequest::new(ImageRef::Path(path))).await), (Code::BadElf, 422));
        assert_eq!(refused(client.put_image(&b"not an ELF file"[..]).await), (Code::BadElf, 422));
    });
}

#[test]
fn every_bad_request_gets_an_error_object() {
    with_server(Limits::default(), async |server: Server| {
        let load = |body: Value| body.to_string();
        let cases = [
            ("GET", "/", String::new(), 404, "not_found"),
            ("GET", "/v2/modules", String::new(), 404, "not_found"),
            ("DELETE", "/v1/modules", String::new(), 405, "bad_request"),
            ("GET", "/v1/load", String::new(), 405, "bad_request"),
            ("GET", "/v1/modules/%ff", String::new(), 400, "bad_request"),
            ("GET", "/v1/modules/greeter", String::new(), 404, "not_found"),
            ("POST", "/v1/load", String::new(), 400, "bad_request"),
            ("POST", "/v1/load", "{".to_owned(), 400, "bad_request"),
            ("POST", "/v1/load", load(json!({"images": []})), 400, "bad_request"),
            ("POST", "/v1/load", load(json!({"images": [{"path": "relative.so"}]})), 400, "bad_request"),
            (
                "POST",
                "/v1/load",
                load(json!({"images": [{"path": "/a"}, {"path": "b"}]})),
                400,
                "bad_request",
            ),
            (
                "POST",
                "/v1/load",
                load(json!({"images": [{"path": "/a"}], "trial_end": "confirm"})),
                400,
                "bad_request",
            ),
            (
                "POST",
                "/v1/load",
                load(json!({"images": [{"path": "/a"}], "trial_ms": 0})),
                400,
                "bad_request",
            ),
            ("POST", "/v1/modules/greeter/confirm", String::new(), 404, "not_found"),
            ("POST", "/v1/modules/greeter/delete", String::new(), 404, "not_found"),
            ("POST", "/v1/modules/greeter/stick", String::new(), 404, "not_found"),
            ("POST", "/v1/blocked/sha256:12/unblock", String::new(), 400, "bad_request"),
            ("GET", "/v1/history?module=greeter", String::new(), 404, "not_found"),
            ("GET", "/v1/history?limit=0", String::new(), 400, "bad_request"),
            ("GET", "/v1/history?limit=10001", String::new(), 400, "bad_request"),
            ("GET", "/v1/history?modul=greeter", String::new(), 400, "bad_request"),
            (
                "POST",
                "/v1/load",
                load(json!({"images": [{"path": "/a"}], "polcy": "wait"})),
                400,
                "bad_request",
            ),
            (
                "POST",
                "/v1/load",
                load(json!({"images": [{"path": "/a"}], "deadline_ms": u64::MAX})),
                400,
                "bad_request",
            ),
            ("POST", "/v1/load", " ".repeat(70_000), 413, "too_large"),
            ("POST", "/v1/modules/greeter/purge", "{\"deadline_ms\":\"5s\"}".to_owned(), 400, "bad_request"),
            ("POST", "/v1/modules/greeter/purge", String::new(), 404, "not_found"),
            ("PUT", "/v1/images", String::new(), 400, "bad_request"),
            ("GET", "/v1/events?from=x", String::new(), 400, "bad_request"),
            ("GET", "/v1/events?form=1", String::new(), 400, "bad_request"),
        ];
        for (method, target, body, status, code) in cases {
            let (got, head, body) = send(&server.path, method, target, &body).await;
            assert_eq!(got, status, "{method} {target}: {body}");
            assert_eq!(error_of(&body)["code"], code, "{method} {target}: {body}");
            assert!(head.to_lowercase().contains("content-type: application/json"), "{head}");
            assert_eq!(head.to_lowercase().contains("\r\nallow:"), status == 405, "{head}");
        }
        let (status, _, set) =
            send(&server.path, "POST", "/v1/load", r#"{"images":[{"path":"/a"},{"path":"/b"}]}"#).await;
        let members = error_of(&set)["members"].clone();
        assert_eq!(
            (status, members.as_array().unwrap().len()),
            (404, 2),
            "the error object has one member for each file: {set}"
        );
        assert!(members[1]["message"].as_str().unwrap().contains("/b"), "{set}");
    });
}

#[test]
fn a_body_past_its_limit_is_refused_while_it_is_sent() {
    let mut limits = Limits::default();
    limits.image_bytes_max = 100_000;
    with_server(limits, async |server: Server| {
        let client = Client::new(&server.path);
        assert_eq!(refused(client.put_image(vec![b'x'; 100_000]).await), (Code::BadElf, 422));
        assert_eq!(refused(client.put_image(vec![b'x'; 100_001]).await), (Code::TooLarge, 413));
        assert_eq!(refused(client.put_image(vec![b'x'; 30_000_000]).await), (Code::TooLarge, 413));
        assert_eq!(client.health().await.unwrap().status, "ok");
    });
}

#[test]
fn the_client_reports_a_missing_or_foreign_server() {
    let executor = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    executor.block_on(async {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("segue.sock");
        let client = Client::new(&path);
        let missing = client.modules().await.unwrap_err();
        assert!(matches!(missing, ClientError::Unreachable { .. }));
        assert_eq!(missing.code(), Code::Unreachable);
        assert!(missing.object().hint.unwrap().contains("segue serve"));
        // A stale socket file.
        drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
        assert_eq!(client.modules().await.unwrap_err().code(), Code::Unreachable);
        // A server that is not a runtime.
        let listener = std::os::unix::net::UnixListener::bind(directory.path().join("other.sock")).unwrap();
        let other = std::thread::spawn(move || {
            use std::io::{Read, Write};
            let (mut stream, _) = listener.accept().unwrap();
            let _ = stream.read(&mut [0; 4096]).unwrap();
            stream.write_all(b"HTTP/1.1 500 Oh\r\ncontent-length: 4\r\n\r\noops").unwrap();
        });
        let error = Client::new(directory.path().join("other.sock")).modules().await.unwrap_err();
        assert!(matches!(&error, ClientError::Protocol { reason, .. } if reason.contains("500")), "{error}");
        other.join().unwrap();
    });
}

#[test]
fn the_description_is_served_unchanged() {
    with_server(Limits::default(), async |server: Server| {
        let (status, _, body) = send(&server.path, "GET", "/openapi.json", "").await;
        assert_eq!(status, 200);
        assert_eq!(body, segue_control::OPENAPI);
    });
}
