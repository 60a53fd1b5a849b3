//! The rules in force: read at the start and whenever their file changes, compiled aside, swapped at once. Per call: one
//! look at the policy, which never waits; a call keeps the one that it began with.
//!
//! A document that is refused changes nothing: the last good one goes on, over a restart too, and with none `observe`.

mod keep;
mod watch;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use arc_swap::{ArcSwap, Guard};
use outrigger_exporter::About;
use outrigger_pricing::PriceBook;
use outrigger_rules::{CredentialSource, Fault, LARGEST, Mode, Policy, Site, Target, Translation};

use crate::control::{control_span, failed};
use crate::status;
use keep::Kept;
pub(crate) use watch::Watching;

/// The document's name in a folder.
const DOCUMENT: &str = "rules.yaml";

/// Says why a backup could not be paid now.
pub(crate) type Payable = Box<dyn Fn(&Target) -> Result<(), String> + Send + Sync>;

/// Where rules are, and what they must keep to.
pub(crate) struct Source {
    /// A file, or the folder where a ConfigMap is mounted.
    pub(crate) path: PathBuf,
    /// Private directory in which the last good document outlives a restart.
    pub(crate) private: Option<PathBuf>,
    /// The providers that backups may name.
    pub(crate) allowed_providers: Option<Vec<String>>,
    /// Whether credentials come from files only.
    pub(crate) in_cluster: bool,
    /// Why a backup could not be paid now.
    pub(crate) payable: Payable,
}

/// The rules in force.
pub(crate) struct Policies {
    current: ArcSwap<Policy>,
    source: Option<Source>,
    book: Arc<PriceBook>,
    about: OnceLock<About>,
    told: Mutex<Told>,
    #[cfg(test)]
    heard: std::sync::Condvar,
}

/// What became of the documents so far.
#[derive(Default)]
struct Told {
    /// What was read last, good or not; `None` where there is no file.
    last: Option<Vec<u8>>,
    state: State,
    faults: Vec<String>,
    accepted: u64,
    rejected: u64,
}

/// Which document is in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum State {
    /// None: `observe`.
    #[default]
    Nothing,
    /// The one in the file.
    Current,
    /// One that was good before the one in the file.
    Kept,
}

impl State {
    const fn as_str(self) -> &'static str {
        match self {
            State::Nothing => "none",
            State::Current => "current",
            State::Kept => "kept",
        }
    }
}

/// What the file holds.
enum Found {
    Document(Vec<u8>),
    /// Nobody wrote one.
    Nothing,
    Unreadable(String),
}

impl Policies {
    /// Takes up the rules of a source, or none: then nothing but `observe` ever holds.
    pub(crate) fn open(source: Option<Source>, book: Arc<PriceBook>) -> Arc<Policies> {
        let policies = Policies {
            current: ArcSwap::from_pointee(Policy::observe()),
            source,
            book,
            about: OnceLock::new(),
            told: Mutex::default(),
            #[cfg(test)]
            heard: std::sync::Condvar::new(),
        };
        policies.look(true);
        Arc::new(policies)
    }

    /// The rules now. Allocates nothing, waits for nobody; whoever keeps them for longer than a look clones them.
    pub(crate) fn current(&self) -> Guard<Arc<Policy>> {
        self.current.load()
    }

    /// The mode now. Allocates nothing, waits for nobody.
    pub(crate) fn mode(&self) -> Mode {
        self.current.load().mode
    }

    /// Whether what was read last is in force.
    pub(crate) fn is_current(&self) -> bool {
        self.told().state == State::Current
    }

    /// Lets metrics tell which rules hold, and how many were refused so far.
    pub(crate) fn tell(&self, about: About) {
        let told = self.told();
        for _ in 0..told.rejected {
            about.configuration_rejected();
        }
        let about = self.about.get_or_init(|| about);
        publish(about, &self.current.load());
    }

    /// Begins to watch the file, where there is one.
    pub(crate) fn watch(self: &Arc<Policies>) -> Option<Watching> {
        let folder = self.source.as_ref()?.folder();
        Watching::start(folder, Arc::clone(self))
    }

    /// Reads the file again. What it held before changes nothing.
    pub(crate) fn reload(&self) {
        self.look(false);
    }

    /// What is told of the rules; `None` where none are asked for.
    pub(crate) fn status(&self) -> Option<status::Rules> {
        let source = self.source.as_ref()?;
        let told = self.told();
        let policy = self.current.load();
        Some(status::Rules {
            path: source.path.clone(),
            state: told.state.as_str().to_owned(),
            mode: policy.mode.as_str().to_owned(),
            hash: policy.hash.to_string(),
            rules: policy.rules.iter().map(|rule| rule.name.to_string()).collect(),
            backups: policy.targets.iter().map(|target| place(target)).collect(),
            unpaid: self.unpaid(&policy),
            faults: told.faults.clone(),
            accepted: told.accepted,
            rejected: told.rejected,
        })
    }

    fn told(&self) -> std::sync::MutexGuard<'_, Told> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn look(&self, start: bool) {
        let Some(source) = &self.source else { return };
        let file = source.file();
        let shown = file.display();
        let mut told = self.told();
        match source.read() {
            Found::Document(bytes) if told.last.as_deref() == Some(&*bytes) => {}
            Found::Document(bytes) => {
                let reload = control_span!("reload", start, outcome = tracing::field::Empty);
                match reload.in_scope(|| Policy::read(&bytes, &self.site(source))) {
                    Ok((policy, warnings)) => {
                        for warning in &warnings {
                            tracing::warn!("rules: {shown}:{warning}");
                        }
                        reload.record("outcome", "accepted");
                        source.keep(&bytes);
                        told.accepted += 1;
                        self.swap(policy, State::Current, &mut told);
                        told.faults = warnings.iter().map(Fault::to_string).collect();
                    }
                    Err(refused) => {
                        let faults: Vec<String> = refused.faults.iter().map(Fault::to_string).collect();
                        reload.record("outcome", "refused");
                        failed(&reload, &faults.join("; "));
                        self.refuse(source, faults, start, &mut told);
                    }
                }
                told.last = Some(bytes);
            }
            Found::Nothing => {
                if told.last.take().is_some() || (start && told.state == State::Nothing) {
                    source.forget();
                    tracing::info!(file = %shown, "there are no rules: calls are watched, nothing else");
                    told.faults.clear();
                    self.swap(Policy::observe(), State::Nothing, &mut told);
                }
            }
            Found::Unreadable(reason) => {
                if told.faults != [reason.clone()] {
                    let reload = control_span!("reload", start, outcome = "unreadable");
                    failed(&reload, &reason);
                    self.refuse(source, vec![reason], start, &mut told);
                    told.last = None;
                }
            }
        }
        #[cfg(test)]
        self.heard.notify_all();
    }

    /// Keeps what holds; at the start, what held before it.
    fn refuse(&self, source: &Source, faults: Vec<String>, start: bool, told: &mut Told) {
        let file = source.file();
        for fault in &faults {
            tracing::error!("rules: {}:{fault}", file.display());
        }
        told.faults = faults;
        told.rejected += 1;
        if let Some(about) = self.about.get() {
            about.configuration_rejected();
        }
        if start && let Some(kept) = source.kept() {
            match Policy::read(&kept, &self.site(source)) {
                Ok((policy, _)) => self.swap(policy, State::Kept, told),
                Err(refused) => {
                    tracing::error!("rules: the last good document no longer holds either: {refused}")
                }
            }
        }
        told.state = match told.state {
            State::Nothing => State::Nothing,
            State::Current | State::Kept => State::Kept,
        };
        let policy = self.current.load();
        tracing::error!(
            file = %file.display(), mode = policy.mode.as_str(), hash = &*policy.hash, state = told.state.as_str(),
            "these rules are NOT in force: {}",
            if told.state == State::Kept { "the last good ones go on" } else { "calls are watched, nothing else" }
        );
    }

    fn swap(&self, policy: Policy, state: State, told: &mut Told) {
        told.state = state;
        if let Some(about) = self.about.get() {
            publish(about, &policy);
        }
        if state != State::Nothing {
            let rules: Vec<&str> = policy.rules.iter().map(|rule| &*rule.name).collect();
            tracing::info!(
                mode = policy.mode.as_str(),
                hash = &*policy.hash,
                state = state.as_str(),
                rules = rules.join(", "),
                "rules are in force"
            );
            for target in &policy.targets {
                tracing::info!("rules: prompts may go to {}", place(target));
            }
            for why in self.unpaid(&policy) {
                tracing::warn!("rules: {why}");
            }
        }
        self.current.store(Arc::new(policy));
    }

    /// Backups that no call could move to, found before one has to.
    fn unpaid(&self, policy: &Policy) -> Vec<String> {
        let Some(source) = &self.source else { return Vec::new() };
        policy.targets.iter().filter_map(|target| (source.payable)(target).err()).collect()
    }

    fn site<'a>(&'a self, source: &'a Source) -> Site<'a> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        Site {
            book: &self.book,
            now: i64::try_from(now).unwrap_or(i64::MAX),
            allowed_providers: source.allowed_providers.as_deref(),
            in_cluster: source.in_cluster,
            gate: &Translation,
        }
    }
}

fn publish(about: &About, policy: &Policy) {
    let hash = if policy.hash.is_empty() { "none" } else { &*policy.hash };
    about.rules(hash, policy.mode.as_str());
}

/// `claude: anthropic at api.anthropic.com, paid by the file anthropic/api-key`.
fn place(target: &Target) -> String {
    let paid = match &target.credential.source {
        CredentialSource::File(file) => format!("the file {file}"),
        CredentialSource::Variable(variable) => format!("the variable {variable}"),
    };
    format!("{}: {} at {}, paid by {paid}", target.name, target.provider.id, target.host)
}

impl Source {
    /// What is not there is taken for a folder that is not mounted, unless it is named as a file.
    fn is_folder(&self) -> bool {
        self.path.is_dir() || (!self.path.exists() && self.path.extension().is_none())
    }

    fn file(&self) -> PathBuf {
        if self.is_folder() { self.path.join(DOCUMENT) } else { self.path.clone() }
    }

    /// Where names come and go: of a ConfigMap the links that kubelet swaps.
    fn folder(&self) -> PathBuf {
        if self.is_folder() {
            return self.path.clone();
        }
        let parent = self.path.parent().filter(|parent| !parent.as_os_str().is_empty());
        parent.map_or_else(|| PathBuf::from("."), Path::to_owned)
    }

    fn read(&self) -> Found {
        use std::io::Read;

        let file = self.file();
        let mut bytes = Vec::new();
        // One byte more than is allowed, so that what is too long is seen to be.
        let read = std::fs::File::open(&file)
            .and_then(|opened| opened.take(LARGEST as u64 + 1).read_to_end(&mut bytes));
        match read {
            Ok(_) => Found::Document(bytes),
            // A folder that is not there was not mounted; nobody took the document out of it.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound && self.folder().is_dir() => {
                Found::Nothing
            }
            Err(error) => {
                Found::Unreadable(format!("{error}; mount the rules there, or correct the setting `rules`"))
            }
        }
    }

    fn place_of_kept(&self) -> Option<Kept<'_>> {
        self.private.as_deref().map(Kept)
    }

    fn keep(&self, document: &[u8]) {
        if let Some(Err(error)) = self.place_of_kept().map(|kept| kept.write(document)) {
            tracing::warn!(%error, "rules: the document cannot be kept for a restart");
        }
    }

    fn forget(&self) {
        if let Some(Err(error)) = self.place_of_kept().map(|kept| kept.remove()) {
            tracing::warn!(%error, "rules: the last good document cannot be removed");
        }
    }

    fn kept(&self) -> Option<Vec<u8>> {
        match self.place_of_kept()?.read() {
            Ok(document) => document,
            Err(error) => {
                tracing::error!(%error, "rules: the last good document cannot be read");
                None
            }
        }
    }
}

#[cfg(test)]
mod tests;
