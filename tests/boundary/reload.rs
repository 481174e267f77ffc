//! dlopen and dlclose, again and again, by a C program (`reload.c`): nothing of the module stays behind
//! in a process that outlives it.

use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;

use cardea_harness::bench::Bench;
use cardea_harness::reader::VirtualReader;

use super::desk::Desk;
use super::process::{directory, ending, wait};
use crate::module;

const ROUNDS: i64 = 200;
/// A program that takes longer hangs.
const LONGEST: Duration = Duration::from_secs(150);

/// What the program says at its end.
#[derive(Debug)]
struct Remains {
    unloaded: i64,
    /// After a quarter of the rounds, and at the end.
    descriptors: [i64; 2],
    /// The same in kilobytes.
    memory: [i64; 2],
}

fn program() -> &'static PathBuf {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        let program = directory().join("reload");
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/boundary/reload.c");
        let compiler =
            Command::new("cc").args(["-O1", "-Wall", "-o"]).arg(&program).args([source, "-ldl", "-lpthread"]).status();
        assert!(compiler.unwrap().success(), "{source} does not compile");
        program
    })
}

fn reload(name: &str, rounds: i64, finalized_of_four: u8, survivors: bool) -> Remains {
    let bench = Bench::start(vec![("Reload Reader", VirtualReader::with_card(Desk::card()))]);
    let output = directory().join(name);
    let file = std::fs::File::create(&output).unwrap();
    let mut command = bench.command(program());
    command.arg(module::path()).args([
        rounds.to_string(),
        finalized_of_four.to_string(),
        u8::from(survivors).to_string(),
    ]);
    let mut child = command.env("XDG_CONFIG_HOME", directory()).stdout(file).spawn().unwrap();
    let status = wait(&mut child, LONGEST).expect("the program hangs");
    let text = std::fs::read_to_string(&output).unwrap();
    assert!(status.success(), "the program {}: {text}", ending(status));
    println!("{name}: {text}");
    let numbers: Vec<i64> = text.split_whitespace().filter_map(|word| word.parse().ok()).collect();
    let [unloaded, early_descriptors, descriptors, early_memory, memory] = numbers[..] else { panic!("{text}") };
    Remains { unloaded, descriptors: [early_descriptors, descriptors], memory: [early_memory, memory] }
}

#[test]
fn two_hundred_rounds_with_c_finalize_leave_no_descriptor_and_no_memory() {
    let remains = reload("finalized", ROUNDS, 4, false);
    assert_eq!(remains.unloaded, ROUNDS, "{remains:?}");
    assert_eq!(remains.descriptors[0], remains.descriptors[1], "{remains:?}");
    assert!(remains.memory[1] - remains.memory[0] < 2048, "{remains:?}");
}

#[test]
fn threads_that_competed_in_the_module_may_outlive_it() {
    let remains = reload("survivors", ROUNDS, 4, true);
    assert_eq!(remains.descriptors[0], remains.descriptors[1], "{remains:?}");
    assert!(remains.memory[1] - remains.memory[0] < 2048, "{remains:?}");
}

/// Every such round costs the memory and the connections of one Library: the module has no destructor that could run
/// under the loader's lock. pcscd serves 200 connections, so that many rounds without C_Finalize end that.
#[test]
fn rounds_without_c_finalize_cost_what_they_left_and_no_more() {
    let remains = reload("mixed", ROUNDS, 3, false);
    assert_eq!(remains.unloaded, ROUNDS, "{remains:?}");
    assert!(remains.descriptors[1] - remains.descriptors[0] <= 2 * ROUNDS / 4, "{remains:?}");
    assert!(remains.memory[1] - remains.memory[0] < 100 * ROUNDS / 4, "{remains:?}");
}

#[test]
fn a_host_may_unload_the_module_without_c_finalize_while_threads_live_that_used_it() {
    reload("mixed survivors", ROUNDS, 3, true);
    reload("survivors alone", 60, 0, true);
}
