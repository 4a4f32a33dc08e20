use std::collections::HashSet;
use std::fmt;

use serde::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};

/// A body as a tree of texts: what JSON, a form and XML have in common.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Tree {
    /// JSON's null.
    Nothing,
    /// A string, or a number or truth value as it is written.
    Text(String),
    List(Vec<Tree>),
    /// In the order of the body; no name twice.
    Object(Vec<(String, Tree)>),
}

/// Why a body is not read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Unreadable(pub(super) String);

/// Deepest nesting of a form or of XML. (JSON's is serde_json's own, 128.)
const MAX_DEPTH: usize = 32;

impl Tree {
    /// JSON in which no object has a member twice: two readers could take different ones.
    pub(super) fn json(body: &[u8]) -> Result<Self, Unreadable> {
        serde_json::from_slice(body)
            .map_err(|error| Unreadable(format!("the body is not JSON as it should be: {error}")))
    }

    /// `application/x-www-form-urlencoded`: `Tags.member.1.Key=a` is a tree of four names (AWS Query
    /// protocol). No name is given twice.
    pub(super) fn form(text: &str) -> Result<Self, Unreadable> {
        let mut root = Self::Object(Vec::new());
        for (name, value) in form_urlencoded::parse(text.as_bytes()) {
            if name.contains('\u{fffd}') || value.contains('\u{fffd}') {
                return Err(Unreadable("a parameter is not UTF-8".to_owned()));
            }
            let twice = || Unreadable(format!("the parameter `{name}` is given twice, or as a value and as a list"));
            let mut at = &mut root;
            for (depth, step) in name.split('.').enumerate() {
                if depth == MAX_DEPTH {
                    return Err(Unreadable(format!("the parameter `{name}` is nested too deep")));
                }
                let Self::Object(members) = at else { return Err(twice()) };
                let found = members.iter().position(|(known, _)| known == step);
                let index = found.unwrap_or_else(|| {
                    members.push((step.to_owned(), Self::Object(Vec::new())));
                    members.len() - 1
                });
                at = &mut members[index].1;
            }
            // An empty object is a name that was just made: nothing else leaves one behind.
            if *at != Self::Object(Vec::new()) {
                return Err(twice());
            }
            *at = Self::Text(value.into_owned());
        }
        Ok(root)
    }

    /// XML without a DTD. An element with elements in it is an object whose members are lists, one item
    /// for each element of that name; any other is its text. The root's own name is not told.
    pub(super) fn xml(text: &str) -> Result<Self, Unreadable> {
        let document = roxmltree::Document::parse(text)
            .map_err(|error| Unreadable(format!("the body is not XML as it should be: {error}")))?;
        Self::element(document.root_element(), 0)
    }

    fn element(element: roxmltree::Node<'_, '_>, depth: usize) -> Result<Self, Unreadable> {
        if depth == MAX_DEPTH {
            return Err(Unreadable("the XML is nested too deep".to_owned()));
        }
        let mut members: Vec<(String, Self)> = Vec::new();
        for child in element.children().filter(roxmltree::Node::is_element) {
            let item = Self::element(child, depth + 1)?;
            let name = child.tag_name().name();
            match members.iter_mut().find(|(known, _)| known == name) {
                Some((_, Self::List(items))) => items.push(item),
                _ => members.push((name.to_owned(), Self::List(vec![item]))),
            }
        }
        if members.is_empty() {
            let texts = element.children().filter(roxmltree::Node::is_text).filter_map(|text| text.text());
            return Ok(Self::Text(texts.collect()));
        }
        Ok(Self::Object(members))
    }

    /// Every value at the end of these steps; `*` is any member or item, and a name is looked up in
    /// each item of a list.
    pub(super) fn at<'t>(&'t self, steps: &[String]) -> Vec<&'t Self> {
        let mut found = vec![self];
        for step in steps {
            found = found.into_iter().flat_map(|tree| tree.step(step)).collect();
        }
        found
            .into_iter()
            .flat_map(|tree| match tree {
                Self::Nothing => Vec::new(),
                Self::List(items) => items.iter().collect(),
                Self::Text(_) | Self::Object(_) => vec![tree],
            })
            .collect()
    }

    fn step<'t>(&'t self, step: &str) -> Vec<&'t Self> {
        match self {
            Self::Nothing | Self::Text(_) => Vec::new(),
            Self::List(items) if step == "*" => items.iter().collect(),
            Self::List(items) => items.iter().flat_map(|item| item.step(step)).collect(),
            Self::Object(members) if step == "*" => members.iter().map(|(_, value)| value).collect(),
            Self::Object(members) => members.iter().filter(|(name, _)| name == step).map(|(_, value)| value).collect(),
        }
    }
}

impl<'de> Deserialize<'de> for Tree {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TreeVisitor)
    }
}

struct TreeVisitor;

impl<'de> Visitor<'de> for TreeVisitor {
    type Value = Tree;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Tree, E> {
        Ok(Tree::Text(value.to_string()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Tree, E> {
        Ok(Tree::Text(value.to_string()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Tree, E> {
        Ok(Tree::Text(value.to_string()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Tree, E> {
        Ok(Tree::Text(value.to_string()))
    }

    fn visit_str<E>(self, value: &str) -> Result<Tree, E> {
        Ok(Tree::Text(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Tree, E> {
        Ok(Tree::Text(value))
    }

    fn visit_unit<E>(self) -> Result<Tree, E> {
        Ok(Tree::Nothing)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Tree, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Tree::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Tree, A::Error> {
        let mut seen = HashSet::new();
        let mut object = Vec::new();
        while let Some(name) = members.next_key::<String>()? {
            if !seen.insert(name.clone()) {
                return Err(de::Error::custom(format!("the member `{name}` is there twice")));
            }
            object.push((name, members.next_value()?));
        }
        Ok(Tree::Object(object))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(tree: &Tree, pointer: &str) -> Vec<String> {
        let steps: Vec<String> = pointer.split('/').skip(1).map(str::to_owned).collect();
        let text = |tree: &Tree| match tree {
            Tree::Text(text) => text.clone(),
            other => format!("{other:?}"),
        };
        tree.at(&steps).into_iter().map(text).collect()
    }

    #[test]
    fn three_kinds_of_bodies_are_read_by_the_same_steps() {
        let json = Tree::json(br#"{"A": {"b": [{"c": "1"}, {"c": 2}, {}]}, "n": null, "t": true}"#).unwrap();
        assert_eq!(texts(&json, "/A/b/*/c"), ["1", "2"]);
        assert_eq!(texts(&json, "/A/b/c"), ["1", "2"]);
        assert_eq!(texts(&json, "/t"), ["true"]);
        assert!(texts(&json, "/n").is_empty() && texts(&json, "/missing/x").is_empty());
        let form = Tree::form("Action=Tag&Tags.member.1.Key=a%2Fb&Tags.member.2.Key=c+d").unwrap();
        assert_eq!(texts(&form, "/Tags/member/*/Key"), ["a/b", "c d"]);
        assert_eq!(texts(&form, "/Action"), ["Tag"]);
        let xml = Tree::xml("<?xml version=\"1.0\"?><Delete xmlns=\"x\"><Object><Key>a &amp; b</Key></Object><Object><Key>c</Key></Object></Delete>").unwrap();
        assert_eq!(texts(&xml, "/Object/Key"), ["a & b", "c"]);
    }

    #[test]
    fn what_two_readers_could_read_differently_is_not_read() {
        for json in [r#"{"a":1,"a":2}"#, r#"{"x":{"a":1,"\u0061":2}}"#, "{}x", "", "{\"a\":\"\\ud800\"}"] {
            assert!(Tree::json(json.as_bytes()).is_err(), "{json}");
        }
        for form in ["a=1&a=2", "a=1&a.b=2", "a.b=2&a=1", "a=%ff"] {
            assert!(Tree::form(form).is_err(), "{form}");
        }
        for xml in ["<a>", "<!DOCTYPE a [<!ENTITY x \"y\">]><a>&x;</a>", "<a/><b/>"] {
            assert!(Tree::xml(xml).is_err(), "{xml}");
        }
        let deep = "<a>".repeat(40) + &"</a>".repeat(40);
        assert!(Tree::xml(&deep).is_err());
        assert!(Tree::json("[".repeat(200).as_bytes()).is_err());
    }
}
