//! Where the built driver is.

use std::path::{Path, PathBuf};
use std::process::Command;

const FILE: &str = "libcardea_virtual_reader.so";

/// The driver named by `CARDEA_VIRTUAL_READER`, else the one built beside the running program, else one that is built.
pub(super) fn find() -> PathBuf {
    if let Some(path) = std::env::var_os("CARDEA_VIRTUAL_READER") {
        return path.into();
    }
    beside_program().unwrap_or_else(|| {
        build();
        beside_program().expect("cargo has built the driver where this program is")
    })
}

/// Cargo puts a library into the profile's directory or its `deps`, a program into one of those or into `examples`.
fn beside_program() -> Option<PathBuf> {
    let program = std::env::current_exe().expect("the path of the running program");
    program
        .ancestors()
        .skip(1)
        .take(2)
        .flat_map(|directory| [directory.join(FILE), directory.join("deps").join(FILE)])
        .find(|path| path.is_file())
}

fn build() {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("../virtual-reader/Cargo.toml");
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.args(["build", "--quiet", "--manifest-path"]).arg(manifest);
    if !cfg!(debug_assertions) {
        command.arg("--release");
    }
    let status = command.status().expect("cargo runs");
    assert!(status.success(), "the driver does not build");
}
