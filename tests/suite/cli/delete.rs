//! A deleted module is not served, and no restart brings it back.

use segue_tests::{Service, V1, V2, fixture};
use serde_json::json;

use crate::SEGUE;

#[test]
fn a_deleted_module_stays_deleted_after_a_restart_although_its_file_is_present() {
    let service = Service::start(SEGUE, &[]);
    service.drop_in(&fixture("greeter", V1), "libgreeter.so");
    service.wait_for_version("greeter", V1);
    assert_eq!(service.get("/greeter/ada").0, 200);
    let (code, deleted) = service.command.json(&["delete", "greeter"]);
    assert_eq!((code, &deleted["deleted"], &deleted["old"]["version"]), (Some(0), &json!(true), &json!(V1)));
    assert_eq!(service.get("/greeter/ada").0, 404);
    let (code, again) = service.command.json(&["delete", "greeter"]);
    assert_eq!((code, &again["deleted"]), (Some(0), &json!(false)), "{again}");
    assert!(service.command.run(["delete", "greeter"]).stdout.contains("nothing changed"));
    let text = service.command.run(["history", "greeter"]).stdout;
    assert!(
        text.ends_with(
            "now: greeter: no version is current; a restart restores no version
"
        ),
        "{text}"
    );

    let service = service.kill_and_start_again();
    assert_eq!(service.get("/greeter/ada").0, 404, "the file is not new");
    assert_eq!(service.command.run(["status", "greeter"]).code, Some(4));
    service.drop_in(&fixture("greeter", V2), "libgreeter.so");
    service.wait_for_version("greeter", V2);
    assert_eq!(service.get("/greeter/ada").0, 200, "a new file is loaded");
}
