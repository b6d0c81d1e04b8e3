//! The pair of fences: one that costs callers nothing, one that costs the writer a system call.
//!
//! Two threads each write one place and then read the other's: a caller counts in and looks at `current`; a writer stores
//! `current` and looks at the counts. At least one of the two must see the other. The language's tool is a SeqCst fence on
//! both sides, some 5 ns on every call. Here the caller's side is a compiler fence, no instruction at all, and the writer
//! makes every running thread of the process execute a full barrier: `membarrier(PRIVATE_EXPEDITED)`, Linux 4.14. The idea
//! is that of liburcu's `sys_membarrier` flavour and of Linux SRCU; seize does the same for hazard pointers.

use crate::sync::{MODELLED, Ordering, fence};
use std::sync::OnceLock;
use std::sync::atomic::compiler_fence;

/// Which pair of fences a cell uses.
///
/// A value of this type is evidence: the pair it names works in this process. It can only be had from [`Fences::detect`],
/// which asked the kernel, or from [`Fences::symmetric`], which needs no kernel.
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

    /// SeqCst fences on both sides: right everywhere, some 5 ns dearer on each way in and each way out.
    pub const fn symmetric() -> Self {
        Self { asymmetric: false }
    }

    /// Whether callers execute no fence instruction.
    pub const fn is_asymmetric(self) -> bool {
        self.asymmetric
    }

    /// The caller's side of an asymmetric pair, for who knows that it is one, or will execute the other's fence too.
    #[inline(always)]
    pub(crate) fn light_if_asymmetric() {
        // Pairs with the membarrier in `heavy`: this keeps the compiler, and that keeps the processor, from letting the read
        // after this line overtake the write before it.
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

    /// The writer's side, public for the benchmark that tells what a publish costs apart from it. Afterwards, for each caller
    /// that passed a `light`:
    /// - either what it wrote before its `light` is visible here,
    /// - or what it reads after its `light` includes what was written here before.
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

    /// Which commands the kernel knows. From `linux/membarrier.h`, as are the next two.
    const QUERY: c_int = 0;
    /// A full barrier on all running threads of this process.
    const PRIVATE_EXPEDITED: c_int = 1 << 3;
    /// The intent to use it, without which it is refused.
    const REGISTER_PRIVATE_EXPEDITED: c_int = 1 << 4;

    fn membarrier(command: c_int) -> c_long {
        // SAFETY: membarrier takes three integers and touches no memory of ours.
        unsafe { libc::syscall(libc::SYS_membarrier, command, 0 as c_int, 0 as c_int) }
    }

    /// Whether the kernel offers the barrier, and now expects us to use it.
    pub(super) fn register() -> bool {
        let known = membarrier(QUERY);
        known >= 0
            && known & c_long::from(PRIVATE_EXPEDITED) != 0
            && membarrier(REGISTER_PRIVATE_EXPEDITED) == 0
    }

    /// # Aborts
    /// If the kernel refuses now what it granted at `register`, as under a seccomp filter that was installed in between.
    /// Callers have run without fences of their own by then, so no answer about who is inside could be trusted.
    pub(super) fn barrier() {
        if membarrier(PRIVATE_EXPEDITED) != 0 {
            let cause = std::io::Error::last_os_error();
            eprintln!(
                "segue: membarrier, granted at start, is refused now ({cause}); does a seccomp filter forbid it?"
            );
            std::process::abort();
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod membarrier {
    //! Elsewhere there is no such call, and the symmetric pair is used.

    pub(super) fn register() -> bool {
        false
    }

    pub(super) fn barrier() {
        unreachable!("the asymmetric pair is never chosen here");
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::Fences;
    use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

    const ROUNDS: usize = if cfg!(miri) { 100 } else { 10_000 };

    /// Flags far enough apart that each store has to wait for its line.
    #[repr(align(128))]
    #[derive(Default)]
    struct Flag(AtomicBool);

    /// For each of the two: write mine, fence, read the other's. Counts the rounds in which neither saw the other.
    fn blind_rounds(mine: impl Fn() + Sync, others: impl Fn() + Sync) -> usize {
        let flags = || (0..ROUNDS).map(|_| Flag::default()).collect::<Vec<_>>();
        let (x, y, arrived) = (flags(), flags(), AtomicUsize::new(0));
        let side = |write: &[Flag], read: &[Flag], fence: &dyn Fn()| -> Vec<bool> {
            let round = |number: usize| {
                arrived.fetch_add(1, Ordering::SeqCst);
                let mut patience = 10_000;
                while arrived.load(Ordering::SeqCst) < 2 * (number + 1) {
                    std::hint::spin_loop();
                    patience -= 1;
                    if patience == 0 {
                        std::thread::yield_now();
                        patience = 10_000;
                    }
                }
                write[number].0.store(true, Ordering::Relaxed);
                fence();
                read[number].0.load(Ordering::Relaxed)
            };
            (0..ROUNDS).map(round).collect()
        };
        std::thread::scope(|scope| {
            let light = scope.spawn(|| side(&x, &y, &mine));
            let heavy = side(&y, &x, &others);
            let light = light.join().expect("the other side returns");
            light.into_iter().zip(heavy).filter(|saw| *saw == (false, false)).count()
        })
    }

    #[test]
    fn at_least_one_side_sees_the_other() {
        for fences in [Fences::detect(), Fences::symmetric()] {
            assert_eq!(blind_rounds(|| fences.light(), || fences.heavy()), 0, "{fences:?}");
        }
    }

    #[test]
    #[ignore = "shows on a machine with two free cores that the test before it would notice: run it by hand"]
    fn without_the_heavy_side_they_miss_each_other() {
        let light = Fences { asymmetric: true };
        assert_ne!(blind_rounds(|| light.light(), || light.light()), 0);
    }

    #[test]
    fn detection_is_stable() {
        assert_eq!(Fences::detect(), Fences::detect());
    }
}
