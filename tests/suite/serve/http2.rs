//! HTTP/2: many requests at once on one connection, during releases.

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll},
};

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Empty};
use hyper::{
    body::{Body, Frame},
    client::conn::http2::{self, SendRequest},
};
use hyper_util::rt::{TokioExecutor, TokioIo};
use segue_tests::{Service, V1, V2, fixture};
use tokio::{net::TcpStream, runtime};

use crate::SEGUE;

/// How many requests are in flight at once.
const STREAMS: usize = 16;

async fn ask(sender: &mut SendRequest<Empty<Bytes>>, target: String) -> (u16, String) {
    let request = Request::get(target).header("host", "test").body(Empty::new()).unwrap();
    let answer = sender.send_request(request).await.unwrap();
    let status = answer.status().as_u16();
    let body = answer.into_body().collect().await.unwrap().to_bytes();
    (status, String::from_utf8(body.to_vec()).unwrap())
}

#[test]
fn one_connection_outlives_many_releases() {
    let service = Service::start(SEGUE, &[]);
    service.drop_in(&fixture("greeter", V1), "libgreeter.so");
    service.wait_for_version("greeter", V1);
    let reactor = runtime::Builder::new_current_thread().enable_all().build().unwrap();
    reactor.block_on(async {
        let stream = TcpStream::connect(service.address).await.unwrap();
        let (sender, connection) =
            http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
        let connection = tokio::spawn(connection);
        for release in 0..20 {
            // A slow request is inside while the next version is loaded.
            let mut slow = sender.clone();
            let slow = tokio::spawn(async move {
                ask(&mut slow, format!("http://test/greeter/slow-{release}?wait_ms=300")).await
            });
            let version = if release % 2 == 0 { V2 } else { V1 };
            service.drop_in(&fixture("greeter", version), "libgreeter.so");
            let mut streams = Vec::new();
            for stream in 0..STREAMS {
                let mut sender = sender.clone();
                streams.push(tokio::spawn(async move {
                    let name = format!("{release}-{stream}");
                    let (status, text) = ask(&mut sender, format!("http://test/greeter/{name}")).await;
                    assert_eq!(status, 200);
                    assert!(text.starts_with(&format!("Hello, {name}! This is greeter ")), "{text}");
                }));
            }
            for stream in streams {
                stream.await.unwrap();
            }
            let (status, text) = slow.await.unwrap();
            assert_eq!(status, 200);
            assert!(text.starts_with(&format!("Hello, slow-{release}! ")), "{text}");
        }
        assert!(!connection.is_finished(), "the connection is still open");
    });
    let (_, events) = service.command.json_lines(&["events"]);
    let releases = events.iter().filter(|event| event["event"] == "loaded").count();
    assert!(releases > 10, "versions were released meanwhile: {releases}");
}

/// A body of many chunks, which counts the chunks that were read.
struct Pieces {
    left: usize,
    taken: Arc<AtomicUsize>,
}

impl Body for Pieces {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        if self.left == 0 {
            return Poll::Ready(None);
        }
        self.left -= 1;
        self.taken.fetch_add(1, Ordering::Relaxed);
        Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(&[b'x'; 16 * 1024])))))
    }
}

#[test]
fn a_body_that_is_too_large_is_read_to_its_end_before_it_is_refused() {
    const PIECES: usize = 200;
    let service = Service::start(SEGUE, &[]);
    service.drop_in(&fixture("greeter", V1), "libgreeter.so");
    service.wait_for_version("greeter", V1);
    let reactor = runtime::Builder::new_current_thread().enable_all().build().unwrap();
    reactor.block_on(async {
        let stream = TcpStream::connect(service.address).await.unwrap();
        let (mut sender, connection) =
            http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection);
        let taken = Arc::new(AtomicUsize::new(0));
        let body = Pieces { left: PIECES, taken: taken.clone() };
        let request = Request::post("http://test/greeter/ada").body(body).unwrap();
        let answer = sender.send_request(request).await.unwrap();
        assert_eq!(answer.status(), 413);
        assert_eq!(
            taken.load(Ordering::Relaxed),
            PIECES,
            "the client can send the whole body, so it sees the answer"
        );
    });
}
