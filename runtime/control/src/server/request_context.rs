//! Reads who sent a command, and its idempotency key.

use axum::extract::FromRequestParts;
use http::{HeaderMap, request::Parts};
use segue::{Actor, RequestContext};
use tokio::net::UnixStream;

use crate::server::{api_error::ApiError, state::State};

/// The header with a command's idempotency key. A retry has the same key; an equal but new command has
/// another.
pub(super) const IDEMPOTENCY_KEY: &str = "idempotency-key";

/// The longest key, in bytes.
const KEY_BYTES_MAX: usize = 128;

/// The process at the other end of a connection, as the kernel reported it when it connected.
#[derive(Clone, Debug)]
pub(super) struct Peer(Actor);

/// Who sent a command, and its idempotency key if it has one.
pub(super) struct CommandContext(pub(super) RequestContext);

// === impl Peer ===

impl Peer {
    /// Reads the peer's credentials from the kernel.
    pub(super) fn of(stream: &UnixStream) -> std::io::Result<Self> {
        let peer = stream.peer_cred()?;
        Ok(Peer(Actor::Peer { uid: peer.uid(), pid: peer.pid() }))
    }
}

// === impl CommandContext ===

impl FromRequestParts<State> for CommandContext {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &State) -> Result<Self, ApiError> {
        let Some(Peer(actor)) = parts.extensions.get::<Peer>().cloned() else {
            // The server adds the peer to every request. Only a bug can leave it out.
            return Err(ApiError::unknown_peer());
        };
        Ok(CommandContext(RequestContext { actor, key: idempotency_key(&parts.headers)? }))
    }
}

fn idempotency_key(headers: &HeaderMap) -> Result<Option<String>, ApiError> {
    let mut values = headers.get_all(IDEMPOTENCY_KEY).iter();
    let (value, second) = (values.next(), values.next());
    let Some(value) = value else { return Ok(None) };
    let text = std::str::from_utf8(value.as_bytes()).unwrap_or_default();
    let is_valid =
        (1..=KEY_BYTES_MAX).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
    if !is_valid || second.is_some() {
        return Err(ApiError::bad_request(format!(
            "invalid Idempotency-Key: send the header once, with 1 to {KEY_BYTES_MAX} visible ASCII characters"
        )));
    }
    Ok(Some(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn read(keys: &[&[u8]]) -> Option<Option<String>> {
        let mut headers = HeaderMap::new();
        for value in keys {
            headers.append(IDEMPOTENCY_KEY, HeaderValue::from_bytes(value).unwrap());
        }
        idempotency_key(&headers).ok()
    }

    #[test]
    fn an_idempotency_key_is_one_header_of_visible_ascii() {
        assert_eq!(read(&[]), Some(None));
        assert_eq!(read(&[b"a-7"]), Some(Some("a-7".to_owned())));
        assert!(read(&[&[b'x'; KEY_BYTES_MAX]]).is_some());
        for bad in [&b""[..], b"a b", b"\xc3\xa4", &[b'x'; KEY_BYTES_MAX + 1]] {
            assert_eq!(read(&[bad]), None, "{bad:?}");
        }
        assert_eq!(read(&[b"a", b"a"]), None);
    }
}
