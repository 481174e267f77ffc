//! A card whose initialization was interrupted, as people meet it.

use cardea_harness::bench::Bench;
use cardea_harness::card::{Terminal, VirtualCard};
use cardea_harness::myeid::{MyEidCard, MyEidOptions};
use cardea_harness::openpgp::{OPENPGP_AID, OpenPgpCard, OpenPgpLayout, OpenPgpOptions, PW1, PW3, provision_openpgp};
use cardea_harness::provision::Authority;
use cardea_harness::reader::{Action, Fault, VirtualReader};
use serde_json::Value;

use super::desk::{Desk, code};

/// A card with keys on it, and one that was left after TERMINATE DF.
fn openpgp(terminated: bool) -> VirtualReader {
    let mut card = OpenPgpCard::new(OpenPgpOptions::default());
    provision_openpgp(&mut card, &OpenPgpLayout::modern(), &Authority::default());
    if terminated {
        let mut terminal = Terminal::new(&mut card);
        terminal.send([0x00, 0xA4, 0x04, 0x00], &OPENPGP_AID).unwrap();
        terminal.send([0x00, 0x20, 0x00, 0x83], PW3.as_bytes()).unwrap();
        terminal.send([0x00, 0xE6, 0x00, 0x00], &[]).unwrap();
        card.reset();
    }
    VirtualReader::with_card(card)
}

fn token(desk: &impl Desk) -> Value {
    desk.json(&["list"])["slots"][0]["token"].clone()
}

#[test]
fn a_card_left_between_its_end_and_its_beginning_is_listed_and_reset() {
    let desk = Bench::start(vec![("Reader", openpgp(true))]);
    assert_eq!((&token(&desk)["initialized"], &token(&desk)["serial"]), (&false.into(), &"".into()));
    desk.cardea(["list"]).succeeded().says("OpenPGP card").says("not initialized: `cardea reset`");
    desk.cardea(["info"]).succeeded().says("OpenPGP card");
    desk.cardea(["doctor"]).says("interrupted").says("`cardea reset` makes it ready for use");
    assert_eq!(code(&desk.with_pins(&["27182818"], &["reset", "--confirm", "another"])), 13);
    assert_eq!(code(&desk.with_pins(&["27182818"], &["reset", "--confirm", ""])), 13);
    assert_eq!(token(&desk)["initialized"], false);
    desk.with_pins(&["27182818"], &["reset", "--confirm", "OpenPGP card"]).succeeded().says("is empty");
    assert_eq!(token(&desk)["initialized"], true);
    desk.cardea(["list"]).succeeded().omits("not initialized").omits("private key");
    desk.cardea(["doctor"]).omits("interrupted");
    desk.with_pins(&[PW1, "654321"], &["pin", "change"]).succeeded();
    desk.with_pins(&["27182818"], &["generate", "--kind", "p-256", "--id", "01"]).succeeded();
}

#[test]
fn a_blank_card_is_said_to_be_one() {
    let desk = Bench::start(vec![("Reader", VirtualReader::with_card(MyEidCard::new(MyEidOptions::default())))]);
    assert_eq!(token(&desk)["initialized"], false);
    desk.cardea(["doctor"]).says("the card is new");
}

#[test]
fn a_reset_that_breaks_off_says_what_to_do_and_so_does_the_next_one_with_a_pin_that_is_not_there_yet() {
    let reader = openpgp(false);
    let faults = reader.clone();
    let desk = Bench::start(vec![("Reader", reader)]);
    let serial = desk.json(&["info"])["serial"].as_str().unwrap().to_owned();
    desk.with_pins(&[PW3, "27182818"], &["pin", "change", "--officer"]).succeeded();
    let reset = ["reset", "--confirm", &serial];
    faults.fault(Fault::on(0x44, Action::LoseResponse));
    desk.with_pins(&["27182818"], &reset).failed().says("repeat the reset");
    desk.with_pins(&["27182818"], &reset).failed().says("2 tries are left").says("12345678");
    desk.with_pins(&[PW3], &reset).succeeded().says("is empty");
}
