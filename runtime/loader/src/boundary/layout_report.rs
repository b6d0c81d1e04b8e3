//! Shortens the reports of the layout check.

/// The longest report that is kept, in characters. There may be many differences.
pub(crate) const REPORT_CHARS_MAX: usize = 1000;

/// Extracts the differences from a report of the layout check. The report describes both types completely,
/// over several pages, and then each difference in a paragraph that starts with `Error:`.
pub(crate) fn differences(report: &str) -> String {
    let mut differences: Vec<String> = Vec::new();
    let mut is_inside = false;
    for line in report.lines().map(str::trim) {
        if let Some(difference) = line.strip_prefix("Error:") {
            is_inside = true;
            differences.push(difference.to_owned());
        } else if line.is_empty() {
            is_inside = false;
        } else if let Some(difference) = differences.last_mut().filter(|_| is_inside) {
            difference.push(' ');
            difference.push_str(line);
        }
    }
    differences.join("; ").chars().take(REPORT_CHARS_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_differences_of_a_report_are_kept() {
        let report = "Compared <this>:\n  type:A\n\n  Error:incompatible type size\n  Expected:\n    56\n  Found:\n    24\n    \n  Layout of x\n\n  Error:too many fields\n  Expected:\n    7\n";
        assert_eq!(
            differences(report),
            "incompatible type size Expected: 56 Found: 24; too many fields Expected: 7"
        );
    }
}
