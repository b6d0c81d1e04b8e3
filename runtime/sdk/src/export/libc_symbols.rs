//! The functions of libc that a module replaces, and the replacement for each.

/// Defines all replacements in the crate that is a module.
#[doc(hidden)]
#[macro_export]
macro_rules! __replace_libc {
    () => {
        $crate::__define_symbols! {
            "__cxa_thread_atexit_impl" => cxa_thread_atexit,
            "__cxa_thread_atexit" => cxa_thread_atexit,
            "pthread_key_create" => pthread_key_create,
            "pthread_key_delete" => pthread_key_delete,
            "pthread_create" => pthread_create,
            "thrd_create" => thrd_create,
            "sigaction" => sigaction,
            "__sigaction" => sigaction,
            "sysv_signal" => sysv_signal,
            "__sysv_signal" => sysv_signal,
            "sigset" => sigset,
            "sigignore" => sigignore,
            "signal" => signal,
            "bsd_signal" => signal,
            "ssignal" => signal,
            "open" => open,
            "open64" => open,
            "openat" => openat,
            "openat64" => openat,
            "creat" => creat,
            "creat64" => creat,
            "socket" => socket,
            "socketpair" => socketpair,
            "accept" => accept,
            "accept4" => accept4,
            "pipe" => pipe,
            "pipe2" => pipe2,
            "dup" => dup,
            "dup2" => dup2,
            "dup3" => dup3,
            "fcntl" => fcntl,
            "fcntl64" => fcntl,
            "eventfd" => eventfd,
            "epoll_create" => epoll_create,
            "epoll_create1" => epoll_create1,
            "timerfd_create" => timerfd_create,
            "signalfd" => signalfd,
            "inotify_init" => inotify_init,
            "inotify_init1" => inotify_init1,
            "memfd_create" => memfd_create,
            "close" => close,
            "syscall" => syscall,
            "nanosleep" => nanosleep,
            "clock_nanosleep" => clock_nanosleep,
            "sleep" => sleep,
            "usleep" => usleep,
            "poll" => poll,
            "ppoll" => ppoll,
            "epoll_wait" => epoll_wait,
            "epoll_pwait" => epoll_pwait,
            "select" => select,
            "epoll_pwait2" => epoll_pwait2,
            "pselect" => pselect,
            "waitpid" => waitpid,
            "wait4" => wait4,
            "waitid" => waitid,
            "putenv" => putenv,
            "read" => read,
            "recv" => recv,
            "recvfrom" => recvfrom,
            "recvmsg" => recvmsg,
            "pause" => pause,
            "sigsuspend" => sigsuspend,
            "pthread_sigmask" => pthread_sigmask,
            "sigprocmask" => sigprocmask,
            "sigwait" => sigwait,
            "sigwaitinfo" => sigwaitinfo,
            "sigtimedwait" => sigtimedwait,
            "pthread_cond_wait" => pthread_cond_wait,
            "pthread_cond_timedwait" => pthread_cond_timedwait,
            "pthread_cond_clockwait" => pthread_cond_clockwait,
            "cnd_wait" => cnd_wait,
            "cnd_timedwait" => cnd_timedwait,
            "sem_wait" => sem_wait,
            "sem_timedwait" => sem_timedwait,
            "pthread_join" => pthread_join,
            "thrd_join" => thrd_join,
            "pthread_exit" => pthread_exit,
            "thrd_exit" => thrd_exit,
            "pthread_cancel" => pthread_cancel,
            "pthread_detach" => pthread_detach,
            "thrd_detach" => pthread_detach,
            "timer_create" => timer_create,
            "timer_delete" => timer_delete,
            "on_exit" => on_exit,
            "__cxa_at_quick_exit" => cxa_at_quick_exit,
            "exit" => exit,
            "mmap" => mmap,
            "mmap64" => mmap,
            "munmap" => munmap,
            "mremap" => mremap,
        }
    };
}

/// Defines hidden symbols that jump to the given replacements.
///
/// The symbols must be defined in the `cdylib` crate, so the macro emits them there. `std` in the module
/// binds to them when the file is linked. They are invisible outside the file.
#[doc(hidden)]
#[macro_export]
macro_rules! __define_symbols {
    ($($symbol:literal => $function:ident),* $(,)?) => {
        $(
            #[cfg(target_arch = "x86_64")]
            $crate::__private::global_asm!(
                concat!(".globl ", $symbol),
                concat!(".hidden ", $symbol),
                concat!(".type ", $symbol, ",@function"),
                concat!($symbol, ":"),
                "jmp {}",
                sym $crate::__private::replacements::$function
            );
            #[cfg(target_arch = "aarch64")]
            $crate::__private::global_asm!(
                concat!(".globl ", $symbol),
                concat!(".hidden ", $symbol),
                concat!(".type ", $symbol, ",@function"),
                concat!($symbol, ":"),
                "b {}",
                sym $crate::__private::replacements::$function
            );
        )*
    };
}
