//! The virtual OpenPGP card answers as the specification says, and as the bench documents where its application does not.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use cardea_harness::card::{Terminal, VirtualCard};
use cardea_harness::openpgp::{OPENPGP_AID, OpenPgpCard, OpenPgpOptions, PW1};
use cardea_harness::piv::{DUMMY_AID, PIV_AID, PivOptions};
use cardea_harness::several::PivAndOpenPgpCard;
use hex_literal::hex;

const SELECT: [u8; 4] = hex!("00 A4 04 00");
const PW1_OTHER: [u8; 4] = hex!("00 20 00 82");

#[test]
fn selection_by_any_name_of_the_application_ends_the_login() {
    for options in [OpenPgpOptions::default(), OpenPgpOptions::short()] {
        let mut card = OpenPgpCard::new(options);
        card.power_on();
        let mut terminal = Terminal::new(&mut card);
        assert_eq!(terminal.send(PW1_OTHER, &[]).status, 0x6D00);
        for name in [&OPENPGP_AID[..], &OPENPGP_AID[..5]] {
            terminal.send(SELECT, name).unwrap();
            assert_eq!(terminal.send(PW1_OTHER, &[]).status, 0x63C3);
            terminal.send(PW1_OTHER, PW1.as_bytes()).unwrap();
            terminal.send(PW1_OTHER, &[]).unwrap();
        }
        terminal.send(SELECT, &DUMMY_AID).unwrap();
        terminal.send(SELECT, &OPENPGP_AID).unwrap();
        assert_eq!(terminal.send(PW1_OTHER, &[]).status, 0x63C3);
    }
}

#[test]
fn a_blocked_pin_is_6983() {
    let mut card = OpenPgpCard::new(OpenPgpOptions::default());
    card.power_on();
    let mut terminal = Terminal::new(&mut card);
    terminal.send(SELECT, &OPENPGP_AID).unwrap();
    let answers: Vec<_> = (0..4).map(|_| terminal.send(PW1_OTHER, b"654321").status).collect();
    assert_eq!(answers, [0x63C2, 0x63C1, 0x6983, 0x6983]);
    assert_eq!(terminal.send(PW1_OTHER, PW1.as_bytes()).status, 0x6983);
}

#[test]
fn the_identifier_has_the_version_maker_and_number_that_were_wanted() {
    let options = OpenPgpOptions { version: [2, 1], serial: Some(0x0102_0304), ..OpenPgpOptions::default() };
    let mut card = OpenPgpCard::new(options);
    card.power_on();
    let mut terminal = Terminal::new(&mut card);
    terminal.send(SELECT, &OPENPGP_AID).unwrap();
    let identifier = terminal.send(hex!("00 CA 00 4F"), &[]).unwrap();
    assert_eq!(identifier, hex!("D2760001 2401 0201 000F 01020304 0000"));
    let data = terminal.send(hex!("00 CA 00 6E"), &[]).unwrap();
    assert!(data.windows(16).any(|window| window == identifier));
}

#[test]
fn of_two_applications_each_loses_its_login_to_the_other() {
    let mut card = PivAndOpenPgpCard::new(PivOptions::extended(), OpenPgpOptions::default());
    card.power_on();
    let mut terminal = Terminal::new(&mut card);
    terminal.send(SELECT, &PIV_AID).unwrap();
    terminal.send(hex!("00 20 00 80"), b"123456\xFF\xFF").unwrap();
    terminal.send(SELECT, &OPENPGP_AID).unwrap();
    terminal.send(PW1_OTHER, PW1.as_bytes()).unwrap();
    terminal.send(SELECT, &PIV_AID).unwrap();
    assert_eq!(terminal.send(hex!("00 20 00 80"), &[]).status, 0x63C3);
    terminal.send(SELECT, &OPENPGP_AID).unwrap();
    assert_eq!(terminal.send(PW1_OTHER, &[]).status, 0x63C3);
}
