//! Running the command at a station, with PINs and as JSON.

use std::ffi::OsStr;
use std::process::Command;

use cardea_harness::bench::Bench;
use serde_json::Value;

use crate::clients::program::{Run, run};
use crate::clients::station::Station;

/// The command as built for this test.
pub const CARDEA: &str = env!("CARGO_BIN_EXE_cardea");

/// Places where the command can be run.
pub trait Desk {
    /// A command for `program` that finds the readers.
    fn command_for(&self, program: &str) -> Command;

    /// Runs `cardea` with these arguments.
    fn cardea<A: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = A>) -> Run {
        let mut command = self.command_for(CARDEA);
        command.args(arguments);
        run(command)
    }

    /// Runs `cardea --json` and takes its answer apart, whatever its exit status.
    fn json(&self, arguments: &[&str]) -> Value {
        let run = self.cardea(["--json"].iter().chain(arguments));
        serde_json::from_slice(&run.stdout).unwrap_or_else(|error| panic!("{error} in:\n{}", run.text))
    }

    /// Runs `cardea` with PINs on file descriptor 3.
    fn with_pins(&self, pins: &[&str], arguments: &[&str]) -> Run {
        let mut command = self.command_for("bash");
        let script = r#"pins=$1; shift; exec 3< <(printf '%s' "$pins"); exec "$@" --pin-fd 3"#;
        let pins: String = pins.iter().map(|pin| format!("{pin}\n")).collect();
        command.args(["-c", script, "bash", &pins, CARDEA]).args(arguments);
        run(command)
    }
}

impl Desk for Station {
    fn command_for(&self, program: &str) -> Command {
        self.command(program)
    }
}

impl Desk for Bench {
    fn command_for(&self, program: &str) -> Command {
        let mut command = self.command(program);
        command
            .current_dir(self.directory())
            .env("HOME", self.directory())
            .env("XDG_CONFIG_HOME", self.directory())
            .env("LC_ALL", "C.UTF-8");
        command
    }
}

/// The exit code.
pub fn code(run: &Run) -> i32 {
    run.status.code().unwrap_or_else(|| panic!("{}:\n{}", run.status, run.text))
}
