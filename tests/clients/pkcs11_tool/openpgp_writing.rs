//! Writing to an OpenPGP card by pkcs11-tool. What GnuPG sees of it: `gnupg::our_keys`.

use cardea_harness::openpgp::{OpenPgpLayout, PW1, PW3};
use cardea_harness::reader::{Action, Fault};

use super::super::station::{Card, Station};
use super::writing::{a_key_is_brought, a_key_lives, officer, openssl};
use super::{text, tool, tool_with_pin};

/// A card without keys.
fn blank() -> Station {
    Station::with_openpgp(&OpenPgpLayout { keys: [None; 3], ..OpenPgpLayout::modern() })
}

#[test]
fn a_key_of_an_openpgp_card_is_made_certified_used_and_destroyed() {
    let station = blank();
    for id in ["01", "03"] {
        a_key_lives(&station, PW3, id, || {
            let found = tool(&station, &["--read-object", "--type", "cert", "--id", id, "-o", "read.der"]);
            found.succeeded();
            openssl(&station, &["x509", "-in", "read.der", "-inform", "DER", "-noout", "-subject"]);
        });
    }
    tool_with_pin(&station, &["-O"]).succeeded().omits("Private Key Object").omits("Certificate Object");
}

#[test]
fn keys_of_each_kind_that_were_made_elsewhere_are_imported_and_sign() {
    let station = blank();
    a_key_is_brought(&station, PW3, "01", &["RSA", "-pkeyopt", "rsa_keygen_bits:2048"]);
    a_key_is_brought(&station, PW3, "03", &["EC", "-pkeyopt", "ec_paramgen_curve:P-384"]);
}

#[test]
fn an_algorithm_is_changed_by_making_another_key_in_the_same_place() {
    let station = blank();
    let delete = || officer(&station, PW3, &["--delete-object", "--type", "privkey", "--id", "03"]).succeeded();
    for (kind, listed) in [
        ("EC:secp384r1", "EC_POINT 384 bits"),
        ("EC:secp521r1", "EC_POINT 528 bits"),
        ("EC:edwards25519", "EC_EDWARDS"),
        ("rsa:2048", "RSA 2048 bits"),
        ("EC:prime256v1", "EC_POINT 256 bits"),
    ] {
        officer(&station, PW3, &["--keypairgen", "--key-type", kind, "--usage-sign", "--id", "03"])
            .says("Key pair generated");
        tool(&station, &["-O"]).succeeded().says(listed);
        delete();
    }
    let derive = ["--keypairgen", "--key-type", "EC:curve25519", "--usage-derive", "--id", "02"];
    officer(&station, PW3, &derive).says("Key pair generated");
    tool_with_pin(&station, &["-O"]).succeeded().says("EC_MONTGOMERY").says("ID:         02");
}

#[test]
fn a_wrong_pw3_changes_nothing_and_costs_a_try() {
    let station = Station::new(Card::OpenPgp);
    let before = tool_with_pin(&station, &["-O"]).succeeded().text;
    let certificate = station.file("any.der", station.provisioned.certificate(0x01).unwrap());
    for (wrong, work) in [
        ("87654321", &["--keypairgen", "--key-type", "EC:prime256v1", "--id", "01"][..]),
        ("11111111", &["--write-object", text(&certificate), "--type", "cert", "--id", "02"]),
    ] {
        officer(&station, wrong, work).failed().says("CKR_PIN_INCORRECT");
    }
    assert_eq!(tool_with_pin(&station, &["-O"]).succeeded().text, before);
    let writes = station.reader.commands().into_iter().filter(|command| matches!(command[1], 0x47 | 0xDA | 0xDB));
    assert!(writes.into_iter().all(|command| command[1] == 0x47 && command[2] == 0x81), "a write reached the card");
}

#[test]
fn the_user_of_an_openpgp_card_writes_nothing() {
    let station = blank();
    let generate = ["--keypairgen", "--key-type", "EC:prime256v1", "--id", "01"];
    tool_with_pin(&station, &generate).failed().says("CKR_USER_NOT_LOGGED_IN");
    tool_with_pin(&station, &["-O"]).succeeded().omits("Key Object");
}

#[test]
fn a_certificate_that_is_too_large_is_told_and_the_old_one_stays() {
    let station = Station::new(Card::OpenPgp);
    let large = format!("1.2.3.4=ASN1:UTF8String:{}", "x".repeat(3800));
    let own = ["-newkey", "rsa:2048", "-nodes", "-keyout", "large.key", "-out", "large.der", "-outform", "DER"];
    let extension = ["-subj", "/CN=large", "-addext", &large];
    openssl(&station, &[&["req", "-x509"][..], &own, &extension].concat());
    officer(&station, PW3, &["--delete-object", "--type", "cert", "--id", "01"]).succeeded();
    let write = |file: &str, id: &str| officer(&station, PW3, &["--write-object", file, "--type", "cert", "--id", id]);
    write("large.der", "01").failed().says("CKR_DEVICE_MEMORY");
    write("large.der", "03").failed();
    let old = station.file("old.der", station.provisioned.certificate(0x01).unwrap());
    write(text(&old), "01").says("Created certificate");
    let read = ["--read-object", "--type", "cert", "--id", "01", "-o", "read.der"];
    tool(&station, &read).succeeded();
    assert_eq!(std::fs::read(station.directory().join("read.der")).unwrap(), std::fs::read(&old).unwrap());
}

#[test]
fn a_token_that_is_initialized_is_empty_and_has_a_label_and_the_first_pin() {
    let station = Station::new(Card::OpenPgp);
    tool_with_pin(&station, &["--change-pin", "--new-pin", "24682468"]).succeeded();
    let initialize = |pin: &str| tool(&station, &["--init-token", "--so-pin", pin, "--label", "A fresh token"]);
    initialize("87654321").failed().says("CKR_PIN_INCORRECT");
    tool(&station, &["-O"]).succeeded().says("Public Key Object");
    initialize(PW3).succeeded().says("successfully initialized");
    tool(&station, &["-L"]).succeeded().says("A fresh token");
    tool(&station, &["--login", "--pin", PW1, "-O"]).succeeded().omits("Private Key").omits("Certificate");
    officer(&station, PW3, &["--init-pin", "--new-pin", "13579135"]).succeeded().says("successfully initialized");
    let generate = ["--keypairgen", "--key-type", "EC:prime256v1", "--usage-sign", "--id", "03"];
    officer(&station, PW3, &generate).says("Key pair generated");
    tool(&station, &["--login", "--pin", "13579135", "-O"]).succeeded().says("Private Key Object");
    assert_eq!(station.pin_tries(), 3);
}

#[test]
fn a_token_whose_initialization_broke_off_is_initialized_with_any_officers_pin() {
    let station = Station::new(Card::OpenPgp);
    let initialize = |pin: &str| tool(&station, &["--init-token", "--so-pin", pin, "--label", "Whole again"]);
    station.reader.fault(Fault::on(0xE6, Action::LoseResponse));
    initialize(PW3).failed();
    tool(&station, &["-L"]).succeeded().says("uninitialized");
    initialize("27182818").succeeded().says("successfully initialized");
    tool(&station, &["-L"]).succeeded().says("Whole again").omits("uninitialized");
    tool(&station, &["--login", "--pin", PW1, "-O"]).succeeded().omits("Private Key").omits("Certificate");
    let generate = ["--keypairgen", "--key-type", "EC:prime256v1", "--usage-sign", "--id", "03"];
    officer(&station, "27182818", &generate).says("Key pair generated");
}
