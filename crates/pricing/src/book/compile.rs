//! From the written form to the compiled one.

use std::collections::BTreeMap;

use super::binary::{ANY, HEADER, MAGIC, NONE, Range, SIZES, TABLES, Table};
use super::facts::Capability;
use super::per::{PERS, usual};
use crate::document::{Clause, Document, Factor, Facts, Model, Op, Provider, Schedule, When, instant};
use crate::{Kind, Meter};

/// Compiles a document that was read without a fault. `hash` is 64 hex digits.
pub(super) fn compile(document: &Document, hash: &str) -> Vec<u8> {
    let mut writer =
        Writer { tables: Default::default(), texts: BTreeMap::new(), schedules: BTreeMap::new() };
    let mut providers: Vec<&Provider> = document.providers.iter().collect();
    providers.sort_by(|a, b| a.id.cmp(&b.id));
    let place = |id: &str| providers.iter().position(|provider| provider.id == id).map_or(NONE, small);
    let (mut names, mut hosts) = (Vec::new(), Vec::new());
    for (at, provider) in providers.iter().enumerate() {
        let own = std::iter::once(&provider.id).chain(&provider.aliases);
        names.extend(own.map(|name| (name.as_str(), small(at))));
        hosts.extend(provider.hosts.iter().map(|host| (host.as_str(), small(at))));
        writer.provider(provider, &place);
    }
    names.sort_unstable();
    // The longest host first: it says most.
    hosts.sort_by_key(|(host, _)| std::cmp::Reverse(host.len()));
    writer.named(Table::ProviderNames, &names);
    writer.named(Table::Hosts, &hosts);
    writer.finish(hash, &document.date)
}

/// Sizes here are bounded by what fits a written book.
fn small(size: usize) -> u32 {
    u32::try_from(size).unwrap_or(NONE)
}

struct Writer {
    tables: [Vec<u8>; TABLES],
    /// Texts that already lie in the pool.
    texts: BTreeMap<String, Range>,
    schedules: BTreeMap<[u16; 4], u32>,
}

/// A record that is being written.
#[derive(Default)]
struct Fields(Vec<u8>);

impl Fields {
    fn bytes(mut self, bytes: &[u8]) -> Fields {
        self.0.extend_from_slice(bytes);
        self
    }

    fn word(self, value: u32) -> Fields {
        self.bytes(&value.to_le_bytes())
    }

    fn long(self, value: u64) -> Fields {
        self.bytes(&value.to_le_bytes())
    }

    fn second(self, value: i64) -> Fields {
        self.bytes(&value.to_le_bytes())
    }

    fn range(self, range: Range) -> Fields {
        self.word(range.start).word(range.count)
    }
}

impl Writer {
    fn table(&mut self, table: Table) -> &mut Vec<u8> {
        &mut self.tables[table as usize]
    }

    fn count(&mut self, table: Table) -> u32 {
        let size = SIZES[table as usize];
        small(self.table(table).len() / size)
    }

    fn push(&mut self, table: Table, fields: Fields) {
        debug_assert_eq!(fields.0.len(), SIZES[table as usize]);
        self.table(table).extend_from_slice(&fields.0);
    }

    /// Writes a stretch of records.
    fn all<T>(
        &mut self,
        table: Table,
        items: impl IntoIterator<Item = T>,
        fields: impl Fn(&mut Writer, T) -> Fields,
    ) -> Range {
        let start = self.count(table);
        for item in items {
            let fields = fields(self, item);
            self.push(table, fields);
        }
        Range { start, count: self.count(table) - start }
    }

    fn text(&mut self, text: &str) -> Range {
        if let Some(range) = self.texts.get(text) {
            return *range;
        }
        let pool = self.table(Table::Texts);
        let range = Range { start: small(pool.len()), count: small(text.len()) };
        pool.extend_from_slice(text.as_bytes());
        self.texts.insert(text.to_owned(), range);
        range
    }

    fn named(&mut self, table: Table, names: &[(&str, u32)]) -> Range {
        self.all(table, names, |writer, (name, place)| {
            Fields::default().range(writer.text(name)).word(*place)
        })
    }

    fn provider(&mut self, provider: &Provider, place: &dyn Fn(&str) -> u32) {
        let first = self.count(Table::Models);
        let model_at = |id: &str| provider.models.iter().position(|model| model.id == id).map(small);
        // A factor that names models of this book stands with them, any other with the provider.
        let mut own = vec![Vec::new(); provider.models.len()];
        let mut general: Vec<(&str, &Factor)> = Vec::new();
        for factor in &provider.factors {
            if factor.models.is_empty() {
                general.push(("", factor));
            }
            for id in &factor.models {
                match model_at(id).and_then(|at| own.get_mut(at as usize)) {
                    Some(factors) => factors.push(factor),
                    None => general.push((id, factor)),
                }
            }
        }
        let models: Vec<Fields> =
            provider.models.iter().zip(&own).map(|(model, factors)| self.model(model, factors)).collect();
        self.all(Table::Models, models, |_, fields| fields);

        let mut names: Vec<(&str, u32)> = Vec::new();
        let mut clauses = Vec::new();
        for (at, model) in provider.models.iter().enumerate() {
            let model_place = first + small(at);
            names.push((&model.id, model_place));
            for clause in &model.clauses {
                match clause {
                    Clause::Equals(name) => names.push((name, model_place)),
                    _ => clauses.push((atoms(clause), model_place)),
                }
            }
        }
        names.sort_unstable();
        names.dedup();
        let names = self.named(Table::Names, &names);
        clauses.sort_by_key(|(atoms, _)| std::cmp::Reverse(atoms.first().map_or(0, |atom| atom.1.len())));
        let clauses = self.all(Table::Clauses, clauses, |writer, (atoms, model)| {
            let main = atoms.first().copied().unwrap_or((ANY, ""));
            let rest = writer.all(Table::Atoms, atoms.iter().skip(1), |writer, (kind, text)| {
                Fields::default().range(writer.text(text)).bytes(&[*kind, 0, 0, 0])
            });
            let main = (main.0, writer.text(main.1));
            Fields::default().range(main.1).bytes(&[main.0, 0, 0, 0]).word(model).range(rest)
        });
        let mut pointers: Vec<_> = provider.pointers.iter().collect();
        pointers.sort_by(|a, b| (&a.name, &a.valid_from).cmp(&(&b.name, &b.valid_from)));
        let pointers = self.all(Table::Pointers, pointers, |writer, pointer| {
            let fields = Fields::default().range(writer.text(&pointer.name));
            let fields = span(fields, pointer.valid_from.as_deref(), pointer.valid_until.as_deref());
            fields.range(writer.text(&pointer.model))
        });
        let fallbacks = self.all(Table::Fallbacks, &provider.fallbacks, |_, fallback| {
            Fields::default().word(place(&fallback.provider)).word(u32::from(fallback.same_prices))
        });
        let factors = self.all(Table::Factors, general, |writer, (id, factor)| writer.factor(factor, id));
        let id = self.text(&provider.id);
        let models = Range { start: first, count: small(provider.models.len()) };
        let fields = Fields::default().range(id).range(names).range(clauses).range(pointers);
        self.push(Table::Providers, fields.range(fallbacks).range(factors).range(models));
    }

    fn model(&mut self, model: &Model, of_provider: &[&Factor]) -> Fields {
        let cards = self.all(Table::Cards, &model.cards, |writer, card| {
            let lines = writer.all(Table::Lines, &card.lines, |_, (meter, price)| {
                let rate = price.as_ref().and_then(|price| price.rate().ok());
                let per = price.as_ref().and_then(|price| price.per).unwrap_or_else(|| usual(*meter));
                let code = PERS.iter().position(|known| *known == per).and_then(|at| u8::try_from(at).ok());
                let amount =
                    rate.map_or(0, |rate| u64::try_from(rate.amount.units() / 1_000_000).unwrap_or(0));
                Fields::default()
                    .bytes(&[*meter as u8, u8::from(rate.is_none()), code.unwrap_or(0), 0])
                    .word(rate.map_or(1, |rate| rate.over))
                    .long(amount)
            });
            let (low, high) = card.threshold.map_or((0, u64::MAX), |threshold| match threshold.op {
                Op::Gt => (threshold.tokens.saturating_add(1), u64::MAX),
                Op::Ge => (threshold.tokens, u64::MAX),
                Op::Le => (0, threshold.tokens),
                Op::Lt => (0, threshold.tokens.saturating_sub(1)),
            });
            let schedule = card.when.schedule.as_ref().map_or(NONE, |schedule| writer.schedule(schedule));
            let tier = card.when.tier.unwrap_or_default() as u8;
            let region = card.when.region.map_or(ANY, |region| region as u8);
            let from = card.valid_from.as_deref();
            let fields = span(Fields::default(), from, card.valid_until.as_deref()).long(low).long(high);
            let fields = fields.bytes(&[tier, region, card.status as u8, 0]).word(schedule);
            let fields = writer.feature(fields, &card.when).range(lines);
            let (source, checked) = (card.origin.source.join(", "), &card.origin.checked_on);
            fields.range(writer.text(&source)).range(writer.text(checked)).word(0)
        });
        let factors = of_provider.iter().copied().chain(&model.factors);
        let factors = self.all(Table::Factors, factors, |writer, factor| writer.factor(factor, ""));
        let minimums = self.all(Table::Minimums, &model.minimums, |_, minimum| {
            Fields::default().word(minimum.meter as u32).long(minimum.quantity)
        });
        let allowances = self.all(Table::Allowances, &model.allowances, |writer, allowance| {
            let fields = Fields::default().word(allowance.meter as u32).long(allowance.quantity);
            let fields = fields.range(writer.text(&allowance.period));
            fields.range(writer.text(allowance.shared_group.as_deref().unwrap_or("")))
        });
        let facts = model.facts.as_ref().map_or(NONE, |facts| self.facts(facts));
        let fields = Fields::default().range(self.text(&model.id)).range(cards).range(factors);
        fields.range(minimums).range(allowances).word(facts)
    }

    fn feature(&mut self, fields: Fields, when: &When) -> Fields {
        let texts = [&when.route, &when.variant].map(|text| self.text(text.as_deref().unwrap_or("")));
        texts.into_iter().fold(fields, Fields::range)
    }

    fn factor(&mut self, factor: &Factor, model: &str) -> Fields {
        let covers = |meter: &Meter| match factor.applies_to.is_empty() {
            true => meter.kind() != Kind::Fee,
            false => factor.applies_to.contains(meter),
        };
        let meters = Meter::ALL.into_iter().filter(covers).fold(0_u64, |mask, meter| mask | 1 << meter as u8);
        let fields = span(Fields::default(), factor.valid_from.as_deref(), factor.valid_until.as_deref());
        let part = |part: u64| u32::try_from(part).unwrap_or(1);
        let tier = factor.when.tier.map_or(ANY, |tier| tier as u8);
        let region = factor.when.region.map_or(ANY, |region| region as u8);
        let fields = fields.long(meters).word(part(factor.num)).word(part(factor.den));
        let fields = self.feature(fields.bytes(&[tier, region, 0, 0]), &factor.when);
        let source = self.text(&factor.origin.source.join(", "));
        fields.range(self.text(model)).range(source).bytes(&[])
    }

    fn schedule(&mut self, schedule: &Schedule) -> u32 {
        let form = schedule.form();
        if let Some(place) = self.schedules.get(&form) {
            return *place;
        }
        let place = self.count(Table::Schedules);
        let fields = form.iter().fold(Fields::default(), |fields, part| fields.bytes(&part.to_le_bytes()));
        self.push(Table::Schedules, fields);
        self.schedules.insert(form, place);
        place
    }

    fn facts(&mut self, facts: &Facts) -> u32 {
        let place = self.count(Table::Facts);
        let (mut known, mut can) = (0_u32, 0_u32);
        for (word, has) in &facts.capabilities {
            if let Some(capability) = Capability::from_word(word) {
                known |= 1 << capability as u8;
                can |= u32::from(*has) << capability as u8;
            }
        }
        let limit = |limit: Option<u64>| limit.unwrap_or(u64::MAX);
        let fields = Fields::default()
            .long(limit(facts.context_window))
            .long(limit(facts.output_limit))
            .long(limit(facts.smallest_cacheable))
            .word(known)
            .word(can);
        let source = facts.origin.source.join(", ");
        let (tokenizer, retires) = (facts.tokenizer.as_deref(), facts.retires.as_deref());
        let texts = [tokenizer.unwrap_or(""), retires.unwrap_or(""), &source, &facts.origin.checked_on];
        let fields = texts.iter().fold(fields, |fields, text| fields.range(self.text(text)));
        self.push(Table::Facts, fields.long(0));
        place
    }

    fn finish(self, hash: &str, date: &str) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(HEADER + self.tables.iter().map(Vec::len).sum::<usize>());
        bytes.extend_from_slice(MAGIC);
        bytes.extend(hash.bytes().chain(std::iter::repeat(b' ')).take(64));
        bytes.extend(date.bytes().chain(std::iter::repeat(b' ')).take(12));
        let mut start = HEADER;
        for (table, size) in self.tables.iter().zip(SIZES) {
            bytes.extend_from_slice(&small(start).to_le_bytes());
            bytes.extend_from_slice(&small(table.len() / size).to_le_bytes());
            start += table.len();
        }
        bytes.extend(self.tables.iter().flatten());
        bytes
    }
}

fn span(fields: Fields, from: Option<&str>, until: Option<&str>) -> Fields {
    fields
        .second(from.and_then(instant).unwrap_or(i64::MIN))
        .second(until.and_then(instant).unwrap_or(i64::MAX))
}

/// A clause as the tests that must all hold; the longest positive one first.
fn atoms(clause: &Clause) -> Vec<(u8, &str)> {
    let mut atoms = match clause {
        Clause::All(parts) => parts.iter().flat_map(atoms).collect(),
        Clause::Not(part) => atoms(part).into_iter().map(|(kind, text)| (kind ^ NOT, text)).collect(),
        Clause::Equals(text) => vec![(EQUALS, text.as_str())],
        Clause::StartsWith(text) => vec![(STARTS, text.as_str())],
        Clause::EndsWith(text) => vec![(ENDS, text.as_str())],
        Clause::Contains(text) => vec![(CONTAINS, text.as_str())],
    };
    atoms.sort_by_key(|(kind, text)| (kind & NOT, std::cmp::Reverse(text.len())));
    atoms
}

pub(super) const EQUALS: u8 = 0;
pub(super) const STARTS: u8 = 1;
pub(super) const ENDS: u8 = 2;
pub(super) const CONTAINS: u8 = 3;
pub(super) const NOT: u8 = 8;
