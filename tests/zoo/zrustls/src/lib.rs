//! A module around `rustls with ring`.

use segue_sdk::prelude::*;

fn fault(error: impl std::fmt::Display) -> Fault {
    Fault::new(error.to_string())
}

#[allow(dead_code)]
struct Row {
    state: (),
}

impl Module for Row {
    fn on_load(_: &Host) -> Result<Self, Fault> {
        Ok(Row { state: () })
    }

    fn handle(&self, _: &Request<'_>, reply: &mut Reply<'_>) -> Result<(), Fault> {
        let good: bool = {
            let c = rustls::ClientConfig::builder_with_provider(std::sync::Arc::new(
                rustls::crypto::ring::default_provider(),
            ))
            .with_safe_default_protocol_versions()
            .map_err(fault)?
            .with_root_certificates(rustls::RootCertStore::empty())
            .with_no_client_auth();
            c.enable_sni
        };
        if !good {
            return Err(fault("wrong result"));
        }
        reply.text("ok zrustls\n");
        Ok(())
    }
}

export_module!(Row);
