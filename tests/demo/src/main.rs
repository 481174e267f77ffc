//! `make demo` and `make bench`: a foreign client of the module that says what each step costs.
//!
//! Without arguments it looks for a card in the system's readers and walks through the module with that; there is
//! none, with a virtual PIV card, by way of `tests/with-token`. What is verified is verified by the `openssl` command
//! line. The status is 0 only when every verification succeeded.
#![allow(clippy::indexing_slicing)]

mod bench;
mod browser;
mod client;
mod meter;
mod openssl;
mod report;
mod tls;
mod walk;
mod witness;

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use browser::Profile;
use walk::Card;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// The status of a walk that found a reader but no token in it.
const NO_TOKEN: u8 = 3;

fn main() -> ExitCode {
    let mode = std::env::args().nth(1);
    let done = match mode.as_deref() {
        None => choose("--virtual", walk_beside_trace),
        Some("--browser") => browse("--browser", Profile::Fresh),
        Some("--own-browser") => browse("--own-browser", Profile::Own),
        Some("--virtual") => walk::walk(Card::Virtual),
        Some("--real") => walk::walk(Card::Real),
        Some("--bench") => bench::bench(),
        Some(other) => {
            Err(format!("there is no {other}; --virtual, --real, --browser, --own-browser or --bench").into())
        }
    };
    done.unwrap_or_else(|error| {
        println!("\nFAILED: {error}");
        ExitCode::FAILURE
    })
}

/// Opens the page in a browser, beside the bench's card where this program was started by `again` for that.
fn browse(again: &str, profile: Profile) -> Result<ExitCode> {
    if std::env::var_os("CARDEA_BENCH_DIR").is_some() {
        return browser::open(profile).map(|()| ExitCode::SUCCESS);
    }
    choose(again, || browser::open(profile).map(|()| 0))
}

/// Does `real` with the user's own card when there is one; else this program again, with the argument `again`, beside
/// a virtual one.
fn choose(again: &str, real: impl FnOnce() -> Result<u8>) -> Result<ExitCode> {
    let readers = if std::env::var_os("CARDEA_DEMO").is_some_and(|card| card == "virtual") {
        Vec::new()
    } else {
        witness::readers_with_cards()
    };
    if let Some(reader) = readers.first() {
        println!("There is a card in {reader}. (CARDEA_DEMO=virtual takes a virtual one instead.)");
        let status = real()?;
        if status != NO_TOKEN {
            return Ok(ExitCode::from(status));
        }
        println!("\nCardea does not know this card.");
    } else {
        println!("No reader with a card is attached.");
    }
    println!("A virtual PIV card takes its place, in a virtual reader behind a pcscd of its own.");
    let tree = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize()?;
    let status = Command::new(tree.join("tests/with-token"))
        .args(["piv".as_ref(), std::env::current_exe()?.as_os_str(), again.as_ref()])
        .status()?;
    Ok(exit_code(status))
}

/// Walks with a real card in a process of its own, whose trace counts the commands.
fn walk_beside_trace() -> Result<u8> {
    let directory = tempfile::tempdir()?;
    let status = Command::new(std::env::current_exe()?)
        .arg("--real")
        .env("CARDEA_LOG", "trace")
        .env("CARDEA_LOG_FILE", directory.path().join("trace"))
        .status()?;
    Ok(status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1))
}

fn exit_code(status: std::process::ExitStatus) -> ExitCode {
    ExitCode::from(status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1))
}

/// The module to load.
fn module() -> Result<PathBuf> {
    std::env::var_os("CARDEA_MODULE").map(PathBuf::from).ok_or_else(|| "CARDEA_MODULE must name the module".into())
}
