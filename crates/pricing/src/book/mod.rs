//! The dated price book: which prices applied to a call when it ran, and what it therefore cost.

mod bill;
mod binary;
mod check;
mod compile;
mod explain;
mod facts;
mod find;
mod per;
mod select;

use std::borrow::Cow;
use std::fmt;
use std::sync::{Arc, OnceLock};

use sha2::{Digest, Sha256};

pub(crate) use check::check;
pub use explain::{Explanation, FreeQuantity};
pub use facts::{Capability, ModelFacts};
pub(crate) use per::PERS;

use crate::document::{BookError, Document};
use crate::{Charge, Cost};
use bill::Found;
use binary::Bytes;
use find::{How, ProviderRow};

/// The book that is checked in beside the code, compiled from `prices.json`; a test holds the two together.
const BUILTIN: &[u8] = include_bytes!("../../prices.bin");

/// A book of prices, read where it lies and never changed.
#[derive(Clone)]
pub struct PriceBook {
    /// The operator's own prices, which come first.
    own: Option<Arc<[u8]>>,
    /// The book itself.
    base: Cow<'static, [u8]>,
    /// Says in every record which prices were used.
    hash: Arc<str>,
}

/// Bytes that are no compiled book.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("these bytes are not a compiled price book of this version; compile it again with `prices compile`")]
pub struct NotABook;

impl PriceBook {
    /// The book this version was built with. Nothing is read or copied: its bytes lie in the program.
    #[must_use]
    pub fn builtin() -> &'static PriceBook {
        static BOOK: OnceLock<PriceBook> = OnceLock::new();
        // A test reads the checked-in bytes; should they be broken all the same, every call is unpriced and nothing stops.
        BOOK.get_or_init(|| {
            PriceBook::from_compiled(Cow::Borrowed(BUILTIN)).unwrap_or_else(|_| PriceBook {
                own: None,
                base: Cow::Borrowed(&[]),
                hash: "".into(),
            })
        })
    }

    /// A compiled book.
    ///
    /// # Errors
    /// The bytes are not one.
    pub fn from_compiled(bytes: Cow<'static, [u8]>) -> Result<PriceBook, NotABook> {
        if !Bytes(&bytes).is_book() {
            return Err(NotABook);
        }
        let hash = Bytes(&bytes).head(binary::HASH, 64).into();
        Ok(PriceBook { own: None, base: bytes, hash })
    }

    /// Reads a book in the form of `prices.json`.
    ///
    /// # Errors
    /// Every fault, with its place and its mend.
    pub fn parse(text: &str) -> Result<PriceBook, BookError> {
        let document = Document::parse(text)?;
        let bytes = compile::compile(&document, &hash([text.as_bytes()]));
        Ok(PriceBook { own: None, hash: hash([text.as_bytes()]).into(), base: Cow::Owned(bytes) })
    }

    /// The bytes that [`PriceBook::from_compiled`] reads, of a book in the form of `prices.json`.
    ///
    /// # Errors
    /// Every fault, with its place and its mend.
    pub fn compile(text: &str) -> Result<Vec<u8>, BookError> {
        let document = Document::parse(text)?;
        Ok(compile::compile(&document, &hash([text.as_bytes()])))
    }

    /// This book with an operator's own prices laid over it: where both have a line for a meter of a model under the
    /// same conditions, the operator's counts; factors of both multiply. The hash covers both.
    ///
    /// # Errors
    /// Every fault of the operator's text; this book is then unchanged.
    pub fn with_own_prices(&self, text: &str) -> Result<PriceBook, BookError> {
        let mut document = Document::parse_override(text)?;
        // Whichever of its names the operator calls a provider by, it is the one of the book.
        for provider in &mut document.providers {
            if let Some(known) = ProviderRow::find(Bytes(&self.base), &provider.id) {
                known.id().clone_into(&mut provider.id);
            }
        }
        check(&document, false)?;
        let hash = hash([self.hash.as_bytes(), text.as_bytes()]);
        let own = compile::compile(&document, &hash);
        Ok(PriceBook { own: Some(own.into()), base: self.base.clone(), hash: hash.into() })
    }

    /// SHA-256 of the written book (with own prices: of its hash and their text), 64 hex digits.
    #[must_use]
    pub fn hash(&self) -> &Arc<str> {
        &self.hash
    }

    /// The day up to which the prices are known, `YYYY-MM-DD`.
    #[must_use]
    pub fn date(&self) -> &str {
        Bytes(&self.base).head(binary::DATE, 10)
    }

    /// Bytes of the compiled book, own prices included.
    #[must_use]
    pub fn size(&self) -> usize {
        self.base.len() + self.own.as_ref().map_or(0, |own| own.len())
    }

    /// What the call cost by this book. Never fails: what cannot be priced is
    /// [`Completeness::Unpriced`](crate::Completeness::Unpriced) and says why.
    #[must_use]
    pub fn cost(&self, charge: &Charge<'_>) -> Cost {
        self.find(charge).and_then(|found| bill::bill(found, charge)).unwrap_or_else(Cost::unpriced)
    }

    /// What is known of a model; a model the book does not know is `None`, a fact it does not know too.
    #[must_use]
    pub fn facts<'a>(&'a self, provider: &str, model: &str, at: i64) -> Option<ModelFacts<'a>> {
        let usage = crate::TokenUsage::UNKNOWN;
        let found = self.find(&Charge::standard(provider, model, at, &usage)).ok()?;
        let mut known = found.models.iter().flatten().map(|row| match row.record.word(40) {
            binary::NONE => ModelFacts::unknown(row.id()),
            place => ModelFacts::read(row.book, place, row.id()),
        });
        let first = known.next()?;
        Some(known.fold(first, ModelFacts::or))
    }

    /// The provider whose host this is, by the book's list of hosts.
    #[must_use]
    pub fn provider_at(&self, host: &str) -> Option<&str> {
        self.layers().find_map(|book| {
            (0..book.count(binary::Table::Hosts)).find_map(|place| {
                let record = book.record(binary::Table::Hosts, place);
                let known = record.text(0);
                let is_it = match known.strip_prefix('*') {
                    Some(end) => host.ends_with(end),
                    None => host == known,
                };
                is_it.then(|| ProviderRow::at(book, record.word(8)))?.map(|provider| provider.id())
            })
        })
    }

    /// The provider whose prices apply: the one of this id or alias, else the one at this host; where the book knows
    /// neither, the id.
    #[must_use]
    pub fn seller<'a>(&'a self, provider: &'a str, host: &str) -> &'a str {
        let is_known = self.provider(provider).iter().any(Option::is_some);
        if is_known { provider } else { self.provider_at(host).unwrap_or(provider) }
    }

    fn layers(&self) -> impl Iterator<Item = Bytes<'_>> {
        self.own.as_deref().into_iter().chain(std::iter::once(&*self.base)).map(Bytes)
    }

    /// What each layer says of a provider; the operator's own first.
    fn provider(&self, name: &str) -> [Option<ProviderRow<'_>>; 2] {
        let base = ProviderRow::find(Bytes(&self.base), name);
        let own = self.own.as_deref().and_then(|own| {
            ProviderRow::find(Bytes(own), name)
                .or_else(|| base.and_then(|base| ProviderRow::find(Bytes(own), base.id())))
        });
        // An alias that only the operator gave may be that of a provider of the book.
        [own, base.or_else(|| own.and_then(|own| ProviderRow::find(Bytes(&self.base), own.id())))]
    }

    /// The model of a charge in every layer.
    fn find(&self, charge: &Charge<'_>) -> Result<Found<'_>, String> {
        let providers = self.provider(charge.provider);
        if providers.iter().all(Option::is_none) {
            return Err(format!("the price book has no provider `{}`", charge.provider));
        }
        if let Some(found) = self.find_at(providers, charge) {
            return Ok(found);
        }
        for provider in providers.into_iter().flatten() {
            for (place, same_prices) in provider.fallbacks() {
                let Some(other) = ProviderRow::at(provider.book, place) else { continue };
                let Some(mut found) = self.find_at(self.provider(other.id()), charge) else { continue };
                if !same_prices {
                    found.borrowed = Some(format!("priced as if {} had sold it", other.id()));
                }
                found.providers = providers;
                found.foreign = true;
                return Ok(found);
            }
        }
        Err(format!("the price book has no {} model `{}`", charge.provider, charge.model))
    }

    fn find_at<'a>(
        &'a self,
        providers: [Option<ProviderRow<'a>>; 2],
        charge: &Charge<'_>,
    ) -> Option<Found<'a>> {
        let (model, how) = find::find(providers, charge.model, charge.at)?;
        // The layer in which it was found needs no second search.
        let models = providers.map(|provider| {
            let book = provider?.book;
            if std::ptr::eq(book.0, model.book.0) { Some(model) } else { provider?.exact(model.id()) }
        });
        let borrowed = (how == How::Resembling)
            .then(|| format!("`{}` is priced as `{}`, which its name resembles", charge.model, model.id()));
        Some(Found { providers, models, borrowed, foreign: false })
    }
}

impl fmt::Debug for PriceBook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PriceBook")
            .field("hash", &self.hash)
            .field("bytes", &self.size())
            .finish_non_exhaustive()
    }
}

/// SHA-256 in hex.
fn hash<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> String {
    use fmt::Write;

    let digest = parts.into_iter().fold(Sha256::new(), |hash, part| hash.chain_update(part)).finalize();
    digest.iter().fold(String::with_capacity(64), |mut hex, byte| {
        // Writing to a String cannot fail.
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}
