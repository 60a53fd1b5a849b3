//! What commands read: files, standard input, prices of one's own.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use outrigger_pricing::PriceBook;

/// A file, or standard input.
pub(crate) fn read(path: &Path) -> Result<String, String> {
    let mut text = String::new();
    let read = match path.to_str() {
        Some("-") => std::io::stdin().read_to_string(&mut text).map(|_| text),
        _ => std::fs::read_to_string(path),
    };
    read.map_err(|fault| {
        format!("{}: {fault}; give a file that can be read, or - for standard input", path.display())
    })
}

/// The built-in prices, with those of a file laid over them.
pub(crate) fn book(own: Option<&PathBuf>) -> Result<PriceBook, String> {
    match own {
        None => Ok(PriceBook::builtin().clone()),
        Some(prices) => PriceBook::builtin()
            .with_own_prices(&read(prices)?)
            .map_err(|faults| format!("{}: {faults}", prices.display())),
    }
}
