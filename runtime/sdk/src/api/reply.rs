//! The reply to one call.

use std::{fmt, io, marker::PhantomData};

use segue_abi::ReplyRef;

/// The reply that a module writes. Each piece goes directly to memory of the host.
///
/// It implements [`std::io::Write`] and [`std::fmt::Write`], for use with `write!` or
/// `serde_json::to_writer`. If the call ends with a fault or a panic, the host discards the reply.
pub struct Reply<'a> {
    raw: ReplyRef,
    call: PhantomData<&'a mut ReplyRef>,
}

impl Reply<'_> {
    /// # Safety
    ///
    /// `raw` must be the reply of a call that is in progress on this thread for as long as the value exists.
    pub(crate) unsafe fn new(raw: ReplyRef) -> Self {
        Reply { raw, call: PhantomData }
    }

    /// Sets the status. Without a call of this, it is 200.
    pub fn status(&mut self, status: u16) -> &mut Self {
        // SAFETY: the caller of `new` promised that the sink accepts this call's reply.
        unsafe { self.raw.vtable.status()(self.raw.sink, status) };
        self
    }

    /// Adds a header. The server omits a header that is not valid in HTTP, and logs that.
    pub fn header(&mut self, name: &str, value: impl AsRef<[u8]>) -> &mut Self {
        // SAFETY: as in `status`; both slices live until the function returns.
        unsafe { self.raw.vtable.header()(self.raw.sink, name.into(), value.as_ref().into()) };
        self
    }

    /// Appends bytes to the body.
    pub fn write(&mut self, bytes: &[u8]) -> &mut Self {
        // SAFETY: as in `header`.
        unsafe { self.raw.vtable.write()(self.raw.sink, bytes.into()) };
        self
    }

    /// Sets the content type to plain text, and appends the text to the body.
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
