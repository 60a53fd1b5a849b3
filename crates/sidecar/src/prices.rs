//! The prices in force: the built-in book, with the operator's own laid over it. Once at the start.

use std::path::Path;
use std::sync::Arc;

use outrigger_pricing::PriceBook;

/// The book, with the prices of a file if one is set. A file that cannot be used changes nothing and is said loudly, every
/// fault with its place: calls are then priced as if it were not there.
pub(crate) fn book(own: Option<&Path>) -> Arc<PriceBook> {
    let builtin = PriceBook::builtin();
    let Some(path) = own else { return Arc::new(builtin.clone()) };
    let read = std::fs::read_to_string(path).map_err(|error| error.to_string());
    match read.and_then(|text| builtin.with_own_prices(&text).map_err(|error| error.to_string())) {
        Ok(book) => {
            tracing::info!(file = %path.display(), book = %book.hash(), "own prices are in force");
            Arc::new(book)
        }
        Err(faults) => {
            for fault in faults.lines() {
                tracing::error!(file = %path.display(), "own prices are NOT in force, built-in prices are: {fault}");
            }
            Arc::new(builtin.clone())
        }
    }
}

#[cfg(test)]
mod tests {
    use outrigger_pricing::{Charge, Meter, TokenUsage};

    use super::*;

    fn cost(book: &PriceBook) -> String {
        let usage = TokenUsage::ZERO.with(Meter::Input, 1_000_000);
        let cost = book.cost(&Charge::standard("openai", "gpt-5", 1_794_830_400, &usage));
        cost.total.unwrap().to_string()
    }

    #[test]
    fn own_prices_count_and_a_faulty_file_changes_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("prices.json");
        let text = |price: &str| {
            format!(
                r#"{{"schema": 2, "currency": "USD", "providers": [{{"id": "openai", "models": [
                {{"id": "gpt-5", "cards": [{{"lines": {{"input": {price}}}}}]}}]}}]}}"#
            )
        };
        std::fs::write(&path, text("\"1\"")).unwrap();
        let own = book(Some(&path));
        assert_eq!(cost(&own), "1");
        assert_ne!(own.hash(), PriceBook::builtin().hash());
        std::fs::write(&path, text("1.0")).unwrap();
        for unusable in [path.as_path(), Path::new("/nowhere/prices.json")] {
            assert_eq!(cost(&book(Some(unusable))), "1.25");
            assert_eq!(book(Some(unusable)).hash(), PriceBook::builtin().hash());
        }
        assert_eq!(cost(&book(None)), "1.25");
    }
}
