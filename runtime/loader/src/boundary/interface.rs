//! Typed interfaces: what a caller expects of one, and whether a file or an image has it.

use std::{fmt, sync::Arc};

use parking_lot::Mutex;
use segue_abi::{
    ExportRef, InterfaceRef, MethodRef, MethodTable, TypeRef,
    abi_stable::abi_stability::abi_checking::{CheckingGlobals, check_layout_compatibility_with_globals},
};

use crate::{
    boundary::layout_report::differences,
    file::metadata::{Argument, Interface, Metadata, Method, Type},
};

/// What a caller expects of an interface: what it was compiled with.
#[derive(Debug)]
pub struct Expected {
    name: String,
    methods: Vec<Method>,
    layouts: Arc<Layouts>,
}

/// The layouts that a caller was compiled with. They lie in its image, which may be a module's: none when that has gone.
#[derive(Debug)]
pub(crate) struct Layouts(Mutex<Option<InterfaceRef>>);

/// Ends layouts when it is dropped.
pub(crate) struct RevokeLayouts(Arc<Layouts>);

/// Why a version does not fit those who call one of its interfaces.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InterfaceMismatch {
    /// It does not export the interface.
    #[error("it does not export the interface {interface}")]
    NotExported {
        /// The interface.
        interface: String,
    },
    /// A method is not there.
    #[error("interface {interface}: there is no method {method}")]
    NoMethod {
        /// The interface.
        interface: String,
        /// The method that is called.
        method: String,
    },
    /// Another method has its place: the order is part of the interface.
    #[error("interface {interface}: method {found} is where callers expect {method}")]
    Moved {
        /// The interface.
        interface: String,
        /// The method that is called.
        method: String,
        /// The method that has its place.
        found: String,
    },
    /// A method takes more or fewer arguments.
    #[error(
        "interface {interface}, method {method}: callers hand over {expected} arguments, and it takes {found}"
    )]
    Arguments {
        /// The interface.
        interface: String,
        /// The method.
        method: String,
        /// How many callers hand over.
        expected: usize,
        /// How many it takes.
        found: usize,
    },
    /// An argument or the answer has another type.
    #[error("interface {interface}, method {method}: {part} is {expected} for callers, and {found} here")]
    Type {
        /// The interface.
        interface: String,
        /// The method.
        method: String,
        /// Which part: `the answer`, or `argument 2 (quantity)`.
        part: String,
        /// The type that callers were compiled with.
        expected: String,
        /// The type that it was compiled with.
        found: String,
    },
    /// An argument or the answer has the same description and another layout.
    #[error(
        "interface {interface}, method {method}: {part} has another layout than callers expect: {reason}"
    )]
    Layout {
        /// The interface.
        interface: String,
        /// The method.
        method: String,
        /// Which part: `the answer`, or `argument 2 (quantity)`.
        part: String,
        /// The first differences, as the layout check tells them.
        reason: String,
    },
}

// === impl Layouts ===

impl Layouts {
    /// The image that they lie in is about to go. Waits for a check that is looking at them.
    fn revoke(&self) {
        *self.0.lock() = None;
    }
}

// === impl Ending ===

impl RevokeLayouts {
    pub(crate) fn of(layouts: &Arc<Layouts>) -> Self {
        RevokeLayouts(layouts.clone())
    }

    pub(crate) fn layouts(&self) -> &Arc<Layouts> {
        &self.0
    }
}

impl Drop for RevokeLayouts {
    fn drop(&mut self) {
        self.0.revoke();
    }
}

// === impl Expected ===

impl Expected {
    /// What this program was compiled with.
    pub fn of<I: segue_interface::Interface>() -> Self {
        Expected::new(&I::INTERFACE)
    }

    /// What somebody was compiled with whose image may go: an [`RevokeLayouts`] of the layouts is to be dropped before.
    pub(crate) fn new(interface: &InterfaceRef) -> Self {
        Expected {
            name: interface.name.as_str().to_owned(),
            methods: methods(interface),
            layouts: Arc::new(Layouts(Mutex::new(Some(*interface)))),
        }
    }

    pub(crate) fn layouts(&self) -> &Arc<Layouts> {
        &self.layouts
    }

    /// The interface's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Checks what a file says of itself, before anything of it runs.
    ///
    /// # Errors
    ///
    /// The first thing that does not fit.
    pub fn check(&self, metadata: &Metadata) -> Result<(), InterfaceMismatch> {
        let found = metadata.interfaces.iter().find(|interface| interface.name == self.name);
        let Interface { methods, .. } = found.ok_or_else(|| self.not_exported())?;
        self.check_methods(methods)
    }

    /// The functions of the interface, among all that an image exports, after description and layouts were checked.
    pub(crate) fn find(&self, exports: &[ExportRef]) -> Result<*const MethodTable, InterfaceMismatch> {
        let found = exports.iter().find(|export| export.interface.name.as_str() == self.name);
        let export = found.ok_or_else(|| self.not_exported())?;
        self.check_methods(&methods(&export.interface))?;
        // Held for the whole check: whose layouts these are cannot leave memory meanwhile.
        if let Some(expected) = &*self.layouts.0.lock() {
            self.check_layouts(expected, &export.interface)?;
        }
        Ok(export.table)
    }

    fn not_exported(&self) -> InterfaceMismatch {
        InterfaceMismatch::NotExported { interface: self.name.clone() }
    }

    /// What is found may go on where what is expected ends.
    fn check_methods(&self, found: &[Method]) -> Result<(), InterfaceMismatch> {
        let interface = || self.name.clone();
        for (at, expected) in self.methods.iter().enumerate() {
            let method = expected.name.clone();
            let found = match found.get(at) {
                Some(found) if found.name == expected.name => found,
                Some(other) if found.iter().any(|found| found.name == expected.name) => {
                    let found = other.name.clone();
                    return Err(InterfaceMismatch::Moved { interface: interface(), method, found });
                }
                _ => return Err(InterfaceMismatch::NoMethod { interface: interface(), method }),
            };
            if found.arguments.len() != expected.arguments.len() {
                let (expected, found) = (expected.arguments.len(), found.arguments.len());
                return Err(InterfaceMismatch::Arguments { interface: interface(), method, expected, found });
            }
            let arguments = expected.arguments.iter().zip(&found.arguments);
            let arguments =
                arguments.map(|(expected, found)| (expected.name.as_str(), &expected.of, &found.of));
            for (part, expected, found) in parts(arguments, &expected.answer, &found.answer) {
                if expected.fingerprint != found.fingerprint {
                    let (expected, found) = (expected.to_string(), found.to_string());
                    let (interface, part) = (interface(), part.to_string());
                    return Err(InterfaceMismatch::Type { interface, method, part, expected, found });
                }
            }
        }
        Ok(())
    }

    /// For interfaces whose descriptions fit.
    fn check_layouts(&self, expected: &InterfaceRef, found: &InterfaceRef) -> Result<(), InterfaceMismatch> {
        // A memory of its own, and no longer than the check: it refers to both images.
        let memory = CheckingGlobals::new();
        for (expected, found) in expected.methods.iter().zip(found.methods.iter()) {
            let arguments = expected.arguments.iter().zip(found.arguments.iter());
            let arguments =
                arguments.map(|(expected, found)| (expected.name.as_str(), &expected.of, &found.of));
            for (part, expected_type, found_type) in parts(arguments, &expected.answer, &found.answer) {
                let checked =
                    check_layout_compatibility_with_globals(expected_type.layout, found_type.layout, &memory);
                checked.map_err(|errors| InterfaceMismatch::Layout {
                    interface: self.name.clone(),
                    method: expected.name.as_str().to_owned(),
                    part: part.to_string(),
                    // It refers to the images, so it becomes text now.
                    reason: differences(&errors.to_string()),
                })?;
            }
        }
        Ok(())
    }
}

/// Which part of a method.
enum Part<'a> {
    /// By number from 0, and name.
    Argument(usize, &'a str),
    Answer,
}

impl fmt::Display for Part<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Part::Argument(at, name) => write!(f, "argument {} ({name})", at + 1),
            Part::Answer => write!(f, "the answer"),
        }
    }
}

/// All types of a method, as they are expected and as they are found.
fn parts<'a, T>(
    arguments: impl Iterator<Item = (&'a str, &'a T, &'a T)>,
    expected: &'a T,
    found: &'a T,
) -> impl Iterator<Item = (Part<'a>, &'a T, &'a T)> {
    let arguments = arguments.enumerate();
    let arguments =
        arguments.map(|(at, (name, expected, found))| (Part::Argument(at, name), expected, found));
    arguments.chain([(Part::Answer, expected, found)])
}

/// The description, out of the image that it lies in.
fn methods(interface: &InterfaceRef) -> Vec<Method> {
    let of = |of: &TypeRef| Type {
        name: of.name.as_str().to_owned(),
        definition: of.definition.as_str().to_owned(),
        fingerprint: format!("{:016x}", of.fingerprint),
    };
    let method = |method: &MethodRef| Method {
        name: method.name.as_str().to_owned(),
        arguments: (method.arguments.iter())
            .map(|argument| Argument { name: argument.name.as_str().to_owned(), of: of(&argument.of) })
            .collect(),
        answer: of(&method.answer),
    };
    interface.methods.iter().map(method).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layouts_are_not_looked_at_when_their_end_was_dropped_whoever_has_them() {
        let expected = Expected::new(&InterfaceRef { name: "Pricing".into(), methods: (&[][..]).into() });
        let kept = expected.layouts().clone();
        assert!(kept.0.lock().is_some());
        drop(RevokeLayouts::of(expected.layouts()));
        assert!(kept.0.lock().is_none());
    }
}
