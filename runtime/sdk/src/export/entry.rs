//! The functions of a module that the host calls.

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
    Fault,
    api::{Host, Module, Reply, Request, pools::end_hooks},
    boundary::attached,
    idle,
    interpose::{output, release, signals, thread_locals, timers},
    log::{own_logger, panic_hook, panics},
};

/// Name, version and interfaces of an exported module. The macro implements it.
///
/// # Safety
///
/// The tables of `INTERFACES` must be for a state of this type.
pub unsafe trait Identity: Sized {
    /// The module's name.
    const NAME: &'static str;
    /// The module's version.
    const VERSION: &'static str;
    /// The interfaces that the module exports.
    const INTERFACES: &'static [ExportRef];
}

/// The header that `abi_stable` looks up in the file: the layout of the root module, and the function that
/// makes it.
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
        detach_thread: thread_locals::detach_thread,
        audit: release::audit,
        release: release::release,
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
    // Before the host is attached, because a thread that starts from then on unblocks this signal.
    idle::set_wake_signal(host.wake_signal);
    // SAFETY: the host promises this (segue_abi::ModuleRoot).
    unsafe { attached::attach(host, panics::report_if_missed) };
    signals::install_pending();
    own_logger::set_author_crate(type_name::<M>());
    panic_hook::install();
    own_logger::install();
}

pub(crate) unsafe extern "C" fn on_load<M: Module + Identity>(
    reply: ReplyRef,
    state: &mut *mut ModuleState,
) -> Outcome {
    let outcome = panics::catch(|| {
        let generation = attached::host().map_or(0, |host| host.generation);
        // Prevents inlining, so that a backtrace of a release build names `on_load` as a function of the
        // author.
        let on_load: fn(&Host) -> Result<M, Fault> = black_box(M::on_load);
        match on_load(&Host::new(M::NAME, M::VERSION, generation)) {
            Ok(module) => {
                *state = Box::into_raw(Box::new(module)).cast();
                Outcome::Done
            }
            Err(fault) => {
                // SAFETY: `reply` was made for this call.
                let mut reply = unsafe { Reply::new(reply) };
                set_fault(&mut reply, &own_logger::explain_fault(fault))
            }
        }
    });
    if outcome != Outcome::Done {
        // There is no value whose drop would end them.
        end_hooks::end_all();
        timers::delete_all();
    }
    outcome
}

pub(crate) unsafe extern "C" fn handle<M: Module>(
    state: *const ModuleState,
    request: &RequestRef<'_>,
    reply: ReplyRef,
) -> Outcome {
    panics::catch(|| {
        // SAFETY: until `unload`, the host passes the pointer that `on_load` made.
        let module = unsafe { &*state.cast::<M>() };
        // SAFETY: `reply` was made for this call.
        let mut reply = unsafe { Reply::new(reply) };
        match module.handle(&Request::new(request), &mut reply) {
            Ok(()) => Outcome::Done,
            Err(fault) => set_fault(&mut reply, &fault),
        }
    })
}

pub(crate) unsafe extern "C" fn unload<M: Module>(state: *mut ModuleState) -> Outcome {
    let outcome = panics::catch(|| {
        // SAFETY: the host passes the pointer that `on_load` made, once, when no call can reach the value any
        // more.
        drop(unsafe { Box::from_raw(state.cast::<M>()) });
        Outcome::Done
    });
    // After the value's `Drop`, which may use them.
    end_hooks::end_all();
    timers::delete_all();
    outcome
}

fn set_fault(reply: &mut Reply<'_>, fault: &Fault) -> Outcome {
    reply.fault(fault.text());
    Outcome::Fault
}
