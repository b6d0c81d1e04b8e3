//! Growth from round to round. The first round warms up, and allocators keep some memory, so a single step
//! proves nothing.

use crate::probe::report::{Stay, StayKind};

/// By how many bytes resident memory may grow with each round. Allocators keep less than this.
const MEMORY_SLACK_BYTES: i64 = 256 << 10;
/// With fewer values than this, no growth is reported.
const VALUES_MIN: usize = 4;

/// The differences between consecutive values, without the first value.
fn steps(values: &[i64]) -> Vec<i64> {
    values.get(1..).unwrap_or_default().windows(2).map(|pair| pair[1] - pair[0]).collect()
}

/// The median growth per round; `None` for fewer than three values.
pub(super) fn median(values: &[i64]) -> Option<i64> {
    let mut steps = steps(values);
    steps.sort_unstable();
    // The lower of two in the middle: allocators take much at once, and return it later.
    steps.get(steps.len().saturating_sub(1) / 2).copied()
}

/// Reports resident memory that grew by more than the slack, in the median round and on average.
pub(super) fn of_memory(resident: &[i64]) -> Option<Stay> {
    let steps = steps(resident);
    let average = steps.iter().sum::<i64>() / i64::try_from(steps.len()).ok().filter(|count| *count > 0)?;
    let each = median(resident)?.min(average);
    if resident.len() < VALUES_MIN || each <= MEMORY_SLACK_BYTES {
        return None;
    }
    let what = format!("resident memory grows by {} KiB with each version", each / 1024);
    let advice =
        "free memory of C code (`malloc`) in the module's `Drop`; the runtime frees only Rust's".to_owned();
    Some(Stay { kind: StayKind::Memory, what, advice })
}

/// Reports mappings whose number grew in every round.
pub(super) fn of_mappings(mappings: &[i64]) -> Option<Stay> {
    let steps = steps(mappings);
    let least = steps.iter().min().filter(|least| mappings.len() >= VALUES_MIN && **least > 0)?;
    let what = format!("each version leaves {least} mappings or more");
    let advice = "unmap in the module's `Drop` everything that the module has mapped".to_owned();
    Some(Stay { kind: StayKind::Mapping, what, advice })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_steady_growth_is_reported() {
        let mib = 1 << 20;
        let memory = |values: &[i64]| of_memory(&values.iter().map(|mibs| mibs * mib).collect::<Vec<_>>());
        assert!(memory(&[10, 20, 21, 22, 23]).is_some());
        assert!(memory(&[10, 20, 20, 20, 30]).is_none(), "one step");
        assert!(memory(&[10, 20, 22, 24, 10]).is_none(), "it is returned");
        assert!(memory(&[10, 20, 30]).is_none(), "too few");
        assert!(of_mappings(&[10, 90, 91, 92, 93]).is_some());
        assert!(of_mappings(&[10, 90, 91, 91, 93]).is_none());
        assert_eq!(median(&[0, 100, 101, 103]), Some(1));
        assert_eq!(median(&[0, 100]), None);
    }
}
