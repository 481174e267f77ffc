//! Java's SunPKCS11: `keytool` and `jarsigner`.

use super::keys::{self, Purpose};
use super::program::{Run, installed};
use super::station::{Card, Station};
use crate::module;

/// A `jar` of one file, as `zip -0` makes it: stored, nothing compressed.
const ARCHIVE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/clients/java.jar");

/// Keys that keytool has the card make are to stay on it.
const LASTING: &str = "attributes(generate, *, *) = { CKA_TOKEN = true }";

/// `keytool` or `jarsigner` with the card as key store.
fn java(station: &Station, program: &str, arguments: &[&str]) -> Run {
    station.file("cardea.cfg", format!("name = Cardea\nlibrary = {}\n{LASTING}\n", module::path().display()));
    let store =
        ["-keystore", "NONE", "-storetype", "PKCS11", "-addprovider", "SunPKCS11", "-providerarg", "cardea.cfg"];
    // the virtual machine's counters would stay in /tmp
    let pin = ["-J-XX:-UsePerfData", "-storepass", station.provisioned.pin.as_str()];
    station.run(program, [&store[..], &pin, arguments].concat())
}

fn is_installed() -> bool {
    installed("keytool", "default-jre-headless") && installed("jarsigner", "default-jdk-headless")
}

#[test]
fn keytool_lists_every_key_with_its_certificate() {
    if !is_installed() {
        return;
    }
    for card in [Card::Standard, Card::Varied] {
        let station = Station::new(card);
        let run = java(&station, "keytool", &["-list", "-rfc"]).succeeded();
        assert_eq!(run.lines_with("Entry type: PrivateKeyEntry").len(), keys::on(card).len(), "{}", run.text);
        for key in keys::on(card) {
            let pem = std::fs::read_to_string(station.directory().join(key.certificate())).unwrap();
            let plain = |text: &str| text.split_whitespace().collect::<String>();
            assert!(plain(&run.text).contains(&plain(&pem)), "{card:?} {key:?}\n{}", run.text);
        }
    }
}

#[test]
fn jarsigner_signs_with_every_key_that_signs() {
    if !is_installed() {
        return;
    }
    for card in [Card::Standard, Card::Varied] {
        let station = Station::new(card);
        for key in keys::on(card).iter().filter(|key| key.purpose == Purpose::Sign) {
            let alias = match key.reference {
                "9a" => "PIV Authentication",
                "9c" => "Digital Signature",
                _ => "Card Authentication",
            };
            java(&station, "jarsigner", &["-signedjar", "signed.jar", ARCHIVE, alias]).succeeded().says("jar signed.");
            let run = station
                .run("jarsigner", ["-J-XX:-UsePerfData", "-verify", "-verbose", "-certs", "signed.jar"])
                .succeeded();
            let signer = format!("SERIALNUMBER={}", key.reference.to_uppercase());
            assert!(run.text.contains("jar verified.") && run.text.contains(&signer), "{card:?} {key:?}\n{}", run.text);
        }
    }
}

#[test]
fn keytool_makes_a_key_on_the_card_brings_another_and_deletes_both() {
    if !is_installed() {
        return;
    }
    let station = Station::with_myeid();
    let generate = |alias: &str, algorithm: [&str; 4]| {
        let name = format!("CN={alias}");
        let key = ["-genkeypair", "-alias", alias, "-dname", &name];
        java(&station, "keytool", &[&key[..], &algorithm].concat()).succeeded();
    };
    // By the card; and by Java, which makes RSA keys itself and stores them.
    generate("elliptic", ["-keyalg", "EC", "-groupname", "secp256r1"]);
    generate("rsa", ["-keyalg", "RSA", "-keysize", "2048"]);
    let entries = || java(&station, "keytool", &["-list"]).succeeded().lines_with("PrivateKeyEntry").join("\n");
    let listed = entries();
    for alias in ["elliptic", "rsa"] {
        assert!(listed.contains(&format!("{alias}, PrivateKeyEntry")), "{listed}");
        java(&station, "jarsigner", &["-signedjar", "signed.jar", ARCHIVE, alias]).succeeded().says("jar signed.");
        java(&station, "keytool", &["-certreq", "-alias", alias]).succeeded().says("NEW CERTIFICATE REQUEST");
        java(&station, "keytool", &["-delete", "-alias", alias]).succeeded();
    }
    assert!(!entries().contains("elliptic") && !entries().contains("rsa,"));
}
