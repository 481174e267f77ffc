//! Writing to a PIV card by pkcs11-tool, and what yubico-piv-tool sees of it.

use super::super::program::installed;
use super::super::station::{Card, Station};
use super::writing::{a_key_is_brought, a_key_lives, officer};
use super::{text, tool_with_pin};

const KEY: &str = "010203040506070801020304050607080102030405060708";
const WRONG: &str = "A1A2A3A4A5A6A7A8B1B2B3B4B5B6B7B8C1C2C3C4C5C6C7C8";

/// What Yubico's tool says of the card; empty where it is not installed.
fn status(station: &Station) -> String {
    if !installed("yubico-piv-tool", "yubico-piv-tool") {
        return String::new();
    }
    station.run("yubico-piv-tool", ["-r", "Cardea", "-a", "status"]).succeeded().text
}

#[test]
fn a_key_is_made_certified_used_and_destroyed() {
    let station = Station::new(Card::Elliptic);
    let before = status(&station);
    a_key_lives(&station, KEY, "05", || {
        let seen = status(&station);
        assert!(seen.is_empty() || seen.contains("CN=holder"), "{seen}");
    });
    tool_with_pin(&station, &["-O"]).succeeded().omits("Retired Key Management 1");
    // The card keeps an empty object, as after a deletion by Yubico's tool.
    let after = status(&station);
    assert!(before.lines().all(|line| after.contains(line)) && !after.contains("CN=holder"), "{after}");
}

#[test]
fn a_key_that_was_made_elsewhere_is_imported_and_signs() {
    a_key_is_brought(&Station::new(Card::Elliptic), KEY, "06", &["EC", "-pkeyopt", "ec_paramgen_curve:P-256"]);
}

#[test]
fn a_wrong_management_key_changes_nothing() {
    let station = Station::new(Card::Elliptic);
    let before = (tool_with_pin(&station, &["-O"]).succeeded().text, status(&station));
    let certificate = station.file("any.der", station.provisioned.certificate(0x9A).unwrap());
    for work in [
        &["--keypairgen", "--key-type", "EC:prime256v1", "--id", "07"][..],
        &["--write-object", text(&certificate), "--type", "cert", "--id", "07"],
        &["--delete-object", "--type", "cert", "--id", "01"],
    ] {
        officer(&station, WRONG, work).failed().says("CKR_PIN_INCORRECT");
    }
    assert_eq!((tool_with_pin(&station, &["-O"]).succeeded().text, status(&station)), before);
    let writes =
        station.reader.commands().into_iter().filter(|command| matches!(command[1], 0x47 | 0xDB | 0xFE | 0xF6));
    let provisioning = writes.count();
    assert_eq!(provisioning, 0, "a write reached the card");
}
