//! Event streams and the history.

use std::{
    os::unix::fs::MetadataExt,
    time::{Duration, Instant},
};

use segue::{Actor, Code, Digest, Event, Runtime};
use segue_control::{
    Client, ClientError, Extent, Limits, Socket,
    api::{ImageRef, LoadRequest},
    serve,
};
use tokio::sync::oneshot;

use crate::{Server, refused, send, with_server};

#[test]
fn events_can_be_read_followed_and_resumed() {
    with_server(Limits::default(), async |server: Server| {
        let client = Client::new(&server.path);
        let refuse = async || {
            let missing = LoadRequest::new(ImageRef::Path("/nowhere/missing.so".into()));
            refused(client.load(&missing).await);
        };
        refuse().await;
        refuse().await;
        let mut recorded = client.events(0, Extent::Recorded).await.unwrap();
        let first = recorded.next().await.unwrap().unwrap();
        assert_eq!(first.seq, 1);
        assert!(matches!(first.event, Event::Started { .. }));
        let refused = recorded.next().await.unwrap().unwrap();
        assert!(matches!(refused.event, Event::Refused { .. }));
        let me = std::fs::metadata(server.directory.path()).unwrap().uid();
        assert_eq!(refused.by, Actor::Peer { uid: me, pid: i32::try_from(std::process::id()).ok() });
        assert_eq!(recorded.next().await.unwrap().unwrap().seq, 3);
        assert_eq!(recorded.next().await.unwrap(), None);

        let mut followed = client.events(3, Extent::Follow).await.unwrap();
        assert_eq!(followed.next().await.unwrap().unwrap().seq, 3);
        refuse().await;
        assert_eq!(followed.next().await.unwrap().unwrap().seq, 4);

        let mut resumed = client.events_after(3, Extent::Recorded).await.unwrap();
        assert_eq!(resumed.next().await.unwrap().unwrap().seq, 4);
        assert_eq!(resumed.next().await.unwrap(), None);
        let mut up_to_date = client.events_after(4, Extent::Recorded).await.unwrap();
        assert_eq!(up_to_date.next().await.unwrap(), None);
        // Number 900 comes from a runtime with another state directory.
        let mut restarted = client.events_after(900, Extent::Recorded).await.unwrap();
        assert_eq!(restarted.next().await.unwrap().unwrap().seq, 1);

        let (status, head, body) = send(&server.path, "GET", "/v1/events?from=4&follow=false", "").await;
        assert_eq!(status, 200);
        assert!(head.to_lowercase().contains("content-type: text/event-stream"), "{head}");
        assert!(
            body.contains("id: 4\n") && body.contains("event: refused\n") && body.contains("data: {"),
            "{body}"
        );
        let history = client.history(None, 2).await.unwrap();
        assert_eq!(history.iter().map(|record| record.seq).collect::<Vec<_>>(), [3, 4]);
        assert_eq!(client.blocked().await.unwrap(), []);
        let never = client.unblock(&Digest::of(b"never blocked")).await.unwrap();
        assert!(!never.unblocked, "the file was not blocked, and the response says so");
    });
}

/// With many more events than are held in memory or read at once.

#[test]
fn a_stream_has_all_events_of_the_ledger_and_continues_after_a_restart() {
    const EVENTS: u64 = 5000;
    let executor =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let directory = tempfile::tempdir().unwrap();
    let state = directory.path().join("state");
    let run = |test: &mut dyn FnMut(&Runtime, &Client)| {
        let runtime = Runtime::builder().state_dir(&state).build().unwrap();
        let path = directory.path().join("segue.sock");
        let socket = Socket::bind(&path).unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let served = serve(runtime.clone(), socket, Limits::default(), async { drop(stopped.await) });
        let server = executor.spawn(served);
        test(&runtime, &Client::new(&path));
        runtime.shutdown(Duration::from_secs(5)).unwrap();
        drop(stop);
        executor.block_on(server).unwrap().unwrap();
    };
    run(&mut |runtime, _| {
        for _ in 0..EVENTS - 2 {
            runtime.load("/nowhere/missing.so").unwrap_err();
        }
    });
    run(&mut |_, client| {
        executor.block_on(async {
            let mut all = client.events(0, Extent::Recorded).await.unwrap();
            for seq in 1..=EVENTS + 1 {
                assert_eq!(all.next().await.unwrap().unwrap().seq, seq);
            }
            assert_eq!(all.next().await.unwrap(), None);
            let mut later = client.events_after(EVENTS - 1, Extent::Follow).await.unwrap();
            assert!(matches!(later.next().await.unwrap().unwrap().event, Event::Stopped { .. }));
            let started = later.next().await.unwrap().unwrap();
            assert_eq!(started.seq, EVENTS + 1);
            assert!(matches!(started.event, Event::Started { .. }));
        });
    });
}

#[test]
fn an_event_stream_ends_with_the_runtime() {
    with_server(Limits::default(), async |server: Server| {
        let mut followed = Client::new(&server.path).events(0, Extent::Follow).await.unwrap();
        let runtime = server.runtime.clone();
        assert!(matches!(followed.next().await.unwrap().unwrap().event, Event::Started { .. }));
        let ended = tokio::spawn(async move { (followed.next().await, followed.next().await) });
        tokio::task::spawn_blocking(move || runtime.shutdown(Duration::from_secs(5))).await.unwrap().unwrap();
        let (last, end) = ended.await.unwrap();
        assert!(matches!(last.unwrap().unwrap().event, Event::Stopped { .. }));
        assert_eq!(end.unwrap(), None);
    });
}

#[test]
fn an_open_event_stream_does_not_delay_the_shutdown() {
    let start = Instant::now();
    let stream = with_server(Limits::default(), async |server: Server| {
        Client::new(&server.path).events(0, Extent::Follow).await.unwrap()
    });
    assert!(start.elapsed() < Duration::from_secs(4), "took {:?}", start.elapsed());
    drop(stream);
}

#[test]
fn an_event_stream_past_the_limit_is_refused() {
    let mut limits = Limits::default();
    limits.event_streams_max = 2;
    with_server(limits, async |server: Server| {
        let client = Client::new(&server.path);
        let first = client.events(0, Extent::Follow).await.unwrap();
        let _second = client.events(0, Extent::Follow).await.unwrap();
        assert!(matches!(
            client.events(0, Extent::Recorded).await,
            Err(ClientError::Refused { error, .. }) if error.code == Code::Busy
        ));
        assert_eq!(client.health().await.unwrap().status, "ok");
        drop(first);
        let start = Instant::now();
        while client.events(0, Extent::Recorded).await.is_err() {
            assert!(start.elapsed() < Duration::from_secs(10), "a closed stream still counts");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
}
