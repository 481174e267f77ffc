//! pkcs11-tool with a reader that has a PIN pad: it gives no PIN, and the reader asks.

use cardea_harness::reader::{Key, PinPad};

use super::super::program::Run;
use super::super::station::{Card, Station};
use super::tool;
use crate::module;

/// A card in a reader whose user does this.
fn station(pad: PinPad) -> Station {
    let station = Station::new(Card::Elliptic);
    station.reader.set_pin_pad(Some(pad));
    station
}

/// A card in a reader whose user knows its PIN.
fn friendly() -> Station {
    station(PinPad::of("123456"))
}

fn prompts(station: &Station) -> u32 {
    station.reader.pin_pad().unwrap().prompts
}

/// Runs it with a trace.
fn traced(station: &Station, arguments: &[&str]) -> (Run, String) {
    let log = station.directory().join("trace");
    let mut command = station.command("pkcs11-tool");
    command.args(["--module", module::path().to_str().unwrap()]).args(arguments);
    command.env("CARDEA_LOG", "trace").env("CARDEA_LOG_FILE", &log);
    let run = super::super::program::run(command);
    (run, std::fs::read_to_string(&log).unwrap())
}

#[test]
fn a_login_without_a_pin_is_one_prompt_on_the_reader() {
    let station = friendly();
    tool(&station, &["-L"]).succeeded().says("PIN pad present");
    assert_eq!(prompts(&station), 0);
    tool(&station, &["--login", "-O", "--type", "privkey"]).succeeded().says("Private Key Object");
    assert_eq!(prompts(&station), 1);
}

#[test]
fn a_pin_that_is_given_is_used() {
    let station = friendly();
    tool(&station, &["--login", "--pin", "123456", "-O", "--type", "privkey"]).succeeded().says("Private Key Object");
    assert_eq!(prompts(&station), 0);
}

#[test]
fn the_key_that_wants_its_pin_each_time_asks_again_on_the_reader() {
    let station = friendly();
    let input = station.file("message", [7; 32]);
    let sign = ["--login", "--sign", "--id", "02", "-m", "ECDSA", "-i", input.to_str().unwrap(), "-o", "signature"];
    tool(&station, &sign).succeeded();
    assert_eq!(std::fs::read(station.directory().join("signature")).unwrap().len(), 64);
    assert_eq!(prompts(&station), 2);
}

#[test]
fn what_its_user_does_wrong_is_said() {
    let user = [Key::Cancel, Key::Nothing, Key::Digits("12345".to_owned()), Key::Digits("000000".to_owned())];
    let station = station(PinPad::typing(&[]).with_user(user));
    for code in ["CKR_FUNCTION_CANCELED", "CKR_FUNCTION_CANCELED", "CKR_PIN_LEN_RANGE", "CKR_PIN_INCORRECT"] {
        tool(&station, &["--login", "-O"]).failed().says(code);
    }
    assert_eq!(station.pin_tries(), 2);
}

#[test]
fn a_pin_is_changed_on_the_reader() {
    let station = station(PinPad::typing(&["123456", "123456", "87654321", "87654321"]));
    tool(&station, &["--login", "--change-pin"]).succeeded().says("PIN successfully changed");
    assert_eq!(prompts(&station), 4);
    station.reader.set_pin_pad(None);
    tool(&station, &["--login", "--pin", "87654321", "-O"]).succeeded();
}

#[test]
fn a_trace_of_an_entry_shows_neither_pin_nor_puk() {
    let station = station(PinPad::typing(&["13579246", "13579246"]));
    let puk = station.provisioned.puk.clone();
    let (run, trace) = traced(&station, &["--login", "--login-type", "so", "--so-pin", &puk, "--init-pin"]);
    run.succeeded().says("User PIN successfully initialized");
    assert!(trace.contains("002C0080 <entered on the reader>"), "{trace}");
    for secret in [puk.as_bytes(), b"13579246"] {
        let text = std::str::from_utf8(secret).unwrap();
        for form in [text.to_owned(), hex::encode_upper(secret), hex::encode(secret)] {
            assert!(!trace.contains(&form), "{form} is in the trace:\n{trace}");
        }
    }
}
