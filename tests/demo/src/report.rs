//! The table on the terminal.

use crate::meter::Cost;

/// Where what happened begins.
const MARGIN: usize = 42;

/// Numbers the steps and adds up what they cost.
#[derive(Default)]
pub(crate) struct Report {
    steps: usize,
    commands: usize,
}

impl Report {
    pub(crate) fn begin() -> Self {
        println!("\n{:<MARGIN$}result", format!("    {:<17}{:>8}  {:>7}", "step", "commands", "ms"));
        Self::default()
    }

    /// A step, its price and what came of it.
    pub(crate) fn step(&mut self, name: &str, cost: Cost, result: &str) {
        self.steps += 1;
        self.line(&format!("{:>2}", self.steps), name, cost, result);
    }

    /// The step once more.
    pub(crate) fn again(&mut self, name: &str, cost: Cost, result: &str) {
        self.line("", name, cost, result);
    }

    /// More about the last step.
    pub(crate) fn note(&self, text: &str) {
        println!("{:MARGIN$}{text}", "");
    }

    /// The sum.
    pub(crate) fn end(&self) {
        println!("    {:<17}{:>8}\n", "together", self.commands);
    }

    fn line(&mut self, number: &str, name: &str, cost: Cost, result: &str) {
        self.commands += cost.commands;
        let milliseconds = cost.time.as_secs_f64() * 1000.0;
        let left = format!("{number:>2}  {name:<17}{:>8}  {milliseconds:>7.1}", cost.commands);
        println!("{left:<MARGIN$}{result}");
    }
}
