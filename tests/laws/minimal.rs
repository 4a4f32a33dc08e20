//! The least of a case that still shows a difference.

use serde_json::Value;

use crate::interpreter::Case;

/// The case without whatever can be left out while the difference remains.
pub(crate) fn minimal(case: &Case, differs: impl Fn(&Case) -> bool) -> Case {
    let mut least = case.to_json();
    loop {
        let mut shrunk = false;
        let mut places = Vec::new();
        collect(&least, &mut Vec::new(), &mut places);
        for place in places {
            let mut candidate = least.clone();
            if remove(&mut candidate, &place) && differs(&Case::from_json(&candidate)) {
                least = candidate;
                shrunk = true;
                break;
            }
        }
        if !shrunk {
            return Case::from_json(&least);
        }
    }
}

/// A member's name or an element's place.
#[derive(Clone)]
enum Step {
    Member(String),
    Element(usize),
}

/// Every place below the root that might be left out, the larger parts first.
fn collect(value: &Value, path: &mut Vec<Step>, places: &mut Vec<Vec<Step>>) {
    let steps: Vec<(Step, &Value)> = match value {
        Value::Object(members) => members.iter().map(|(name, value)| (Step::Member(name.clone()), value)).collect(),
        Value::Array(items) => items.iter().enumerate().map(|(at, value)| (Step::Element(at), value)).collect(),
        _ => return,
    };
    for (step, _) in &steps {
        path.push(step.clone());
        places.push(path.clone());
        path.pop();
    }
    for (step, value) in steps {
        path.push(step);
        collect(value, path, places);
        path.pop();
    }
}

fn remove(root: &mut Value, place: &[Step]) -> bool {
    let (last, path) = place.split_last().unwrap();
    if let (Step::Member(name), true) = (last, path.is_empty())
        && ["principal", "action", "resource"].contains(&name.as_str())
    {
        return false;
    }
    let mut at = root;
    for step in path {
        at = match step {
            Step::Member(name) => &mut at[name.as_str()],
            Step::Element(index) => &mut at[*index],
        };
    }
    match (last, at) {
        (Step::Member(name), Value::Object(members)) => members.remove(name).is_some(),
        (Step::Element(index), Value::Array(items)) if *index < items.len() => {
            items.remove(*index);
            true
        }
        _ => false,
    }
}
