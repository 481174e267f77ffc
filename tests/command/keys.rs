//! `cardea generate`, `import`, `certificate write` and `reset`.

use std::process::Command;

use cardea_harness::bench::Bench;
use cardea_harness::myeid::{MyEidCard, MyEidLayout, MyEidOptions, provision_myeid};
use cardea_harness::provision::{Authority, MANAGEMENT_KEY, PIN};
use cardea_harness::reader::VirtualReader;

use super::desk::{Desk, code};
use crate::clients::openssl::OpenSsl;
use crate::clients::station::{Card, Station};

/// A bench with a MyEID card, and the card's PIN.
fn myeid() -> (Bench, String) {
    let mut card = MyEidCard::new(MyEidOptions::default());
    let provisioned = provision_myeid(&mut card, &MyEidLayout::standard(), &Authority::default());
    (Bench::start(vec![("Reader", VirtualReader::with_card(card))]), provisioned.pin)
}

fn management_key() -> String {
    MANAGEMENT_KEY.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A key that the card makes signs a request; the certificate for that is written, read and replaced; a key from
/// elsewhere is imported and signs. `writer` is the PIN of whoever writes.
fn life(desk: &impl Desk, directory: &std::path::Path, writer: &str, pin: &str, ids: [&str; 2]) {
    let openssl = OpenSsl::new(directory);
    let [made, imported] = ids;
    let generated = desk.with_pins(&[writer], &["generate", "--kind", "p-256", "--id", made]).succeeded();
    assert!(generated.text.contains(&format!("id=%{}", made.to_uppercase())), "{}", generated.text);

    desk.with_pins(&[pin], &["certificate", "request", "--id", made, "--subject", "CN=made", "-o", "request.pem"])
        .succeeded();
    openssl.run(&["req", "-in", "request.pem", "-verify", "-noout"]).succeeded();
    let authority =
        ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "ca.key", "-out", "ca.crt", "-subj", "/CN=CA"];
    openssl.run(&authority).succeeded();
    let issue = |name: &str, days: &str| {
        let arguments = [
            "x509",
            "-req",
            "-in",
            "request.pem",
            "-CA",
            "ca.crt",
            "-CAkey",
            "ca.key",
            "-CAcreateserial",
            "-out",
            name,
        ];
        openssl.run(&[&arguments[..], &["-days", days]].concat()).succeeded();
    };
    issue("first.crt", "2");
    issue("second.crt", "3");
    let read = || desk.cardea(["certificate", "read", "--id", made]).succeeded().stdout;
    let file = |name: &str| std::fs::read(directory.join(name)).unwrap();
    desk.with_pins(&[writer], &["certificate", "write", "first.crt"]).succeeded();
    assert_eq!(read(), file("first.crt"));
    desk.with_pins(&[writer], &["certificate", "write", "second.crt"]).failed().says("--replace");
    assert_eq!(read(), file("first.crt"));
    desk.with_pins(&[writer], &["certificate", "write", "--replace", "second.crt"]).succeeded();
    assert_eq!(read(), file("second.crt"));

    desk.with_pins(&[writer], &["import", "--id", imported, "ca.key"]).succeeded();
    desk.with_pins(&[writer], &["certificate", "write", "ca.crt"])
        .succeeded()
        .says(&format!("id=%{}", imported.to_uppercase()));
    std::fs::write(directory.join("content"), "content").unwrap();
    desk.with_pins(&[pin], &["sign", "--id", imported, "-o", "signature", "content"]).succeeded();
    let public = openssl.run(&["x509", "-in", "ca.crt", "-noout", "-pubkey"]).succeeded().stdout;
    std::fs::write(directory.join("ca.pub"), public).unwrap();
    openssl.run(&["dgst", "-sha256", "-verify", "ca.pub", "-signature", "signature", "content"]).succeeded();
}

#[test]
fn keys_and_certificates_are_made_on_a_piv_card_by_its_officer() {
    let station = Station::new(Card::Elliptic);
    life(&station, station.directory(), &management_key(), PIN, ["05", "06"]);
}

#[test]
fn keys_and_certificates_are_made_on_a_myeid_card_by_its_user() {
    let (bench, pin) = myeid();
    life(&bench, bench.directory(), &pin, &pin, ["77", "78"]);
}

#[test]
fn what_a_card_cannot_make_is_refused_before_a_pin_is_asked_for() {
    let station = Station::new(Card::Elliptic);
    let run = station.cardea(["generate", "--kind", "p-521"]);
    assert_eq!(code(&run), 12);
    run.says("it makes").says("P-256");
    assert_eq!(code(&station.cardea(["generate", "--kind", "p-255"])), 2);
}

#[test]
fn a_key_is_read_in_every_form_that_openssl_writes() {
    let (bench, pin) = myeid();
    let openssl = OpenSsl::new(bench.directory());
    let make = |arguments: &[&str]| openssl.run(arguments).succeeded();
    make(&["genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048", "-out", "rsa.pem"]);
    make(&["rsa", "-in", "rsa.pem", "-traditional", "-out", "rsa-pkcs1.pem"]);
    make(&["genpkey", "-algorithm", "EC", "-pkeyopt", "group:P-384", "-out", "ec.pem"]);
    make(&["ec", "-in", "ec.pem", "-out", "ec-sec1.pem"]);
    make(&["pkey", "-in", "ec.pem", "-outform", "DER", "-out", "ec.der"]);
    make(&["rsa", "-in", "rsa.pem", "-traditional", "-outform", "DER", "-out", "rsa-pkcs1.der"]);
    // As `openssl ecparam -genkey` writes them: the parameters, then the key.
    make(&["ecparam", "-name", "secp384r1", "-out", "parameters.pem"]);
    let read = |name: &str| std::fs::read_to_string(bench.directory().join(name)).unwrap();
    std::fs::write(bench.directory().join("ec-both.pem"), read("parameters.pem") + &read("ec-sec1.pem")).unwrap();
    let files = ["rsa-pkcs1.pem", "rsa-pkcs1.der", "ec.pem", "ec-sec1.pem", "ec-both.pem", "ec.der"];
    for (index, file) in files.into_iter().enumerate() {
        let id = format!("6{index}");
        bench.with_pins(&[&pin], &["import", "--id", &id, file]).succeeded();
        std::fs::write(bench.directory().join("content"), file).unwrap();
        bench.with_pins(&[&pin], &["sign", "--id", &id, "-o", "signature", "content"]).succeeded();
        let (key, hash) = if file.starts_with("rsa") { ("rsa.pem", "-sha256") } else { ("ec.pem", "-sha384") };
        make(&["dgst", hash, "-prverify", key, "-signature", "signature", "content"]).says("Verified OK");
    }
    make(&["rsa", "-in", "rsa.pem", "-traditional", "-aes128", "-passout", "pass:x", "-out", "encrypted.pem"]);
    bench.cardea(["import", "encrypted.pem"]).failed().says("openssl pkey");
    std::fs::write(bench.directory().join("nonsense"), "nonsense").unwrap();
    bench.cardea(["import", "nonsense"]).failed().says("no private key");
}

#[test]
fn a_token_is_not_reset_unless_its_own_serial_number_is_typed() {
    let station = Station::new(Card::Elliptic);
    let before = station.json(&["list"]);
    assert_eq!(code(&station.cardea(["reset", "--confirm", "another"])), 13);
    // Without a terminal of its own the command has nobody to ask.
    let mut alone: Command = station.command_for("setsid");
    alone.args(["--wait", super::desk::CARDEA, "reset"]);
    assert_eq!(code(&crate::clients::program::run(alone)), 2);
    assert_eq!(station.json(&["list"]), before);
}

/// A token that is emptied has no keys, and a PIN that works.
fn emptied(desk: &impl Desk, officer: &str) {
    let serial = desk.json(&["info"])["serial"].as_str().unwrap().to_owned();
    desk.with_pins(&[officer, PIN], &["reset", "--confirm", &serial]).succeeded().says("is empty");
    let list = desk.cardea(["list"]).succeeded();
    drop(list.omits("private key").omits("certificate"));
    desk.with_pins(&[PIN, "654321"], &["pin", "change"]).succeeded();
}

#[test]
fn a_token_is_empty_after_a_reset_and_has_a_pin() {
    let station = Station::new(Card::Elliptic);
    emptied(&station, &station.provisioned.puk);
    let mut card = MyEidCard::new(MyEidOptions::default());
    let provisioned = provision_myeid(&mut card, &MyEidLayout::standard(), &Authority::default());
    emptied(&Bench::start(vec![("Reader", VirtualReader::with_card(card))]), &provisioned.so_pin);
    let blank = MyEidCard::new(MyEidOptions::default());
    emptied(&Bench::start(vec![("Reader", VirtualReader::with_card(blank))]), "12345678");
}
