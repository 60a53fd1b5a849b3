//! The rows of a model: names, cards, factors, minimums, allowances, facts.

use std::collections::BTreeMap;

use super::dates::{minute, offset};
use super::node::Node;
use super::read::{Members, Reader};
use super::{
    Allowance, Card, Clause, Factor, Facts, Minimum, Model, Op, Price, Schedule, Status, Threshold, When,
};
use crate::book::PERS;
use crate::{Atto, Capability, Meter, Rate, Region, Tier};

/// The dearest price taken, in dollars, and the largest part of a factor: with counts up to the limit no product leaves
/// the range of [`Atto`].
const PRICE_LIMIT: i128 = 1_000_000 * 10_i128.pow(18);
const FACTOR_LIMIT: u64 = 10_000;
/// Prices are kept in units of 1e-12 dollars.
const UNIT: i128 = 10_i128.pow(6);

impl Price {
    /// The price as numbers.
    ///
    /// # Errors
    /// What is wrong with the text, and the mend.
    pub(crate) fn rate(&self) -> Result<Rate, (String, &'static str)> {
        let text = &self.amount;
        let (amount, over) = match text.split_once('/') {
            None => (text.as_str(), Some(1)),
            Some((amount, over)) => {
                (amount, over.parse::<u32>().ok().filter(|over| (1..=10_000).contains(over)))
            }
        };
        let over = over.ok_or_else(|| {
            (
                format!("the price `{text}` has no usable denominator"),
                "write it as n/d with d from 1 to 10000",
            )
        })?;
        let amount = Atto::parse(amount)
            .map_err(|fault| (format!("the price `{text}` is {fault}"), "copy the vendor's figure"))?;
        if !(0..=PRICE_LIMIT).contains(&amount.units()) {
            return Err((format!("the price `{text}` is out of range"), "write dollars, from 0 to 1000000"));
        }
        if amount.units() % UNIT != 0 {
            let text = format!("the price `{text}` has more than 12 digits after the point");
            return Err((text, "round it to 12, or write a fraction as n/d"));
        }
        Ok(Rate { amount, over })
    }
}

impl Reader {
    pub(super) fn model(&mut self, node: &Node) -> Model {
        let keys = ["id", "match", "cards", "factors", "minimums", "allowances", "facts"];
        let members = self.members(node, &keys);
        Model {
            id: self.required_text(members, "id"),
            clauses: self.list(members, "match", Reader::clause),
            cards: self.list(members, "cards", Reader::card),
            factors: self.list(members, "factors", |reader, node| reader.factor(node, false)),
            minimums: self.list(members, "minimums", Reader::minimum),
            allowances: self.list(members, "allowances", Reader::allowance),
            facts: members.get("facts").map(|node| self.at("facts", |reader| reader.facts(node))),
        }
    }

    /// A text is a whole name.
    fn clause(&mut self, node: &Node) -> Clause {
        if let Node::Text(name) = node
            && !name.is_empty()
        {
            return Clause::Equals(name.clone());
        }
        let keys = ["equals", "starts_with", "ends_with", "contains", "all", "not"];
        let members = self.members(node, &keys);
        let [(key, node)] = self.entries(node) else {
            self.fault(
                "a clause tests one thing",
                "write one of equals, starts_with, ends_with, contains, all, not",
            );
            return Clause::All(Vec::new());
        };
        match key.as_str() {
            "all" => Clause::All(self.list(members, "all", Reader::clause)),
            "not" => Clause::Not(Box::new(self.at("not", |reader| reader.clause(node)))),
            _ => {
                let text = self.at(key.clone(), |reader| reader.text(node));
                match key.as_str() {
                    "starts_with" => Clause::StartsWith(text),
                    "ends_with" => Clause::EndsWith(text),
                    "contains" => Clause::Contains(text),
                    _ => Clause::Equals(text),
                }
            }
        }
    }

    fn card(&mut self, node: &Node) -> Card {
        let keys =
            ["valid_from", "valid_until", "status", "when", "threshold", "lines", "source", "checked_on"];
        let members = self.members(node, &keys);
        let (valid_from, valid_until) = self.span(members);
        let status = match self.optional_text(members, "status").as_deref() {
            None | Some("published") => Status::Published,
            Some("announced") => Status::Announced,
            Some("observed") => Status::Observed,
            Some(word) => {
                let text = format!("the status `{word}` is not known");
                self.at("status", |reader| reader.fault(text, "write published, announced or observed"));
                Status::Published
            }
        };
        let lines = match members.get("lines") {
            Some(node) => self.at("lines", |reader| reader.lines(node)),
            None => {
                self.fault("it has no `lines`", "give the card at least one price");
                BTreeMap::new()
            }
        };
        let when = self.when(members);
        let threshold = members.get("threshold");
        Card {
            valid_from,
            valid_until,
            status,
            when,
            threshold: threshold.map(|node| self.at("threshold", |reader| reader.threshold(node))),
            lines,
            origin: self.origin(members),
        }
    }

    fn lines(&mut self, node: &Node) -> BTreeMap<Meter, Option<Price>> {
        let mut lines = BTreeMap::new();
        for (word, node) in self.entries(node) {
            self.at(word.clone(), |reader| {
                let Some(meter) = Meter::from_word(word) else {
                    reader.fault(format!("`{word}` is not a meter"), "write a meter's name, such as input");
                    return;
                };
                lines.insert(meter, reader.price(node));
            });
        }
        if lines.is_empty() {
            self.fault("it has no price", "give the card at least one price");
        }
        lines
    }

    fn price(&mut self, node: &Node) -> Option<Price> {
        let price = match node {
            Node::Null => return None,
            Node::Map(_) => {
                let members = self.members(node, &["amount", "per"]);
                let amount = self.required_text(members, "amount");
                let per = self.required_whole(members, "per");
                if !PERS.contains(&per) {
                    let mend = "write one of 1, 1000, 3600, 1000000, 1000000000";
                    self.at("per", |reader| reader.fault(format!("{per} is not usual"), mend));
                }
                Price { amount, per: Some(per) }
            }
            _ => Price { amount: self.text(node), per: None },
        };
        if !price.amount.is_empty()
            && let Err((text, mend)) = price.rate()
        {
            self.fault(text, mend);
        }
        Some(price)
    }

    fn when(&mut self, members: Members<'_>) -> When {
        let Some(node) = members.get("when") else { return When::default() };
        self.at("when", |reader| {
            let keys = ["processing", "tier", "speed", "region", "route", "variant", "schedule"];
            let members = reader.members(node, &keys);
            let processing = reader.word(members, "processing", &["realtime", "batch"]);
            let tiers = ["standard", "flex", "balanced", "priority", "ultrafast", "provisioned"];
            let tier = reader.word(members, "tier", &tiers);
            let speed = reader.word(members, "speed", &["standard", "fast"]);
            let tier = match (processing.as_deref(), tier.as_deref(), speed.as_deref()) {
                (Some("batch"), None, None) => Some(Tier::Batch),
                (None | Some("realtime"), None, Some("fast")) => Some(Tier::Fast),
                (None | Some("realtime"), Some(word), None | Some("standard")) => Some(Tier::from_word(word)),
                (None, None, None) => None,
                (Some("realtime"), None, _) | (_, None, Some("standard")) => Some(Tier::Standard),
                _ => {
                    let text = "processing, tier and speed are one choice";
                    reader.fault(text, "keep one of them: no provider sells two together");
                    None
                }
            };
            let regions = Region::ALL.map(Region::as_str);
            When {
                tier,
                region: reader.word(members, "region", &regions).and_then(|word| Region::from_word(&word)),
                route: reader.optional_text(members, "route"),
                variant: reader.optional_text(members, "variant"),
                schedule: members
                    .get("schedule")
                    .map(|node| reader.at("schedule", |reader| reader.schedule(node))),
            }
        })
    }

    /// One of a few words.
    fn word(&mut self, members: Members<'_>, key: &str, words: &[&str]) -> Option<String> {
        let word = self.optional_text(members, key)?;
        if words.contains(&word.as_str()) {
            return Some(word);
        }
        let text = format!("`{word}` is none of {}", words.join(", "));
        self.at(key, |reader| reader.fault(text, "write one of these words"));
        None
    }

    fn schedule(&mut self, node: &Node) -> Schedule {
        let members = self.members(node, &["weekdays", "timezone", "from", "to"]);
        let weekdays = self.list(members, "weekdays", |reader, node| match node {
            Node::Whole(day @ 1..=7) => u8::try_from(*day).unwrap_or(0),
            _ => {
                reader.fault("it is not a weekday", "write 1 for Monday to 7 for Sunday");
                0
            }
        });
        let schedule = Schedule {
            weekdays,
            timezone: self.required_text(members, "timezone"),
            from: self.required_text(members, "from"),
            to: self.required_text(members, "to"),
        };
        if schedule.weekdays.is_empty() {
            self.fault("it names no weekday", "list them: 1 is Monday, 7 is Sunday");
        }
        if offset(&schedule.timezone).is_none() {
            let text = format!("the timezone `{}` is not known", schedule.timezone);
            self.fault(text, "write UTC, or an offset such as +08:00");
        }
        match (minute(&schedule.from), minute(&schedule.to)) {
            (Some(from), Some(to)) if from < to => {}
            _ => self
                .fault("its hours are not a span within a day", "write from and to as HH:MM, from before to"),
        }
        schedule
    }

    fn threshold(&mut self, node: &Node) -> Threshold {
        let members = self.members(node, &["basis", "op", "tokens"]);
        if self.required_text(members, "basis") != "total_prompt" {
            self.fault("only whole prompts have thresholds", "write \"basis\": \"total_prompt\"");
        }
        let op = match self.word(members, "op", &["gt", "ge", "le", "lt"]).as_deref() {
            Some("ge") => Op::Ge,
            Some("le") => Op::Le,
            Some("lt") => Op::Lt,
            Some(_) => Op::Gt,
            None => {
                self.fault("it has no `op`", "write one of gt, ge, le, lt");
                Op::Gt
            }
        };
        let tokens = self.required_whole(members, "tokens");
        if !(1..=1_000_000_000_000).contains(&tokens) {
            self.fault(format!("{tokens} tokens are no threshold"), "write the vendor's threshold in tokens");
        }
        Threshold { op, tokens }
    }

    pub(super) fn factor(&mut self, node: &Node, of_provider: bool) -> Factor {
        let mut keys =
            vec!["valid_from", "valid_until", "when", "applies_to", "num", "den", "source", "checked_on"];
        if of_provider {
            keys.push("models");
        }
        let members = self.members(node, &keys);
        let (valid_from, valid_until) = self.span(members);
        let factor = Factor {
            valid_from,
            valid_until,
            when: self.when(members),
            models: self.texts(members, "models"),
            applies_to: self.list(members, "applies_to", Reader::meter),
            num: self.required_whole(members, "num"),
            den: self.required_whole(members, "den"),
            origin: self.origin(members),
        };
        if factor.when.schedule.is_some() {
            self.fault("a factor has no schedule", "write cards with a schedule");
        }
        if factor.num > FACTOR_LIMIT || !(1..=FACTOR_LIMIT).contains(&factor.den) {
            let text = format!("the factor {}/{} is out of range", factor.num, factor.den);
            self.fault(text, "write whole numbers up to 10000, such as 85/100");
        }
        factor
    }

    fn meter(&mut self, node: &Node) -> Meter {
        let word = self.text(node);
        Meter::from_word(&word).unwrap_or_else(|| {
            self.fault(format!("`{word}` is not a meter"), "write a meter's name, such as input");
            Meter::Input
        })
    }

    fn metered(&mut self, members: Members<'_>) -> Meter {
        match members.get("meter") {
            Some(node) => self.at("meter", |reader| reader.meter(node)),
            None => {
                self.fault("it has no `meter`", "add it");
                Meter::Input
            }
        }
    }

    fn minimum(&mut self, node: &Node) -> Minimum {
        let members = self.members(node, &["meter", "quantity", "source", "checked_on"]);
        Minimum {
            meter: self.metered(members),
            quantity: self.required_whole(members, "quantity"),
            origin: self.origin(members),
        }
    }

    fn allowance(&mut self, node: &Node) -> Allowance {
        let keys = ["meter", "quantity", "period", "shared_group", "source", "checked_on"];
        let members = self.members(node, &keys);
        Allowance {
            meter: self.metered(members),
            quantity: self.required_whole(members, "quantity"),
            period: self.word(members, "period", &["day", "month"]).unwrap_or_default(),
            shared_group: self.optional_text(members, "shared_group"),
            origin: self.origin(members),
        }
    }

    fn facts(&mut self, node: &Node) -> Facts {
        let keys = [
            "context_window",
            "output_limit",
            "smallest_cacheable",
            "tokenizer",
            "retires",
            "capabilities",
            "source",
            "checked_on",
        ];
        let members = self.members(node, &keys);
        let mut capabilities = BTreeMap::new();
        if let Some(node) = members.get("capabilities") {
            self.at("capabilities", |reader| {
                for (word, node) in reader.entries(node) {
                    reader.at(word.clone(), |reader| {
                        if Capability::from_word(word).is_none() {
                            reader.fault(
                                format!("`{word}` is not a capability"),
                                "see the list in docs/prices.md",
                            );
                        }
                        let can = reader.truth(node);
                        capabilities.insert(word.clone(), can);
                    });
                }
            });
        }
        Facts {
            context_window: self.optional_whole(members, "context_window"),
            output_limit: self.optional_whole(members, "output_limit"),
            smallest_cacheable: self.optional_whole(members, "smallest_cacheable"),
            tokenizer: self.optional_text(members, "tokenizer"),
            retires: self.day(members, "retires"),
            capabilities,
            origin: self.origin(members),
        }
    }
}
