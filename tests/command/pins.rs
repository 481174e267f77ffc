//! `cardea pin`, and where PINs come from.

use std::process::Command;

use cardea_harness::openpgp::PW3;
use cardea_harness::provision::{PIN, PUK};
use cardea_harness::reader::PinPad;

use super::desk::{CARDEA, Desk, code};
use crate::clients::program::{installed, run};
use crate::clients::station::{Card, Station};

fn tries(station: &Station) -> u64 {
    station.json(&["pin", "tries"])["pin"]["tries"].as_u64().unwrap()
}

#[test]
fn the_tries_that_are_left_are_told_without_spending_one() {
    let station = Station::new(Card::Elliptic);
    assert_eq!((tries(&station), tries(&station)), (3, 3));
    let refused = station.with_pins(&["999999", PIN], &["pin", "change"]);
    assert_eq!(code(&refused), 8);
    refused.says("2 tries are left");
    assert_eq!((tries(&station), station.pin_tries()), (2, 2));
}

#[test]
fn a_pin_is_changed_and_unblocked() {
    let station = Station::new(Card::Elliptic);
    station.with_pins(&[PIN, "654321"], &["pin", "change"]).succeeded();
    assert_eq!(code(&station.with_pins(&[PIN, "111111"], &["pin", "change"])), 8);
    for wrong in ["000001", "000002"] {
        station.with_pins(&[wrong, "111111"], &["pin", "change"]).failed();
    }
    assert_eq!(station.json(&["pin", "tries"])["pin"]["blocked"], true);
    let blocked = station.with_pins(&["654321", "111111"], &["pin", "change"]);
    assert_eq!(code(&blocked), 9);
    blocked.says("cardea pin unblock");
    station.with_pins(&[PUK, "222222"], &["pin", "unblock"]).succeeded();
    station.with_pins(&["222222", PIN], &["pin", "change"]).succeeded();
    station.with_pins(&[PUK, "87654321"], &["pin", "change", "--officer"]).succeeded();
    assert_eq!(code(&station.with_pins(&[PUK, "333333"], &["pin", "unblock"])), 8);
    station.with_pins(&["87654321", "333333"], &["pin", "unblock"]).succeeded();
}

#[test]
fn the_user_of_an_openpgp_card_helps_himself_with_the_resetting_code() {
    let station = Station::new(Card::OpenPgp);
    let by_code = ["pin", "unblock", "--resetting-code"];
    // There is none at first, and whoever has no PW3 sets none.
    assert_eq!(code(&station.with_pins(&["11223344", "654321"], &by_code)), 9);
    assert_eq!(code(&station.with_pins(&["87654321", "11223344"], &["pin", "resetting-code"])), 8);
    station.with_pins(&[PW3, "1122"], &["pin", "resetting-code"]).failed();
    station.with_pins(&[PW3, "11223344"], &["pin", "resetting-code"]).succeeded();
    for wrong in ["000001", "000002", "000003"] {
        station.with_pins(&[wrong, "111111"], &["pin", "change"]).failed();
    }
    assert_eq!(station.json(&["pin", "tries"])["pin"]["blocked"], true);
    assert_eq!(code(&station.with_pins(&["44332211", "654321"], &by_code)), 8);
    station.with_pins(&["11223344", "654321"], &by_code).succeeded();
    station.with_pins(&["654321", "765432"], &["pin", "change"]).succeeded();
    station.with_pins(&[PW3], &["pin", "resetting-code", "--remove"]).succeeded();
    assert_eq!(code(&station.with_pins(&["11223344", "654321"], &by_code)), 9);
    assert_eq!(station.pin_tries(), 3);
}

#[test]
fn the_tries_of_pin_and_puk_are_set_by_whoever_confirms_it() {
    let station = Station::new(Card::Elliptic);
    let key = "010203040506070801020304050607080102030405060708";
    let serial = station.json(&["info"])["serial"].as_str().unwrap().to_owned();
    let retries = ["pin", "retries", "--pin-tries", "5", "--puk-tries", "4", "--confirm"];
    let confirmed = [&retries[..], &[&serial]].concat();
    station.with_pins(&[PIN, "246802"], &["pin", "change"]).succeeded();
    assert_eq!(code(&station.with_pins(&[key, "246802"], &[&retries[..], &["another"]].concat())), 13);
    assert_eq!(code(&station.with_pins(&[PUK, "246802"], &confirmed)), 8);
    assert_eq!(code(&station.with_pins(&[&key.replace('1', "2"), "246802"], &confirmed)), 8);
    assert_eq!(tries(&station), 3);
    station.with_pins(&[key, "246802"], &confirmed).succeeded().says("5 tries").says("cardea pin change");
    assert_eq!(tries(&station), 5);
    station.with_pins(&[PIN, "135791"], &["pin", "change"]).succeeded();
    station.with_pins(&[PUK, "87654321"], &["pin", "change", "--officer"]).succeeded();
    assert_eq!(code(&station.cardea(["pin", "retries", "--pin-tries", "0", "--puk-tries", "4"])), 2);
}

#[test]
fn a_card_without_a_resetting_code_says_so() {
    let station = Station::new(Card::Elliptic);
    station.with_pins(&["11223344", "654321"], &["pin", "unblock", "--resetting-code"]).failed();
    assert_eq!((tries(&station), station.pin_tries()), (3, 3));
}

#[test]
fn a_pin_that_the_card_cannot_take_costs_no_try() {
    let station = Station::new(Card::Elliptic);
    for wrong in ["1", "123456789"] {
        assert_eq!(code(&station.with_pins(&[wrong, "654321"], &["pin", "change"])), 8);
    }
    assert_eq!(code(&station.with_pins(&[""], &["pin", "change"])), 13);
    assert_eq!(station.pin_tries(), 3);
}

#[test]
fn a_pin_is_never_taken_from_the_command_line() {
    let station = Station::new(Card::Elliptic);
    for arguments in [
        &["pin", "change", "--pin", PIN][..],
        &["info", "--uri", "pkcs11:token=x?pin-value=123456"],
        &["info", "--uri", "pkcs11:token=x?pin-source=/etc/passwd"],
    ] {
        assert_eq!(code(&station.cardea(arguments)), 2, "{arguments:?}");
    }
    assert_eq!(station.pin_tries(), 3);
}

/// A command at a terminal of its own, on which `typed` is typed as soon as something is asked.
fn at_terminal(station: &Station, arguments: &str, typed: &str) -> Option<crate::clients::program::Run> {
    if !installed("python3", "python3") {
        return None;
    }
    let script = r#"
import os, pty, sys, select
command, typed = sys.argv[1].split("\x1f"), sys.argv[2].split("\x1f")
child, terminal = pty.fork()
if child == 0:
    os.execv(command[0], command)
seen = b""
while True:
    try:
        part = os.read(terminal, 4096)
    except OSError:
        break
    if not part:
        break
    seen += part
    if typed and seen.endswith(b": "):
        seen += b"|"
        os.write(terminal, typed.pop(0).encode())
sys.stdout.write(seen.decode())
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"#;
    let mut command: Command = station.command("python3");
    let words: Vec<&str> = std::iter::once(CARDEA).chain(arguments.split(' ')).collect();
    command.args(["-c", script, &words.join("\x1F"), typed]).env("TERM", "dumb");
    Some(run(command))
}

#[test]
fn a_pin_is_asked_for_on_the_terminal_and_not_shown() {
    let station = Station::new(Card::Elliptic);
    station.file("content", "content");
    let typed = format!("99\x7F\x7F{PIN}\n");
    let Some(run) = at_terminal(&station, "sign --id 01 -o signature content", &typed) else { return };
    let run = run.succeeded().says("PIN of PIV Card").omits(PIN).omits("99");
    drop(run);
    station.cardea(["verify", "--id", "01", "--signature", "signature", "content"]).succeeded();
}

#[test]
fn two_entries_of_a_pin_that_differ_change_nothing() {
    let station = Station::new(Card::Elliptic);
    let typed = [format!("{PIN}\n"), "654321\n".to_owned(), "654322\n".to_owned()].join("\x1F");
    let Some(run) = at_terminal(&station, "pin change", &typed) else { return };
    assert_eq!(code(&run), 13, "{}", run.text);
    station.with_pins(&[PIN, "654321"], &["pin", "change"]).succeeded();
}

#[test]
fn an_entry_that_is_interrupted_ends_the_command() {
    let station = Station::new(Card::Elliptic);
    let Some(run) = at_terminal(&station, "pin change", "12\x03") else { return };
    assert_eq!(code(&run), 13, "{}", run.text);
    assert_eq!(station.pin_tries(), 3);
}

#[test]
fn a_pin_is_typed_on_a_reader_that_has_keys_for_it() {
    let station = Station::new(Card::Elliptic);
    station.reader.set_pin_pad(Some(PinPad::of(PIN)));
    let pad = &station.json(&["readers"])["readers"][0]["pin_pad"];
    assert_eq!((&pad["verify"], &pad["modify"]), (&true.into(), &true.into()));
    assert_eq!(station.json(&["info"])["pin_pad"], true);
    station.file("content", "content");
    for id in ["01", "02"] {
        let run = station.cardea(["sign", "--id", id, "-o", "signature", "content"]).succeeded();
        run.says("please use the keys of Cardea Virtual Reader");
        station.cardea(["verify", "--id", id, "--signature", "signature", "content"]).succeeded();
    }
    station.reader.set_pin_pad(Some(PinPad::typing(&[PIN, "654321", "654321"])));
    station.cardea(["pin", "change"]).succeeded();
    station.reader.set_pin_pad(Some(PinPad::of("654321")));
    station.cardea(["sign", "--id", "01", "-o", "signature", "content"]).succeeded();
    station.reader.set_pin_pad(None);
    assert_eq!(station.json(&["readers"])["readers"][0]["pin_pad"], serde_json::Value::Null);
}
