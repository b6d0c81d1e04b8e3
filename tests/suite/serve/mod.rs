//! `segue serve` under clients: requests, limits, releases and signals.

mod http;
mod http2;
mod kill;
mod log;
mod releases;
mod signals;
