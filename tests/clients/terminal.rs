//! Programs that ask for the PIN on the terminal and nowhere else.

use std::process::Command;

use super::program;
use super::station::Station;

/// Runs what its arguments say on a terminal of its own, and types the PIN when it is asked for.
const PERSON: &str = r#"
import os, pty, sys
pid, terminal = pty.fork()
if pid == 0:
    os.execvp(sys.argv[1], sys.argv[1:])
seen, typed = b"", False
while True:
    try:
        read = os.read(terminal, 4096)
    except OSError:
        break
    if not read:
        break
    seen += read
    if not typed and b"PIN: " in seen:
        os.write(terminal, os.environb[b"CARDEA_PIN"] + b"\n")
        typed = True
sys.stdout.write(seen.decode().replace("\r\n", "\n"))
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
"#;

/// `program` at a terminal where somebody types the station's PIN, once, as soon as it is asked for.
pub fn command(station: &Station, program: &str) -> Command {
    let mut command = station.command("python3");
    command.args(["-c", PERSON, program]);
    command
}

/// Whether there is what such a terminal is made of.
pub fn installed() -> bool {
    program::installed("python3", "python3")
}
