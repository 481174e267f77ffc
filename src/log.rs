//! The trace: one line per Cryptoki call and per card command, without secrets.
//!
//! Off unless `CARDEA_LOG` is `calls` or `trace`; written to the file that `CARDEA_LOG_FILE` names, else to
//! standard error. What is secret is decided where a command is built (`Command::secret_command`), not here.

use std::fmt::Arguments;
use std::fs::File;
use std::io::Write;
use std::path::PathBuf;

use parking_lot::Mutex;

use crate::{environment, own_file};

/// How much is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Level {
    /// Nothing.
    #[default]
    Off,
    /// One line per Cryptoki call.
    Calls,
    /// Card commands as well.
    Trace,
}

/// Where lines go. Each Library has its own, opened by C_Initialize.
#[derive(Default)]
pub struct Log {
    level: Level,
    file: Option<Mutex<File>>,
}

impl Log {
    /// Reads `CARDEA_LOG` and `CARDEA_LOG_FILE`.
    pub fn from_environment() -> Self {
        let level = match environment::text("CARDEA_LOG").as_deref() {
            Some("trace") => Level::Trace,
            Some("calls") => Level::Calls,
            _ => return Self::default(),
        };
        // Readable by its owner alone: a trace shows which certificates somebody uses.
        let open = |path: PathBuf| own_file::append(&path).ok();
        let file = environment::variable("CARDEA_LOG_FILE").map(PathBuf::from).and_then(open).map(Mutex::new);
        Self { level, file }
    }

    /// Whether lines of this level are written.
    pub fn enabled(&self, level: Level) -> bool {
        level != Level::Off && self.level >= level
    }

    /// Writes one line; an error of the log is nobody's error.
    pub fn line(&self, level: Level, text: Arguments<'_>) {
        if !self.enabled(level) {
            return;
        }
        let line = format!("cardea[{}] {text}\n", std::process::id());
        let _ = match &self.file {
            Some(file) => file.lock().write_all(line.as_bytes()),
            None => std::io::stderr().write_all(line.as_bytes()),
        };
    }
}
