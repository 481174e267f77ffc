//! PyKCS11 and python-pkcs11, from PyPI.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::program::run;
use super::station::{Card, Station};

/// The script that speaks PyKCS11; it asserts as it goes and prints what it did.
const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/clients/pykcs11.py");
/// The script that speaks python-pkcs11; it does the same.
const SECOND_SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/clients/python_pkcs11.py");
/// What the Makefile's Python has.
const PACKAGES: [&str; 2] = ["PyKCS11==1.5.20", "python-pkcs11==0.10.1"];

/// A Python with both: `CARDEA_PYTHON`, the Makefile's, or one made here; says why where there is none.
fn python() -> Option<PathBuf> {
    if let Some(python) = std::env::var_os("CARDEA_PYTHON") {
        return Some(PathBuf::from(python));
    }
    let target = std::env::var_os("CARGO_TARGET_DIR")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("target"), PathBuf::from);
    let made = target.join("venv");
    if made.join("ready").is_file() {
        return Some(made.join("bin/python"));
    }
    // a name of its own for each set of packages
    let own = target.join("python-venv-2");
    let python = own.join("bin/python");
    if !own.join("ready").is_file() {
        let mut venv = Command::new("python3");
        venv.args(["-m", "venv"]).arg(&own);
        let mut install = Command::new(&python);
        install.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--only-binary", ":all:"]);
        install.args(PACKAGES);
        for step in [venv, install] {
            let run = run(step);
            if !run.status.success() {
                eprintln!("skipped: no {PACKAGES:?}: {}", run.text);
                return None;
            }
        }
        std::fs::write(own.join("ready"), PACKAGES.join(" ")).unwrap();
    }
    Some(python)
}

#[test]
fn pykcs11_lists_signs_verifies_and_decrypts() {
    let Some(python) = python() else { return };
    let cards = [
        (Card::Standard, "4 certificates, 4 signatures, 3 decryptions"),
        (Card::Short, "4 certificates, 4 signatures, 3 decryptions"),
        (Card::Varied, "6 certificates, 5 signatures, 3 decryptions"),
        // Neither PSS nor OAEP.
        (Card::OpenPgp, "3 certificates, 2 signatures, 1 decryptions"),
        (Card::OpenPgpShort, "3 certificates, 2 signatures, 1 decryptions"),
        (Card::OpenPgpVaried, "2 certificates, 2 signatures, 0 decryptions"),
        (Card::OpenPgpModern, "0 certificates, 2 signatures, 0 decryptions"),
    ];
    for (card, outcome) in cards {
        let station = Station::new(card);
        let run = station.run(python.to_str().unwrap(), [SCRIPT]);
        assert!(run.status.success() && run.text.contains(outcome), "{card:?}: {}", run.text);
    }
}

#[test]
fn python_pkcs11_lists_finds_signs_verifies_decrypts_and_derives() {
    let Some(python) = python() else { return };
    let cards = [
        (Card::Standard, "4 signatures, 2 decryptions, 0 agreements"),
        (Card::Elliptic, "3 signatures, 0 decryptions, 1 agreements"),
        // No OAEP.
        (Card::OpenPgp, "2 signatures, 1 decryptions, 0 agreements"),
    ];
    for (card, outcome) in cards {
        let station = Station::new(card);
        let run = station.run(python.to_str().unwrap(), [SECOND_SCRIPT]);
        assert!(run.status.success() && run.text.contains(outcome), "{card:?}: {}", run.text);
    }
}
