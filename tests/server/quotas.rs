use crate::reload::reload;
use crate::support::Setup;

const ONE_LISTING: &str = "[quotas]\nrequests_per_second = { ListKeys = 0.01 }\n";

#[test]
fn one_request_too_many_is_throttled_recorded_and_counted() {
    let server = Setup::new().config(ONE_LISTING).start();
    assert_eq!(server.call("ListKeys", "{}").status, 200);
    let throttled = server.call("ListKeys", "{}");
    assert_eq!((throttled.status, throttled.code().as_str()), (400, "ThrottlingException"));
    assert_eq!(server.call("ListAliases", "{}").status, 200);
    let records = server.audit(3);
    assert_eq!(records[1]["errorCode"], "ThrottlingException");
    assert_eq!(records[1]["eventName"], "ListKeys");
    let (_, metrics) = server.admin("GET", "/metrics", "");
    let counted = r#"keystile_requests_total{operation="ListKeys",outcome="throttled"} 1"#;
    assert!(metrics.contains(counted), "{metrics}");
}

#[test]
fn a_reload_brings_other_quotas() {
    let server = Setup::new().config("").start();
    for _ in 0..2 {
        assert_eq!(server.call("ListKeys", "{}").status, 200);
    }
    server.write("keystile.toml", ONE_LISTING);
    reload(&server, "keystile_reloads_total ");
    assert_eq!(server.call("ListKeys", "{}").status, 200);
    assert_eq!(server.call("ListKeys", "{}").code(), "ThrottlingException");
}
