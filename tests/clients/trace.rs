//! The trace (`CARDEA_LOG=trace`) shows no secrets, to nobody else.

use std::os::unix::fs::PermissionsExt;

use super::openssl::OpenSsl;
use super::station::{Card, Station};
use crate::module;

const SECRET: &[u8] = b"plaintext that is nobody's business";

/// Runs pkcs11-tool with a trace and returns the trace.
fn traced(station: &Station, arguments: &[&str]) -> String {
    let log = station.directory().join("trace");
    let mut command = station.command("pkcs11-tool");
    command.args(["--module", module::path().to_str().unwrap(), "--login", "--pin", &station.provisioned.pin]);
    command.args(arguments).env("CARDEA_LOG", "trace").env("CARDEA_LOG_FILE", &log);
    super::program::run(command).succeeded();
    assert_eq!(std::fs::metadata(&log).unwrap().permissions().mode() & 0o777, 0o600);
    std::fs::read_to_string(&log).unwrap()
}

/// Neither the bytes as text nor in hexadecimal, the first half alone included.
#[track_caller]
fn assert_absent(trace: &str, secret: &[u8]) {
    let part = &secret[..secret.len().min(16)];
    let text = String::from_utf8_lossy(part);
    for form in [text.into_owned(), hex::encode(part), hex::encode_upper(part)] {
        assert!(!trace.contains(&form), "{form} is in the trace:\n{trace}");
    }
    let spaced = part.iter().map(|byte| format!("{byte:02X}")).collect::<Vec<_>>().join(" ");
    assert!(!trace.to_uppercase().contains(&spaced), "{spaced} is in the trace:\n{trace}");
}

#[test]
fn a_trace_has_every_command_and_neither_pin_nor_plaintext() {
    for card in [Card::Standard, Card::Short] {
        let station = Station::new(card);
        let openssl = OpenSsl::new(station.directory());
        let cryptogram = openssl.encrypt("9d.pub.pem", &["rsa_padding_mode:pkcs1"], SECRET);
        let input = station.file("cryptogram", &cryptogram);
        let decrypt = ["--decrypt", "--id", "03", "-m", "RSA-PKCS", "-i", input.to_str().unwrap()];
        let trace = traced(&station, &decrypt);
        assert_absent(&trace, station.provisioned.pin.as_bytes());
        assert_absent(&trace, SECRET);
        let message = station.file("message", b"to be signed with PIN again");
        let trace = traced(&station, &["--sign", "--id", "02", "-m", "ECDSA-SHA256", "-i", message.to_str().unwrap()]);
        assert_absent(&trace, station.provisioned.pin.as_bytes());
        for command in ["00200080", "0087", "00CB3FFF", "C_Login", "C_Decrypt", "C_Sign"] {
            assert!(trace.contains(command), "{command} is missing:\n{trace}");
        }
    }
}

#[test]
fn changing_and_unblocking_leaves_no_pin_and_no_puk_in_the_trace() {
    let station = Station::new(Card::Elliptic);
    let trace = traced(&station, &["--change-pin", "--new-pin", "86420864"]);
    assert_absent(&trace, station.provisioned.pin.as_bytes());
    assert_absent(&trace, b"86420864");
    let officer = ["--login-type", "so", "--so-pin", &station.provisioned.puk, "--init-pin", "--new-pin", "97531975"];
    let trace = traced(&station, &officer);
    assert_absent(&trace, station.provisioned.puk.as_bytes());
    assert_absent(&trace, b"97531975");
    assert!(trace.contains("002C"), "RESET RETRY COUNTER is missing:\n{trace}");
}

#[test]
fn without_a_wish_for_it_there_is_no_trace() {
    let station = Station::new(Card::Elliptic);
    let log = station.directory().join("trace");
    let mut command = station.command("pkcs11-tool");
    command.args(["--module", module::path().to_str().unwrap(), "-O"]).env("CARDEA_LOG_FILE", &log);
    super::program::run(command).succeeded().omits("cardea[");
    assert!(!log.exists());
}
