//! Where the built driver is, and the program that plays another at the card.

use std::path::{Path, PathBuf};
use std::process::Command;

/// The interface between pcscd and a driver.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Interface {
    /// IFD handler 2.0, by which pcscd ejects cards.
    Version2,
    /// IFD handler 3.0, which has control codes (PC/SC part 10).
    Version3,
}

impl Interface {
    fn file(self) -> &'static str {
        match self {
            Self::Version2 => "libcardea_virtual_reader_2.so",
            Self::Version3 => "libcardea_virtual_reader.so",
        }
    }

    fn package(self) -> &'static str {
        match self {
            Self::Version2 => "virtual-reader-2",
            Self::Version3 => "virtual-reader",
        }
    }
}

/// The driver named by `CARDEA_VIRTUAL_READER` if it has control codes, else the one built beside the running program,
/// else one that is built.
pub(super) fn find(interface: Interface) -> PathBuf {
    if interface == Interface::Version3
        && let Some(path) = std::env::var_os("CARDEA_VIRTUAL_READER")
    {
        return path.into();
    }
    beside_program(interface.file()).unwrap_or_else(|| {
        build(interface.package(), &[]);
        beside_program(interface.file()).expect("cargo has built the driver where this program is")
    })
}

/// The program `pcsc-client` built beside the running program, else one that is built.
pub(super) fn find_client() -> PathBuf {
    const PROGRAM: &str = "pcsc-client";
    beside_program(PROGRAM).unwrap_or_else(|| {
        build("harness", &["--bin", PROGRAM]);
        beside_program(PROGRAM).expect("cargo has built the program where this one is")
    })
}

/// Cargo puts a library into the profile's directory or its `deps`, a program into one of those or into `examples`.
fn beside_program(file: &str) -> Option<PathBuf> {
    let program = std::env::current_exe().expect("the path of the running program");
    program
        .ancestors()
        .skip(1)
        .take(2)
        .flat_map(|directory| [directory.join(file), directory.join("deps").join(file)])
        .find(|path| path.is_file())
}

fn build(package: &str, what: &[&str]) {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(package).join("Cargo.toml");
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.args(["build", "--quiet", "--manifest-path"]).arg(manifest).args(what);
    if !cfg!(debug_assertions) {
        command.arg("--release");
    }
    let status = command.status().expect("cargo runs");
    assert!(status.success(), "{package} does not build");
}
