//! A process for each case: this test binary run again for one test.

use std::fs::File;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus};
use std::time::{Duration, Instant};

use crate::module;

/// Names the case in the environment of its process.
const CASE: &str = "CARDEA_BOUNDARY_CASE";
/// What a line begins with that is shown although the case passes.
pub const MEASURED: &str = "measured: ";
/// A case that takes longer hangs.
const LONGEST: Duration = Duration::from_secs(180);

/// Rounds of a race, unless `ROUNDS` in the environment names another number.
const ROUNDS: usize = 300;

/// How many rounds of a race to run.
pub fn rounds() -> usize {
    rounds_of(1)
}

/// The same for rounds that cost so many times as much, of which fewer are run unless a number was asked for.
pub fn rounds_of(cost: usize) -> usize {
    let asked = std::env::var("ROUNDS").ok().map(|rounds| rounds.parse().expect("ROUNDS is a number"));
    asked.unwrap_or_else(|| ROUNDS.div_ceil(cost))
}

/// How long a case may take.
fn longest() -> Duration {
    LONGEST * u32::try_from(rounds().div_ceil(ROUNDS)).unwrap()
}

/// Tests whose bodies run in processes of their own.
macro_rules! cases {
    ($($(#[$attribute:meta])* fn $name:ident() $body:block)*) => {
        $(
            $(#[$attribute])*
            #[test]
            fn $name() {
                $crate::boundary::process::run(concat!(module_path!(), "::", stringify!($name)), || $body);
            }
        )*
    };
}

/// How the process of a case ended.
pub enum Ending {
    /// As a test that passed, or this is that process.
    Passed,
    /// Otherwise; what it said.
    Failed(String),
}

/// Runs `body` if this is the process of the case `path`, and starts that process otherwise.
pub fn run(path: &str, body: fn()) {
    if let Ending::Failed(text) = outcome(path, module::path(), body) {
        panic!("{text}");
    }
}

/// The same with the module of the caller's choice.
pub fn outcome(path: &str, module: &Path, body: fn()) -> Ending {
    let name = path.split_once("::").expect("a path inside the crate").1;
    if std::env::var(CASE).is_ok_and(|case| case == name) {
        body();
        return Ending::Passed;
    }
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join("boundary");
    std::fs::create_dir_all(&directory).unwrap();
    let log = directory.join(name.replace("::", "."));
    let output = File::create(&log).unwrap();
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args([name, "--exact", "--nocapture", "--test-threads=1"])
        .env(CASE, name)
        .env("MODULE_UNDER_TEST", module)
        .env("XDG_CONFIG_HOME", directory.join("no-configuration"))
        .env_remove("CARDEA_LOG")
        .env_remove("CARDEA_LOG_FILE")
        .stdout(output.try_clone().unwrap())
        .stderr(output);
    let mut child = command.spawn().unwrap();
    let outcome = wait(&mut child, longest());
    let text = String::from_utf8_lossy(&std::fs::read(&log).unwrap_or_default()).into_owned();
    let _ = std::fs::remove_file(&log);
    match outcome {
        Some(status) if status.success() && text.contains("1 passed") => {
            for line in text.lines().filter_map(|line| line.split_once(MEASURED)) {
                println!("{}", line.1);
            }
            Ending::Passed
        }
        Some(status) if status.success() => Ending::Failed(format!("{name} did not run:\n{text}")),
        Some(status) => Ending::Failed(format!("{name} {}:\n{text}", ending(status))),
        None => Ending::Failed(format!("{name} still ran after {:?}:\n{text}", longest())),
    }
}

/// Waits for a process and kills it when it takes too long.
pub fn wait(child: &mut Child, longest: Duration) -> Option<ExitStatus> {
    let deadline = Instant::now() + longest;
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return Some(status);
        }
        if Instant::now() > deadline {
            child.kill().unwrap();
            child.wait().unwrap();
            return None;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// How a process ended, with the signal's number if it was one.
pub fn ending(status: ExitStatus) -> String {
    match status.signal() {
        Some(signal) => format!("was ended by signal {signal}{}", signal_name(signal)),
        None => format!("failed with status {}", status.code().unwrap_or(-1)),
    }
}

fn signal_name(signal: i32) -> &'static str {
    match signal {
        libc::SIGABRT => " (SIGABRT)",
        libc::SIGBUS => " (SIGBUS)",
        libc::SIGILL => " (SIGILL)",
        libc::SIGKILL => " (SIGKILL)",
        libc::SIGSEGV => " (SIGSEGV)",
        _ => "",
    }
}

/// A directory for files of the case that runs in this process.
pub fn directory() -> PathBuf {
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("boundary-{}", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();
    directory
}

#[test]
fn a_case_that_crashes_is_a_failure_that_names_the_signal() {
    let failure = std::panic::catch_unwind(|| run("cardea::boundary::process::crash_on_purpose", || {})).unwrap_err();
    let message = failure.downcast_ref::<String>().unwrap();
    assert!(message.contains("signal 11 (SIGSEGV)"), "{message}");
}

/// The crash that the test above looks at; on its own it is nothing.
#[test]
fn crash_on_purpose() {
    if std::env::var_os(CASE).is_some() {
        // SAFETY: raise has no preconditions.
        let _ = unsafe { libc::signal(libc::SIGSEGV, libc::SIG_DFL) };
        // SAFETY: as above.
        unsafe { libc::raise(libc::SIGSEGV) };
    }
}
