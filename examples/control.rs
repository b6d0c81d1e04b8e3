//! A client of the control socket: it loads, replaces and rolls back a module of a running runtime, and reads
//! the events. Here the runtime is in the same program; usually it is in a process of its own, such as `segue
//! serve`. Run it with
//!
//! ```text
//! cargo run --example control
//! ```

#![forbid(unsafe_code)]

mod modules;

use std::{error::Error, path::Path, time::Duration};

use segue::Runtime;
use segue_control::{
    Client, Extent, Limits, Socket,
    api::{ImageRef, LoadRequest},
    serve,
};
use tokio::{sync::oneshot, task::spawn_blocking};

/// The longest wait for calls that are still inside a module at the end.
const DEADLINE: Duration = Duration::from_secs(10);

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let first = modules::build("greeter", "1.0.0", &[])?;
    let second = modules::build("greeter", "1.1.0", &[])?;

    // The side of the service: a runtime, and a socket that only this user can open.
    let directory = tempfile::tempdir()?;
    let path = directory.path().join("segue.sock");
    let runtime = Runtime::builder().state_dir(directory.path().join("state")).build()?;
    let (stop, stopped) = oneshot::channel::<()>();
    let socket = Socket::bind(&path)?;
    let server =
        tokio::spawn(serve(runtime.clone(), socket, Limits::default(), async { drop(stopped.await) }));

    command(&path, &first, &second).await?;

    drop(stop);
    server.await??;
    spawn_blocking(move || runtime.shutdown(DEADLINE)).await??;
    Ok(())
}

/// The side of the client. It needs nothing but the path of the socket, and the files of the modules.
async fn command(socket: &Path, first: &Path, second: &Path) -> Result<(), Box<dyn Error>> {
    let client = Client::new(socket);

    // A file that the runtime can read is loaded by its path. Any other file is uploaded, and loaded by its
    // digest.
    client.load(&LoadRequest::new(ImageRef::Path(first.to_owned()))).await?;
    let digest = client.put_image(std::fs::read(second)?).await?;
    client.load(&LoadRequest::new(ImageRef::Digest(digest))).await?;

    let status = client.status("greeter").await?;
    assert_eq!(status.current.map(|current| current.version).as_deref(), Some("1.1.0"));
    let back = client.rollback("greeter").await?;
    assert_eq!(back.current.version, "1.0.0");

    // A command that the runtime refuses returns its error, with a code for programs.
    let error = client.rollback("nobody").await.expect_err("no module has this name");
    println!("refused: {error}");

    // All events so far; `Extent::Follow` would also wait for new ones. Each names who caused it.
    let mut events = client.events(0, Extent::Recorded).await?;
    while let Some(record) = events.next().await? {
        println!("{}", serde_json::to_string(&record)?);
    }
    Ok(())
}
