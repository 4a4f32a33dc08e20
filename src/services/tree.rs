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

/// Most parameters of a form, and most kinds of elements in one of XML: each is compared with those
/// before it.
const MAX_NAMES: usize = 2_000;

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
        for (index, (name, value)) in form_pairs(text)?.into_iter().enumerate() {
            if index == MAX_NAMES {
                return Err(Unreadable("there are too many parameters".to_owned()));
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
            *at = Self::Text(value);
        }
        Ok(root)
    }

    /// XML without a DTD. An element with elements in it is an object whose members are lists, one item
    /// for each element of that name; any other is its text. The root's own name is not told.
    pub(super) fn xml(text: &str) -> Result<Self, Unreadable> {
        if !is_declared_utf8(text) {
            return Err(Unreadable("the XML says that it is not UTF-8".to_owned()));
        }
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
            let (known, kinds) = (members.iter().position(|(known, _)| known == name), members.len());
            match known.and_then(|index| members.get_mut(index)) {
                Some((_, Self::List(items))) => items.push(item),
                _ if kinds == MAX_NAMES => {
                    return Err(Unreadable("the XML has too many kinds of elements".to_owned()));
                }
                _ => members.push((name.to_owned(), Self::List(vec![item]))),
            }
        }
        if members.is_empty() {
            // Readers differ in what they make of a comment in a text, and of white space around one.
            if !element.children().all(|child| child.is_text()) {
                return Err(Unreadable("a text of the XML is interrupted".to_owned()));
            }
            let text: String = element.children().filter_map(|text| text.text()).collect();
            if text.trim() != text && !text.trim().is_empty() {
                return Err(Unreadable("a text of the XML begins or ends with white space".to_owned()));
            }
            return Ok(Self::Text(text));
        }
        Ok(Self::Object(members))
    }

    /// Every value at the end of these steps, and where it was found; `*` is any member or item, and a
    /// name is looked up in each item of a list.
    ///
    /// A member that differs from a step in nothing but case is refused: to some readers it is the same.
    pub(super) fn at<'t>(&'t self, steps: &[Step]) -> Result<Vec<Found<'t>>, Unreadable> {
        let mut found = vec![Found { place: Vec::new(), tree: self }];
        for step in steps {
            let mut next = Vec::new();
            for from in &found {
                from.step(&step.name, &mut next)?;
            }
            found = next;
            if !step.members.is_empty() {
                let mut kept = Vec::new();
                for item in found.into_iter().flat_map(Found::items) {
                    if step.takes(item.tree)? {
                        kept.push(item);
                    }
                }
                found = kept;
            }
        }
        Ok(found.into_iter().flat_map(Found::items).collect())
    }

    /// The member of that name; none where it is null or there is none.
    fn member(&self, name: &str) -> Result<Option<&Self>, Unreadable> {
        let Self::Object(members) = self else { return Ok(None) };
        let mut found = None;
        for (known, value) in members {
            if known == name {
                found = Some(value).filter(|value| **value != Self::Nothing);
            } else if folded(known) == folded(name) {
                return Err(Unreadable(format!("`{}` is another spelling of `{name}`", known.escape_debug())));
            }
        }
        Ok(found)
    }
}

/// As a reader sees a name that does not look at the case of letters.
fn folded(name: &str) -> String {
    if name.is_ascii() { name.to_ascii_lowercase() } else { name.to_uppercase().to_lowercase() }
}

/// One step into a tree: `Name`, `*`, or `Name[Member]` and `Name[!Member]` for those of the values that
/// have such a member or have not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Step {
    name: String,
    members: Vec<(String, bool)>,
}

impl Step {
    /// None where it is not well formed.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (name, mut rest) = text.split_at(text.find('[').unwrap_or(text.len()));
        let mut members = Vec::new();
        while let Some(inside) = rest.strip_prefix('[') {
            let (member, after) = inside.split_once(']')?;
            let name = member.strip_prefix('!').unwrap_or(member);
            if name.is_empty() {
                return None;
            }
            members.push((name.to_owned(), name == member));
            rest = after;
        }
        (!name.is_empty() && rest.is_empty()).then(|| Self { name: name.to_owned(), members })
    }

    /// The step to the member of that name.
    pub(super) fn to(name: &str) -> Self {
        Self { name: name.to_owned(), members: Vec::new() }
    }

    fn takes(&self, tree: &Tree) -> Result<bool, Unreadable> {
        for (name, wanted) in &self.members {
            if tree.member(name)?.is_some() != *wanted {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)?;
        self.members.iter().try_for_each(|(name, wanted)| write!(f, "[{}{name}]", if *wanted { "" } else { "!" }))
    }
}

/// A value in a tree.
pub(super) struct Found<'t> {
    /// The numbers of the items and members on the way to it, where there was a choice: what stands at
    /// the same place belongs together.
    pub(super) place: Vec<usize>,
    pub(super) tree: &'t Tree,
}

impl<'t> Found<'t> {
    fn beside(&self, index: usize, tree: &'t Tree) -> Self {
        let mut place = self.place.clone();
        place.push(index);
        Self { place, tree }
    }

    fn step(&self, name: &str, into: &mut Vec<Self>) -> Result<(), Unreadable> {
        match self.tree {
            Tree::Nothing | Tree::Text(_) => {}
            Tree::List(items) => {
                for (index, item) in items.iter().enumerate() {
                    let item = self.beside(index, item);
                    if name == "*" { into.push(item) } else { item.step(name, into)? }
                }
            }
            Tree::Object(members) if name == "*" => {
                into.extend(members.iter().enumerate().map(|(index, (_, value))| self.beside(index, value)));
            }
            Tree::Object(_) => {
                let found = self.tree.member(name)?;
                into.extend(found.map(|tree| Self { place: self.place.clone(), tree }));
            }
        }
        Ok(())
    }

    /// The items of a list, or what it is itself; nothing of null.
    fn items(self) -> Vec<Self> {
        match self.tree {
            Tree::Nothing => Vec::new(),
            Tree::List(items) => items.iter().enumerate().map(|(index, item)| self.beside(index, item)).collect(),
            Tree::Text(_) | Tree::Object(_) => vec![self],
        }
    }
}

/// The names and values of a form, decoded.
pub(super) fn form_pairs(text: &str) -> Result<Vec<(String, String)>, Unreadable> {
    // To some readers it separates parameters too; whoever means it writes %3B.
    if text.contains(';') {
        return Err(Unreadable("there is a `;` among the parameters".to_owned()));
    }
    form_urlencoded::parse(text.as_bytes())
        .map(|(name, value)| {
            if name.contains('\u{fffd}') || value.contains('\u{fffd}') {
                return Err(Unreadable("a parameter is not UTF-8".to_owned()));
            }
            Ok((name.into_owned(), value.into_owned()))
        })
        .collect()
}

/// Whether the XML's declaration names no encoding that is read otherwise than UTF-8.
fn is_declared_utf8(text: &str) -> bool {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let Some(declaration) = text.strip_prefix("<?xml").and_then(|rest| rest.split_once("?>")) else { return true };
    let Some((_, encoding)) = declaration.0.split_once("encoding") else { return true };
    let encoding = encoding.trim_start().trim_start_matches('=').trim_start();
    let name = encoding.strip_prefix(['"', '\'']).and_then(|rest| rest.split(['"', '\'']).next());
    name.is_some_and(|name| ["utf-8", "us-ascii"].contains(&name.to_ascii_lowercase().as_str()))
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
        let steps: Vec<Step> = pointer.split('/').skip(1).map(|step| Step::parse(step).unwrap()).collect();
        let text = |found: Found<'_>| match found.tree {
            Tree::Text(text) => text.clone(),
            other => format!("{other:?}"),
        };
        tree.at(&steps).unwrap().into_iter().map(text).collect()
    }

    #[test]
    fn steps_choose_by_the_members_that_there_are() {
        let json = Tree::json(br#"{"o": [{"k": "1", "v": "x"}, {"k": "2"}, {"k": "3", "v": null}, 4]}"#).unwrap();
        assert_eq!(texts(&json, "/o[v]/k"), ["1"]);
        assert_eq!(texts(&json, "/o[!v]/k"), ["2", "3"]);
        assert_eq!(texts(&json, "/o[!v][!k]"), ["4"]);
        let xml = Tree::xml("<D><O><K>1</K></O><O><K>2</K><V>x</V></O></D>").unwrap();
        assert_eq!((texts(&xml, "/O[V]/K"), texts(&xml, "/O[!V]/K")), (vec!["2".to_owned()], vec!["1".to_owned()]));
        for wrong in ["", "[a]", "a[", "a[]", "a[!]", "a[b]c"] {
            assert_eq!(Step::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_member_in_another_spelling_is_not_passed_over() {
        let steps = [Step::to("TableName")];
        for json in [r#"{"tablename": 1}"#, r#"{"TableName": 1, "TABLENAME": 2}"#, r#"{"T\u0061bleN\u0041me": 1}"#] {
            assert!(Tree::json(json.as_bytes()).unwrap().at(&steps).is_err(), "{json}");
        }
        let kelvin = Tree::json("{\"\u{212a}ey\": 1}".as_bytes()).unwrap();
        assert!(kelvin.at(&[Step::to("Key")]).is_err());
        // What nothing looks for may have any names.
        let items = Tree::json(br#"{"TableName": "t", "Item": {"a": 1, "A": 2}}"#).unwrap();
        assert_eq!(items.at(&steps).unwrap().len(), 1);
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
        for form in ["a=1&a=2", "a=1&a.b=2", "a.b=2&a=1", "a=%ff", "a=1;b=2"] {
            assert!(Tree::form(form).is_err(), "{form}");
        }
        for xml in [
            "<a>",
            "<!DOCTYPE a [<!ENTITY x \"y\">]><a>&x;</a>",
            "<a/><b/>",
            "<?xml version=\"1.0\" encoding=\"UTF-7\"?><a/>",
            "<?xml version='1.0' encoding = 'utf-16'?><a/>",
            "<a><k>x<!-- -->y</k></a>",
            "<a><k>x<?p?>y</k></a>",
            "<a><k> x</k></a>",
        ] {
            assert!(Tree::xml(xml).is_err(), "{xml}");
        }
        let deep = "<a>".repeat(40) + &"</a>".repeat(40);
        assert!(Tree::xml(&deep).is_err());
        assert!(Tree::json("[".repeat(200).as_bytes()).is_err());
    }
}
