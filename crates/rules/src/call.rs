//! What a rule can ask of a call. Borrowed: deciding copies nothing.

use http::HeaderMap;
use outrigger_providers::Operation;

/// One call, as far as rules look at it.
#[derive(Debug, Clone, Copy)]
pub struct Call<'a> {
    /// Id of the provider that the app addressed (`openai`).
    pub provider: &'a str,
    /// The host that the app addressed, lower case, without a port.
    pub host: &'a str,
    /// The model asked for; behind Azure's deployments the deployment. `None` where the request names none.
    pub model: Option<&'a str>,
    /// What the call asks for.
    pub operation: Operation,
    /// The request's headers.
    pub headers: &'a HeaderMap,
    /// `service.name` of the app, as its telemetry carries it.
    pub service: Option<&'a str>,
}
