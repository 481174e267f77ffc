//! What a step costs: commands that reached the card, and time.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use crate::Result;

/// The price of one step.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cost {
    /// Commands that reached the card.
    pub(crate) commands: usize,
    /// In the module, or around it where the step says so.
    pub(crate) time: Duration,
}

/// Counts commands in a file that gets a line for each.
pub(crate) struct Meter {
    log: PathBuf,
    is_command: fn(&str) -> bool,
}

impl Meter {
    /// By the virtual reader, which logs what reaches it: the independent count.
    pub(crate) fn of_reader() -> Result<Self> {
        let log =
            std::env::var_os("CARDEA_APDU_LOG").ok_or("CARDEA_APDU_LOG is not set: run under tests/with-token")?;
        let is_command = |line: &str| {
            let mut words = line.split(' ').skip(1);
            words.next().is_some_and(|word| {
                word.len() >= 8 && word.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'*')
            }) && words.next() == Some("->")
        };
        Ok(Self { log: log.into(), is_command })
    }

    /// By the module's own trace, where the reader is a real one.
    pub(crate) fn of_trace() -> Result<Self> {
        let log = std::env::var_os("CARDEA_LOG_FILE").ok_or("CARDEA_LOG_FILE is not set")?;
        Ok(Self { log: log.into(), is_command: |line| line.contains("] > ") })
    }

    /// Does `step` and says what it cost.
    pub(crate) fn measure<T>(&self, step: impl FnOnce() -> Result<T>) -> Result<(T, Cost)> {
        let before = self.commands();
        let start = Instant::now();
        let value = step()?;
        let time = start.elapsed();
        Ok((value, Cost { commands: self.commands() - before, time }))
    }

    fn commands(&self) -> usize {
        let log = std::fs::read_to_string(&self.log).unwrap_or_default();
        log.lines().filter(|line| (self.is_command)(line)).count()
    }
}
