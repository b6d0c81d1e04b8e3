//! The macro that makes a crate a module, and the functions that the host then calls.

use std::{any::type_name, hint::black_box};

use segue_abi::{
    ExportRef, HostRef, ModuleRoot, ModuleRootRef, ModuleState, Outcome, ReplyRef, RequestRef,
    abi_stable::{
        library::{__call_root_module_loader, CheckTypeLayout, LibHeader, RootModuleResult},
        prefix_type::PrefixTypeTrait,
        std_types::RSlice,
    },
};

use crate::{
    Fault, Host, Module, Reply, Request, hook, host, idle, interpose, output, own_logger, panics, pools,
    signals, timers,
};

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

/// Who an exported module is; the macro implements it.
///
/// # Safety
///
/// The tables of `INTERFACES` are for a state of this type.
pub unsafe trait Identity: Sized {
    /// The module's name.
    const NAME: &'static str;
    /// The module's version.
    const VERSION: &'static str;
    /// The interfaces that it exports.
    const INTERFACES: &'static [ExportRef];
}

/// What `abi_stable` looks for in the file: the layout of the root module, and the function that makes it.
pub const fn header<M: Module + Identity>() -> LibHeader {
    // SAFETY: `construct` returns the erased reference that abi_stable itself made from a `ModuleRootRef`.
    unsafe { LibHeader::from_constructor::<ModuleRootRef>(construct::<M>, CheckTypeLayout::Yes) }
}

extern "C" fn construct<M: Module + Identity>() -> RootModuleResult {
    __call_root_module_loader(root::<M>)
}

fn root<M: Module + Identity>() -> ModuleRootRef {
    ModuleRoot {
        attach: attach::<M>,
        on_load: on_load::<M>,
        handle: handle::<M>,
        unload: unload::<M>,
        detach_thread: interpose::detach_thread,
        audit: interpose::audit,
        release: interpose::release,
        interfaces: interfaces::<M>,
        flush_output: output::flush,
        end_idle_threads: idle::end_idle_threads,
    }
    .leak_into_prefix()
}

unsafe extern "C" fn interfaces<M: Identity>() -> RSlice<'static, ExportRef> {
    M::INTERFACES.into()
}

unsafe extern "C" fn attach<M>(host: HostRef) {
    // SAFETY: that is what the host promises (segue_abi::ModuleRoot).
    unsafe { host::attach(host) };
    signals::install_pending();
    own_logger::author(type_name::<M>());
    hook::restore();
    own_logger::install();
}

pub(crate) unsafe extern "C" fn on_load<M: Module + Identity>(
    reply: ReplyRef,
    state: &mut *mut ModuleState,
) -> Outcome {
    let outcome = panics::contain(|| {
        let generation = host::attached().map_or(0, |host| host.generation);
        // Not inlined in here: a backtrace of a release build then names it as the author's function.
        let on_load: fn(&Host) -> Result<M, Fault> = black_box(M::on_load);
        match on_load(&Host::new(M::NAME, M::VERSION, generation)) {
            Ok(module) => {
                *state = Box::into_raw(Box::new(module)).cast();
                Outcome::Done
            }
            Err(fault) => {
                // SAFETY: the call for which `reply` was made is this one.
                let mut reply = unsafe { Reply::new(reply) };
                tell(&mut reply, &own_logger::explain_fault(fault))
            }
        }
    });
    if outcome != Outcome::Done {
        // There is no value that could end them.
        pools::end_all();
        timers::end_all();
    }
    outcome
}

pub(crate) unsafe extern "C" fn handle<M: Module>(
    state: *const ModuleState,
    request: &RequestRef<'_>,
    reply: ReplyRef,
) -> Outcome {
    panics::contain(|| {
        // SAFETY: the host hands back what `on_load` made, until `unload`.
        let module = unsafe { &*state.cast::<M>() };
        // SAFETY: the call for which `reply` was made is this one.
        let mut reply = unsafe { Reply::new(reply) };
        match module.handle(&Request::new(request), &mut reply) {
            Ok(()) => Outcome::Done,
            Err(fault) => tell(&mut reply, &fault),
        }
    })
}

pub(crate) unsafe extern "C" fn unload<M: Module>(state: *mut ModuleState) -> Outcome {
    let outcome = panics::contain(|| {
        // SAFETY: the host hands back what `on_load` made, once, when no call can reach it any more.
        drop(unsafe { Box::from_raw(state.cast::<M>()) });
        Outcome::Done
    });
    // After the value's own `Drop`, which may use them.
    pools::end_all();
    timers::end_all();
    outcome
}

fn tell(reply: &mut Reply<'_>, fault: &Fault) -> Outcome {
    reply.fault(fault.text());
    Outcome::Fault
}
