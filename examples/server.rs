//! The HTTP server `segue-serve` inside a program of your own. The program sends itself requests over TCP
//! while it replaces the module that answers them. Run it with
//!
//! ```text
//! cargo run --example server
//! ```

#![forbid(unsafe_code)]

mod modules;

use std::{
    error::Error,
    io::{self, Read, Write},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

use segue::Runtime;
use segue_serve::Server;
use tokio::{sync::oneshot, task::spawn_blocking};

/// The longest wait for calls that are still inside a module at the end.
const DEADLINE: Duration = Duration::from_secs(10);

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let first = modules::build("greeter", "1.0.0", &[])?;
    let second = modules::build("greeter", "1.1.0", &[])?;
    let runtime = Runtime::builder().build()?;
    runtime.load(&first)?;

    // Port 0 takes a free port. Without a route, `GET /greeter/…` goes to the module `greeter`.
    let route = "/hello=greeter".parse()?;
    let server = Server::builder(runtime.clone()).route(route).bind("127.0.0.1:0").await?;
    let (address, stats) = (server.local_addr(), server.stats());
    println!("serving on http://{address}");
    let (stop, stopped) = oneshot::channel::<()>();
    let server = tokio::spawn(server.run(async { drop(stopped.await) }));

    // A client sends requests until it has seen the second version. No request may fail on the way.
    let client = spawn_blocking(move || -> io::Result<u32> {
        let mut answered = 0;
        loop {
            let response = get(address, "/hello/ada")?;
            if !response.starts_with("HTTP/1.1 200 OK\r\n") {
                return Err(io::Error::other(response));
            }
            answered += 1;
            if response.contains("x-segue-version: 1.1.0") {
                println!("{response}");
                return Ok(answered);
            }
        }
    });

    // A load blocks, so it does not belong on a thread of the reactor.
    let loading = runtime.clone();
    spawn_blocking(move || loading.load(&second)).await??;
    println!("{} requests answered, none failed", client.await??);

    drop(stop);
    server.await??;
    println!("{:?}", stats.figures());
    spawn_blocking(move || runtime.shutdown(DEADLINE)).await??;
    Ok(())
}

/// Sends a request over a new connection, and returns the complete response.
fn get(address: SocketAddr, path: &str) -> io::Result<String> {
    let mut stream = TcpStream::connect(address)?;
    write!(stream, "GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n")?;
    let mut response = String::new();
    stream.read_to_string(&mut response)?;
    Ok(response)
}
