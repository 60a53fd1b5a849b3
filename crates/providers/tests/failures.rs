//! What every provider's errors mean: statuses, bodies, and errors inside answers that look well.

use http::{HeaderMap, HeaderName, Method, StatusCode};
use outrigger_providers::{Failure, FailureClass, services};

const JSON: (&str, &str) = ("content-type", "application/json");
const SSE: (&str, &str) = ("content-type", "text/event-stream");

fn failure(service: &str, path: &str, status: u16, headers: &[(&str, &str)], body: &[u8]) -> Option<Failure> {
    let service = services::ALL.iter().find(|known| known.id == service).unwrap();
    let dialect = (service.recognise)(&Method::POST, path).dialect;
    let status = StatusCode::from_u16(status).unwrap();
    let headers: HeaderMap = headers
        .iter()
        .map(|(name, value)| (name.parse::<HeaderName>().unwrap(), value.parse().unwrap()))
        .collect();
    let mut meter = dialect.response_meter(status, &headers);
    meter.chunk(body);
    dialect.classify(status, &headers, &meter.finish())
}

#[test]
fn error_answers_are_classified() {
    use FailureClass as Class;
    let chat = "/v1/chat/completions";
    let gemini = "/v1beta/models/gemini-3.5-flash:generateContent";
    let converse = "/model/m/converse";
    let azure = "/openai/deployments/d/chat/completions";
    for (service, path, status, body, class) in [
        (
            "gemini",
            gemini,
            400,
            r#"{"error":{"code":400,"message":"API key not valid.","status":"INVALID_ARGUMENT","details":[{"@type":"x","reason":"API_KEY_INVALID"}]}}"#,
            Class::Authentication,
        ),
        (
            "gemini",
            gemini,
            400,
            r#"{"error":{"code":400,"message":"API key not valid. Please pass a valid API key.","status":"INVALID_ARGUMENT"}}"#,
            Class::Authentication,
        ),
        (
            "gemini",
            gemini,
            400,
            r#"{"error":{"code":400,"message":"The input token count (9) exceeds the maximum number of tokens allowed (8).","status":"INVALID_ARGUMENT"}}"#,
            Class::ContextLength,
        ),
        (
            "gemini",
            "/v1beta/openai/chat/completions",
            400,
            r#"[{"error":{"code":400,"message":"API key not valid.","status":"INVALID_ARGUMENT","details":[{"reason":"API_KEY_INVALID"}]}}]"#,
            Class::Authentication,
        ),
        (
            "vertex",
            "/v1/projects/p/locations/us-east5/publishers/anthropic/models/claude-opus-5-5:rawPredict",
            400,
            r#"{"error":{"code":400,"message":"The input token count (9) exceeds the maximum number of tokens allowed (8).","status":"INVALID_ARGUMENT"}}"#,
            Class::ContextLength,
        ),
        (
            "groq",
            "/openai/v1/chat/completions",
            500,
            r#"{"error":{"message":"no","type":"internal_server_error"}}"#,
            Class::ServerError,
        ),
        (
            "gemini",
            gemini,
            403,
            r#"{"error":{"code":403,"message":"no","status":"PERMISSION_DENIED"}}"#,
            Class::Permission,
        ),
        (
            "gemini",
            gemini,
            429,
            r#"{"error":{"code":429,"message":"slow","status":"RESOURCE_EXHAUSTED","details":[{"@type":"x","retryDelay":"12s"}]}}"#,
            Class::RateLimit,
        ),
        (
            "gemini",
            gemini,
            429,
            r#"{"error":{"code":429,"message":"quota","status":"RESOURCE_EXHAUSTED","details":[{"violations":[{"quotaId":"GenerateRequestsPerDayPerProjectPerModel"}]}]}}"#,
            Class::Quota,
        ),
        (
            "gemini",
            gemini,
            503,
            r#"{"error":{"code":503,"message":"The model is overloaded.","status":"UNAVAILABLE"}}"#,
            Class::Overloaded,
        ),
        ("gemini", gemini, 502, "<html>", Class::ServerError),
        (
            "gemini",
            "/v1beta/interactions",
            429,
            r#"{"error":{"code":"quota_exceeded","message":"used up"}}"#,
            Class::Quota,
        ),
        // OpenAI's format under a prefix wraps its errors in a list.
        (
            "gemini",
            "/v1beta/openai/chat/completions",
            404,
            r#"[{"error":{"code":404,"message":"models/x is not found","status":"NOT_FOUND"}}]"#,
            Class::NotFound,
        ),
        (
            "bedrock",
            converse,
            400,
            r#"{"message":"Input is too long for requested model."}"#,
            Class::InvalidRequest,
        ),
        (
            "azure",
            azure,
            401,
            r#"{"error":{"code":"401","message":"Access denied due to invalid subscription key."}}"#,
            Class::Authentication,
        ),
        (
            "azure",
            azure,
            404,
            r#"{"error":{"code":"DeploymentNotFound","message":"The API deployment does not exist."}}"#,
            Class::NotFound,
        ),
        (
            "azure",
            azure,
            400,
            r#"{"error":{"code":"content_filter","message":"filtered","param":"prompt","type":null,"status":400,"innererror":{"code":"ResponsibleAIPolicyViolation"}}}"#,
            Class::ContentPolicy,
        ),
        (
            "mistral",
            chat,
            422,
            r#"{"detail":[{"loc":["body","x"],"msg":"Extra inputs are not permitted"}]}"#,
            Class::InvalidRequest,
        ),
        (
            "mistral",
            chat,
            429,
            r#"{"object":"error","message":"Service tier capacity exceeded","type":"service_tier_capacity_exceeded","code":"3505"}"#,
            Class::RateLimit,
        ),
        (
            "groq",
            "/openai/v1/chat/completions",
            498,
            r#"{"error":{"message":"Flex tier capacity exceeded","type":"invalid_request_error","code":"capacity_exceeded"}}"#,
            Class::Overloaded,
        ),
        (
            "deepseek",
            "/chat/completions",
            402,
            r#"{"error":{"message":"Insufficient Balance","type":"unknown_error","code":"invalid_request_error"}}"#,
            Class::Quota,
        ),
        (
            "xai",
            chat,
            400,
            r#"{"code":"Client specified an invalid argument","error":"Incorrect API key provided: xa***ey."}"#,
            Class::InvalidRequest,
        ),
        (
            "openrouter",
            "/api/v1/chat/completions",
            403,
            r#"{"error":{"code":403,"message":"flagged","metadata":{"reasons":["violence"]}}}"#,
            Class::ContentPolicy,
        ),
        (
            "openrouter",
            "/api/v1/chat/completions",
            402,
            r#"{"error":{"code":402,"message":"Insufficient credits"}}"#,
            Class::Quota,
        ),
        ("cohere", "/v2/chat", 401, r#"{"message":"invalid api token"}"#, Class::Authentication),
        (
            "cohere",
            "/v2/chat",
            400,
            r#"{"message":"too many tokens: size limit exceeded by 10 tokens"}"#,
            Class::ContextLength,
        ),
        ("ollama", "/api/chat", 404, r#"{"error":"model 'x' not found"}"#, Class::NotFound),
        (
            "together",
            chat,
            529,
            r#"{"error":{"message":"busy","type":"overloaded","code":null}}"#,
            Class::Overloaded,
        ),
        (
            "fireworks",
            "/inference/v1/chat/completions",
            400,
            r#"{"error":{"object":"error","type":"invalid_request_error","message":"The prompt is longer than the model's context length"}}"#,
            Class::ContextLength,
        ),
    ] {
        let found = failure(service, path, status, &[JSON], body.as_bytes()).unwrap();
        assert_eq!(found.class, class, "{service} {status} {body}");
    }
}

#[test]
fn aws_names_the_exception_in_a_header() {
    use FailureClass as Class;
    for (status, name, message, class) in [
        (
            403,
            "UnrecognizedClientException",
            "The security token included in the request is invalid.",
            Class::Authentication,
        ),
        (
            403,
            "AccessDeniedException:http://internal.amazon.com/coral/",
            "You don't have access to the model.",
            Class::Permission,
        ),
        (429, "ThrottlingException", "Too many requests", Class::RateLimit),
        (400, "ServiceQuotaExceededException", "quota", Class::Quota),
        (400, "ValidationException", "Input is too long for requested model.", Class::ContextLength),
        (400, "ValidationException", "A conversation must start with a user message.", Class::InvalidRequest),
        (408, "ModelTimeoutException", "late", Class::Timeout),
        (424, "ModelErrorException", "failed", Class::ServerError),
        (424, "SomethingNewException", "failed", Class::ServerError),
    ] {
        let body = serde_json::json!({ "message": message }).to_string();
        for path in ["/model/anthropic.claude/converse", "/model/anthropic.claude/invoke"] {
            let headers = [JSON, ("x-amzn-errortype", name)];
            let found = failure("bedrock", path, status, &headers, body.as_bytes()).unwrap();
            assert_eq!(found.class, class, "{path} {status} {name}");
        }
    }
}

#[test]
fn an_error_inside_an_answer_that_looks_well_is_found() {
    use FailureClass as Class;
    let chat = "/v1/chat/completions";
    for (service, path, kind, body, class) in [
        (
            "xai",
            chat,
            JSON,
            r#"{"code":"The service is currently unavailable","error":"capacity"}"#,
            Class::Other,
        ),
        ("xai", chat, SSE, "data: {\"code\":503,\"error\":\"capacity\"}\n\n", Class::Overloaded),
        (
            "openrouter",
            "/api/v1/chat/completions",
            SSE,
            "data: {\"id\":\"g\",\"error\":{\"code\":502,\"message\":\"Provider disconnected\"},\"choices\":[{\"index\":0,\"delta\":{\"content\":\"\"},\"finish_reason\":\"error\"}]}\n\n",
            Class::ServerError,
        ),
        (
            "groq",
            "/openai/v1/chat/completions",
            SSE,
            "data: {\"id\":\"g\",\"choices\":[],\"x_groq\":{\"id\":\"r\",\"error\":\"over capacity\"}}\n\n",
            Class::Other,
        ),
        (
            "openai",
            chat,
            SSE,
            "data: {\"object\":\"error\",\"message\":\"This model's maximum context length is 8\",\"type\":\"BadRequestError\",\"code\":400}\n\n",
            Class::ContextLength,
        ),
        (
            "gemini",
            "/v1beta/models/m:streamGenerateContent",
            SSE,
            "data: {\"error\":{\"code\":503,\"message\":\"overloaded\",\"status\":\"UNAVAILABLE\"}}\n\n",
            Class::Overloaded,
        ),
        (
            "gemini",
            "/v1beta/models/m:streamGenerateContent",
            JSON,
            r#"[{"error":{"code":500,"message":"x","status":"INTERNAL"}}]"#,
            Class::ServerError,
        ),
        (
            "gemini",
            "/v1beta/models/m:generateContent",
            JSON,
            r#"{"promptFeedback":{"blockReason":"SAFETY"},"usageMetadata":{"promptTokenCount":4,"totalTokenCount":4},"modelVersion":"m"}"#,
            Class::ContentPolicy,
        ),
        (
            "ollama",
            "/api/chat",
            ("content-type", "application/x-ndjson"),
            "{\"model\":\"m\",\"message\":{\"content\":\"a\"},\"done\":false}\n{\"error\":\"an error was encountered while running the model\"}\n",
            Class::Other,
        ),
        (
            "cohere",
            "/v2/chat",
            SSE,
            "event: message-end\ndata: {\"type\":\"message-end\",\"delta\":{\"finish_reason\":\"ERROR\",\"error\":\"internal\"}}\n\n",
            Class::Other,
        ),
    ] {
        let found = failure(service, path, 200, &[kind], body.as_bytes());
        assert_eq!(found.map(|found| found.class), Some(class), "{service} {body}");
    }
}

#[test]
fn an_exception_in_an_event_stream_is_found() {
    let headers = b"\x0d:message-type\x07\x00\x09exception\x0f:exception-type\x07\x00\x13throttlingException";
    let payload = br#"{"message":"Too many tokens per minute"}"#;
    let mut message = ((12 + headers.len() + payload.len() + 4) as u32).to_be_bytes().to_vec();
    message.extend((headers.len() as u32).to_be_bytes());
    message.extend(crc32fast::hash(&message).to_be_bytes());
    message.extend(headers);
    message.extend(payload);
    message.extend(crc32fast::hash(&message).to_be_bytes());
    let kind = ("content-type", "application/vnd.amazon.eventstream");
    for path in ["/model/m/converse-stream", "/model/anthropic.m/invoke-with-response-stream"] {
        let found = failure("bedrock", path, 200, &[kind], &message);
        let expected = Failure { class: FailureClass::RateLimit, code: Some("ThrottlingException") };
        assert_eq!(found, Some(expected), "{path}");
    }
}
