//! Parses server-sent events. Only the data of each event is used; it is the complete record.

use std::collections::VecDeque;

/// The longest line that is accepted, in bytes. A record is much shorter.
const LINE_BYTES_MAX: usize = 1024 * 1024;

/// Joins the chunks of a stream into events.
#[derive(Debug, Default)]
pub(super) struct EventParser {
    /// The incomplete line.
    line: Vec<u8>,
    /// The data lines of the incomplete event.
    data: Option<String>,
    /// The data of complete events.
    complete: VecDeque<String>,
}

/// Why bytes are not a stream of events.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum EventParseError {
    #[error("a line of the event stream is not UTF-8")]
    NotUtf8,
    #[error("a line of the event stream exceeds {LINE_BYTES_MAX} bytes")]
    LineTooLong,
}

// === impl EventParser ===

impl EventParser {
    /// Adds the next bytes of the stream. They may be split anywhere.
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

    /// The data of the next complete event.
    pub(super) fn next(&mut self) -> Option<String> {
        self.complete.pop_front()
    }

    fn append(&mut self, bytes: &[u8]) -> Result<(), EventParseError> {
        if self.line.len() + bytes.len() > LINE_BYTES_MAX {
            return Err(EventParseError::LineTooLong);
        }
        self.line.extend_from_slice(bytes);
        Ok(())
    }

    fn push_line(&mut self, line: &str) {
        let line = line.strip_suffix('\r').unwrap_or(line);
        if line.is_empty() {
            self.complete.extend(self.data.take());
            return;
        }
        // Comments are ignored. So are ids and names, because the data contains them.
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
    fn events_are_parsed_however_the_stream_is_split() {
        let stream = ": hello\n\nid: 1\nevent: loaded\ndata: {\"ä\":1}\n\nid: 2\r\ndata:a\r\ndata: b\r\n\r\ndata: unfinished\n";
        for size in 1..stream.len() {
            let mut parser = EventParser::default();
            for chunk in stream.as_bytes().chunks(size) {
                parser.push(chunk).unwrap();
            }
            assert_eq!(all(&mut parser), ["{\"ä\":1}", "a\nb"], "split into chunks of {size}");
        }
    }

    #[test]
    fn bytes_that_are_not_an_event_stream_are_an_error() {
        let mut parser = EventParser::default();
        assert_eq!(parser.push(b"data: \xff\n"), Err(EventParseError::NotUtf8));
        let mut parser = EventParser::default();
        parser.push(&vec![b'x'; LINE_BYTES_MAX]).unwrap();
        assert_eq!(parser.push(b"x"), Err(EventParseError::LineTooLong));
    }
}
