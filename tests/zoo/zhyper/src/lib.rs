//! A module around `hyper, HTTP/1 client and server`.

use http_body_util::{BodyExt, Full};
use hyper::{
    body::{Bytes, Incoming},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use segue_sdk::prelude::*;
use std::convert::Infallible;

struct Row;

impl Module for Row {
    fn on_load(_: &Host) -> Result<Self, Fault> {
        Ok(Row)
    }

    fn handle(&self, _: &Request<'_>, reply: &mut Reply<'_>) -> Result<(), Fault> {
        if !works()? {
            return Err(Fault::new("wrong result"));
        }
        reply.text("ok zhyper\n");
        Ok(())
    }
}

async fn answer(_: hyper::Request<Incoming>) -> Result<hyper::Response<Full<Bytes>>, Infallible> {
    Ok(hyper::Response::new("forty-two".into()))
}

fn works() -> Result<bool, Fault> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let (near, far) = tokio::io::duplex(4096);
        tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(far), service_fn(answer)));
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(near)).await?;
        tokio::spawn(connection);
        let request = hyper::Request::get("/").header("host", "x").body(Full::<Bytes>::default())?;
        let body = sender.send_request(request).await?.into_body().collect().await?.to_bytes();
        Ok(body == "forty-two")
    })
}

export_module!(Row);
