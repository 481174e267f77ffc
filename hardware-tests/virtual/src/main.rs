//! Runs the module in a virtual machine, on smartcards in USB readers: the real kernel, udev, libccid and pcscd. One
//! line for each case; the status says whether all passed. `make hardware-test VIRTUAL=1` starts it.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "the results go to whoever started this")]

mod bed;
mod cases;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use cardea_virtual_hardware::ccid::ReaderDescription;
use cardea_virtual_hardware::machine::{Agent, Guest, Image};
use clap::Parser;

use bed::Bed;
use cases::{Case, DESCRIBED, OURS};

#[derive(Parser)]
#[command(about = "Runs the module in a virtual machine, on smartcards in USB readers")]
struct Arguments {
    /// The module
    #[arg(long)]
    module: PathBuf,
    /// The agent for the virtual machine, cardea-guest
    #[arg(long)]
    agent: PathBuf,
    /// The cases for physical tokens, cardea-hardware-tests
    #[arg(long)]
    hardware_tests: PathBuf,
    /// The udev rules
    #[arg(long)]
    rules: PathBuf,
    /// Where the virtual machine is kept
    #[arg(long)]
    directory: PathBuf,
    /// A reader's description as libccid's `parse` prints it: that reader alone is tried, and may be several
    #[arg(long)]
    descriptor: Vec<PathBuf>,
    /// Where the machine cannot be made, without Debian's archive, say so and succeed
    #[arg(long)]
    optional: bool,
    /// Only cases with this in their name
    #[arg(long)]
    only: Option<String>,
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// Whether all cases passed.
fn run(arguments: &Arguments) -> Result<bool, String> {
    let begun = Instant::now();
    let mut work: Vec<(String, Case, Option<ReaderDescription>)> = Vec::new();
    for path in &arguments.descriptor {
        let bytes = std::fs::read(path).map_err(|error| format!("{}: {error}", path.display()))?;
        let description = ReaderDescription::parse(&String::from_utf8_lossy(&bytes))
            .map_err(|error| format!("{}: {error}", path.display()))?;
        for case in DESCRIBED {
            work.push((format!("{}: {}", description.name, case.name), *case, Some(description.clone())));
        }
    }
    if work.is_empty() {
        work.extend(OURS.iter().map(|case| (case.name.to_owned(), *case, None)));
    }
    work.retain(|(name, ..)| arguments.only.as_ref().is_none_or(|part| name.contains(part)));
    let image = match Image::prepare(&arguments.directory.join("image")) {
        Err(error) if arguments.optional => {
            println!("skipped: USB readers in a virtual machine, which cannot be made: {error}");
            return Ok(true);
        }
        image => image.map_err(|error| error.to_string())?,
    };
    let agent = Agent {
        program: arguments.agent.clone(),
        module: arguments.module.clone(),
        files: vec![
            ("cardea/hardware-tests", arguments.hardware_tests.clone()),
            ("etc/udev/rules.d/70-cardea.rules", arguments.rules.clone()),
        ],
    };
    let run = arguments.directory.join("run");
    let guest = Guest::start(&image, &agent, &run).map_err(|error| error.to_string())?;
    println!("the virtual machine is up after {:.0} s", begun.elapsed().as_secs_f32());
    let mut bed = Bed::new(guest, run.clone());
    let (mut passed, mut failed) = (0, 0);
    for (name, case, description) in work {
        let start = Instant::now();
        let outcome = (case.run)(&mut bed, description);
        let seconds = start.elapsed().as_secs_f32();
        match outcome {
            Ok(()) => {
                passed += 1;
                println!("  ok       {name} ({seconds:.1} s)");
            }
            Err(reason) => {
                failed += 1;
                println!("  FAILED   {name} ({seconds:.1} s): {reason}");
            }
        }
        bed.tidy();
    }
    println!("{passed} passed, {failed} failed in {:.0} s", begun.elapsed().as_secs_f32());
    if failed > 0 {
        println!("the machine's logs: {}", bed.keep_logs().display());
    }
    Ok(failed == 0 && passed > 0)
}
