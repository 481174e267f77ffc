//! Running a program to its end, and what it said.

use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::time::Duration;

/// Longest run of a program.
pub const PATIENCE: Duration = Duration::from_secs(300);

/// A program that has ended.
pub struct Run {
    pub status: ExitStatus,
    pub stdout: Vec<u8>,
    /// Standard output, then standard error.
    pub text: String,
}

impl Run {
    /// The run if its exit status is 0.
    ///
    /// # Panics
    /// With what the program said.
    #[track_caller]
    pub fn succeeded(self) -> Self {
        assert!(self.status.success(), "{}:\n{}", self.status, self.text);
        self
    }

    /// The run if its exit status is not 0.
    #[track_caller]
    pub fn failed(self) -> Self {
        assert!(!self.status.success(), "this was to fail:\n{}", self.text);
        self
    }

    /// The run if it said `text`.
    #[track_caller]
    pub fn says(self, text: &str) -> Self {
        assert!(self.text.contains(text), "{text:?} is missing in:\n{}", self.text);
        self
    }

    /// The run if it did not say `text`.
    #[track_caller]
    pub fn omits(self, text: &str) -> Self {
        assert!(!self.text.contains(text), "{text:?} is in:\n{}", self.text);
        self
    }

    /// The lines that contain `text`.
    pub fn lines_with(&self, text: &str) -> Vec<&str> {
        self.text.lines().filter(|line| line.contains(text)).collect()
    }
}

/// Runs the command without input; it ends with exit status 124 if it takes too long.
pub fn run(command: Command) -> Run {
    run_within(PATIENCE, command)
}

/// As [`run`], with a time of its own.
pub fn run_within(patience: Duration, command: Command) -> Run {
    let mut limited = Command::new("timeout");
    limited
        .args(["-k", "5", &patience.as_secs().to_string()])
        .arg(command.get_program())
        .args(command.get_args())
        .stdin(Stdio::null());
    if let Some(directory) = command.get_current_dir() {
        limited.current_dir(directory);
    }
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => limited.env(name, value),
            None => limited.env_remove(name),
        };
    }
    let output = limited.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let text = [output.stdout.as_slice(), &output.stderr].concat();
    Run { status: output.status, stdout: output.stdout, text: String::from_utf8_lossy(&text).into_owned() }
}

/// Whether `program` is installed; if not, says that the case is skipped and why.
pub fn installed(program: &str, package: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found =
        Path::new(program).is_file() || std::env::split_paths(&path).any(|directory| directory.join(program).is_file());
    if !found {
        eprintln!("skipped: there is no {program} (Debian package {package})");
    }
    found
}
