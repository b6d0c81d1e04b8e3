//! The macro that makes a crate a module.

/// Makes this crate a module whose logic is the given type. Name and version are those of `Cargo.toml`.
///
/// Use it once, in a crate with `crate-type = ["cdylib"]`.
///
/// A build can set another version with the environment variable `SEGUE_MODULE_VERSION`. A pipeline can thus
/// stamp each build without changing a file.
///
/// # Typed interfaces
///
/// List any number of typed interfaces that the type provides. The crate that defines them depends on
/// `segue-interface`, which describes them.
///
/// ```text
/// impl ProvidePricing for Shop { … }
/// impl ProvideStock for Shop { … }
///
/// export_module!(Shop, interfaces = [Pricing, Stock]);
/// ```
///
/// # Sticky modules
///
/// A `sticky` module asks not to be replaced. The runtime refuses to load another version, and to delete the
/// module, until an operator runs `segue unstick`. The setting applies from the first load of the module.
/// `segue stick` and `segue unstick` take precedence over it.
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

/// The expansion of [`export_module!`](crate::export_module), with all options given.
#[doc(hidden)]
#[macro_export]
macro_rules! __export_module {
    ($module:ty, $sticky:literal, [$($first:path $(, $interface:path)* $(,)?)?]) => {
        const _: () = {
            #[cfg(not(panic = "unwind"))]
            compile_error!(
                "a segue module must be built with panic = \"unwind\", so that a panic fails only its call; \
                 remove the `panic` setting from the profile in Cargo.toml"
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
                $crate::__private::manifest::unload_promise(include_str!(concat!(
                    env!("CARGO_MANIFEST_DIR"),
                    "/Cargo.toml"
                ))),
                "}",
            ];

            // Exported, so that no linker discards it as unused.
            #[unsafe(export_name = "segue_module_metadata")]
            #[unsafe(link_section = ".segue")]
            static METADATA: [u8; metadata::section_len(PARTS)] = metadata::section(PARTS);

            // The name that abi_stable looks up to find a root module.
            #[unsafe(export_name = "_1as_0lib_1header_0root_bmodule_bloader")]
            static HEADER: $crate::__private::LibHeader = $crate::__private::header::<$module>();

            // SAFETY: each table is requested for this type.
            unsafe impl $crate::__private::Identity for $module {
                const NAME: &'static str = NAME;
                const VERSION: &'static str = VERSION;
                const INTERFACES: &'static [$crate::__private::ExportRef] = &[$(
                    $crate::__private::export::<$first, $module>()
                    $(, $crate::__private::export::<$interface, $module>())*
                )?];
            }
        };

        // Not in a test of this crate: it runs without a host, and needs the unchanged allocator and libc.
        #[cfg(not(test))]
        #[global_allocator]
        static __SEGUE_ALLOCATOR: $crate::__private::ModuleAllocator = $crate::__private::ModuleAllocator;

        // In a separate module, because `global_asm!` is not allowed in the body of a function, such as that
        // of a doctest.
        #[cfg(not(test))]
        mod __segue_symbols {
            $crate::__replace_libc!();
        }
    };
}
