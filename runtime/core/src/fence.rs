//! The pair of fences: one is free for callers, the other costs the writer a system call.
//!
//! Two threads each write one location and then read the other's. A caller counts in and reads `current`. A
//! writer stores `current` and reads the counters. At least one of the two must see the other's write. The
//! language's tool is a SeqCst fence on both sides, which costs about 5 ns per call. Here the caller's side
//! is a compiler fence, which is no instruction at all. The writer makes every running thread of the process
//! execute a full barrier: `membarrier(PRIVATE_EXPEDITED)`, Linux 4.14. The idea comes from liburcu's
//! `sys_membarrier` flavour and from Linux SRCU. seize does the same for hazard pointers.

use crate::sync::{MODELLED, Ordering, fence};
use std::sync::OnceLock;
use std::sync::atomic::compiler_fence;

/// The pair of fences that a cell uses.
///
/// A value of this type proves that the pair works in this process. It can only come from [`Fences::detect`],
/// which asked the kernel, or from [`Fences::symmetric`], which needs no kernel support.
///
/// # Example
/// ```
/// use segue_core::Fences;
///
/// assert!(!Fences::symmetric().is_asymmetric());
/// println!("calls are free of fences: {}", Fences::detect().is_asymmetric());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fences {
    asymmetric: bool,
}

impl Fences {
    /// The cheapest pair that works here. The kernel is asked once per process.
    pub fn detect() -> Self {
        static FOUND: OnceLock<Fences> = OnceLock::new();
        *FOUND.get_or_init(|| Self { asymmetric: !MODELLED && membarrier::register() })
    }

    /// SeqCst fences on both sides. They work everywhere and add about 5 ns to each entry and each exit.
    pub const fn symmetric() -> Self {
        Self { asymmetric: false }
    }

    /// Whether callers execute no fence instruction.
    pub const fn is_asymmetric(self) -> bool {
        self.asymmetric
    }

    /// The caller's side of an asymmetric pair. Use it only if the pair is known to be asymmetric, or if the
    /// fence of the symmetric pair follows.
    #[inline(always)]
    pub(crate) fn light_if_asymmetric() {
        // Pairs with the membarrier in `heavy`. The read after this line must not overtake the write before
        // it: this line stops the compiler, and the membarrier stops the processor.
        compiler_fence(Ordering::SeqCst);
    }

    /// The caller's side.
    #[inline(always)]
    pub(crate) fn light(self) {
        if self.asymmetric {
            Self::light_if_asymmetric();
        } else {
            // Pairs with the SeqCst fence in `heavy`.
            fence(Ordering::SeqCst);
        }
    }

    /// The writer's side. Public for the benchmark, which measures it apart from a publish. Afterwards, for
    /// each caller that has passed a `light`:
    /// - either the caller's writes before its `light` are visible here,
    /// - or the caller's reads after its `light` see what was written here before.
    #[doc(hidden)]
    pub fn heavy(self) {
        if self.asymmetric {
            membarrier::barrier();
        } else {
            fence(Ordering::SeqCst);
        }
    }
}

#[cfg(target_os = "linux")]
mod membarrier {
    use libc::{c_int, c_long};

    /// Returns the commands that the kernel supports. From `linux/membarrier.h`, like the next two.
    const QUERY: c_int = 0;
    /// Executes a full barrier on all running threads of this process.
    const PRIVATE_EXPEDITED: c_int = 1 << 3;
    /// Announces the use of `PRIVATE_EXPEDITED`, which the kernel refuses otherwise.
    const REGISTER_PRIVATE_EXPEDITED: c_int = 1 << 4;

    fn membarrier(command: c_int) -> c_long {
        // SAFETY: membarrier takes three integers and touches no memory of ours.
        unsafe { libc::syscall(libc::SYS_membarrier, command, 0 as c_int, 0 as c_int) }
    }

    /// Registers for the barrier. Returns whether the kernel supports it.
    pub(super) fn register() -> bool {
        let known = membarrier(QUERY);
        known >= 0
            && known & c_long::from(PRIVATE_EXPEDITED) != 0
            && membarrier(REGISTER_PRIVATE_EXPEDITED) == 0
    }

    /// # Aborts
    /// If the kernel now refuses what it granted in `register`, for example because of a seccomp filter that
    /// was installed in between. Callers have already run without fences of their own, so the counters cannot
    /// be trusted any more.
    pub(super) fn barrier() {
        if membarrier(PRIVATE_EXPEDITED) != 0 {
            let cause = std::io::Error::last_os_error();
            eprintln!(
                "segue: the kernel refuses membarrier, which it granted at start ({cause}); \
                 allow this system call in the seccomp filter of the process; aborting"
            );
            std::process::abort();
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod membarrier {
    //! Other systems have no such call. They use the symmetric pair.

    pub(super) fn register() -> bool {
        false
    }

    pub(super) fn barrier() {
        unreachable!("the asymmetric pair is never chosen on this system");
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::Fences;
    use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

    const ROUNDS: usize = if cfg!(miri) { 100 } else { 10_000 };

    /// A flag on cache lines of its own, so that each store has to wait for its line.
    #[repr(align(128))]
    #[derive(Default)]
    struct Flag(AtomicBool);

    /// Each of two threads writes its own flag, executes its fence and reads the other's flag. Returns the
    /// number of rounds in which neither saw the other's write.
    fn blind_rounds(light: impl Fn() + Sync, heavy: impl Fn() + Sync) -> usize {
        let flags = || (0..ROUNDS).map(|_| Flag::default()).collect::<Vec<_>>();
        let (x, y, arrived) = (flags(), flags(), AtomicUsize::new(0));
        let side = |write: &[Flag], read: &[Flag], fence: &dyn Fn()| -> Vec<bool> {
            let round = |number: usize| {
                arrived.fetch_add(1, Ordering::SeqCst);
                let mut spins = 10_000;
                while arrived.load(Ordering::SeqCst) < 2 * (number + 1) {
                    std::hint::spin_loop();
                    spins -= 1;
                    if spins == 0 {
                        std::thread::yield_now();
                        spins = 10_000;
                    }
                }
                write[number].0.store(true, Ordering::Relaxed);
                fence();
                read[number].0.load(Ordering::Relaxed)
            };
            (0..ROUNDS).map(round).collect()
        };
        std::thread::scope(|scope| {
            let light_side = scope.spawn(|| side(&x, &y, &light));
            let heavy_side = side(&y, &x, &heavy);
            let light_side = light_side.join().expect("the other thread returns");
            light_side.into_iter().zip(heavy_side).filter(|saw| *saw == (false, false)).count()
        })
    }

    #[test]
    fn at_least_one_side_sees_the_other() {
        for fences in [Fences::detect(), Fences::symmetric()] {
            assert_eq!(blind_rounds(|| fences.light(), || fences.heavy()), 0, "{fences:?}");
        }
    }

    #[test]
    #[ignore = "shows that the test above detects a missing fence; needs two idle cores: run it by hand"]
    fn two_light_sides_miss_each_other() {
        let asymmetric = Fences { asymmetric: true };
        assert_ne!(blind_rounds(|| asymmetric.light(), || asymmetric.light()), 0);
    }

    #[test]
    fn detection_is_stable() {
        assert_eq!(Fences::detect(), Fences::detect());
    }
}
