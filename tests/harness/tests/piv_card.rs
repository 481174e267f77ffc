//! The virtual PIV card answers as SP 800-73-4 says, and as the bench documents where the specification leaves it open.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use cardea_harness::card::{Terminal, VirtualCard};
use cardea_harness::piv::{DUMMY_AID, PIV_AID, PivCard, PivOptions};
use hex_literal::hex;

const SELECT: [u8; 4] = hex!("00 A4 04 00");
const VERIFY: [u8; 4] = hex!("00 20 00 80");
const GET_DATA: [u8; 4] = hex!("00 CB 3F FF");
const PIN: &[u8] = b"123456\xFF\xFF";

fn cards() -> [PivCard; 2] {
    [PivCard::new(PivOptions::extended()), PivCard::new(PivOptions::short())]
}

#[test]
fn select_by_full_and_truncated_aid_gives_the_application_property_template() {
    for mut card in cards() {
        card.power_on();
        let mut terminal = Terminal::new(&mut card);
        for aid in [&PIV_AID[..], &PIV_AID[..9], &PIV_AID[..5]] {
            let template = terminal.send(SELECT, aid).unwrap();
            assert_eq!(template[0], 0x61);
            assert_eq!(usize::from(template[1]), template.len() - 2);
        }
        assert_eq!(terminal.send(SELECT, &hex!("A0 00 00 01 51 00 00")).status, 0x6A82);
    }
}

#[test]
fn nothing_but_select_works_before_an_application_is_selected() {
    let mut card = PivCard::new(PivOptions::default());
    card.power_on();
    assert_eq!(Terminal::new(&mut card).send(VERIFY, &[]).status, 0x6D00);
    let mut card = PivCard::new(PivOptions { implicitly_selected: true, ..PivOptions::default() });
    card.power_on();
    assert_eq!(Terminal::new(&mut card).send(VERIFY, &[]).status, 0x63C3);
}

#[test]
fn a_wrong_pin_counts_down_and_the_right_one_restores_the_counter() {
    for mut card in cards() {
        card.power_on();
        let mut terminal = Terminal::new(&mut card);
        terminal.send(SELECT, &PIV_AID).unwrap();
        assert_eq!(terminal.send(VERIFY, &[]).status, 0x63C3);
        assert_eq!(terminal.send(VERIFY, b"999999\xFF\xFF").status, 0x63C2);
        assert_eq!(terminal.send(VERIFY, &[]).status, 0x63C2);
        assert_eq!(terminal.send(VERIFY, PIN).status, 0x9000);
        assert_eq!(terminal.send(VERIFY, &[]).status, 0x9000);
        terminal.send(hex!("00 20 FF 80"), &[]).unwrap();
        assert_eq!(terminal.send(VERIFY, &[]).status, 0x63C3);
    }
}

#[test]
fn reset_power_and_another_application_drop_the_pin() {
    let mut card = PivCard::new(PivOptions::default());
    card.power_on();
    let losses: [fn(&mut dyn VirtualCard); 4] = [
        |card| card.reset(),
        |card| card.power_on(),
        |card| card.power_off(),
        |card| assert!(Terminal::new(card).send(SELECT, &DUMMY_AID).unwrap().ends_with(&DUMMY_AID)),
    ];
    for lose in losses {
        let mut terminal = Terminal::new(&mut card);
        terminal.send(SELECT, &PIV_AID).unwrap();
        terminal.send(VERIFY, PIN).unwrap();
        lose(terminal.card());
        terminal.send(SELECT, &PIV_AID).unwrap();
        assert_eq!(terminal.send(VERIFY, &[]).status, 0x63C3);
    }
}

#[test]
fn an_unknown_aid_leaves_the_pin_alone_and_a_second_select_only_on_a_plain_card() {
    for (options, after_second_select) in [(PivOptions::plain(), 0x9000), (PivOptions::default(), 0x63C3)] {
        let mut card = PivCard::new(options);
        card.power_on();
        let mut terminal = Terminal::new(&mut card);
        terminal.send(SELECT, &PIV_AID).unwrap();
        terminal.send(VERIFY, PIN).unwrap();
        let unknown = terminal.send(SELECT, &hex!("D2 76 00 01 24 01"));
        assert_eq!(unknown.status, 0x6A82);
        assert_eq!(terminal.send(VERIFY, &[]).status, 0x9000);
        terminal.send(SELECT, &PIV_AID).unwrap();
        assert_eq!(terminal.send(VERIFY, &[]).status, after_second_select);
    }
}

#[test]
fn the_discovery_object_names_the_application_and_the_pin_policy() {
    for mut card in cards() {
        card.power_on();
        let mut terminal = Terminal::new(&mut card);
        terminal.send(SELECT, &PIV_AID).unwrap();
        let object = terminal.send(GET_DATA, &hex!("5C 01 7E")).unwrap();
        assert_eq!(object, hex!("7E 12 4F 0B A000000308000010000100 5F2F 02 4010"));
    }
}
