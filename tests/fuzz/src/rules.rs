//! Rules: any bytes are read or refused, within bounds; what is read is read the same again, compiles the same and decides.

use http::HeaderMap;
use outrigger_pricing::PriceBook;
use outrigger_providers::Operation;
use outrigger_rules::{Call, Document, Examples, Fault, Policy, Site, Translation};

use crate::Target;

pub(crate) fn targets() -> Vec<Target> {
    vec![Target::new("rules", |input| {
        let site = Site {
            book: PriceBook::builtin(),
            now: 1_794_830_400,
            allowed_providers: None,
            in_cluster: false,
            gate: &Translation,
        };
        let _table = Examples::read(input);
        let document = Document::read(input);
        match Policy::read(input, &site) {
            Err(refused) => {
                assert!(refused.faults.iter().any(Fault::is_error));
                assert!(refused.faults.iter().all(|fault| fault.line > 0 && fault.column > 0));
            }
            Ok((policy, warnings)) => {
                assert!(!warnings.iter().any(Fault::is_error));
                let headers = HeaderMap::new();
                let call = Call {
                    provider: "openai",
                    host: "api.openai.com",
                    model: Some("gpt-5"),
                    operation: Operation::Chat,
                    headers: &headers,
                    service: None,
                };
                let decided = policy.decide(&call).map(|rule| rule.name.to_string());
                assert_eq!(policy.explain(&call, &site).rule, decided);
                assert!(document.is_ok());
            }
        }
        if let Ok(document) = document
            && document.version == outrigger_rules::document::Version::READ
        {
            assert_eq!(Document::read(document.to_json().as_bytes()).ok(), Some(document));
        }
    })]
}
