//! The macro that makes a crate a module.

/// Makes this crate a module, whose logic is the given type. Name and version are those of `Cargo.toml`.
///
/// Where the environment variable `SEGUE_MODULE_VERSION` is set while the module is compiled, its value is the version
/// instead, so that a pipeline can stamp every build without touching a file.
///
/// It is used once, in a crate whose `Cargo.toml` says `crate-type = ["cdylib"]`.
///
/// Typed interfaces that the type provides are named behind it, any number of them. What they are is told by
/// `segue-interface`, on which the crate that defines them depends.
///
/// ```text
/// impl ProvidePricing for Shop { … }
/// impl ProvideStock for Shop { … }
///
/// export_module!(Shop, interfaces = [Pricing, Stock]);
/// ```
///
/// A module that is `sticky` asks not to be replaced: a load of another version, and a delete, are refused, until somebody says
/// `segue unstick`. It counts from the module's first load on; what somebody said with `segue stick` or `segue unstick` goes before
/// it.
///
/// ```text
/// export_module!(Shop, sticky);
/// export_module!(Shop, sticky, interfaces = [Pricing, Stock]);
/// ```
#[macro_export]
macro_rules! export_module {
    ($module:ty $(,)?) => {
        $crate::__export_module!($module, "false", []);
    };
    ($module:ty, sticky $(,)?) => {
        $crate::__export_module!($module, "true", []);
    };
    ($module:ty, interfaces = [$($interfaces:tt)*] $(,)?) => {
        $crate::__export_module!($module, "false", [$($interfaces)*]);
    };
    ($module:ty, sticky, interfaces = [$($interfaces:tt)*] $(,)?) => {
        $crate::__export_module!($module, "true", [$($interfaces)*]);
    };
    ($module:ty, interfaces = [$($interfaces:tt)*], sticky $(,)?) => {
        $crate::__export_module!($module, "true", [$($interfaces)*]);
    };
}

/// What [`export_module!`](crate::export_module) writes, with all that can be said to it.
#[doc(hidden)]
#[macro_export]
macro_rules! __export_module {
    ($module:ty, $sticky:literal, [$($first:path $(, $interface:path)* $(,)?)?]) => {
        const _: () = {
            #[cfg(not(panic = "unwind"))]
            compile_error!(
                "a segue module must be built with panic = \"unwind\": a panic has to stay inside its call"
            );

            use $crate::__private::metadata;

            const NAME: &str = metadata::name(env!("CARGO_PKG_NAME"));
            const VERSION: &str =
                metadata::version(option_env!("SEGUE_MODULE_VERSION"), env!("CARGO_PKG_VERSION"));
            const PARTS: &[&str] = &[
                "{\"name\":\"",
                NAME,
                "\",\"version\":\"",
                VERSION,
                "\",\"abi\":",
                metadata::REVISION,
                ",\"compiler\":\"",
                metadata::COMPILER,
                "\",\"interfaces\":[",
                $(
                    <$first as $crate::__private::Interface>::METADATA,
                    $(",", <$interface as $crate::__private::Interface>::METADATA,)*
                )?
                "],\"state_schema\":null,\"sticky\":",
                $sticky,
                ",\"unload\":",
                $crate::__private::manifest::unload(include_str!(concat!(
                    env!("CARGO_MANIFEST_DIR"),
                    "/Cargo.toml"
                ))),
                "}",
            ];

            // Exported, so that no linker drops it as unused.
            #[unsafe(export_name = "segue_module_metadata")]
            #[unsafe(link_section = ".segue")]
            static METADATA: [u8; metadata::section_len(PARTS)] = metadata::section(PARTS);

            // The name under which abi_stable looks for a root module.
            #[unsafe(export_name = "_1as_0lib_1header_0root_bmodule_bloader")]
            static HEADER: $crate::__private::LibHeader = $crate::__private::header::<$module>();

            // SAFETY: each table is asked for by this type.
            unsafe impl $crate::__private::Identity for $module {
                const NAME: &'static str = NAME;
                const VERSION: &'static str = VERSION;
                const INTERFACES: &'static [$crate::__private::ExportRef] = &[$(
                    $crate::__private::export::<$first, $module>()
                    $(, $crate::__private::export::<$interface, $module>())*
                )?];
            }
        };

        // A test of this crate runs without a host, and needs memory and libc as they are.
        #[cfg(not(test))]
        #[global_allocator]
        static __SEGUE_ALLOCATOR: $crate::__private::ModuleAllocator = $crate::__private::ModuleAllocator;

        // In a module of its own: `global_asm!` is refused in a function's body, as of a doctest.
        #[cfg(not(test))]
        mod __segue_symbols {
            $crate::__stand_in!();
        }
    };
}
