//! CallRecord to OTLP: one log record, one span tree and the core metrics per call. Never blocks a call.

// Planned public API:
//
// pub struct ExporterSettings { pub endpoint: Option<String> /* --otlp, wins over OTEL_* */, pub service_name: Option<String>, pub resource: Vec<(String,String)> }
// impl ExporterSettings { pub fn from_env(getenv: impl Fn(&str)->Option<String>) -> Result<Option<Settings>, SettingsError> }
// pub struct Exporter; // owns a thread with its own current-thread runtime
// impl Exporter {
//     pub fn start(settings: Settings) -> Result<Exporter, StartError>;
//     pub fn recorder(&self) -> Arc<dyn outrigger_ledger::Recorder>;   // bounded queue, full = counted drop
//     pub fn counts(&self) -> Counts;                                  // seen, exported, waiting, dropped — seen = sum of the rest at every moment
//     pub fn shutdown(self, deadline: Duration) -> Counts;              // flush, then stop
// }
