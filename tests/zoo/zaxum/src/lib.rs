//! A module around `axum`.

use axum::{
    Router,
    body::{Body, to_bytes},
    extract::Path,
    routing::get,
};
use segue_sdk::prelude::*;
use tower::ServiceExt;

struct Row;

impl Module for Row {
    fn on_load(_: &Host) -> Result<Self, Fault> {
        Ok(Row)
    }

    fn handle(&self, _: &Request<'_>, reply: &mut Reply<'_>) -> Result<(), Fault> {
        if !works()? {
            return Err(Fault::new("wrong result"));
        }
        reply.text("ok zaxum\n");
        Ok(())
    }
}

fn works() -> Result<bool, Fault> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let router =
            Router::new().route("/n/{n}", get(|Path(n): Path<u32>| async move { (n + 1).to_string() }));
        let request = axum::http::Request::get("/n/41").body(Body::empty())?;
        let response = router.oneshot(request).await?;
        Ok(to_bytes(response.into_body(), 64).await? == "42")
    })
}

export_module!(Row);
