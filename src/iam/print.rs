use serde::ser::{Serialize, SerializeMap, Serializer};

use super::{ActionElement, Document, Effect, PrincipalElement, PrincipalPattern, ResourceElement, Statement};

impl Document {
    /// The document as AWS JSON, indented. Reading it again gives an equal document, lines apart;
    /// accounts are written by their ids, version always.
    #[must_use]
    pub fn to_json(&self) -> String {
        serde_json::to_string_pretty(&self.tree()).unwrap_or_default()
    }

    fn tree(&self) -> Tree<'_> {
        let mut members = vec![("Version".to_owned(), Tree::Text(self.version.as_str()))];
        members.extend(self.id.as_deref().map(|id| ("Id".to_owned(), Tree::Text(id))));
        members.push(("Statement".to_owned(), Tree::List(self.statements.iter().map(Statement::tree).collect())));
        Tree::Object(members)
    }
}

impl Statement {
    fn tree(&self) -> Tree<'_> {
        let mut members = Vec::new();
        let mut add = |name: &str, tree| members.push((name.to_owned(), tree));
        if let Some(sid) = &self.sid {
            add("Sid", Tree::Text(sid));
        }
        add("Effect", Tree::Text(if self.effect == Effect::Allow { "Allow" } else { "Deny" }));
        match &self.principal {
            Some(PrincipalElement::Principal(patterns)) => add("Principal", principals(patterns)),
            Some(PrincipalElement::NotPrincipal(patterns)) => add("NotPrincipal", principals(patterns)),
            None => {}
        }
        let texts = |list: Vec<_>| Tree::List(list);
        match &self.action {
            Some(ActionElement::Action(list)) => {
                add("Action", texts(list.iter().map(|a| Tree::Text(&a.text)).collect()));
            }
            Some(ActionElement::NotAction(list)) => {
                add("NotAction", texts(list.iter().map(|a| Tree::Text(&a.text)).collect()));
            }
            None => {}
        }
        match &self.resource {
            Some(ResourceElement::Resource(list)) => {
                add("Resource", texts(list.iter().map(|r| Tree::Text(r.text())).collect()));
            }
            Some(ResourceElement::NotResource(list)) => {
                add("NotResource", texts(list.iter().map(|r| Tree::Text(r.text())).collect()));
            }
            None => {}
        }
        if !self.conditions.is_empty() {
            add("Condition", self.condition_tree());
        }
        Tree::Object(members)
    }

    fn condition_tree(&self) -> Tree<'_> {
        let mut operators: Vec<(String, Vec<(String, Tree<'_>)>)> = Vec::new();
        for condition in &self.conditions {
            let name = condition.operator.to_string();
            let values = Tree::List(condition.values.iter().map(|value| Tree::Text(value)).collect());
            let entry = (condition.key_text.clone(), values);
            match operators.iter_mut().find(|(known, _)| *known == name) {
                Some((_, keys)) => keys.push(entry),
                None => operators.push((name, vec![entry])),
            }
        }
        Tree::Object(operators.into_iter().map(|(name, keys)| (name, Tree::Object(keys))).collect())
    }
}

fn principals(patterns: &[PrincipalPattern]) -> Tree<'_> {
    let mut members: Vec<(String, Tree<'_>)> = Vec::new();
    for pattern in patterns {
        let (member, text) = pattern.member_and_text();
        match members.iter_mut().find(|(known, _)| known == member) {
            Some((_, Tree::List(list))) => list.push(Tree::Text(text)),
            _ => members.push((member.to_owned(), Tree::List(vec![Tree::Text(text)]))),
        }
    }
    Tree::Object(members)
}

/// JSON whose members keep their order.
enum Tree<'a> {
    Text(&'a str),
    /// One element stands without brackets, where it is a text.
    List(Vec<Tree<'a>>),
    Object(Vec<(String, Tree<'a>)>),
}

impl Serialize for Tree<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Text(text) => serializer.serialize_str(text),
            Self::List(list) => match list.as_slice() {
                [Self::Text(text)] => serializer.serialize_str(text),
                _ => serializer.collect_seq(list),
            },
            Self::Object(members) => {
                let mut map = serializer.serialize_map(Some(members.len()))?;
                for (name, value) in members {
                    map.serialize_entry(name, value)?;
                }
                map.end()
            }
        }
    }
}
