//! No secret appears in any log, span, error or panic.

use outrigger_simulator::{Answer, ErrorKind, Rule};
use outrigger_tests::DEADLINE;
use outrigger_tests::otlp::Receiver;

use super::{CALLS, KEY, OTHER_KEY, exec, python, refs, scripted};

const PROMPT: &str = "When does the tide turn?";
const MISTYPED: &str = "sk-mistyped-5566778899-qrstuvwx";

#[test]
fn no_key_and_no_prompt_in_anything_that_leaves_us() {
    let failing = Rule {
        every: Some(2),
        answer: Answer { error: Some(ErrorKind::ServerError), ..Answer::default() },
        ..Rule::default()
    };
    for (openai, mode) in [(KEY, "proxy"), (MISTYPED, "proxy"), (KEY, "base-url")] {
        let simulator = scripted(vec![failing.clone()]);
        let receiver = Receiver::start();
        let ended = exec(&simulator)
            .option("--otlp", &receiver.url())
            .option("--mode", mode)
            .variable("OUTRIGGER_LOG", "trace")
            .variable("RUST_BACKTRACE", "1")
            .variable("OPENAI_API_KEY", openai)
            .run(&refs(&python(
                CALLS,
                &["chat", "chat_stream", "responses", "messages", "messages_stream", "messages"],
            )));
        let received =
            receiver.wait_for(DEADLINE, |received| received.calls.len() == 6).expect("six records");
        assert!(!received.spans.is_empty() && !received.metrics.is_empty());
        let raw = String::from_utf8_lossy(&received.raw);
        for secret in [KEY, OTHER_KEY, MISTYPED, PROMPT] {
            assert!(!ended.errors.contains(secret), "{secret} in the log:\n{}", ended.errors);
            assert!(!raw.contains(secret), "{secret} in the telemetry");
        }
        assert!(
            ended.errors.contains("TRACE") || ended.errors.contains("DEBUG"),
            "the log was not at its most talkative"
        );
    }
}
