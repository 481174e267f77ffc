//! What OpenSC was seen to do wrong, held against this module and, where it is installed, against OpenSC's own.
//!
//! Each case is one process with its own pcscd and the module loaded through C_GetFunctionList, because a case may end
//! by a signal. On ours it has to pass. On OpenSC's it has to fail at one of its claims ([`hold!`]) or by a signal: a
//! case that passes there shows nothing. Cases that OpenSC 0.23 cannot be brought to, or does not fail, are marked so
//! with the reason, and run on ours alone.
#![allow(unsafe_code, clippy::multiple_unsafe_ops_per_block)]
// The bans of clippy.toml are for a guest in somebody else's program; these are programs of our own.
#![allow(clippy::disallowed_methods, clippy::disallowed_macros)]

/// A claim about the module; its failure is what is looked for in OpenSC.
macro_rules! hold {
    ($claim:expr, $($text:tt)+) => {
        assert!($claim, "{}{}", $crate::defects::CLAIM, format_args!($($text)+))
    };
}

mod cases;
mod token;

use std::path::Path;

use crate::boundary::process::{self, Ending};
use crate::module;

/// Begins the message of a claim that does not hold.
const CLAIM: &str = "does not hold: ";
/// OpenSC's module as Debian installs it.
const OPENSC: &str = "/usr/lib/x86_64-linux-gnu/opensc-pkcs11.so";

/// Runs `body` in a process of its own on our module: it passes.
fn on_ours(path: &str, body: fn()) {
    match process::outcome(path, module::path(), body) {
        Ending::Passed => {}
        Ending::Failed(text) => panic!("{text}"),
    }
}

/// Runs `body` in a process of its own on OpenSC's module: it does not pass.
fn on_opensc(path: &str, body: fn()) {
    if !Path::new(OPENSC).is_file() {
        eprintln!("skipped: there is no {OPENSC} (Debian package opensc)");
        return;
    }
    match process::outcome(path, Path::new(OPENSC), body) {
        Ending::Passed => panic!("OpenSC does this right"),
        Ending::Failed(text) => {
            assert!(text.contains(CLAIM) || text.contains("signal"), "this fails for another reason:\n{text}");
        }
    }
}
