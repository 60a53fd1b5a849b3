//! The API server by its own words, through a proxy of kubectl's that has the administrator's certificate: far cheaper a request than a kubectl.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use serde_json::Value;

use crate::node::Node;
use crate::process::Program;

/// For one request.
const WITHIN: Duration = Duration::from_secs(30);

/// A way to the API server, for as long as it lives.
pub struct Api {
    address: SocketAddr,
    /// It listens while it runs.
    _proxy: Program,
}

/// What the API server says of an object.
#[derive(Debug)]
pub struct Told {
    /// Its status.
    pub status: u16,
    /// What it warns of.
    pub warnings: Vec<String>,
    /// The object, or why there is none.
    pub object: Value,
}

impl Api {
    /// To the API server of this node.
    ///
    /// # Panics
    /// If kubectl does not make one.
    #[must_use]
    pub fn of(node: &Node) -> Api {
        let proxy = Program::start(node.command(&["proxy", "--port=0"]));
        let line = proxy.output_line(|line| line.starts_with("Starting to serve on "));
        let address = line.rsplit(' ').next().and_then(|address| address.parse().ok());
        Api { address: address.unwrap_or_else(|| panic!("no address: {line}")), _proxy: proxy }
    }

    /// What would come of making this object, by every admission; nothing is made.
    ///
    /// # Panics
    /// If the API server does not answer.
    #[must_use]
    pub fn would_make(&self, path: &str, object: &Value) -> Told {
        let path = format!("{path}?dryRun=All&fieldValidation=Ignore");
        self.post(&path, object).unwrap_or_else(|error| panic!("{path}: {error}"))
    }

    fn post(&self, path: &str, object: &Value) -> std::io::Result<Told> {
        let body = object.to_string();
        let mut stream = TcpStream::connect(self.address)?;
        stream.set_read_timeout(Some(WITHIN))?;
        // Version 1.0 has no chunks.
        write!(
            stream,
            "POST {path} HTTP/1.0\r\nHost: {}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            self.address,
            body.len()
        )?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer)?;
        let answer = String::from_utf8_lossy(&answer);
        let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
        let is_warning = |line: &&str| line.to_ascii_lowercase().starts_with("warning:");
        let warnings = head.lines().filter(is_warning).map(str::to_owned).collect();
        Ok(Told { status, warnings, object: serde_json::from_str(body).unwrap_or_default() })
    }
}
