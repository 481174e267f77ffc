//! GnuTLS's p11tool.

use super::keys::{self, Purpose};
use super::openssl::OpenSsl;
use super::program::{Run, installed};
use super::station::{Card, Station};
use crate::module;

/// The cards that p11tool is tried with: it tests signatures with SHA-256 only, and so none by Ed25519.
const CARDS: [Card; 4] = [Card::Standard, Card::Varied, Card::OpenPgp, Card::OpenPgpVaried];

fn tool(station: &Station, arguments: &[&str]) -> Run {
    let provider = format!("--provider={}", module::path().display());
    let mut command = station.command("p11tool");
    command.args([provider.as_str(), "--batch"]).args(arguments).env("GNUTLS_PIN", &station.provisioned.pin);
    super::program::run(command)
}

/// Selects one object by its CKA_ID and type.
fn url(id: u8, kind: &str) -> String {
    format!("pkcs11:id=%{id:02x};type={kind}")
}

#[test]
fn everything_is_listed_after_login() {
    if !installed("p11tool", "gnutls-bin") {
        return;
    }
    for card in CARDS {
        let station = Station::new(card);
        let run = tool(&station, &["--list-all", "--login"]).succeeded();
        for key in keys::on(card) {
            let kinds = if key.certified { &["cert", "private", "public"][..] } else { &["private", "public"] };
            for kind in kinds {
                let object = format!("id=%{:02X}", key.id);
                let listed = run.lines_with(&format!("type={kind}"));
                assert!(listed.iter().any(|line| line.contains(&object)), "{card:?} {key:?} {kind}\n{}", run.text);
            }
        }
    }
}

#[test]
fn certificates_are_listed_and_exported_without_login() {
    if !installed("p11tool", "gnutls-bin") {
        return;
    }
    for card in CARDS {
        let station = Station::new(card);
        let openssl = OpenSsl::new(station.directory());
        let run = tool(&station, &["--list-all-certs"]).succeeded();
        let certified = || keys::on(card).iter().filter(|key| key.certified);
        assert_eq!(run.lines_with("Type: X.509 Certificate").len(), certified().count(), "{}", run.text);
        for key in certified() {
            let exported = tool(&station, &["--export", &url(key.id, "cert")]).succeeded();
            station.file("exported.pem", exported.stdout);
            let fingerprint =
                |file: &str| openssl.run(&["x509", "-in", file, "-noout", "-fingerprint", "-sha256"]).succeeded().text;
            assert_eq!(fingerprint("exported.pem"), fingerprint(&key.certificate()), "{card:?} {key:?}");
        }
        assert_eq!(station.pin_tries(), 3);
    }
}

#[test]
fn every_signing_key_passes_the_test_of_signatures() {
    if !installed("p11tool", "gnutls-bin") {
        return;
    }
    for card in CARDS {
        let station = Station::new(card);
        for key in keys::on(card).iter().filter(|key| key.purpose == Purpose::Sign) {
            let run = tool(&station, &["--test-sign", "--login", &url(key.id, "private")]).succeeded();
            let run = run.says("Signing using").omits("fail").omits("error");
            let verified = run.lines_with("Verifying against private key parameters... ok").len()
                + run.lines_with("Verifying against public key in the token... ok").len();
            assert!(verified >= 1, "{card:?} {key:?}\n{}", run.text);
        }
    }
}
