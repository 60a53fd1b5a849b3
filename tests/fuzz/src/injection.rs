//! Admission reviews and manifests: whatever comes is answered without a fault of ours, no pod is refused, and what is written is
//! read again and complete.

use outrigger_injector::review::{Asked, Result, answer};
use outrigger_injector::{Mode, Options, manifests};

use crate::Target;

pub(crate) fn targets() -> Vec<Target> {
    vec![
        Target::new("admission_review", |input| {
            for asked in [Asked::Pods(Mode::Transparent), Asked::Pods(Mode::BaseUrl), Asked::Rules] {
                let answer = answer(input, asked, &Options::default());
                assert_ne!(answer.result, Result::Panic);
                let is_allowed = answer.body["response"]["allowed"] == true;
                assert_eq!(is_allowed, answer.result != Result::Refused);
                assert!(asked == Asked::Rules || is_allowed);
            }
        }),
        Target::new("manifests", |input| {
            let Ok(text) = std::str::from_utf8(input) else { return };
            let Ok(done) = manifests(text, None, &Options::default()) else { return };
            if done.pods.iter().all(|pod| pod.outcome.patch.is_empty()) {
                assert_eq!(done.text, text);
                return;
            }
            let again =
                manifests(&done.text, None, &Options::default()).map(|again| (again.text, again.documents));
            assert_eq!(again, Ok((done.text, done.documents)));
        }),
    ]
}
