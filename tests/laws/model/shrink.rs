//! A history that shows a difference, without what it doesn't need for that.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use super::history::History;
use super::step::Step;

/// How long shrinking may take.
const PATIENCE: Duration = Duration::from_mins(1);

type Steps = [(usize, Step)];

/// The first difference that a history comes to, with the place of its step.
async fn difference(steps: &Steps) -> Option<(usize, String)> {
    let mut history = History::new().await;
    for (place, (number, step)) in steps.iter().enumerate() {
        if let Err(difference) = history.take(*number, step).await {
            return Some((place, difference));
        }
    }
    None
}

/// The steps that are left, as text: the last of them differs, and each of the others is needed.
pub(super) async fn shrunk(steps: &Steps) -> String {
    let began = Instant::now();
    let mut left = steps.to_vec();
    let mut found = difference(&left).await;
    if found.is_none() {
        return "Played again, it does not differ.".to_owned();
    }
    let mut piece = left.len().div_ceil(2);
    while began.elapsed() < PATIENCE {
        let mut at = 0;
        let before = left.len();
        while at < left.len() - 1 && began.elapsed() < PATIENCE {
            let end = (at + piece).min(left.len() - 1);
            let shorter = [&left[..at], &left[end..]].concat();
            match difference(&shorter).await {
                // It may come earlier, and be another one: that is as good.
                Some((place, told)) => {
                    left = shorter;
                    left.truncate(place + 1);
                    found = Some((place, told));
                }
                None => at = end,
            }
        }
        if piece == 1 && left.len() == before {
            break;
        }
        piece = (piece / 2).max(1);
    }
    let mut text = format!("The least that shows a difference ({} of {} steps):\n", left.len(), steps.len());
    for (number, step) in &left {
        let _ = writeln!(text, "  {number}. {step}");
    }
    text + &found.map(|(_, told)| told).unwrap_or_default()
}
