use std::fmt;

use crate::aws::ConditionKey;

use super::compare::is_well_formed;
use super::json::{self, Fault, MAX_DEPTH, Member, Node, Path, Value};
use super::pattern::InvalidPattern;
use super::{
    ActionElement, ActionPattern, BaseOperator, Condition, Document, DocumentKind, Effect, Operator, Pattern,
    PrincipalElement, PrincipalPattern, Quantifier, ResourceElement, ResourcePattern, Statement, UnknownOperator,
    Version,
};

/// Why a document can't be read, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, column {column}{place}: {message}", place = At(.path))]
pub struct ParseError {
    /// What kind of fault it is.
    pub kind: ParseErrorKind,
    /// From 1.
    pub line: u32,
    /// From 1, in characters.
    pub column: u32,
    /// The member, such as `Statement[1].Condition.StringEquals`; empty for the document itself.
    pub path: String,
    /// What is wrong and what to do.
    pub message: String,
}

/// What kind of fault a [`ParseError`] tells of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ParseErrorKind {
    /// A key policy of more than [`DocumentKind::MAX_KEY_POLICY_BYTES`] bytes.
    TooLarge,
    /// Not JSON.
    Syntax,
    /// Nested deeper than any policy.
    Depth,
    /// A member twice in one object.
    Duplicate,
    /// A member that the policy language does not have there, or does not allow in this kind of document.
    Unexpected,
    /// A member that has to be there.
    Missing,
    /// A value of the wrong type, or an empty list.
    Type,
    /// A value that is not what its member takes.
    Value,
}

struct At<'a>(&'a str);

impl fmt::Display for At<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() { Ok(()) } else { write!(f, ", {}", self.0) }
    }
}

impl Document {
    /// Reads a document in AWS JSON, strictly: what AWS refuses to store is refused here, and what
    /// this program would not decide as AWS does.
    ///
    /// # Errors
    /// The first fault, with its place.
    pub fn parse(text: &str, kind: DocumentKind) -> Result<Self, ParseError> {
        if kind == DocumentKind::KeyPolicy && text.len() > DocumentKind::MAX_KEY_POLICY_BYTES {
            return Err(ParseError {
                kind: ParseErrorKind::TooLarge,
                line: 1,
                column: 1,
                path: String::new(),
                message: format!(
                    "the key policy has {} bytes; make it {} or fewer",
                    text.len(),
                    DocumentKind::MAX_KEY_POLICY_BYTES
                ),
            });
        }
        let Reading { document, faults, .. } = Reading::of(text, kind)?;
        faults.into_iter().next().map_or(Ok(document), Err)
    }
}

/// What can be read of a document: the statements without fault, and the first fault of each other.
pub(super) struct Reading {
    pub(super) document: Document,
    /// The places of its statements in the text's list, from 0: those with a fault are left out.
    pub(super) places: Vec<usize>,
    pub(super) faults: Vec<ParseError>,
}

impl Reading {
    /// Reads a document of any size.
    ///
    /// # Errors
    /// A fault outside the statements.
    pub(super) fn of(text: &str, kind: DocumentKind) -> Result<Self, ParseError> {
        let source = Source::new(text);
        let root = json::parse(text).map_err(|fault| source.json_error(fault))?;
        Reader { source, kind, version: Version::V2008 }.document(&root)
    }
}

/// The text with the offsets of its lines.
pub(super) struct Source<'a> {
    text: &'a str,
    /// Where each line begins.
    lines: Vec<usize>,
}

impl<'a> Source<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        let starts = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(at, _)| at + 1);
        Self { text, lines: std::iter::once(0).chain(starts).collect() }
    }

    /// From 1.
    fn line(&self, offset: usize) -> u32 {
        u32::try_from(self.lines.partition_point(|start| *start <= offset)).unwrap_or(u32::MAX)
    }

    /// Line and column, both from 1, the column in characters.
    pub(super) fn position(&self, offset: usize) -> (u32, u32) {
        let line = self.lines.partition_point(|start| *start <= offset).max(1);
        let start = self.lines[line - 1];
        let before = self.text.get(start..offset).unwrap_or_default().chars().count();
        (u32::try_from(line).unwrap_or(u32::MAX), u32::try_from(before + 1).unwrap_or(u32::MAX))
    }

    fn error(&self, kind: ParseErrorKind, offset: usize, path: String, message: String) -> ParseError {
        let (line, column) = self.position(offset);
        ParseError { kind, line, column, path, message }
    }

    fn json_error(&self, fault: Fault) -> ParseError {
        match fault {
            Fault::Syntax { line, byte_column, message } => {
                let start = self.lines.get(line.saturating_sub(1)).copied().unwrap_or(0);
                let mut offset = (start + byte_column.saturating_sub(1)).min(self.text.len());
                while !self.text.is_char_boundary(offset) {
                    offset -= 1;
                }
                self.error(ParseErrorKind::Syntax, offset, String::new(), format!("not JSON: {message}"))
            }
            Fault::Text { offset, path } => self.error(
                ParseErrorKind::Syntax,
                offset,
                path,
                "a string here is not valid text: write its escapes (`\\uXXXX`) as whole characters".to_owned(),
            ),
            Fault::Duplicate { offset, path } => self.error(
                ParseErrorKind::Duplicate,
                offset,
                path,
                "this member stands here a second time: merge the two or remove one".to_owned(),
            ),
            Fault::Depth { offset, path } => self.error(
                ParseErrorKind::Depth,
                offset,
                path,
                format!("nested more than {MAX_DEPTH} levels deep: no policy is"),
            ),
        }
    }
}

struct Reader<'a> {
    source: Source<'a>,
    kind: DocumentKind,
    version: Version,
}

type Read<T> = Result<T, ParseError>;

impl Reader<'_> {
    fn document(mut self, root: &Node<'_>) -> Read<Reading> {
        let path = Path::Root;
        let members = self.members(root, &path, &["Version", "Id", "Statement"])?;
        if let Some(version) = find(members, "Version") {
            self.version = self.version(version)?;
        }
        let id = self.optional_text(members, &path, "Id")?;
        let Some(statement) = find(members, "Statement") else {
            return Err(self.fail(
                ParseErrorKind::Missing,
                root,
                &path,
                "Statement is missing: add a statement, or a list of them",
            ));
        };
        let list_path = Path::Member(&path, "Statement");
        let nodes: Vec<(Path<'_>, &Node<'_>)> = match &statement.node.value {
            Value::Object(_) => vec![(list_path, &statement.node)],
            Value::Array(items) => {
                items.iter().enumerate().map(|(index, node)| (Path::Index(&list_path, index), node)).collect()
            }
            _ => return Err(self.wrong_type(&statement.node, &list_path, "a statement or a list of statements")),
        };
        let mut statements: Vec<Statement> = Vec::with_capacity(nodes.len());
        let (mut places, mut faults) = (Vec::with_capacity(nodes.len()), Vec::new());
        for (place, (path, node)) in nodes.into_iter().enumerate() {
            let read = self.statement(node, &path).and_then(|statement| {
                self.refuse_repeated_sid(&statements, &statement, node, &path)?;
                Ok(statement)
            });
            match read {
                Ok(statement) => {
                    statements.push(statement);
                    places.push(place);
                }
                Err(fault) => faults.push(fault),
            }
        }
        Ok(Reading { document: Document { version: self.version, id, statements }, places, faults })
    }

    fn version(&self, member: &Member<'_>) -> Read<Version> {
        let path = Path::Member(&Path::Root, "Version");
        match self.text(&member.node, &path)? {
            "2012-10-17" => Ok(Version::V2012),
            "2008-10-17" => Ok(Version::V2008),
            other => Err(self.fail(
                ParseErrorKind::Value,
                &member.node,
                &path,
                &format!("`{other}` is not a version of the policy language: write \"2012-10-17\" (or \"2008-10-17\", without policy variables)"),
            )),
        }
    }

    fn statement(&self, node: &Node<'_>, path: &Path<'_>) -> Read<Statement> {
        const MEMBERS: [&str; 9] = [
            "Sid",
            "Effect",
            "Principal",
            "NotPrincipal",
            "Action",
            "NotAction",
            "Resource",
            "NotResource",
            "Condition",
        ];
        let members = self.members(node, path, &MEMBERS)?;
        let sid = self.sid(members, path)?;
        let Some(effect) = find(members, "Effect") else {
            return Err(self.fail(
                ParseErrorKind::Missing,
                node,
                path,
                "Effect is missing: write \"Allow\" or \"Deny\"",
            ));
        };
        let effect = self.effect(&effect.node, &Path::Member(path, "Effect"))?;
        let principal = self.principal_element(members, node, path, effect)?;
        let action = self.list_element(members, node, path, ["Action", "NotAction"], |text| self.action(text))?;
        let resource = self.list_element(members, node, path, ["Resource", "NotResource"], |text| {
            ResourcePattern::parse(text, self.version)
        })?;
        if resource.is_none() && self.kind == DocumentKind::ResourcePolicy && !is_of_trust(action.as_ref()) {
            let message = "Resource is missing: only a role's trust policy, whose actions are of sts, goes without it";
            return Err(self.fail(ParseErrorKind::Missing, node, path, message));
        }
        let conditions = match find(members, "Condition") {
            Some(member) => self.conditions(&member.node, &Path::Member(path, "Condition"))?,
            None => Vec::new(),
        };
        Ok(Statement {
            sid,
            effect,
            principal,
            action: action
                .map(|(not, list)| if not { ActionElement::NotAction(list) } else { ActionElement::Action(list) }),
            resource: resource.map(|(not, list)| {
                if not { ResourceElement::NotResource(list) } else { ResourceElement::Resource(list) }
            }),
            conditions,
            line: self.source.line(node.offset),
        })
    }

    /// Identity policies take letters and digits only; KMS takes more (its default key policy has
    /// spaces).
    fn sid(&self, members: &[Member<'_>], path: &Path<'_>) -> Read<Option<String>> {
        let sid = self.optional_text(members, path, "Sid")?;
        let alphanumeric = |sid: &str| sid.bytes().all(|byte| byte.is_ascii_alphanumeric());
        match (&sid, find(members, "Sid")) {
            (Some(text), Some(member)) if self.kind.is_stored_by_iam() && !alphanumeric(text) => Err(self.fail(
                ParseErrorKind::Value,
                &member.node,
                &Path::Member(path, "Sid"),
                &format!("a Sid of {} takes only the letters A-Z and a-z and digits", self.kind.name()),
            )),
            _ => Ok(sid),
        }
    }

    fn refuse_repeated_sid(
        &self,
        before: &[Statement],
        statement: &Statement,
        node: &Node<'_>,
        path: &Path<'_>,
    ) -> Read<()> {
        let Some(sid) = statement.sid.as_deref().filter(|sid| !sid.is_empty()) else { return Ok(()) };
        if !self.kind.is_stored_by_iam() || before.iter().all(|earlier| earlier.sid.as_deref() != Some(sid)) {
            return Ok(());
        }
        let offset = match &node.value {
            Value::Object(members) => find(members, "Sid").map_or(node.offset, |member| member.node.offset),
            _ => node.offset,
        };
        let message = format!("an earlier statement has the Sid `{sid}` already: give each its own");
        Err(self.source.error(ParseErrorKind::Duplicate, offset, Path::Member(path, "Sid").to_string(), message))
    }

    fn effect(&self, node: &Node<'_>, path: &Path<'_>) -> Read<Effect> {
        match self.text(node, path)? {
            "Allow" if self.kind == DocumentKind::ResourceControlPolicy => Err(self.fail(
                ParseErrorKind::Value,
                node,
                path,
                "a resource control policy only denies: remove the statement (RCPFullAWSAccess, which allows everything, is implied)",
            )),
            "Allow" => Ok(Effect::Allow),
            "Deny" => Ok(Effect::Deny),
            other => Err(self.fail(
                ParseErrorKind::Value,
                node,
                path,
                &format!("`{other}` is not an effect: write \"Allow\" or \"Deny\" (in that case)"),
            )),
        }
    }

    fn principal_element(
        &self,
        members: &[Member<'_>],
        node: &Node<'_>,
        path: &Path<'_>,
        effect: Effect,
    ) -> Read<Option<PrincipalElement>> {
        let found = self.one_of(members, path, ["Principal", "NotPrincipal"])?;
        let Some((not, member)) = found else {
            if self.kind.is_resource_based() {
                let message =
                    format!("Principal is missing: a statement of {} says whom it is about", self.kind.name());
                return Err(self.fail(ParseErrorKind::Missing, node, path, &message));
            }
            return Ok(None);
        };
        let path = Path::Member(path, &member.name);
        if !self.kind.is_resource_based() {
            let message =
                format!("{} has no {}: it is about whom it is attached to; remove it", self.kind.name(), member.name);
            return Err(self.source.error(ParseErrorKind::Unexpected, member.offset, path.to_string(), message));
        }
        if not && effect == Effect::Allow {
            let message = "NotPrincipal stands with Deny only: list the principals to allow in Principal".to_owned();
            return Err(self.source.error(ParseErrorKind::Unexpected, member.offset, path.to_string(), message));
        }
        let patterns = self.principals(&member.node, &path)?;
        let of_everyone = !not && patterns == [PrincipalPattern::Anyone];
        if self.kind == DocumentKind::ResourceControlPolicy && !of_everyone {
            let message = "a resource control policy is about everyone: write \"Principal\": \"*\", and tell principals apart in Condition";
            return Err(self.source.error(ParseErrorKind::Value, member.offset, path.to_string(), message.to_owned()));
        }
        Ok(Some(if not { PrincipalElement::NotPrincipal(patterns) } else { PrincipalElement::Principal(patterns) }))
    }

    fn principals(&self, node: &Node<'_>, path: &Path<'_>) -> Read<Vec<PrincipalPattern>> {
        let members = match &node.value {
            Value::String(text) if text == "*" => return Ok(vec![PrincipalPattern::Anyone]),
            Value::Object(members) if !members.is_empty() => members,
            Value::Object(_) => {
                return Err(self.fail(
                    ParseErrorKind::Type,
                    node,
                    path,
                    "names no principal: add one, such as {\"AWS\": \"111122223333\"}",
                ));
            }
            _ => return Err(self.wrong_type(node, path, "\"*\" or an object such as {\"AWS\": \"111122223333\"}")),
        };
        let mut patterns = Vec::new();
        for member in members {
            let path = Path::Member(path, &member.name);
            patterns.extend(self.each_text(&member.node, &path, "a string or a list of strings", |text| {
                PrincipalPattern::parse(&member.name, text).map_err(|error| error.to_string())
            })?);
        }
        Ok(patterns)
    }

    /// `Action` or `NotAction`, and their like: whether it is the Not form, and its entries.
    fn list_element<T>(
        &self,
        members: &[Member<'_>],
        node: &Node<'_>,
        path: &Path<'_>,
        names: [&str; 2],
        read: impl Fn(&str) -> Result<T, InvalidPattern>,
    ) -> Read<Option<(bool, Vec<T>)>> {
        let Some((not, member)) = self.one_of(members, path, names)? else {
            let may_go_without = match self.kind {
                DocumentKind::KeyPolicy => true,
                DocumentKind::ResourcePolicy => names[0] == "Resource",
                _ => false,
            };
            if may_go_without {
                return Ok(None);
            }
            let message = format!("{} is missing: a statement of {} needs it", names[0], self.kind.name());
            return Err(self.fail(ParseErrorKind::Missing, node, path, &message));
        };
        let path = Path::Member(path, &member.name);
        if member.name == "NotAction" && self.kind == DocumentKind::ResourceControlPolicy {
            let message = "a resource control policy has no NotAction: list the actions to deny in Action".to_owned();
            return Err(self.source.error(ParseErrorKind::Unexpected, member.offset, path.to_string(), message));
        }
        let list = self.each_text(&member.node, &path, "a string or a list of strings", |text| {
            read(text).map_err(|error| error.to_string())
        })?;
        Ok(Some((not, list)))
    }

    fn action(&self, text: &str) -> Result<ActionPattern, InvalidPattern> {
        let pattern = ActionPattern::parse(text)?;
        if self.kind == DocumentKind::ResourceControlPolicy && pattern.is_of_every_service() {
            return Err(InvalidPattern(format!(
                "`{text}` is of every service: a resource control policy names the service, such as `kms:*`"
            )));
        }
        Ok(pattern)
    }

    fn conditions(&self, node: &Node<'_>, path: &Path<'_>) -> Read<Vec<Condition>> {
        let mut conditions = Vec::new();
        for member in self.object(node, path)? {
            let path = Path::Member(path, &member.name);
            let operator: Operator = member.name.parse().map_err(|error: UnknownOperator| {
                self.source.error(ParseErrorKind::Value, member.offset, path.to_string(), error.to_string())
            })?;
            let first = conditions.len();
            for member in self.object(&member.node, &path)? {
                let condition = self.condition(operator, member, &path)?;
                if conditions[first..].iter().any(|earlier: &Condition| earlier.key == condition.key) {
                    let message =
                        "condition keys ignore case and this one stands here already: merge the two".to_owned();
                    let path = Path::Member(&path, &member.name).to_string();
                    return Err(self.source.error(ParseErrorKind::Duplicate, member.offset, path, message));
                }
                conditions.push(condition);
            }
        }
        Ok(conditions)
    }

    fn condition(&self, operator: Operator, member: &Member<'_>, path: &Path<'_>) -> Read<Condition> {
        let path = Path::Member(path, &member.name);
        let at_key =
            |message: String| self.source.error(ParseErrorKind::Value, member.offset, path.to_string(), message);
        let key = ConditionKey::new(&member.name);
        if !key.as_str().split_once(':').is_some_and(|(service, name)| !service.is_empty() && !name.is_empty()) {
            return Err(at_key(format!(
                "`{}` is not a condition key: write it with its service, such as `aws:SourceIp`",
                member.name
            )));
        }
        let per_request_key =
            ["kms:encryptioncontext:", "aws:requesttag/"].iter().any(|prefix| key.as_str().starts_with(prefix));
        if self.kind == DocumentKind::KeyPolicy
            && operator.quantifier == Some(Quantifier::ForAllValues)
            && per_request_key
        {
            return Err(at_key(format!(
                "a key policy takes no ForAllValues on `{}`, which has one value: remove the prefix",
                member.name
            )));
        }
        let values = self.each_scalar(&member.node, &path, |text| self.condition_value(operator.base, text))?;
        Ok(Condition {
            operator,
            key,
            key_text: member.name.to_string(),
            values,
            line: self.source.line(member.offset),
        })
    }

    fn condition_value(&self, base: BaseOperator, text: &str) -> Result<String, String> {
        if takes_variables(base) {
            Pattern::with_wildcards(text, self.version).map_err(|error| error.to_string())?;
        }
        if !self.kind.keeps_bad_literals() && !is_well_formed(base, text, self.version) {
            return Err(format!("`{text}` is not a value that {} compares: {}", base.as_str(), literal_form(base)));
        }
        Ok(text.to_owned())
    }

    // What the elements are made of.

    /// The member of two that exclude each other, and whether it is the second.
    fn one_of<'n, 'a>(
        &self,
        members: &'n [Member<'a>],
        path: &Path<'_>,
        [plain, not]: [&str; 2],
    ) -> Read<Option<(bool, &'n Member<'a>)>> {
        match (find(members, plain), find(members, not)) {
            (Some(_), Some(second)) => Err(self.source.error(
                ParseErrorKind::Unexpected,
                second.offset,
                Path::Member(path, not).to_string(),
                format!("{plain} and {not} exclude each other: keep one"),
            )),
            (Some(member), None) => Ok(Some((false, member))),
            (None, Some(member)) => Ok(Some((true, member))),
            (None, None) => Ok(None),
        }
    }

    fn object<'n, 'a>(&self, node: &'n Node<'a>, path: &Path<'_>) -> Read<&'n [Member<'a>]> {
        match &node.value {
            Value::Object(members) => Ok(members),
            _ => Err(self.wrong_type(node, path, "an object")),
        }
    }

    /// An object's members, which must all have one of the names.
    fn members<'n, 'a>(&self, node: &'n Node<'a>, path: &Path<'_>, names: &[&str]) -> Read<&'n [Member<'a>]> {
        let members = self.object(node, path)?;
        match members.iter().find(|member| !names.contains(&&*member.name)) {
            None => Ok(members),
            Some(member) => {
                let meant = names.iter().find(|name| name.eq_ignore_ascii_case(&member.name));
                let what_to_do = meant.map_or_else(
                    || format!("remove it (there are {})", names.join(", ")),
                    |name| format!("did you mean `{name}`?"),
                );
                Err(self.source.error(
                    ParseErrorKind::Unexpected,
                    member.offset,
                    Path::Member(path, &member.name).to_string(),
                    format!("the policy language has no `{}` here: {what_to_do}", member.name),
                ))
            }
        }
    }

    fn optional_text(&self, members: &[Member<'_>], path: &Path<'_>, name: &str) -> Read<Option<String>> {
        find(members, name)
            .map(|member| self.text(&member.node, &Path::Member(path, name)).map(str::to_owned))
            .transpose()
    }

    fn text<'n>(&self, node: &'n Node<'_>, path: &Path<'_>) -> Read<&'n str> {
        match &node.value {
            Value::String(text) => Ok(text),
            _ => Err(self.wrong_type(node, path, "a string")),
        }
    }

    /// Reads a string, or each string of a list that is not empty.
    fn each_text<T>(
        &self,
        node: &Node<'_>,
        path: &Path<'_>,
        expected: &str,
        read: impl Fn(&str) -> Result<T, String>,
    ) -> Read<Vec<T>> {
        let one = |node: &Node<'_>, path: &Path<'_>| match &node.value {
            Value::String(text) => read(text).map_err(|message| self.fail(ParseErrorKind::Value, node, path, &message)),
            _ => Err(self.wrong_type(node, path, expected)),
        };
        match &node.value {
            Value::Array(items) if items.is_empty() => Err(self.fail(
                ParseErrorKind::Type,
                node,
                path,
                "the list is empty: write at least one entry, or remove the element",
            )),
            Value::Array(items) => {
                items.iter().enumerate().map(|(index, item)| one(item, &Path::Index(path, index))).collect()
            }
            _ => Ok(vec![one(node, path)?]),
        }
    }

    /// Reads condition values: strings, and booleans and numbers as they are written. AWS takes an
    /// empty list (nothing matches it), so it is taken here.
    fn each_scalar<T>(
        &self,
        node: &Node<'_>,
        path: &Path<'_>,
        read: impl Fn(&str) -> Result<T, String>,
    ) -> Read<Vec<T>> {
        let one = |node: &Node<'_>, path: &Path<'_>| {
            let text = match &node.value {
                Value::String(text) => text,
                Value::Number(text) => *text,
                Value::Bool(true) => "true",
                Value::Bool(false) => "false",
                _ => return Err(self.wrong_type(node, path, "a string, a number, a boolean, or a list of these")),
            };
            read(text).map_err(|message| self.fail(ParseErrorKind::Value, node, path, &message))
        };
        match &node.value {
            Value::Array(items) => {
                items.iter().enumerate().map(|(index, item)| one(item, &Path::Index(path, index))).collect()
            }
            _ => Ok(vec![one(node, path)?]),
        }
    }

    fn wrong_type(&self, node: &Node<'_>, path: &Path<'_>, expected: &str) -> ParseError {
        self.fail(ParseErrorKind::Type, node, path, &format!("found {}: write {expected}", node.value.kind()))
    }

    fn fail(&self, kind: ParseErrorKind, node: &Node<'_>, path: &Path<'_>, message: &str) -> ParseError {
        self.source.error(kind, node.offset, path.to_string(), message.to_owned())
    }
}

fn find<'n, 'a>(members: &'n [Member<'a>], name: &str) -> Option<&'n Member<'a>> {
    members.iter().find(|member| member.name == name)
}

/// Whether an Action element is that of a role's trust policy.
fn is_of_trust(action: Option<&(bool, Vec<ActionPattern>)>) -> bool {
    action.is_some_and(|(not, patterns)| {
        !not && patterns.iter().all(|pattern| pattern.service.as_literal() == Some("sts"))
    })
}

/// Policy variables work in String and ARN operators; elsewhere `${` is text.
fn takes_variables(base: BaseOperator) -> bool {
    base.as_str().starts_with("String") || base.as_str().starts_with("Arn")
}

fn literal_form(base: BaseOperator) -> &'static str {
    let name = base.as_str();
    if name.starts_with("Numeric") {
        "write a decimal number"
    } else if name.starts_with("Date") {
        "write an ISO 8601 date such as 2026-01-01T00:00:00Z, or seconds since 1970"
    } else if name.starts_with("Arn") {
        "write an ARN of six components, arn:partition:service:region:account:resource"
    } else if name == "BinaryEquals" {
        "write base64 with padding"
    } else {
        "write an address or a network such as 203.0.113.0/24 (an IPv6 network without host bits)"
    }
}
