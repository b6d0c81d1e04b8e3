//! `segue demo`: releases under load, in one command.

use segue_tests::Command;

use crate::SEGUE;

#[test]
fn the_demo_loses_no_request() {
    let (code, report) = Command::new(SEGUE).json(&["demo"]);
    assert_eq!(code, Some(0), "{report:#}");
    assert_eq!((&report["lost"], &report["images_mapped"]), (&0.into(), &1.into()), "{report:#}");
    assert!(report["releases"].as_u64().unwrap() >= 3, "{report:#}");
    for field in ["requests", "publish_us", "drain_ms", "p50_us", "p99_us"] {
        assert!(!report[field].is_null(), "{field}: {report:#}");
    }
    for phase in ["quiet", "during"] {
        assert!(report["p99_us"][phase].as_f64().unwrap() > 0.0, "{phase}: {report:#}");
    }
}
