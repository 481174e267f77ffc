//! pkcs11-tool and an OpenPGP card: what it can, and what it says it cannot.

use cardea_harness::openpgp::OpenPgpLayout;

use super::openssl::{OpenSsl, Scheme, ecdsa_der};
use super::program::Run;
use super::station::{Card, Station};
use crate::module;

const MESSAGE: &[u8] = b"What is to be signed, long enough that no block of a hash holds it all: 0123456789 abcdefghij";

fn tool(station: &Station, arguments: &[&str]) -> Run {
    let module = module::path().to_str().unwrap();
    let login = ["--module", module, "--login", "--pin", &station.provisioned.pin];
    station.run("pkcs11-tool", login.iter().chain(arguments))
}

fn operate(station: &Station, operation: &[&str], input: &[u8]) -> Vec<u8> {
    let input = station.file("input", input);
    let output = station.directory().join("output");
    let files = ["-i", input.to_str().unwrap(), "-o", output.to_str().unwrap()];
    tool(station, &[operation, &files].concat()).succeeded();
    std::fs::read(&output).unwrap()
}

#[test]
fn pkcs11_tool_signs_and_decrypts_with_each_key() {
    let station = Station::new(Card::OpenPgp);
    let openssl = OpenSsl::new(station.directory());
    let digest = openssl.digest("sha256", MESSAGE);
    let signature = operate(&station, &["--sign", "--id", "01", "-m", "ECDSA-SHA256"], MESSAGE);
    assert!(openssl.verifies("01.pub.pem", Scheme::Ecdsa, &digest, &ecdsa_der(&signature)));
    let signature = operate(&station, &["--sign", "--id", "03", "-m", "SHA256-RSA-PKCS"], MESSAGE);
    assert!(openssl.verifies("03.pub.pem", Scheme::Pkcs1("sha256"), &digest, &signature));
    let cryptogram = openssl.encrypt("02.pub.pem", &["rsa_padding_mode:pkcs1"], b"a secret");
    assert_eq!(operate(&station, &["--decrypt", "--id", "02", "-m", "RSA-PKCS"], &cryptogram), b"a secret");
    assert_eq!(station.pin_tries(), 3);
}

#[test]
fn pkcs11_tool_is_told_that_there_is_neither_pss_nor_oaep() {
    let station = Station::new(Card::OpenPgp);
    let list = tool(&station, &["-M"]).succeeded();
    for mechanism in ["RSA-PKCS-PSS", "SHA256-RSA-PKCS-PSS", "RSA-X-509"] {
        let lines = list.lines_with(&format!("  {mechanism},"));
        assert!(lines.len() == 1 && !lines[0].contains("sign,"), "{lines:?}");
    }
    assert!(!list.lines_with("RSA-PKCS-OAEP")[0].contains("decrypt"));
    let objects = tool(&station, &["-O"]).succeeded();
    assert!(objects.lines_with("Allowed mechanisms").iter().all(|line| !line.contains("PSS")), "{}", objects.text);
    let input = station.file("input", MESSAGE);
    let sign = ["--sign", "--id", "03", "-m", "SHA256-RSA-PKCS-PSS", "-i", input.to_str().unwrap()];
    tool(&station, &sign).failed().says("CKR_MECHANISM_INVALID");
}

#[test]
fn pkcs11_tool_passes_its_own_test() {
    let station = Station::new(Card::OpenPgp);
    tool(&station, &["-t"]).succeeded().says("No errors").omits("ERR:").omits("failed");
}

#[test]
fn pkcs11_tool_signs_with_ed25519_and_a_card_without_certificates() {
    let station = Station::with_openpgp(&OpenPgpLayout::modern());
    for id in ["01", "03"] {
        let signature = operate(&station, &["--sign", "--id", id, "-m", "EDDSA"], MESSAGE);
        let (input, signature) = (station.file("input", MESSAGE), station.file("signature", signature));
        let (input, signature) = (input.to_str().unwrap(), signature.to_str().unwrap());
        let key = format!("{id}.pub.pem");
        let verify = ["pkeyutl", "-verify", "-pubin", "-inkey", &key, "-rawin", "-in", input, "-sigfile", signature];
        OpenSsl::new(station.directory()).run(&verify).succeeded().says("Verified Successfully");
    }
}
