//! What the engine drew, by the step that made it: `<17.id>` is the id of the key that step 17 made.

use std::collections::{BTreeMap, HashMap};

use serde_json::Value;

use super::cryptography::tampered;
use super::imports::{material, wrapped};
use super::state::{Blob, Model};
use super::step::Step;

#[derive(Default)]
pub(super) struct Names {
    texts: BTreeMap<(usize, String), String>,
    by_text: HashMap<String, String>,
    /// Requests for the pages that follow those that were told.
    next_pages: Vec<Step>,
}

/// The members of answers whose texts later requests may bear.
const DRAWN: [&str; 11] = [
    "CustomKeyStoreId",
    "CiphertextBlob",
    "PrivateKeyCiphertextBlob",
    "Mac",
    "Signature",
    "PublicKey",
    "GrantId",
    "GrantToken",
    "ImportToken",
    "KeyMaterialId",
    "NextMarker",
];

impl Names {
    /// Learns what an answer tells.
    pub(super) fn learn(&mut self, step: usize, operation: &'static str, answer: &Value) {
        let mut note = |label: &str, value: &Value| {
            if let Some(text) = value.as_str() {
                self.texts.insert((step, label.to_owned()), text.to_owned());
                self.by_text.entry(text.to_owned()).or_insert_with(|| format!("<{step}.{label}>"));
            }
        };
        for member in DRAWN {
            note(member, &answer[member]);
        }
        for member in ["KeyMetadata", "ReplicaKeyMetadata"] {
            let is_made = operation == "CreateKey" || operation == "ReplicateKey";
            if is_made || answer[member]["KeyManager"] == "AWS" {
                note("id", &answer[member]["KeyId"]);
                note("arn", &answer[member]["Arn"]);
            }
        }
    }

    /// Learns that a request was answered with the first of several pages.
    pub(super) fn learn_page(&mut self, step: usize, request: &Step) {
        let mut next = request.clone();
        if let Step::Request { body, .. } = &mut next {
            body["Marker"] = Value::String(format!("<{step}.NextMarker>"));
        }
        self.next_pages.push(next);
    }

    pub(super) fn has(&self, step: usize, label: &str) -> bool {
        self.texts.contains_key(&(step, label.to_owned()))
    }

    /// The name of a text that was learned.
    pub(super) fn name_of(&self, text: &str) -> Option<String> {
        self.by_text.get(text).cloned()
    }

    /// Requests for pages that follow, of an operation.
    pub(super) fn next_pages(&self, of: &str) -> Vec<&Step> {
        self.next_pages
            .iter()
            .filter(|step| matches!(step, Step::Request { operation, .. } if *operation == of))
            .collect()
    }

    /// The value with names replaced by what they stand for.
    pub(super) fn expand(&self, value: &Value, model: &mut Model) -> Value {
        match value {
            Value::String(text) => Value::String(self.expand_text(text, model)),
            Value::Array(items) => items.iter().map(|item| self.expand(item, model)).collect(),
            Value::Object(members) => {
                members.iter().map(|(name, member)| (name.clone(), self.expand(member, model))).collect()
            }
            other => other.clone(),
        }
    }

    fn expand_text(&self, text: &str, model: &mut Model) -> String {
        let Some((before, rest)) = text.split_once('<') else { return text.to_owned() };
        let Some((name, after)) = rest.split_once('>') else { return text.to_owned() };
        format!("{before}{}{after}", self.stands_for(name, model))
    }

    /// What a name stands for; where its step was left out, something that is nowhere.
    fn stands_for(&self, name: &str, model: &mut Model) -> String {
        let mut parts = name.split('.');
        let step = parts.next().and_then(|number| number.parse().ok()).unwrap_or(usize::MAX);
        let label = parts.next().unwrap_or_default();
        let found = self.texts.get(&(step, label.to_owned())).cloned();
        match (label, parts.next(), parts.next()) {
            ("wrapped", Some(spec), Some(number)) => {
                self.wrapped(step, spec, number.parse().unwrap(), model).unwrap_or_else(|| "QQ==".to_owned())
            }
            (_, Some("tampered"), _) => found.and_then(|text| tampered(&text)).unwrap_or_else(|| "QQ==".to_owned()),
            _ => found.unwrap_or_else(|| match label {
                "id" => "00000000-0000-4000-8000-000000000000".to_owned(),
                "arn" => "arn:aws:kms:us-east-1:111122223333:key/00000000-0000-4000-8000-000000000000".to_owned(),
                "CustomKeyStoreId" => "cks-00000000000000000".to_owned(),
                "GrantId" => "f".repeat(64),
                "KeyMaterialId" => "a".repeat(64),
                _ => "QQ==".to_owned(),
            }),
        }
    }

    /// Material wrapped for the import token of a step.
    fn wrapped(&self, step: usize, spec: &str, number: u8, model: &mut Model) -> Option<String> {
        let public_key = self.texts.get(&(step, "PublicKey".to_owned()))?;
        let token = model.tokens.iter().find(|token| token.made == step)?;
        let text = wrapped(public_key, &token.algorithm, &material(spec, number))?;
        model.blobs.insert(text.clone(), Blob::Wrapped { token: step, number, spec: spec.to_owned() });
        Some(text)
    }
}
