//! What the doctor says of the rules.

use super::checks;
use super::finding::Finding;
use crate::status::Rules;

pub(super) fn judge(rules: Option<&Rules>, findings: &mut Vec<Finding>) {
    let Some(rules) = rules else { return };
    let path = rules.path.display();
    if rules.state != "current" && !rules.faults.is_empty() {
        findings.push(checks::RULES_REFUSED.found(format!("{path}: {}", rules.faults.join(" · "))));
    }
    let what = match rules.hash.get(..12) {
        Some(hash) => format!("the {} document {hash} holds, with {} rules", rules.state, rules.rules.len()),
        None => "no document holds".to_owned(),
    };
    let places = if rules.backups.is_empty() {
        "prompts go nowhere else".to_owned()
    } else {
        format!("prompts may go to {}", rules.backups.join(" · "))
    };
    findings.extend(rules.unpaid.iter().map(|why| checks::RULES_UNPAID.found(why.clone())));
    findings.push(checks::RULES.found(format!("{path}: mode {}: {what}; {places}", rules.mode)));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(rules: Option<&Rules>) -> Vec<(&'static str, String)> {
        let mut findings = Vec::new();
        judge(rules, &mut findings);
        findings.into_iter().map(|finding| (finding.id, finding.text)).collect()
    }

    #[test]
    fn rules_are_told_and_what_is_wrong_with_them() {
        assert!(told(None).is_empty());
        let rules = Rules {
            path: "/rules".into(),
            state: "current".to_owned(),
            mode: "act".to_owned(),
            hash: "0123456789abcdef".to_owned(),
            rules: vec!["a".to_owned()],
            backups: vec!["claude: anthropic at api.anthropic.com, paid by the file key".to_owned()],
            faults: vec!["1:1: warning: doubtful; look".to_owned()],
            ..Rules::default()
        };
        let text = "/rules: mode act: the current document 0123456789ab holds, with 1 rules; prompts may go to claude: anthropic at \
                    api.anthropic.com, paid by the file key";
        assert_eq!(told(Some(&rules)), [("rules", text.to_owned())], "what is doubtful is not refused");
        let faults = vec!["2:7: mode: `on` is not a mode; write act".to_owned()];
        let told = told(Some(&Rules { state: "kept".to_owned(), faults, ..rules }));
        assert_eq!(told[0], ("rules-refused", "/rules: 2:7: mode: `on` is not a mode; write act".to_owned()));
        assert!(told[1].1.contains("the kept document"));
        let unpaid =
            vec!["the backup claude cannot be paid: the file key: it is not there; mount it".to_owned()];
        let told = self::told(Some(&Rules { unpaid: unpaid.clone(), ..Rules::default() }));
        assert_eq!(told[0], ("rules-unpaid", unpaid[0].clone()));
    }
}
