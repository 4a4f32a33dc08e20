use std::sync::OnceLock;

use super::global::{self, By};
use super::{ConditionKeyEntry, KeyInfo};
use crate::aws::KeyType;

/// The data that `refresh` made; its docstring has the format.
pub(super) const DATA: &str = include_str!("services.tsv");

/// What the catalogue says of one service, or of a prefix that only condition keys have.
#[derive(Debug)]
pub struct Service {
    name: &'static str,
    keys: Box<[ConditionKeyEntry]>,
    /// Places in `keys`.
    sets: Box<[Box<[u16]>]>,
    resource_types: Box<[ResourceType]>,
    /// By name in lower case.
    actions: Box<[Action]>,
}

/// An action of a [`Service`].
#[derive(Debug)]
pub struct Action {
    /// In AWS's spelling, without the service: `GetObject`.
    pub name: &'static str,
    /// Places in the service's resource types, and whether a request needs one of that type.
    resource_types: Box<[(u16, bool)]>,
    set: Option<u16>,
}

/// A type of resource of a [`Service`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ResourceType {
    /// `bucket`.
    pub name: &'static str,
    /// `arn:*:s3:::*`: `*` stands for any text.
    pub arn: &'static str,
}

impl Service {
    /// In lower case: `s3`.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Every action, ordered by its name in lower case; none where this is a prefix of condition
    /// keys alone.
    #[must_use]
    pub fn actions(&self) -> &[Action] {
        &self.actions
    }

    /// The action of that name, in any case.
    #[must_use]
    pub fn action(&self, name: &str) -> Option<&Action> {
        let at = self.actions.binary_search_by(|action| compare_ignoring_case(action.name, name)).ok()?;
        self.actions.get(at)
    }

    /// Every condition key that the service lists, those of other prefixes included.
    #[must_use]
    pub fn keys(&self) -> &[ConditionKeyEntry] {
        &self.keys
    }

    /// Every type of resource.
    #[must_use]
    pub fn resource_types(&self) -> &[ResourceType] {
        &self.resource_types
    }

    /// The types of resource that the action is asked for, and whether a request needs one of that
    /// type; an action without any is decided on `*`.
    pub fn resource_types_of(&self, action: &Action) -> impl Iterator<Item = (ResourceType, bool)> {
        action
            .resource_types
            .iter()
            .filter_map(|(at, needed)| Some((*self.resource_types.get(usize::from(*at))?, *needed)))
    }

    /// Whether a request for the action can give the condition key of that lower-case name. Global
    /// keys are in every request as far as this tells, but for those of tags.
    #[must_use]
    pub fn supports(&self, action: &Action, key: &str) -> bool {
        let is_global = key.starts_with("aws:") && !global::is_by_action(key);
        is_global
            || self.lists(action, key)
            || global::CROSS_SERVICE_KEYS.contains(&key)
            || global::SUPPORTED.iter().any(|row| {
                row.service == self.name
                    && row.keys.contains(&key)
                    && match row.by {
                        By::Supporting(other) => self.lists(action, other),
                        By::Action(name) => action.name == name,
                    }
            })
    }

    /// Whether the data list the key with the action.
    pub(super) fn lists(&self, action: &Action, key: &str) -> bool {
        let set = action.set.and_then(|set| self.sets.get(usize::from(set)));
        let entries = set.into_iter().flat_map(|set| set.iter()).filter_map(|at| self.keys.get(usize::from(*at)));
        entries.into_iter().any(|entry| entry.matches(key))
    }

    fn parse(name: &'static str, text: &'static str) -> Self {
        let (mut keys, mut sets, mut resource_types, mut actions) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for line in text.lines() {
            let mut fields = line.split('\t');
            let row = fields.next().unwrap_or_default();
            let mut next = || fields.next().unwrap_or_default();
            match row {
                "K" => keys.push(ConditionKeyEntry { name: next(), info: info(next()) }),
                "S" => sets.push(next().split(' ').filter_map(|at| at.parse().ok()).collect()),
                "R" => resource_types.push(ResourceType { name: next(), arn: next() }),
                _ => actions.push(Action {
                    name: next(),
                    resource_types: next()
                        .split(' ')
                        .filter_map(|at| Some((at.trim_end_matches('!').parse().ok()?, at.ends_with('!'))))
                        .collect(),
                    set: next().parse().ok(),
                }),
            }
        }
        actions.sort_by(|left: &Action, right| compare_ignoring_case(left.name, right.name));
        Self {
            name,
            keys: keys.into(),
            sets: sets.into(),
            resource_types: resource_types.into(),
            actions: actions.into(),
        }
    }
}

/// The type of a key, as the data write it: one letter, in lower case for several values.
fn info(letter: &str) -> KeyInfo {
    let key_type = match letter.to_ascii_uppercase().as_str() {
        "N" => KeyType::Numeric,
        "B" => KeyType::Bool,
        "D" => KeyType::Date,
        "I" => KeyType::Ip,
        "A" => KeyType::Arn,
        "X" => KeyType::Binary,
        _ => KeyType::String,
    };
    KeyInfo { key_type, multivalued: letter.bytes().all(|byte| byte.is_ascii_lowercase()) }
}

fn compare_ignoring_case(left: &str, right: &str) -> std::cmp::Ordering {
    left.bytes().map(|byte| byte.to_ascii_lowercase()).cmp(right.bytes().map(|byte| byte.to_ascii_lowercase()))
}

/// One section of the data, read when it is first asked for.
struct Section {
    name: &'static str,
    text: &'static str,
    service: OnceLock<Service>,
}

/// The index of the data: made once, in some ten microseconds.
fn sections() -> &'static [Section] {
    static SECTIONS: OnceLock<Box<[Section]>> = OnceLock::new();
    SECTIONS.get_or_init(|| {
        let (head, body) = DATA.split_once("\n\n").unwrap_or_default();
        let entry = |line: &'static str| {
            let (name, place) = line.split_once('\t')?;
            Some((name, place.parse::<usize>().ok()?))
        };
        let starts: Vec<(&str, usize)> = head.lines().skip(2).filter_map(entry).collect();
        let ends = starts.iter().skip(1).map(|(_, start)| *start).chain([body.len()]);
        starts
            .iter()
            .zip(ends)
            .map(|((name, start), end)| Section {
                name,
                text: body.get(*start..end).unwrap_or_default(),
                service: OnceLock::new(),
            })
            .collect()
    })
}

impl Section {
    fn service(&self) -> &Service {
        self.service.get_or_init(|| Service::parse(self.name, self.text))
    }
}

/// What is known of the service of that name, in any case; also of a prefix that only condition
/// keys have.
#[must_use]
pub fn service(name: &str) -> Option<&'static Service> {
    let sections = sections();
    let known = sections.binary_search_by(|section| compare_ignoring_case(section.name, name)).ok();
    known.and_then(|at| sections.get(at)).map(Section::service)
}

/// The names of all services, in order.
pub fn services() -> impl Iterator<Item = &'static str> {
    sections()
        .iter()
        .filter(|section| section.text.starts_with("A\t") || section.text.contains("\nA\t"))
        .map(|s| s.name)
}

/// The section whose name has a `*` for part of a provider's, such as `token.actions.*.ghe.com`.
pub(super) fn service_by_pattern(prefix: &str) -> Option<&'static Service> {
    let sections = sections().iter().filter(|section| section.name.contains('*'));
    sections.into_iter().find(|section| super::is_like(section.name, prefix)).map(Section::service)
}

/// Whether resource control policies cover the service's actions (Organizations User Guide,
/// "Resource control policies", "List of AWS services that support RCPs").
#[must_use]
pub fn has_resource_control_policies(service: &str) -> bool {
    let row = DATA.lines().nth(1).unwrap_or_default();
    row.split('\t').skip(1).any(|name| name.eq_ignore_ascii_case(service))
}
