//! How many commands reach the card, step by step: golden files, hard limits, and OpenSC's beside them.
//!
//! Whatever is a VERIFY (login, logout, the PIN of 9C) has one command more than it is: the question which application is
//! selected, unless the card is had exclusively. The first logout of a card has another, because cards exist that overlook what it says.

mod speed;
pub mod steps;
mod table;

use std::path::Path;

use crate::clients::child;
use crate::clients::golden::assert_golden;
use crate::clients::station::{Card, Station};
use crate::module;
use steps::{MODULE, Step};

/// Debian's OpenSC 0.23, for comparison.
pub const OPENSC: &str = "/usr/lib/x86_64-linux-gnu/opensc-pkcs11.so";

/// Runs the steps with the module at `path` in a process of its own.
fn measure<F: Fn()>(case: F, station: &Station, path: &Path) -> Vec<Step> {
    measure_with(case, station, &[(MODULE, path.to_str().unwrap())])
}

fn measure_with<F: Fn()>(case: F, station: &Station, environment: &[(&str, &str)]) -> Vec<Step> {
    let run = child::spawn(case, station, environment).succeeded();
    run.text.lines().filter_map(Step::parse).collect()
}

/// Measures ours on `card`, judges it, and OpenSC's on an equal one; `limits` are steps with the most commands each may take.
fn stays_within<F: Fn() + Copy>(case: F, card: Card, limits: &[(&str, usize)]) {
    if child::is_child() {
        return steps::run(card);
    }
    let ours = measure(case, &Station::new(card), module::path());
    let opensc = match Path::new(OPENSC).is_file() {
        _ if card == Card::OpenPgp => {
            eprintln!("no comparison: OpenSC's first slot of an OpenPGP card is for the signature key alone");
            Vec::new()
        }
        true => measure(case, &Station::new(card), Path::new(OPENSC)),
        false => {
            eprintln!("no comparison: there is no {OPENSC} (Debian package opensc)");
            Vec::new()
        }
    };
    table::show(card, &ours, &opensc);
    for step in &ours {
        assert_eq!(step.error, None, "{}", step.name);
    }
    for (name, most) in limits {
        let step = ours.iter().find(|step| step.name == *name).unwrap_or_else(|| panic!("there is no step {name:?}"));
        assert!(
            step.commands.len() <= *most,
            "{} on the card {}: {} where {most} commands are the most",
            name,
            card.name(),
            step.list()
        );
    }
    let limited = |step: &&Step| limits.iter().any(|(name, _)| *name == step.name);
    let free: Vec<_> =
        ours.iter().filter(|step| !limited(step) && !step.commands.is_empty()).map(|step| &step.name).collect();
    assert!(free.is_empty(), "steps that cost commands and have no limit: {free:?}");
    let text: String = ours.iter().map(|step| format!("{}: {}\n", step.name, step.list())).collect();
    assert_golden(&format!("budgets-{}.txt", card.name()), &text);
}

/// Measures ours on a card that it has for itself: a PIN is VERIFY and nothing else.
fn needs_no_question<F: Fn() + Copy>(case: F, card: Card, (login, signature): (usize, &str)) {
    if child::is_child() {
        return steps::run(card);
    }
    let environment = [(MODULE, module::path().to_str().unwrap()), ("CARDEA_EXCLUSIVE", "1")];
    let steps = measure_with(case, &Station::new(card), &environment);
    for (name, most) in [("login", login), ("login again", login), (signature, 2)] {
        let step = steps.iter().find(|step| step.name == name).unwrap();
        assert_eq!(step.error, None, "{name}");
        assert!(step.commands.len() <= most, "{name} on the card {}: {}", card.name(), step.list());
    }
}

#[test]
fn an_exclusive_piv_card_gets_verify_and_the_operation() {
    let limits = (2, "9C P-256 signature with its PIN");
    needs_no_question(an_exclusive_piv_card_gets_verify_and_the_operation, Card::Standard, limits);
}

#[test]
fn an_exclusive_openpgp_card_gets_verify_and_the_operation() {
    let limits = (4, "01 P-256 signature with its PIN");
    needs_no_question(an_exclusive_openpgp_card_gets_verify_and_the_operation, Card::OpenPgp, limits);
}

#[test]
fn a_card_with_extensions_gets_no_more_commands_than_it_should() {
    let limits = [
        ("start", 8),
        ("all objects", 14),
        ("login", 2),
        ("RSA-2048 signature, first", 1),
        ("RSA-2048 signature, warm", 1),
        ("P-256 signature, warm", 1),
        ("9C P-256 signature with its PIN", 3),
        ("RSA-2048 decryption", 1),
        ("logout, first", 3),
        ("login again", 2),
        ("logout again", 2),
    ];
    stays_within(a_card_with_extensions_gets_no_more_commands_than_it_should, Card::Standard, &limits);
}

#[test]
fn a_plain_card_gets_no_more_commands_than_it_should() {
    let limits = [
        ("start", 8),
        ("all objects", 14),
        ("login", 2),
        ("RSA-2048 signature, first", 1),
        ("RSA-2048 signature, warm", 1),
        ("P-256 signature, warm", 1),
        ("9C P-256 signature with its PIN", 3),
        ("RSA-2048 decryption", 1),
        ("logout, first", 3),
        ("login again", 2),
        ("logout again", 2),
    ];
    stays_within(a_plain_card_gets_no_more_commands_than_it_should, Card::Plain, &limits);
}

#[test]
fn a_card_with_short_apdus_gets_no_more_commands_than_it_should() {
    let limits = [
        ("start", 8),
        // Certificates come in parts of 256 bytes.
        ("all objects", 24),
        ("login", 2),
        ("RSA-2048 signature, first", 3),
        ("RSA-2048 signature, warm", 3),
        ("P-256 signature, warm", 1),
        ("9C P-256 signature with its PIN", 3),
        ("RSA-2048 decryption", 3),
        ("logout, first", 3),
        ("login again", 2),
        ("logout again", 2),
    ];
    stays_within(a_card_with_short_apdus_gets_no_more_commands_than_it_should, Card::Short, &limits);
}

#[test]
fn a_card_with_larger_keys_gets_no_more_commands_than_it_should() {
    let limits = [
        ("start", 8),
        // Six certificates and the metadata of two more keys.
        ("all objects", 20),
        ("login", 2),
        ("P-384 signature, first", 1),
        ("P-384 signature, warm", 1),
        ("RSA-2048 signature, warm", 1),
        ("9C RSA-3072 signature with its PIN", 3),
        ("RSA-4096 decryption", 1),
        ("logout, first", 3),
        ("login again", 2),
        ("logout again", 2),
    ];
    stays_within(a_card_with_larger_keys_gets_no_more_commands_than_it_should, Card::Varied, &limits);
}

#[test]
fn an_openpgp_card_gets_no_more_commands_than_it_should() {
    let limits = [
        ("start", 6),
        ("all objects", 10),
        // The question which application it is, the KDF data object, and PW1 for each of its two purposes.
        ("login", 4),
        // Once: whether there is an AES key, which nobody but the user sees, and if not, whether that is why.
        ("all objects after login", 2),
        ("RSA-2048 signature, first", 1),
        ("RSA-2048 signature, warm", 1),
        ("01 P-256 signature with its PIN", 3),
        ("RSA-2048 decryption", 1),
        ("logout, first", 3),
        ("login again", 4),
        ("logout again", 3),
    ];
    stays_within(an_openpgp_card_gets_no_more_commands_than_it_should, Card::OpenPgp, &limits);
}
