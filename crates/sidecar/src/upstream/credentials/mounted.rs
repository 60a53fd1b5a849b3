//! Files of mounted Secrets, read again when they change. Per call to a backup: a look at a clock; once a second a `stat`.
//!
//! Secret volumes lie in memory, and a changed one is swapped as a whole (kubelet's `..data` link), so a look at what the path
//! leads to by now is enough: no watch and no thread. What cannot be read any more is not used any more: whoever takes a key
//! away means it.

use std::cell::RefCell;
use std::collections::HashMap;
use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::{Duration, SystemTime};

use tokio::time::Instant;
use zeroize::Zeroizing;

use super::secret::Secret;

/// How long what was seen is believed.
const BELIEVED: Duration = Duration::from_secs(1);
/// A file that was written so short a time ago may be written again without its stamp telling.
const UNSETTLED: Duration = Duration::from_secs(2);
/// Longest secret: a service account has some 2.4 KiB.
const LONGEST: u64 = 64 * 1024;
/// Most files of a folder that are read.
const MOST_FILES: usize = 16;
/// More files than any rules name; beyond it everything is read anew.
const MOST_KEPT: usize = 256;
/// The link that kubelet swaps.
const DATA: &str = "..data";

/// What lies where a credential is said to be.
pub(super) enum Found {
    /// A file, without the space around its text.
    Text(Secret),
    /// A folder: its files by their names.
    Folder(Vec<(String, Secret)>),
}

/// The folder of mounted credentials.
pub(super) struct Mounted {
    folder: PathBuf,
    kept: RefCell<HashMap<String, Kept>>,
}

/// What was read, and what the place looked like then.
struct Kept {
    looked: Instant,
    stamp: Option<Stamp>,
    /// What was found, or why nothing was.
    found: Result<Rc<Found>, String>,
}

/// What tells that another text lies there.
#[derive(PartialEq, Eq)]
struct Stamp {
    /// Device, inode, length, modified and changed, each in seconds and nanoseconds.
    file: [i64; 7],
    /// Where kubelet's link leads, of a folder.
    data: Option<PathBuf>,
    settled: bool,
}

impl Mounted {
    pub(super) fn new(folder: PathBuf) -> Mounted {
        Mounted { folder, kept: RefCell::default() }
    }

    /// Where a file lies.
    pub(super) fn path(&self, file: &str) -> PathBuf {
        self.folder.join(file)
    }

    /// What lies there now; the same until it changes. An error says why nothing does, without the place.
    pub(super) fn read(&self, file: &str) -> Result<Rc<Found>, String> {
        let mut all = self.kept.borrow_mut();
        let now = Instant::now();
        if let Some(kept) = all.get(file)
            && now.saturating_duration_since(kept.looked) < BELIEVED
        {
            return kept.found.clone();
        }
        let path = self.path(file);
        let stamp = stamp(&path).ok();
        if let Some(kept) = all.get_mut(file)
            && stamp.as_ref().is_some_and(|stamp| stamp.settled)
            && stamp == kept.stamp
            && kept.found.is_ok()
        {
            kept.looked = now;
            return kept.found.clone();
        }
        let found = find(&path).map(Rc::new);
        // What is still the same stays the same: tokens hang on it.
        let found = match (all.get(file).map(|kept| &kept.found), found) {
            (Some(Ok(before)), Ok(found)) if before.is(&found) => Ok(Rc::clone(before)),
            (_, found) => found,
        };
        if all.len() >= MOST_KEPT {
            all.clear();
        }
        all.insert(file.to_owned(), Kept { looked: now, stamp, found: found.clone() });
        found
    }
}

impl Found {
    /// Whether it is the same, word for word.
    pub(super) fn is(&self, other: &Found) -> bool {
        match (self, other) {
            (Found::Text(one), Found::Text(other)) => one.expose() == other.expose(),
            (Found::Folder(one), Found::Folder(other)) => {
                one.len() == other.len()
                    && one.iter().zip(other).all(|((name, one), (other_name, other))| {
                        name == other_name && one.expose() == other.expose()
                    })
            }
            _ => false,
        }
    }
}

fn stamp(path: &Path) -> io::Result<Stamp> {
    let of = std::fs::metadata(path)?;
    let modified = of.modified().ok().and_then(|at| SystemTime::now().duration_since(at).ok());
    // A folder's own stamp says nothing of a file in it that was written over.
    let settled = of.is_file() && modified.is_some_and(|ago| ago > UNSETTLED);
    let [device, inode, length] = [of.dev(), of.ino(), of.len()].map(u64::cast_signed);
    let file = [device, inode, length, of.mtime(), of.mtime_nsec(), of.ctime(), of.ctime_nsec()];
    Ok(Stamp { file, data: std::fs::read_link(path.join(DATA)).ok(), settled })
}

fn find(path: &Path) -> Result<Found, String> {
    let metadata = std::fs::metadata(path).map_err(|error| in_words(&error))?;
    if !metadata.is_dir() {
        return read(path, &metadata).map(Found::Text);
    }
    // One state of the folder: kubelet may swap the link between two files.
    let folder = std::fs::canonicalize(path.join(DATA)).unwrap_or_else(|_| path.to_owned());
    let mut files = Vec::new();
    for entry in std::fs::read_dir(&folder).map_err(|error| in_words(&error))? {
        let entry = entry.map_err(|error| in_words(&error))?;
        let Ok(name) = entry.file_name().into_string() else { continue };
        let metadata = std::fs::metadata(entry.path()).map_err(|error| in_words(&error))?;
        if name.starts_with('.') || !metadata.is_file() {
            continue;
        }
        if files.len() == MOST_FILES {
            return Err(format!("it is a folder with more than {MOST_FILES} files"));
        }
        let text = read(&entry.path(), &metadata).map_err(|error| format!("{name} in it: {error}"))?;
        files.push((name, text));
    }
    files.sort_by(|(one, _), (other, _)| one.cmp(other));
    Ok(Found::Folder(files))
}

fn read(path: &Path, metadata: &Metadata) -> Result<Secret, String> {
    // Neither a pipe nor a device may keep the thread of the traffic waiting.
    if !metadata.is_file() {
        return Err("it is neither a file nor a folder".to_owned());
    }
    if metadata.len() > LONGEST {
        return Err(format!("it is longer than {LONGEST} bytes"));
    }
    // Room for all of it at once: a text that grows leaves copies of itself behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(metadata.len() as usize + 1));
    File::open(path)
        .and_then(|file| file.take(LONGEST + 1).read_to_end(&mut bytes))
        .map_err(|error| in_words(&error))?;
    let text = std::str::from_utf8(&bytes).map_err(|_| "it is not text".to_owned())?;
    trimmed(text)
}

/// The secret without the space around it.
pub(super) fn trimmed(text: &str) -> Result<Secret, String> {
    match text.trim_start_matches('\u{feff}').trim() {
        "" => Err("it is empty".to_owned()),
        text => Ok(Secret::new(Zeroizing::new(text.to_owned()))),
    }
}

fn in_words(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "it is not there".to_owned(),
        io::ErrorKind::PermissionDenied => "it may not be read".to_owned(),
        _ => format!("it cannot be read ({error})"),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn text(mounted: &Mounted, file: &str) -> Result<String, String> {
        mounted.read(file).map(|found| match &*found {
            Found::Text(text) => text.expose().to_owned(),
            Found::Folder(files) => {
                files.iter().map(|(name, text)| format!("{name}={};", text.expose())).collect()
            }
        })
    }

    async fn later() {
        tokio::time::advance(BELIEVED).await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_file_is_read_again_when_it_changes_and_not_before_a_second_is_over() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("key");
        let mounted = Mounted::new(folder.path().to_owned());
        assert_eq!(text(&mounted, "key").unwrap_err(), "it is not there");
        std::fs::write(&file, "\u{feff} one\r\n").unwrap();
        assert!(text(&mounted, "key").is_err(), "a second is not over");
        later().await;
        assert_eq!(text(&mounted, "key").unwrap(), "one");
        // As long as the other, within the same tick of the file system's clock.
        std::fs::write(&file, "two").unwrap();
        assert_eq!(text(&mounted, "key").unwrap(), "one");
        later().await;
        assert_eq!(text(&mounted, "key").unwrap(), "two");
        let before = mounted.read("key").unwrap();
        later().await;
        assert!(Rc::ptr_eq(&before, &mounted.read("key").unwrap()), "what stays the same is the same");
        for (content, why) in [("", "it is empty"), (" \n", "it is empty")] {
            std::fs::write(&file, content).unwrap();
            later().await;
            assert_eq!(text(&mounted, "key").unwrap_err(), why);
        }
        std::fs::write(&file, "x".repeat(LONGEST as usize + 1)).unwrap();
        later().await;
        assert!(text(&mounted, "key").unwrap_err().contains("longer than"));
        std::fs::write(&file, [0xff, 0xfe]).unwrap();
        later().await;
        assert_eq!(text(&mounted, "key").unwrap_err(), "it is not text");
        std::fs::remove_file(&file).unwrap();
        later().await;
        assert_eq!(
            text(&mounted, "key").unwrap_err(),
            "it is not there",
            "a key that was taken away is not used"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_swap_of_kubelets_link_is_seen_in_files_and_in_folders() {
        let folder = tempfile::tempdir().unwrap();
        let mount = folder.path().join("aws");
        let publish = |version: &str, id: &str| {
            let data = mount.join(format!("..{version}"));
            std::fs::create_dir_all(&data).unwrap();
            std::fs::write(data.join("id"), id).unwrap();
            std::fs::write(data.join("secret"), format!("{id}-secret")).unwrap();
            symlink(format!("..{version}"), mount.join("..next")).unwrap();
            std::fs::rename(mount.join("..next"), mount.join(DATA)).unwrap();
        };
        publish("1", "one");
        for file in ["id", "secret"] {
            symlink(Path::new(DATA).join(file), mount.join(file)).unwrap();
        }
        let mounted = Mounted::new(folder.path().to_owned());
        assert_eq!(text(&mounted, "aws/id").unwrap(), "one");
        assert_eq!(text(&mounted, "aws").unwrap(), "id=one;secret=one-secret;");
        publish("2", "two");
        later().await;
        assert_eq!(text(&mounted, "aws/id").unwrap(), "two");
        assert_eq!(text(&mounted, "aws").unwrap(), "id=two;secret=two-secret;");
    }

    #[test]
    fn what_is_no_file_is_not_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let mounted = Mounted::new(folder.path().to_owned());
        symlink("/dev/zero", folder.path().join("endless")).unwrap();
        assert_eq!(text(&mounted, "endless").unwrap_err(), "it is neither a file nor a folder");
    }
}
