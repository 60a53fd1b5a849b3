//! Metrics for whoever asks, from any thread: collected when asked, apart from what is pushed.

use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_sdk::metrics::SdkMeterProvider;
use opentelemetry_sdk::metrics::data::ResourceMetrics;

use super::exposition::Exposition;
use super::reader::Reader;

/// Gives the metrics as text. What calls of the last 50 ms did may be missing.
#[derive(Debug, Clone)]
pub struct Scrape {
    reader: Reader,
    /// Readers give nothing once their provider is gone.
    _provider: SdkMeterProvider,
    target: Vec<(String, String)>,
}

impl Scrape {
    pub(super) const fn new(
        reader: Reader,
        provider: SdkMeterProvider,
        target: Vec<(String, String)>,
    ) -> Scrape {
        Scrape { reader, _provider: provider, target }
    }

    /// All metrics now, as sums since the start.
    #[must_use]
    pub fn page(&self, form: Exposition) -> String {
        let mut collected = ResourceMetrics::default();
        // It fails only without a provider, and ours lives as long as we do.
        let _never = self.reader.collect(&mut collected);
        form.page(&ExportMetricsServiceRequest::from(&collected), &self.target)
    }
}
