//! Cases that load the module themselves: each runs in a process of its own, because libpcsclite knows one pcscd per
//! process and a module stays in the process that loaded it.

use std::any::type_name;
use std::path::PathBuf;
use std::time::Duration;

use super::program::{PATIENCE, Run, run_within};
use super::station::{Card, Station};

/// Set in the process that loads the module.
const CHILD: &str = "CARDEA_TEST_CHILD";

/// Runs `body` with `card` in the reader, in a new process: this test program with the test function `case` alone.
pub fn with_card<F: Fn()>(case: F, card: Card, body: impl FnOnce()) {
    if is_child() {
        return body();
    }
    spawn(case, &Station::new(card), &[]).succeeded();
}

/// Whether this is the process that loads the module.
pub fn is_child() -> bool {
    std::env::var_os(CHILD).is_some()
}

/// Runs the test function `case` alone in a new process at `station`, with additional environment variables; there,
/// [`is_child`] is true and `CARDEA_APDU_LOG` is a file with one line for each command to the card.
pub fn spawn<F: Fn()>(case: F, station: &Station, environment: &[(&str, &str)]) -> Run {
    spawn_within(PATIENCE, case, station, environment)
}

/// As [`spawn`], with a time of its own for the process.
pub fn spawn_within<F: Fn()>(patience: Duration, _case: F, station: &Station, environment: &[(&str, &str)]) -> Run {
    let name = type_name::<F>().split_once("::").unwrap().1;
    let log = station.directory().join("apdu.log");
    station.reader.log_to_file(&log).unwrap();
    let mut command = station.command(std::env::current_exe().unwrap());
    command.args([name, "--exact", "--include-ignored", "--nocapture", "--test-threads=1"]);
    command.env(CHILD, "1").env("CARDEA_APDU_LOG", log).envs(environment.iter().copied());
    let run = run_within(patience, command);
    assert!(run.text.contains("running 1 test"), "{name} names no test:\n{}", run.text);
    print!("{}", run.text);
    run
}

/// The directory with the card's certificates and public keys, in the child.
pub fn directory() -> PathBuf {
    std::env::var_os("CARDEA_BENCH_DIR").unwrap().into()
}

/// Instructions of the commands that have reached the card so far, in the child.
pub fn instructions() -> Vec<u8> {
    let log = std::fs::read_to_string(std::env::var_os("CARDEA_APDU_LOG").unwrap()).unwrap();
    // `0.512345 00A4040005… -> 9000, 61 bytes`
    let commands = log.lines().filter(|line| line.contains(" -> ") && !line.contains(" control "));
    commands
        .map(|line| line.split(' ').nth(1).unwrap())
        .map(|command| u8::from_str_radix(&command[2..4], 16).unwrap())
        .collect()
}
