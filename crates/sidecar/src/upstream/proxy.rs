//! The proxy that the user had before us: everything leaves through it, by CONNECT. Per connection.

use base64::Engine as _;
use outrigger_providers::FailureClass;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::StartError;
use crate::upstream::DialError;

/// A proxy's answer to CONNECT is a short head; more is not one.
const ANSWER: usize = 16 * 1024;

/// Where it is and who we are there.
pub(crate) struct UpstreamProxy {
    pub(crate) host: String,
    pub(crate) port: u16,
    authorization: Option<String>,
}

impl UpstreamProxy {
    /// Reads `http://[user:password@]host:port[/]`.
    pub(crate) fn parse(url: &str) -> Result<UpstreamProxy, StartError> {
        let shown = url.rsplit_once('@').map_or(url, |(_, rest)| rest).to_owned();
        let fault = |reason| StartError::UpstreamProxy { proxy: shown.clone(), reason };
        let rest = match url.split_once("://") {
            Some(("http", rest)) => rest,
            None => url,
            Some(_) => return Err(fault("only plain http proxies are spoken to")),
        };
        let rest = rest.trim_end_matches('/');
        let (credentials, authority) = match rest.rsplit_once('@') {
            Some((credentials, authority)) => (Some(credentials), authority),
            None => (None, rest),
        };
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => {
                (host, port.parse().map_err(|_| fault("its port is not a number"))?)
            }
            _ => (authority, 80),
        };
        let host = host.trim_start_matches('[').trim_end_matches(']');
        if host.is_empty() {
            return Err(fault("it names no host"));
        }
        let authorization = credentials.map(|pair| {
            format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(percent_decoded(pair)))
        });
        Ok(UpstreamProxy { host: host.to_owned(), port, authorization })
    }

    /// Asks for a tunnel to `host:port`.
    pub(crate) async fn tunnel(
        &self,
        mut stream: TcpStream,
        host: &str,
        port: u16,
    ) -> Result<TcpStream, DialError> {
        let place = || format!("the upstream proxy {}:{}", self.host, self.port);
        let fault = |text: String| DialError { class: FailureClass::Connect, text };
        let broken = |error: std::io::Error| fault(format!("{} broke off ({error})", place()));
        let name = if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") };
        let mut request = format!("CONNECT {name} HTTP/1.1\r\nHost: {name}\r\n");
        if let Some(value) = &self.authorization {
            request.push_str("Proxy-Authorization: ");
            request.push_str(value);
            request.push_str("\r\n");
        }
        request.push_str("\r\n");
        stream.write_all(request.as_bytes()).await.map_err(broken)?;

        // One byte at a time, so that nothing behind the head is swallowed.
        let mut answer = Vec::with_capacity(128);
        while !answer.ends_with(b"\r\n\r\n") {
            if answer.len() == ANSWER {
                return Err(fault(format!("{} sent no proper answer", place())));
            }
            answer.push(stream.read_u8().await.map_err(broken)?);
        }
        let status = answer.split(|byte| *byte == b' ').nth(1).unwrap_or_default();
        if status.first() == Some(&b'2') {
            Ok(stream)
        } else {
            Err(fault(format!(
                "{} refused a tunnel to {name} (status {})",
                place(),
                String::from_utf8_lossy(status)
            )))
        }
    }
}

fn percent_decoded(text: &str) -> Vec<u8> {
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let hex = (bytes[at] == b'%').then(|| text.get(at + 1..at + 3)).flatten();
        match hex.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(byte) => {
                decoded.push(byte);
                at += 3;
            }
            None => {
                decoded.push(bytes[at]);
                at += 1;
            }
        }
    }
    decoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_usual_forms() {
        let parse =
            |url| UpstreamProxy::parse(url).map(|proxy| (proxy.host, proxy.port, proxy.authorization));
        assert_eq!(parse("http://proxy.corp:3128/").unwrap(), ("proxy.corp".to_owned(), 3128, None));
        assert_eq!(parse("proxy.corp").unwrap(), ("proxy.corp".to_owned(), 80, None));
        assert_eq!(parse("http://[::1]:8080").unwrap(), ("::1".to_owned(), 8080, None));
        let with_user = parse("http://me:p%40ss@proxy:1").unwrap();
        assert_eq!(with_user.2.as_deref(), Some("Basic bWU6cEBzcw=="));
    }

    #[test]
    fn an_error_names_the_proxy_without_its_password() {
        let error = UpstreamProxy::parse("https://me:secret@proxy:1").err().unwrap().to_string();
        assert!(error.contains("proxy:1") && !error.contains("secret"), "{error}");
    }
}
