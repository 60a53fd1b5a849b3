//! The headers that a user asks for, as they are when a request leaves: a file of them may change while we run. Once per request.

use std::fs::File;
use std::io::{self, Read as _};

use http::HeaderMap;

use crate::settings::{NamedFile, Target, headers_of};

/// Most that is read of a file: a token has some KiB at most.
const LONGEST: u64 = 64 * 1024;

/// Headers of one signal's requests.
pub(super) struct Headers {
    /// Those that a variable holds.
    fixed: HeaderMap,
    /// Where others lie; they win.
    file: Option<NamedFile>,
}

impl Headers {
    pub(super) fn of(target: &Target) -> Headers {
        Headers { fixed: target.headers.clone(), file: target.headers_file.clone() }
    }

    /// What they are now. The file is read anew each time: it is a small one in memory, asked for once a second or so, and
    /// kubelet swaps it for another one whenever its Secret changes.
    ///
    /// # Errors
    /// Why they are not known, with the file and never what is in it.
    pub(super) fn now(&self) -> Result<HeaderMap, String> {
        let mut headers = self.fixed.clone();
        if let Some(file) = &self.file {
            for (name, value) in read(file)? {
                if let Some(name) = name {
                    headers.insert(name, value);
                }
            }
        }
        Ok(headers)
    }

    /// The words for credentials that an endpoint did not accept, where waiting may help: a file of them can be replaced.
    pub(super) fn stale(&self, why: &str) -> Option<String> {
        self.file.as_ref().map(|file| format!("{why}: it does not accept the headers of {}", place(file)))
    }
}

/// What a file holds by now.
pub(crate) fn read(file: &NamedFile) -> Result<HeaderMap, String> {
    let place = place(file);
    let text = text(file).map_err(|why| format!("{place}: {why}; put name=value lines into it"))?;
    headers_of(&place, &text).map_err(|fault| fault.to_string())
}

fn place(file: &NamedFile) -> String {
    format!("{}={}", file.variable, file.path.display())
}

fn text(file: &NamedFile) -> Result<String, String> {
    let in_words = |error: io::Error| match error.kind() {
        io::ErrorKind::NotFound => "it is not there".to_owned(),
        io::ErrorKind::PermissionDenied => "it may not be read".to_owned(),
        _ => format!("it cannot be read ({error})"),
    };
    let metadata = std::fs::metadata(&file.path).map_err(in_words)?;
    // A pipe or a device would hold up whatever else is sent.
    if !metadata.is_file() {
        return Err("it is no file".to_owned());
    }
    let mut bytes = Vec::new();
    File::open(&file.path)
        .and_then(|file| file.take(LONGEST + 1).read_to_end(&mut bytes))
        .map_err(in_words)?;
    if bytes.len() as u64 > LONGEST {
        return Err(format!("it is longer than {LONGEST} bytes"));
    }
    let text = String::from_utf8(bytes).map_err(|_| "it is not text".to_owned())?;
    if text.trim().is_empty() { Err("it is empty".to_owned()) } else { Ok(text) }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn of(path: &Path) -> NamedFile {
        NamedFile { variable: "OUTRIGGER_OTLP_HEADERS_FILE".to_owned(), path: path.to_owned() }
    }

    #[test]
    fn a_file_has_lines_or_commas_and_its_values_stay_unseen() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("headers");
        for text in
            ["authorization=Bearer t0ken\nx-tenant=a%2Cb\n", "Authorization=Bearer%20t0ken, x-tenant=a%2Cb"]
        {
            std::fs::write(&path, text).unwrap();
            let headers = read(&of(&path)).unwrap();
            assert_eq!(
                (&headers["authorization"], &headers["x-tenant"]),
                (&"Bearer t0ken".parse().unwrap(), &"a,b".parse().unwrap())
            );
            assert!(headers["authorization"].is_sensitive(), "{text}");
        }
    }

    #[test]
    fn what_cannot_be_used_is_said_with_its_place_and_without_its_text() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("headers");
        let place = format!("OUTRIGGER_OTLP_HEADERS_FILE={}: ", path.display());
        let fault = || read(&of(&path)).unwrap_err();
        assert!(fault().starts_with(&place) && fault().contains("not there"), "{}", fault());
        for (bytes, why) in [
            (&b" \n"[..], "it is empty"),
            (b"s3cret", "no '='"),
            (b"authorization=s3cret%zz", "percent-encoded"),
            (b"bad name=s3cret", "bad name"),
            (b"a=s3cret\xff", "not text"),
            (&[b'a'; LONGEST as usize + 1], "longer than 65536 bytes"),
        ] {
            std::fs::write(&path, bytes).unwrap();
            let fault = fault();
            assert!(fault.starts_with(&place) && fault.contains(why), "{fault}");
            assert!(!fault.contains("s3cret"), "{fault}");
        }
        std::fs::remove_file(&path).unwrap();
        std::os::unix::fs::symlink("/dev/zero", &path).unwrap();
        assert!(fault().contains("no file"), "{}", fault());
    }
}
