//! A histogram of short durations whose memory does not grow while it records.

/// Durations up to 65 µs have a counter per nanosecond. Longer ones are rare, and kept as values.
const FINE: usize = 1 << 16;
/// Capacity for the longer ones of a round. Beyond it the vector grows, which delays the recording thread.
const LONGER: usize = 1 << 12;

/// Durations in nanoseconds, with the number of times each occurred.
///
/// The constructor touches all of its memory. Otherwise the first access to each page would show as a delay.
#[derive(Clone, Debug)]
pub(crate) struct Histogram {
    fine: Vec<u32>,
    longer: Vec<u64>,
}

// === impl Histogram ===

impl Histogram {
    pub(crate) fn new() -> Self {
        // Not zeros: the kernel would map zero pages lazily.
        let mut histogram = Histogram { fine: vec![1; FINE], longer: vec![1; LONGER] };
        histogram.clear();
        histogram
    }

    #[inline]
    pub(crate) fn record(&mut self, ns: u64) {
        match usize::try_from(ns).ok().and_then(|ns| self.fine.get_mut(ns)) {
            Some(count) => *count += 1,
            None => self.longer.push(ns),
        }
    }

    pub(crate) fn add(&mut self, other: &Histogram) {
        for (mine, others) in self.fine.iter_mut().zip(&other.fine) {
            *mine += others;
        }
        self.longer.extend_from_slice(&other.longer);
    }

    pub(crate) fn clear(&mut self) {
        self.fine.fill(0);
        self.longer.clear();
    }

    /// Returns the shortest duration that at least `permille` thousandths of all durations do not exceed;
    /// 1000 gives the longest. `None` if nothing was recorded.
    pub(crate) fn permille(&self, permille: u64) -> Option<u64> {
        let total = self.fine.iter().map(|count| u64::from(*count)).sum::<u64>() + self.longer.len() as u64;
        let rank = (total * permille).div_ceil(1000).max(1);
        let mut seen = 0;
        for (ns, count) in (0..).zip(&self.fine) {
            seen += u64::from(*count);
            if seen >= rank {
                return Some(ns);
            }
        }
        let mut longer = self.longer.clone();
        longer.sort_unstable();
        longer.get(usize::try_from(rank - seen - 1).ok()?).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_come_from_what_was_recorded() {
        let mut histogram = Histogram::new();
        assert_eq!(histogram.permille(500), None);
        for ns in 1..=1000 {
            histogram.record(ns);
        }
        let of =
            |histogram: &Histogram| [0, 1, 500, 990, 999, 1000].map(|it| histogram.permille(it).unwrap());
        assert_eq!(of(&histogram), [1, 1, 500, 990, 999, 1000]);
        histogram.clear();
        histogram.record(7);
        assert_eq!(of(&histogram), [7; 6]);
    }

    #[test]
    fn long_durations_are_kept() {
        let mut histogram = Histogram::new();
        let mut other = Histogram::new();
        other.record(2_000_000);
        other.record(1_000_000);
        histogram.record(5);
        histogram.record(5);
        histogram.add(&other);
        assert_eq!(
            [500, 501, 750, 1000].map(|it| histogram.permille(it).unwrap()),
            [5, 1_000_000, 1_000_000, 2_000_000]
        );
    }
}
