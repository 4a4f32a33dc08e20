use crate::iam::json::{Member, Node, Value};
use crate::iam::parse::Source;

/// A place in a document, by what stands there; statements, entries and values count from 0.
#[derive(Clone, Copy, Debug)]
pub(super) enum Spot<'s> {
    /// The document itself.
    Document,
    /// A statement.
    Statement(usize),
    /// A member of a statement, such as `Sid`.
    Member(usize, &'s str),
    /// An entry of a member that is one text, a list, or (for principals) an object of these.
    Entry(usize, &'s str, usize),
    /// A condition's key: the condition counts through all operators of the statement.
    Condition(usize, usize),
    /// A value of a condition.
    Value(usize, usize, usize),
}

impl Spot<'_> {
    /// The same place by the statements' places in the text, which has also those with a fault.
    pub(super) fn in_the_text(self, statements: &[usize]) -> Self {
        let of = |statement: usize| statements.get(statement).copied().unwrap_or(statement);
        match self {
            Self::Document => self,
            Self::Statement(at) => Self::Statement(of(at)),
            Self::Member(at, name) => Self::Member(of(at), name),
            Self::Entry(at, name, entry) => Self::Entry(of(at), name, entry),
            Self::Condition(at, condition) => Self::Condition(of(at), condition),
            Self::Value(at, condition, value) => Self::Value(of(at), condition, value),
        }
    }

    /// The statement that it is in.
    pub(super) fn statement(self) -> Option<usize> {
        match self {
            Self::Document => None,
            Self::Statement(at)
            | Self::Member(at, _)
            | Self::Entry(at, _, _)
            | Self::Condition(at, _)
            | Self::Value(at, _, _) => Some(at),
        }
    }
}

/// Tells lines and columns of a document's parts.
pub(super) struct Places<'a> {
    source: Source<'a>,
    root: Node<'a>,
}

impl<'a> Places<'a> {
    pub(super) fn new(source: Source<'a>, root: Node<'a>) -> Self {
        Self { source, root }
    }

    /// Line and column, both from 1; those of what holds the part where there is no such part.
    pub(super) fn position(&self, spot: Spot<'_>) -> (u32, u32) {
        let statement = spot.statement().and_then(|at| self.statement(at));
        let offset = match spot {
            Spot::Document | Spot::Statement(_) => None,
            Spot::Member(_, name) => statement.and_then(|node| member(node, name)).map(|member| member.offset),
            Spot::Entry(_, name, entry) => {
                statement.and_then(|node| member(node, name)).and_then(|member| entry_of(&member.node, entry))
            }
            Spot::Condition(_, condition) => {
                statement.and_then(|node| condition_of(node, condition)).map(|member| member.offset)
            }
            Spot::Value(_, condition, value) => statement
                .and_then(|node| condition_of(node, condition))
                .and_then(|member| entry_of(&member.node, value)),
        };
        let holder = statement.unwrap_or(&self.root).offset;
        self.source.position(offset.unwrap_or(holder))
    }

    /// Whether the document has that member.
    pub(super) fn has(&self, name: &str) -> bool {
        member(&self.root, name).is_some()
    }

    fn statement(&self, at: usize) -> Option<&Node<'a>> {
        let statements = &member(&self.root, "Statement")?.node;
        match &statements.value {
            Value::Array(items) => items.get(at),
            _ => Some(statements),
        }
    }
}

fn member<'n, 'a>(node: &'n Node<'a>, name: &str) -> Option<&'n Member<'a>> {
    members(node).iter().find(|member| member.name == name)
}

fn members<'n, 'a>(node: &'n Node<'a>) -> &'n [Member<'a>] {
    match &node.value {
        Value::Object(members) => members,
        _ => &[],
    }
}

fn condition_of<'n, 'a>(statement: &'n Node<'a>, condition: usize) -> Option<&'n Member<'a>> {
    let operators = members(&member(statement, "Condition")?.node);
    operators.iter().flat_map(|operator| members(&operator.node)).nth(condition)
}

/// Where an entry begins.
fn entry_of(node: &Node<'_>, entry: usize) -> Option<usize> {
    fn flat<'n, 'a>(node: &'n Node<'a>, into: &mut Vec<&'n Node<'a>>) {
        match &node.value {
            Value::Array(items) => items.iter().for_each(|item| flat(item, into)),
            Value::Object(members) => members.iter().for_each(|member| flat(&member.node, into)),
            _ => into.push(node),
        }
    }
    let mut entries = Vec::new();
    flat(node, &mut entries);
    entries.get(entry).map(|node| node.offset)
}
