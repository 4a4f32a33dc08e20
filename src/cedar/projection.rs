//! What of a request the statements of a slice can read.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::aws::ConditionKey;
use crate::iam::compare::{Decimal, epoch_milliseconds};
use crate::iam::{BaseOperator, Pattern, ResourceElement, ResourcePattern, Statement};

use super::atoms::PreparedCondition;

/// The condition keys, variables and atom inputs of all statements of a slice, those that do not
/// match included.
#[derive(Clone, Debug, Default)]
pub struct Projection {
    /// Keys whose values do not move with the clock, in order.
    pub keys: Box<[ConditionKey]>,
    /// Keys that move with the clock.
    pub clockwork: Box<[Clockwork]>,
}

/// How a slice reads one key that moves with the clock.
#[derive(Clone, Debug)]
pub struct Clockwork {
    /// Which key.
    pub key: TimeKey,
    /// Its name.
    pub name: ConditionKey,
    /// Values at which a comparison with a literal can turn, in order: milliseconds since the
    /// epoch for times, seconds for the age. None where the key is read in another way (in a
    /// variable, by a string operator), so that its value counts at every moment.
    pub turns: Option<Box<[i64]>>,
}

/// A condition key that moves with the clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum TimeKey {
    /// `aws:CurrentTime`.
    CurrentTime,
    /// `aws:EpochTime`, in whole seconds.
    EpochTime,
    /// `aws:MultiFactorAuthAge`, in whole seconds.
    MultiFactorAuthAge,
}

impl Clockwork {
    /// Adds how another slice reads the same key.
    pub fn merge(&mut self, other: &Self) {
        self.turns = match (self.turns.take(), &other.turns) {
            (Some(ours), Some(theirs)) => {
                let all: BTreeSet<i64> = ours.iter().chain(theirs).copied().collect();
                Some(all.into_iter().collect())
            }
            _ => None,
        };
    }
}

impl TimeKey {
    fn of(key: &ConditionKey) -> Option<Self> {
        match key.as_str() {
            "aws:currenttime" => Some(Self::CurrentTime),
            "aws:epochtime" => Some(Self::EpochTime),
            "aws:multifactorauthage" => Some(Self::MultiFactorAuthAge),
            _ => None,
        }
    }
}

impl Projection {
    pub(super) fn of<'a>(statements: impl Iterator<Item = (&'a Statement, &'a [Arc<PreparedCondition>])>) -> Self {
        let mut keys = BTreeSet::new();
        let mut times: BTreeMap<TimeKey, (ConditionKey, Option<BTreeSet<i64>>)> = BTreeMap::new();
        let read = |key: &ConditionKey,
                    turns: Option<Vec<i64>>,
                    keys: &mut BTreeSet<ConditionKey>,
                    times: &mut BTreeMap<TimeKey, (ConditionKey, Option<BTreeSet<i64>>)>| {
            let Some(time) = TimeKey::of(key) else {
                keys.insert(key.clone());
                return;
            };
            let (_, all) = times.entry(time).or_insert_with(|| (key.clone(), Some(BTreeSet::new())));
            match (all.as_mut(), turns) {
                (Some(all), Some(turns)) => all.extend(turns),
                _ => *all = None,
            }
        };
        for (statement, conditions) in statements {
            for variable in resource_variables(statement) {
                read(variable, None, &mut keys, &mut times);
            }
            for prepared in conditions {
                let key = &prepared.condition.key;
                let turns = TimeKey::of(key).and_then(|time| turns(time, prepared));
                read(key, turns, &mut keys, &mut times);
                for variable in prepared.values.variables() {
                    read(variable, None, &mut keys, &mut times);
                }
            }
        }
        let clockwork = times.into_iter().map(|(key, (name, turns))| Clockwork {
            key,
            name,
            turns: turns.map(|turns| turns.into_iter().collect()),
        });
        Self { keys: keys.into_iter().collect(), clockwork: clockwork.collect() }
    }

    /// Whether nothing of the request is read but its scope.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty() && self.clockwork.is_empty()
    }
}

/// Where a comparison of the time with the condition's literals can turn; none where the
/// operator is not one whose answer is a step at its literals.
fn turns(time: TimeKey, prepared: &PreparedCondition) -> Option<Vec<i64>> {
    use BaseOperator as Op;
    let values = &prepared.condition.values;
    let mut turns = Vec::new();
    match (prepared.condition.operator.base, time) {
        (Op::Null, _) => {}
        (
            Op::DateEquals
            | Op::DateNotEquals
            | Op::DateLessThan
            | Op::DateLessThanEquals
            | Op::DateGreaterThan
            | Op::DateGreaterThanEquals,
            TimeKey::CurrentTime | TimeKey::EpochTime,
        ) => {
            for literal in values.iter().filter_map(|value| epoch_milliseconds(value)) {
                turns.extend([literal, literal.checked_add(1)?]);
            }
        }
        (
            Op::NumericEquals
            | Op::NumericNotEquals
            | Op::NumericLessThan
            | Op::NumericLessThanEquals
            | Op::NumericGreaterThan
            | Op::NumericGreaterThanEquals,
            TimeKey::EpochTime | TimeKey::MultiFactorAuthAge,
        ) => {
            for literal in values.iter().filter_map(|value| Decimal::parse(value)) {
                let seconds = literal.to_i64()?;
                let unit = if time == TimeKey::EpochTime { 1000 } else { 1 };
                turns.extend([seconds.checked_mul(unit)?, seconds.checked_add(1)?.checked_mul(unit)?]);
            }
        }
        _ => return None,
    }
    if time == TimeKey::EpochTime {
        // The key holds whole seconds: it passes a bound with the first second that is not before it.
        for turn in &mut turns {
            *turn = turn.checked_add(999)?.div_euclid(1000) * 1000;
        }
    }
    Some(turns)
}

fn resource_variables(statement: &Statement) -> Vec<&ConditionKey> {
    let patterns = match &statement.resource {
        Some(ResourceElement::Resource(patterns) | ResourceElement::NotResource(patterns)) => patterns.as_slice(),
        None => &[],
    };
    let mut found = Vec::new();
    for pattern in patterns {
        if let ResourcePattern::Arn { segments, .. } = pattern {
            found.extend(segments.iter().flat_map(Pattern::variables));
        }
    }
    found
}
