//! Writing to a PIV card by pkcs11-tool, and what yubico-piv-tool sees of it.

use super::super::program::{Run, installed};
use super::super::station::{Card, Station};
use super::{text, tool, tool_with_pin};

const KEY: &str = "010203040506070801020304050607080102030405060708";
const WRONG: &str = "A1A2A3A4A5A6A7A8B1B2B3B4B5B6B7B8C1C2C3C4C5C6C7C8";

fn officer(station: &Station, key: &str, arguments: &[&str]) -> Run {
    tool(station, &[&["--login", "--login-type", "so", "--so-pin", key], arguments].concat())
}

/// What Yubico's tool says of the card; empty where it is not installed.
fn status(station: &Station) -> String {
    if !installed("yubico-piv-tool", "yubico-piv-tool") {
        return String::new();
    }
    station.run("yubico-piv-tool", ["-r", "Cardea", "-a", "status"]).succeeded().text
}

fn openssl(station: &Station, arguments: &[&str]) {
    station.run("openssl", arguments).succeeded();
}

/// Signs a hash with the key and has OpenSSL verify it by the public key in `public`.
#[track_caller]
fn signs(station: &Station, id: &str, public: &str) {
    station.file("hash", [0x5A; 32]);
    let sign = ["--sign", "-m", "ECDSA", "--signature-format", "openssl", "--id", id, "-i", "hash", "-o", "signature"];
    tool_with_pin(station, &sign).succeeded();
    openssl(station, &["pkeyutl", "-verify", "-pubin", "-inkey", public, "-in", "hash", "-sigfile", "signature"]);
}

#[test]
fn a_key_is_made_certified_used_and_destroyed() {
    let station = Station::new(Card::Elliptic);
    let before = status(&station);
    officer(&station, KEY, &["--keypairgen", "--key-type", "EC:prime256v1", "--id", "05"]).says("Key pair generated");
    tool(&station, &["--read-object", "--type", "pubkey", "--id", "05", "-o", "public.der"]).succeeded();
    openssl(&station, &["ec", "-pubin", "-inform", "DER", "-in", "public.der", "-pubout", "-out", "public.pem"]);
    signs(&station, "05", "public.pem");
    openssl(
        &station,
        &["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "ca.key", "-out", "own.pem", "-subj", "/CN=ca"],
    );
    let certify = ["-CA", "own.pem", "-CAkey", "ca.key", "-subj", "/CN=holder", "-outform", "DER", "-out", "new.der"];
    openssl(&station, &[&["x509", "-new", "-force_pubkey", "public.pem"][..], &certify].concat());
    officer(&station, KEY, &["--write-object", "new.der", "--type", "cert", "--id", "05"]).says("Created certificate");
    signs(&station, "05", "public.pem");
    let seen = status(&station);
    assert!(seen.is_empty() || seen.contains("CN=holder"), "{seen}");
    let occupied = ["--keypairgen", "--key-type", "EC:prime256v1", "--id", "05"];
    officer(&station, KEY, &occupied).failed();
    signs(&station, "05", "public.pem");
    officer(&station, KEY, &["--delete-object", "--type", "privkey", "--id", "05"]).succeeded();
    officer(&station, KEY, &["--delete-object", "--type", "cert", "--id", "05"]).succeeded();
    tool_with_pin(&station, &["-O"]).succeeded().omits("Retired Key Management 1");
    // The card keeps an empty object, as after a deletion by Yubico's tool.
    let after = status(&station);
    assert!(before.lines().all(|line| after.contains(line)) && !after.contains("CN=holder"), "{after}");
}

#[test]
fn a_key_that_was_made_elsewhere_is_imported_and_signs() {
    let station = Station::new(Card::Elliptic);
    openssl(&station, &["genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", "own.key"]);
    openssl(&station, &["pkey", "-in", "own.key", "-pubout", "-out", "own.pub"]);
    let key = station.directory().join("own.key");
    officer(&station, KEY, &["--write-object", text(&key), "--type", "privkey", "--id", "06"])
        .says("Created private key");
    signs(&station, "06", "own.pub");
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
