//! The format of server-sent events, as far as it is used here: the data of each event, which says everything.

use std::collections::VecDeque;

/// The longest line that is taken, in bytes; a record is far shorter.
const LINE_BYTES_MAX: usize = 1024 * 1024;

/// Puts the pieces of a stream together again.
#[derive(Debug, Default)]
pub(super) struct EventParser {
    /// The line that is not whole yet.
    line: Vec<u8>,
    /// The data lines of the event that is not whole yet.
    data: Option<String>,
    complete: VecDeque<String>,
}

/// What is no stream of events.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum EventParseError {
    #[error("a line of events is not UTF-8")]
    NotUtf8,
    #[error("a line of events is longer than {LINE_BYTES_MAX} bytes")]
    LineTooLong,
}

// === impl EventParser ===

impl EventParser {
    /// Takes the next bytes of the stream, cut wherever they are cut.
    pub(super) fn push(&mut self, bytes: &[u8]) -> Result<(), EventParseError> {
        let mut rest = bytes;
        while let Some(end) = rest.iter().position(|&byte| byte == b'\n') {
            self.append(&rest[..end])?;
            rest = &rest[end + 1..];
            let line = std::mem::take(&mut self.line);
            self.push_line(std::str::from_utf8(&line).map_err(|_| EventParseError::NotUtf8)?);
        }
        self.append(rest)
    }

    /// The data of the next event that is whole.
    pub(super) fn next(&mut self) -> Option<String> {
        self.complete.pop_front()
    }

    fn append(&mut self, piece: &[u8]) -> Result<(), EventParseError> {
        if self.line.len() + piece.len() > LINE_BYTES_MAX {
            return Err(EventParseError::LineTooLong);
        }
        self.line.extend_from_slice(piece);
        Ok(())
    }

    fn push_line(&mut self, line: &str) {
        let line = line.strip_suffix('\r').unwrap_or(line);
        if line.is_empty() {
            self.complete.extend(self.data.take());
            return;
        }
        // Comments, ids and names are passed over: the data holds them, too.
        let Some(value) = line.strip_prefix("data:") else { return };
        let value = value.strip_prefix(' ').unwrap_or(value);
        match &mut self.data {
            Some(data) => {
                data.push('\n');
                data.push_str(value);
            }
            None => self.data = Some(value.to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(parser: &mut EventParser) -> Vec<String> {
        std::iter::from_fn(|| parser.next()).collect()
    }

    #[test]
    fn events_are_found_wherever_the_stream_is_cut() {
        let stream = ": hello\n\nid: 1\nevent: loaded\ndata: {\"ä\":1}\n\nid: 2\r\ndata:a\r\ndata: b\r\n\r\ndata: unfinished\n";
        for size in 1..stream.len() {
            let mut parser = EventParser::default();
            for piece in stream.as_bytes().chunks(size) {
                parser.push(piece).unwrap();
            }
            assert_eq!(all(&mut parser), ["{\"ä\":1}", "a\nb"], "cut into pieces of {size}");
        }
    }

    #[test]
    fn what_is_no_stream_of_events_is_noticed() {
        let mut parser = EventParser::default();
        assert_eq!(parser.push(b"data: \xff\n"), Err(EventParseError::NotUtf8));
        let mut parser = EventParser::default();
        let piece = vec![b'x'; LINE_BYTES_MAX];
        parser.push(&piece).unwrap();
        assert_eq!(parser.push(b"x"), Err(EventParseError::LineTooLong));
    }
}
