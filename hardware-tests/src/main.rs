//! Runs level-2 cases of the built module against physical tokens (level 4). Only tokens whose serial number is in the
//! allow-list are touched, and only those are written to whose entry says `destructive = true`:
//!
//! ```text
//! cargo run -p cardea-hardware-tests -- --allow allow.toml
//! ```
//!
//! Where there is nothing to run on, it says what it would do. Ends with 1 if a case failed.
#![forbid(unsafe_code)]
#![allow(clippy::disallowed_macros, reason = "a program of our own speaks on standard output")]

mod allow;
mod case;
mod destructive;
mod read_only;

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use clap::Parser;
use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::slot::Slot;
use cryptoki::types::AuthPin;

use allow::{AllowList, Entry};
use case::{CASES, Demand, Ending, Subject};

#[derive(Parser)]
#[command(about = "Runs the module against the physical tokens of an allow-list")]
struct Arguments {
    /// The allow-list (allow.example.toml shows its form)
    #[arg(long)]
    allow: PathBuf,
    /// The module; else MODULE_UNDER_TEST, else the release build of this tree
    #[arg(long)]
    module: Option<PathBuf>,
}

/// What became of all cases.
#[derive(Default)]
struct Count {
    passed: usize,
    skipped: usize,
    failed: usize,
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(count) if count.failed == 0 => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<Count, String> {
    let list = AllowList::read(&arguments.allow)?;
    let path = arguments
        .module
        .clone()
        .or_else(|| env::var_os("MODULE_UNDER_TEST").map(PathBuf::from))
        .map_or_else(build, Ok)?;
    let module = Pkcs11::new(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    module
        .initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK))
        .map_err(|error| format!("C_Initialize: {error}"))?;
    let slots = module.get_slots_with_token().map_err(|error| format!("C_GetSlotList: {error}"))?;
    let (mut count, mut touched) = (Count::default(), false);
    for slot in slots {
        touched |= test(&module, slot, &list, &mut count);
    }
    if touched {
        println!("{} passed, {} skipped, {} failed", count.passed, count.skipped, count.failed);
    } else {
        say_what_would_be_done(&list);
    }
    Ok(count)
}

/// Builds the module of this tree.
fn build() -> Result<PathBuf, String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().ok_or("no workspace")?;
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let built =
        Command::new(cargo).args(["build", "--release", "--package", "cardea", "--lib"]).current_dir(root).status();
    if !built.is_ok_and(|status| status.success()) {
        return Err("the module does not build".to_owned());
    }
    let target = env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
    Ok(root.join(target).join("release/libcardea_pkcs11.so"))
}

/// Runs all cases on the token in `slot`, if it is allowed.
fn test(module: &Pkcs11, slot: Slot, list: &AllowList, count: &mut Count) -> bool {
    let token = match module.get_token_info(slot) {
        Ok(token) => token,
        Err(error) => {
            println!("slot {slot}: not touched, C_GetTokenInfo: {error}");
            return false;
        }
    };
    let serial = token.serial_number().trim().to_owned();
    let Some(entry) = list.entry(&serial) else {
        println!("slot {slot}: token {serial:?} is not in the allow-list and is not touched");
        return false;
    };
    println!("slot {slot}: token {serial:?}, {:?}", token.label());
    let subject = Subject { module, slot, token: &token, pin: pin(entry) };
    for case in CASES {
        let ending = match case.demand {
            Demand::Destructive if !entry.destructive => {
                Err(Ending::Skipped("the allow-list does not say destructive".to_owned()))
            }
            _ => (case.run)(&subject),
        };
        match ending {
            Ok(()) => {
                count.passed += 1;
                println!("  ok       {}", case.name);
            }
            Err(Ending::Skipped(reason)) => {
                count.skipped += 1;
                println!("  skipped  {}: {reason}", case.name);
            }
            Err(Ending::Failed(reason)) => {
                count.failed += 1;
                println!("  FAILED   {}: {reason}", case.name);
            }
        }
    }
    true
}

fn pin(entry: &Entry) -> Option<AuthPin> {
    let value = env::var(entry.pin_from.as_ref()?).ok()?;
    Some(AuthPin::new(value.into()))
}

fn say_what_would_be_done(list: &AllowList) {
    println!("no reader holds a token of the allow-list; with one, this would be run:");
    for entry in list.entries() {
        println!("token {:?}", entry.serial);
        for case in CASES {
            let runs = match case.demand {
                Demand::Public => true,
                Demand::Pin => entry.pin_from.is_some(),
                Demand::Destructive => entry.pin_from.is_some() && entry.destructive,
            };
            println!("  {} {}", if runs { "would run " } else { "would skip" }, case.name);
        }
    }
}
