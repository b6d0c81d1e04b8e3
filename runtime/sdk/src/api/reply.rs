//! What a call answers.

use std::{fmt, io, marker::PhantomData};

use segue_abi::ReplyRef;

/// Where a module writes its answer: every piece goes straight into memory of the host.
///
/// It implements [`std::io::Write`] and [`std::fmt::Write`], so that `write!` and, for instance, `serde_json::to_writer`
/// work. Where the call ends in a fault or a panic, what was written is thrown away.
pub struct Reply<'a> {
    raw: ReplyRef,
    call: PhantomData<&'a mut ReplyRef>,
}

impl Reply<'_> {
    /// # Safety
    ///
    /// `raw` must be the reply of a call that goes on, on this thread, for as long as the value exists.
    pub(crate) unsafe fn new(raw: ReplyRef) -> Self {
        Reply { raw, call: PhantomData }
    }

    /// Sets the status; it is 200 where this is never called.
    pub fn status(&mut self, status: u16) -> &mut Self {
        // SAFETY: `new` was promised that the sink takes this call's answer.
        unsafe { self.raw.vtable.status()(self.raw.sink, status) };
        self
    }

    /// Adds a header. One that is no valid HTTP header is left out by the server, which says so in its log.
    pub fn header(&mut self, name: &str, value: impl AsRef<[u8]>) -> &mut Self {
        // SAFETY: as in `status`; both slices live until the function returns.
        unsafe { self.raw.vtable.header()(self.raw.sink, name.into(), value.as_ref().into()) };
        self
    }

    /// Appends to the body.
    pub fn write(&mut self, bytes: &[u8]) -> &mut Self {
        // SAFETY: as in `header`.
        unsafe { self.raw.vtable.write()(self.raw.sink, bytes.into()) };
        self
    }

    /// Answers with text: sets the content type, and appends the text to the body.
    pub fn text(&mut self, text: &str) -> &mut Self {
        self.header("content-type", "text/plain; charset=utf-8").write(text.as_bytes())
    }

    pub(crate) fn fault(&mut self, text: &str) {
        // SAFETY: as in `header`.
        unsafe { self.raw.vtable.fault()(self.raw.sink, text.into()) }
    }
}

impl io::Write for Reply<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Reply::write(self, bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl fmt::Write for Reply<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.write(text.as_bytes());
        Ok(())
    }
}
