//! Who asks, and under which key.

use axum::extract::FromRequestParts;
use http::{HeaderMap, request::Parts};
use segue::{Actor, RequestContext};
use tokio::net::UnixStream;

use super::{api_error::ApiError, state::State};

/// The header that tells a command that is sent again from another like it.
pub(super) const IDEMPOTENCY_KEY: &str = "idempotency-key";

/// The longest key, in bytes.
const KEY_BYTES_MAX: usize = 128;

/// The process at the other end of a connection, as the kernel told when it connected.
#[derive(Clone, Debug)]
pub(super) struct Peer(Actor);

/// Who sent a command, and its key, where it has one.
pub(super) struct CommandContext(pub(super) RequestContext);

// === impl Peer ===

impl Peer {
    /// Asks the kernel.
    pub(super) fn of(stream: &UnixStream) -> std::io::Result<Self> {
        let peer = stream.peer_cred()?;
        Ok(Peer(Actor::Peer { uid: peer.uid(), pid: peer.pid() }))
    }
}

// === impl CommandContext ===

impl FromRequestParts<State> for CommandContext {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &State) -> Result<Self, ApiError> {
        let Some(Peer(by)) = parts.extensions.get::<Peer>().cloned() else {
            // Each connection tells with each request; only a bug forgets.
            return Err(ApiError::unknown_peer());
        };
        Ok(CommandContext(RequestContext { actor: by, key: key(&parts.headers)? }))
    }
}

fn key(headers: &HeaderMap) -> Result<Option<String>, ApiError> {
    let mut values = headers.get_all(IDEMPOTENCY_KEY).iter();
    let (value, further) = (values.next(), values.next());
    let Some(value) = value else { return Ok(None) };
    let text = std::str::from_utf8(value.as_bytes()).unwrap_or_default();
    let is_key =
        (1..=KEY_BYTES_MAX).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
    if !is_key || further.is_some() {
        let what =
            format!("Idempotency-Key is to be one text of 1 to {KEY_BYTES_MAX} visible ASCII characters");
        return Err(ApiError::bad_request(what));
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
        key(&headers).ok()
    }

    #[test]
    fn a_key_is_short_visible_and_one() {
        assert_eq!(read(&[]), Some(None));
        assert_eq!(read(&[b"a-7"]), Some(Some("a-7".to_owned())));
        assert!(read(&[&[b'x'; KEY_BYTES_MAX]]).is_some());
        for bad in [&b""[..], b"a b", b"\xc3\xa4", &[b'x'; KEY_BYTES_MAX + 1]] {
            assert_eq!(read(&[bad]), None, "{bad:?}");
        }
        assert_eq!(read(&[b"a", b"a"]), None);
    }
}
