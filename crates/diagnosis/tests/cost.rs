//! What calls that are well cost: who waits with records is not woken by them, and they take nothing.

use outrigger_diagnosis::is_sign;
use outrigger_providers::FailureClass;

use crate::support::{Answer, App, BAD_KEY, SECOND, error};

#[test]
fn a_call_that_is_well_is_no_sign_and_to_know_that_allocates_nothing() {
    let mut app = App::new();
    for answer in [Answer::Good, Answer::Finished("tool_calls"), Answer::Stream(4)] {
        let record = app.record(&answer);
        let mut sign = true;
        let used = allocation_counter::measure(|| sign = is_sign(&record));
        assert!(!sign, "{:?}", record.finish_reasons);
        assert_eq!(used.count_total, 0, "{used:?}");
    }
}

#[test]
fn whatever_a_verdict_needs_is_a_sign() {
    let mut app = App::new();
    let server = error("server_error");
    for answer in [
        Answer::Error(401, &server),
        Answer::Error(429, &server),
        Answer::Error(500, &server),
        Answer::Lost(FailureClass::Dns),
        Answer::Cut,
        Answer::Finished("length"),
        Answer::Stream(6),
    ] {
        assert!(is_sign(&app.record(&answer)));
    }
    app.took = 31 * SECOND;
    assert!(is_sign(&app.record(&Answer::Good)), "slow");
}

#[test]
fn while_nothing_is_wrong_a_call_that_is_well_allocates_nothing_and_a_refused_key_changes_that_for_its_time_alone()
 {
    let mut app = App::new();
    app.call(&Answer::Good);
    let good = app.record(&Answer::Good);
    let used = allocation_counter::measure(|| assert_eq!(app.diagnosis.call(&good), []));
    assert_eq!(used.count_total, 0, "{used:?}");
    app.key = BAD_KEY;
    let refused = error("invalid_api_key");
    assert_eq!(app.call(&Answer::Error(401, &refused)).len(), 1);
    assert_eq!(app.call(&Answer::Good).len(), 1);
    let used = allocation_counter::measure(|| assert_eq!(app.diagnosis.call(&good), []));
    assert_eq!(used.count_total, 0, "{used:?}");
}
