//! OpenSC's pkcs11-tool. What it says is judged, not how it exits: it skips what it does not like and exits with 0.

mod decrypt;
mod derive;
mod openpgp_writing;
mod pin;
mod pin_pad;
mod piv_writing;
mod self_test;
mod sign;
mod writing;

use std::path::Path;

use super::program::Run;
use super::station::Station;
use crate::module;

/// Runs `pkcs11-tool --module …` with these arguments.
fn tool(station: &Station, arguments: &[&str]) -> Run {
    let module = module::path().to_str().unwrap();
    station.run("pkcs11-tool", ["--module", module].iter().chain(arguments))
}

/// The same as the cardholder.
fn tool_with_pin(station: &Station, arguments: &[&str]) -> Run {
    let login = ["--login", "--pin", &station.provisioned.pin];
    tool(station, &[&login, arguments].concat())
}

/// Runs an operation on `input` with the key `id` by `mechanism` and returns what it wrote.
#[track_caller]
fn operate(station: &Station, operation: &str, id: u8, mechanism: &[&str], input: &[u8]) -> Vec<u8> {
    let input = station.file("input", input);
    let output = station.directory().join("output");
    let id = format!("{id:02x}");
    let operands = [operation, "--id", &id, "-i", text(&input), "-o", text(&output), "-m"];
    let run = tool_with_pin(station, &[&operands, mechanism].concat()).succeeded();
    std::fs::read(&output).unwrap_or_else(|error| panic!("{operation} {mechanism:?}: {error}\n{}", run.text))
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}
