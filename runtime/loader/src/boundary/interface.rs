//! Typed interfaces: checks whether a file or an image matches the interface that a caller expects.

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

/// The interface that a caller was compiled with.
#[derive(Debug)]
pub struct Expected {
    name: String,
    methods: Vec<Method>,
    layouts: Arc<Layouts>,
}

/// The layouts that a caller was compiled with. They are in the caller's image, which may be a module; `None`
/// after they were revoked.
#[derive(Debug)]
pub(crate) struct Layouts(Mutex<Option<InterfaceRef>>);

/// Revokes layouts when it is dropped.
pub(crate) struct RevokeLayouts(Arc<Layouts>);

/// Why a version does not match the callers of one of its interfaces.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InterfaceMismatch {
    /// The version does not export the interface.
    #[error("it does not export the interface {interface}")]
    NotExported {
        /// The interface.
        interface: String,
    },
    /// A method is missing.
    #[error("interface {interface}: there is no method {method}")]
    NoMethod {
        /// The interface.
        interface: String,
        /// The method that is called.
        method: String,
    },
    /// Another method is in its position. The order of the methods is part of the interface.
    #[error(
        "interface {interface}: method {found} is in the position of {method}; keep the order of the methods"
    )]
    Moved {
        /// The interface.
        interface: String,
        /// The method that is called.
        method: String,
        /// The method in its position.
        found: String,
    },
    /// A method takes more or fewer arguments.
    #[error(
        "interface {interface}, method {method}: callers pass {expected} arguments, but it takes {found}"
    )]
    Arguments {
        /// The interface.
        interface: String,
        /// The method.
        method: String,
        /// The number of arguments that callers pass.
        expected: usize,
        /// The number of arguments that it takes.
        found: usize,
    },
    /// An argument or the return value has another type.
    #[error(
        "interface {interface}, method {method}: callers expect {part} to be {expected}, but it is {found}"
    )]
    Type {
        /// The interface.
        interface: String,
        /// The method.
        method: String,
        /// The part of the method: `the return type`, or `argument 2 (quantity)`.
        part: String,
        /// The type that the callers were compiled with.
        expected: String,
        /// The type that the version was compiled with.
        found: String,
    },
    /// An argument or the return value has the same description but another layout.
    #[error(
        "interface {interface}, method {method}: the layout of {part} differs from what callers expect: {reason}"
    )]
    Layout {
        /// The interface.
        interface: String,
        /// The method.
        method: String,
        /// The part of the method: `the return type`, or `argument 2 (quantity)`.
        part: String,
        /// The first differences that the layout check reports.
        reason: String,
    },
}

// === impl Layouts ===

impl Layouts {
    /// Their image is about to be unmapped. Waits for a check that uses them.
    fn revoke(&self) {
        *self.0.lock() = None;
    }
}

// === impl RevokeLayouts ===

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
    /// The interface that this program was compiled with.
    pub fn of<I: segue_interface::Interface>() -> Self {
        Expected::new(&I::INTERFACE)
    }

    /// The interface that a caller was compiled with whose image may be unmapped. A [`RevokeLayouts`] of its
    /// layouts must be dropped before that.
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

    /// Checks the metadata of a file, before any of its code runs.
    ///
    /// # Errors
    ///
    /// The first mismatch.
    pub fn check(&self, metadata: &Metadata) -> Result<(), InterfaceMismatch> {
        let found = metadata.interfaces.iter().find(|interface| interface.name == self.name);
        let Interface { methods, .. } = found.ok_or_else(|| self.not_exported())?;
        self.check_methods(methods)
    }

    /// Finds the functions of the interface in the exports of an image. Checks the description and the
    /// layouts first.
    pub(crate) fn find(&self, exports: &[ExportRef]) -> Result<*const MethodTable, InterfaceMismatch> {
        let found = exports.iter().find(|export| export.interface.name.as_str() == self.name);
        let export = found.ok_or_else(|| self.not_exported())?;
        self.check_methods(&methods(&export.interface))?;
        // Locked during the check, so the image with these layouts stays mapped.
        if let Some(expected) = &*self.layouts.0.lock() {
            self.check_layouts(expected, &export.interface)?;
        }
        Ok(export.table)
    }

    fn not_exported(&self) -> InterfaceMismatch {
        InterfaceMismatch::NotExported { interface: self.name.clone() }
    }

    /// Checks the methods. The interface that was found may have more methods at its end.
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

    /// Checks the layouts of interfaces whose descriptions match.
    fn check_layouts(&self, expected: &InterfaceRef, found: &InterfaceRef) -> Result<(), InterfaceMismatch> {
        // A new cache that lives no longer than the check, because it refers to both images.
        let cache = CheckingGlobals::new();
        for (expected, found) in expected.methods.iter().zip(found.methods.iter()) {
            let arguments = expected.arguments.iter().zip(found.arguments.iter());
            let arguments =
                arguments.map(|(expected, found)| (expected.name.as_str(), &expected.of, &found.of));
            for (part, expected_type, found_type) in parts(arguments, &expected.answer, &found.answer) {
                let checked =
                    check_layout_compatibility_with_globals(expected_type.layout, found_type.layout, &cache);
                checked.map_err(|errors| InterfaceMismatch::Layout {
                    interface: self.name.clone(),
                    method: expected.name.as_str().to_owned(),
                    part: part.to_string(),
                    // The errors refer to the images, so they are converted to text now.
                    reason: differences(&errors.to_string()),
                })?;
            }
        }
        Ok(())
    }
}

/// A part of a method.
enum Part<'a> {
    /// The index and the name.
    Argument(usize, &'a str),
    ReturnType,
}

impl fmt::Display for Part<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Part::Argument(at, name) => write!(f, "argument {} ({name})", at + 1),
            Part::ReturnType => write!(f, "the return type"),
        }
    }
}

/// All types of a method, as expected and as found.
fn parts<'a, T>(
    arguments: impl Iterator<Item = (&'a str, &'a T, &'a T)>,
    expected: &'a T,
    found: &'a T,
) -> impl Iterator<Item = (Part<'a>, &'a T, &'a T)> {
    let arguments = arguments.enumerate();
    let arguments =
        arguments.map(|(at, (name, expected, found))| (Part::Argument(at, name), expected, found));
    arguments.chain([(Part::ReturnType, expected, found)])
}

/// A copy of the description, which is in an image.
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
    fn revoked_layouts_are_not_used() {
        let expected = Expected::new(&InterfaceRef { name: "Pricing".into(), methods: (&[][..]).into() });
        let kept = expected.layouts().clone();
        assert!(kept.0.lock().is_some());
        drop(RevokeLayouts::of(expected.layouts()));
        assert!(kept.0.lock().is_none());
    }
}
