//! The comparison for people: on standard error and in `target/budgets-*.txt`.

use std::fmt::Write;
use std::path::PathBuf;

use super::steps::Step;
use crate::clients::station::Card;

/// Writes the table of what each step cost with our module and with OpenSC's.
pub(super) fn show(card: Card, ours: &[Step], opensc: &[Step]) {
    let mut text = format!("commands to the card {:<24} {:>7} {:>12}\n", card.name(), "Cardea", "OpenSC 0.23");
    let mut sums = [0, 0];
    for step in ours {
        let theirs = opensc.iter().find(|theirs| theirs.name == step.name);
        sums[0] += step.commands.len();
        sums[1] += theirs.map_or(0, |step| step.commands.len());
        let theirs = theirs.map_or_else(|| "-".to_owned(), cost);
        writeln!(text, "{:<45} {:>7} {theirs:>12}", step.name, cost(step)).unwrap();
    }
    writeln!(text, "{:<45} {:>7} {:>12}", "altogether", sums[0], sums[1]).unwrap();
    let refusals = opensc.iter().filter_map(|step| Some(format!("OpenSC, {}: {}\n", step.name, step.error.as_ref()?)));
    text.extend(refusals);
    eprintln!("{text}");
    let target = std::env::var_os("CARGO_TARGET_DIR")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("target"), PathBuf::from);
    std::fs::write(target.join(format!("budgets-{}.txt", card.name())), text).unwrap();
}

/// Number of commands, in parentheses if the step was refused.
fn cost(step: &Step) -> String {
    match step.error {
        None => step.commands.len().to_string(),
        Some(_) => format!("({})", step.commands.len()),
    }
}
