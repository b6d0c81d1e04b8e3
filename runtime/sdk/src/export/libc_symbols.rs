//! The functions of libc that the SDK stands in for in a module, and what each leads to.

/// Stands in for them in the crate that is a module.
#[doc(hidden)]
#[macro_export]
macro_rules! __replace_libc {
    () => {
        $crate::__interpose! {
            "__cxa_thread_atexit_impl" => $crate::__private::thread_atexit,
            "__cxa_thread_atexit" => $crate::__private::thread_atexit,
            "pthread_key_create" => $crate::__private::key_create,
            "pthread_key_delete" => $crate::__private::key_delete,
            "pthread_create" => $crate::__private::thread_create,
            "thrd_create" => $crate::__private::c_thread_create,
            "sigaction" => $crate::__private::signal_action,
            "__sigaction" => $crate::__private::signal_action,
            "sysv_signal" => $crate::__private::signal_once,
            "__sysv_signal" => $crate::__private::signal_once,
            "sigset" => $crate::__private::signal_set,
            "sigignore" => $crate::__private::signal_ignore,
            "signal" => $crate::__private::signal,
            "bsd_signal" => $crate::__private::signal,
            "ssignal" => $crate::__private::signal,
            "open" => $crate::__private::descriptors::open,
            "open64" => $crate::__private::descriptors::open,
            "openat" => $crate::__private::descriptors::open_at,
            "openat64" => $crate::__private::descriptors::open_at,
            "creat" => $crate::__private::descriptors::create,
            "creat64" => $crate::__private::descriptors::create,
            "socket" => $crate::__private::descriptors::socket,
            "socketpair" => $crate::__private::descriptors::socket_pair,
            "accept" => $crate::__private::descriptors::accept,
            "accept4" => $crate::__private::descriptors::accept_with,
            "pipe" => $crate::__private::descriptors::pipe,
            "pipe2" => $crate::__private::descriptors::pipe_with,
            "dup" => $crate::__private::descriptors::duplicate,
            "dup2" => $crate::__private::descriptors::duplicate_to,
            "dup3" => $crate::__private::descriptors::duplicate_with,
            "fcntl" => $crate::__private::descriptors::control,
            "fcntl64" => $crate::__private::descriptors::control,
            "eventfd" => $crate::__private::descriptors::event,
            "epoll_create" => $crate::__private::descriptors::epoll_sized,
            "epoll_create1" => $crate::__private::descriptors::epoll,
            "timerfd_create" => $crate::__private::descriptors::timer,
            "signalfd" => $crate::__private::descriptors::signals,
            "inotify_init" => $crate::__private::descriptors::watch,
            "inotify_init1" => $crate::__private::descriptors::watch_with,
            "memfd_create" => $crate::__private::descriptors::memory,
            "close" => $crate::__private::descriptors::close,
            "syscall" => $crate::__private::waits::system_call,
            "nanosleep" => $crate::__private::waits::nanosleep,
            "clock_nanosleep" => $crate::__private::waits::clock_nanosleep,
            "sleep" => $crate::__private::waits::sleep,
            "usleep" => $crate::__private::waits::usleep,
            "poll" => $crate::__private::waits::poll,
            "ppoll" => $crate::__private::waits::poll_masked,
            "epoll_wait" => $crate::__private::waits::epoll_wait,
            "epoll_pwait" => $crate::__private::waits::epoll_wait_masked,
            "select" => $crate::__private::waits::select,
            "epoll_pwait2" => $crate::__private::waits::epoll_wait_time,
            "pselect" => $crate::__private::waits::select_masked,
            "waitpid" => $crate::__private::waits::child_wait,
            "wait4" => $crate::__private::waits::child_wait_usage,
            "waitid" => $crate::__private::waits::child_wait_info,
            "putenv" => $crate::__private::put_environment,
            "read" => $crate::__private::waits::read,
            "recv" => $crate::__private::waits::receive,
            "recvfrom" => $crate::__private::waits::receive_from,
            "recvmsg" => $crate::__private::waits::receive_message,
            "pause" => $crate::__private::waits::pause,
            "sigsuspend" => $crate::__private::waits::suspend,
            "pthread_sigmask" => $crate::__private::waits::thread_mask,
            "sigprocmask" => $crate::__private::waits::process_mask,
            "sigwait" => $crate::__private::waits::signal_wait,
            "sigwaitinfo" => $crate::__private::waits::signal_wait_info,
            "sigtimedwait" => $crate::__private::waits::signal_wait_time,
            "pthread_cond_wait" => $crate::__private::waits::condition_wait,
            "pthread_cond_timedwait" => $crate::__private::waits::condition_wait_time,
            "pthread_cond_clockwait" => $crate::__private::waits::condition_wait_clock,
            "cnd_wait" => $crate::__private::waits::c_condition_wait,
            "cnd_timedwait" => $crate::__private::waits::c_condition_wait_time,
            "sem_wait" => $crate::__private::waits::semaphore_wait,
            "sem_timedwait" => $crate::__private::waits::semaphore_wait_time,
            "pthread_join" => $crate::__private::waits::thread_join,
            "thrd_join" => $crate::__private::waits::c_thread_join,
            "pthread_exit" => $crate::__private::waits::thread_exit,
            "thrd_exit" => $crate::__private::waits::c_thread_exit,
            "pthread_cancel" => $crate::__private::waits::thread_cancel,
            "pthread_detach" => $crate::__private::waits::thread_detach,
            "thrd_detach" => $crate::__private::waits::thread_detach,
            "timer_create" => $crate::__private::timer_create,
            "timer_delete" => $crate::__private::timer_delete,
            "on_exit" => $crate::__private::on_exit,
            "__cxa_at_quick_exit" => $crate::__private::at_quick_exit,
            "exit" => $crate::__private::exit,
            "mmap" => $crate::__private::map,
            "mmap64" => $crate::__private::map,
            "munmap" => $crate::__private::unmap,
            "mremap" => $crate::__private::remap,
        }
    };
}

/// Defines hidden symbols that lead to the given functions. They must stand in the `cdylib` crate itself, so the macro
/// emits them: `std` in the module binds to them when the file is linked, and nobody else sees them.
#[doc(hidden)]
#[macro_export]
macro_rules! __interpose {
    ($($symbol:literal => $function:path),* $(,)?) => {
        $(
            #[cfg(target_arch = "x86_64")]
            $crate::__private::global_asm!(
                concat!(".globl ", $symbol),
                concat!(".hidden ", $symbol),
                concat!(".type ", $symbol, ",@function"),
                concat!($symbol, ":"),
                "jmp {}",
                sym $function
            );
            #[cfg(target_arch = "aarch64")]
            $crate::__private::global_asm!(
                concat!(".globl ", $symbol),
                concat!(".hidden ", $symbol),
                concat!(".type ", $symbol, ",@function"),
                concat!($symbol, ":"),
                "b {}",
                sym $function
            );
        )*
    };
}
