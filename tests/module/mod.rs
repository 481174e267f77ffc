//! The built module: where it is, and building it when it is not there.

use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

/// Absolute path of the module under test: `MODULE_UNDER_TEST`, or the release build of this tree.
pub fn path() -> &'static PathBuf {
    static PATH: OnceLock<PathBuf> = OnceLock::new();
    PATH.get_or_init(|| match std::env::var_os("MODULE_UNDER_TEST") {
        Some(path) => PathBuf::from(path),
        None => build(),
    })
}

fn build() -> PathBuf {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["build", "--quiet", "--release", "--package", "cardea", "--lib"]).current_dir(&root);
    assert!(cargo.status().unwrap().success(), "the module does not build");
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
    root.join(target).join("release/libcardea_pkcs11.so")
}
