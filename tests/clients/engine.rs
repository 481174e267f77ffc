//! OpenSSL 3 with libengine-pkcs11-openssl (libp11): requests, CMS, signatures.

use std::ffi::OsStr;
use std::path::Path;
use std::process::Command;

use super::keys::{self, Purpose};
use super::openssl::OpenSsl;
use super::program::{Run, run};
use super::station::{Card, Station};
use crate::module;

/// What is signed and encrypted.
const MESSAGE: &str = "Whoever holds this card has signed this line.\n";

/// Whether OpenSSL has the engine; if not, says that the case is skipped.
pub fn installed() -> bool {
    let architectures = std::fs::read_dir("/usr/lib").unwrap().flatten().map(|entry| entry.path());
    let found = architectures
        .chain([Path::new("/usr/lib64").to_owned(), Path::new("/usr/local/lib").to_owned()])
        .any(|directory| directory.join("engines-3/pkcs11.so").exists());
    if !found {
        eprintln!("skipped: OpenSSL has no engine pkcs11 (Debian package libengine-pkcs11-openssl)");
    }
    found
}

/// A command in which the engine finds the module.
pub fn command(station: &Station, program: impl AsRef<OsStr>) -> Command {
    let mut command = station.command(program);
    command.env("PKCS11_MODULE_PATH", module::path());
    command
}

/// The private key with this CKA_ID, and the PIN for it.
pub fn key(station: &Station, id: u8) -> String {
    format!("pkcs11:id=%{id:02x};type=private;pin-value={}", station.provisioned.pin)
}

/// `openssl COMMAND -engine pkcs11 …`. For a key that wants the PIN each time libp11 asks on the terminal or, where there is
/// none, on the standard input.
fn openssl(station: &Station, arguments: &[&str]) -> Run {
    let mut command = command(station, "setsid");
    command.args(["--wait", "sh", "-c", "echo \"$CARDEA_PIN\" | exec openssl \"$@\"", "sh", arguments[0]]);
    command.args(["-engine", "pkcs11", "-keyform", "engine"]).args(&arguments[1..]);
    run(command)
}

#[test]
fn openssl_requests_a_certificate_for_every_key_that_signs() {
    if !installed() {
        return;
    }
    for card in [Card::Standard, Card::Varied] {
        let station = Station::new(card);
        let judge = OpenSsl::new(station.directory());
        for signer in keys::on(card).iter().filter(|key| key.purpose == Purpose::Sign) {
            let key = key(&station, signer.id);
            let arguments = ["req", "-new", "-key", &key, "-subj", "/CN=Somebody else", "-out", "request.pem"];
            openssl(&station, &arguments).succeeded();
            let verified = judge.run(&["req", "-verify", "-in", "request.pem", "-noout", "-pubkey"]).succeeded();
            let public = std::fs::read_to_string(station.directory().join(signer.public())).unwrap();
            assert!(verified.text.contains("verify OK"), "{card:?} {signer:?}\n{}", verified.text);
            assert_eq!(plain(&String::from_utf8(verified.stdout).unwrap()), plain(&public), "{card:?} {signer:?}");
        }
    }
}

/// PEM without its line breaks.
fn plain(pem: &str) -> String {
    pem.split_whitespace().collect()
}

#[test]
fn openssl_signs_and_decrypts_cms() {
    if !installed() {
        return;
    }
    let station = Station::new(Card::Standard);
    let judge = OpenSsl::new(station.directory());
    station.file("message", MESSAGE);
    for signer in ["9a", "9c"] {
        let (key, certificate) = (key(&station, if signer == "9a" { 1 } else { 2 }), format!("{signer}.crt.pem"));
        let sign = ["cms", "-sign", "-binary", "-nodetach", "-md", "sha256", "-inkey", &key, "-signer", &certificate];
        openssl(&station, &[&sign[..], &["-in", "message", "-outform", "PEM", "-out", "signed.pem"]].concat())
            .succeeded();
        let verify = ["cms", "-verify", "-purpose", "any", "-CAfile", "ca.pem", "-inform", "PEM", "-in", "signed.pem"];
        assert_eq!(judge.run(&verify).succeeded().stdout, MESSAGE.as_bytes(), "{signer}");
    }
    for options in [&[][..], &["-keyopt", "rsa_padding_mode:oaep", "-keyopt", "rsa_oaep_md:sha256"]] {
        let encrypt =
            ["cms", "-encrypt", "-aes256", "-binary", "-in", "message", "-outform", "PEM", "-out", "secret.pem"];
        judge.run(&[&encrypt[..], &["-recip", "9d.crt.pem"], options].concat()).succeeded();
        let key = key(&station, 3);
        let decrypt =
            ["cms", "-decrypt", "-inkey", &key, "-recip", "9d.crt.pem", "-inform", "PEM", "-in", "secret.pem"];
        let decrypted = openssl(&station, &[&decrypt[..], &["-binary"]].concat()).succeeded();
        assert_eq!(decrypted.stdout, MESSAGE.as_bytes(), "{options:?}");
    }
}
