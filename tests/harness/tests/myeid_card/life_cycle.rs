//! Initialisation, PIN records, activation.

use super::*;

const INITIALIZE: [u8; 4] = hex!("00 DA 01 E0");
const ACTIVATE: [u8; 4] = hex!("00 44 04 00");
const CONDITIONS: [u8; 8] = hex!("FFFF 11 3F FF 11 1F FF");
const RECORD: &[u8; 19] = b"123456\xFF\xFF12345678\x03\x0A\x00";

#[test]
fn access_conditions_count_from_activation_on() {
    let mut card = blank(MyEidOptions::default());
    let mut terminal = Terminal::new(&mut card);
    terminal.send(hex!("00 DA 01 01"), RECORD).unwrap();
    create(&mut terminal, &parameters(0x80, 4, 0x01, 0x4700, [0xFF, 0xFF, 0xFF], [0, 0]));
    terminal.send(UPDATE, b"read").unwrap();
    assert_eq!(terminal.send(READ, &[]).unwrap(), b"read");
    assert_eq!(terminal.send(ACTIVATE, &MYEID_AID[..11]).status, 0x6A82);
    assert_eq!(terminal.send(hex!("00 44 00 00"), &MYEID_AID).status, 0x6A86);
    terminal.send(ACTIVATE, &MYEID_AID).unwrap();
    assert_eq!(terminal.send(READ, &[]).status, 0x6982);
    assert_eq!(terminal.send(ACTIVATE, &MYEID_AID).status, 0x6985);
    assert_eq!(terminal.send(hex!("00 DA 01 02"), RECORD).status, 0x6982, "no PIN records after activation");
    card.reset();
    assert_eq!(Terminal::new(&mut card).send(SELECT_NAME, &MYEID_AID).unwrap()[24], 0x07);
}

#[test]
fn pin_records_are_checked() {
    let mut card = blank(MyEidOptions::default());
    let mut terminal = Terminal::new(&mut card);
    for (record, status) in [
        (&RECORD[..15], 0x6700),
        (&b"123\xFF\xFF\xFF\xFF\xFF12345678"[..], 0x6700),
        (b"123456\xFF\x0012345678", 0x6984),
        (b"123456\xFF\xFF12345678\x00", 0x6984),
        (b"123456\xFF\xFF12345678\x03\x10", 0x6984),
    ] {
        assert_eq!(terminal.send(hex!("00 DA 01 01"), record).status, status, "{record:02X?}");
    }
    assert_eq!(terminal.send(hex!("00 DA 01 0F"), RECORD).status, 0x6A81);
    assert_eq!(terminal.send(hex!("00 DA 02 01"), RECORD).status, 0x6A86);
    terminal.send(hex!("00 DA 01 0E"), &RECORD[..16]).unwrap();
    assert_eq!(terminal.send(hex!("00 20 00 0E"), &[]).status, 0x63C5);
}

#[test]
fn initialisation_needs_the_master_files_pin_and_loses_everything() {
    let (mut card, _) = quick(MyEidOptions::default());
    let mut terminal = Terminal::new(&mut card);
    assert_eq!(terminal.send(INITIALIZE, &CONDITIONS).status, 0x6982);
    terminal.send(VERIFY, PIN).unwrap();
    assert_eq!(terminal.send(INITIALIZE, &CONDITIONS).status, 0x6982);
    terminal.send(VERIFY_OFFICER, OFFICERS_PIN).unwrap();
    assert_eq!(terminal.send(INITIALIZE, &CONDITIONS[..7]).status, 0x6700);
    terminal.send(INITIALIZE, &CONDITIONS).unwrap();
    assert_eq!(terminal.send(SELECT_ID, &[]).unwrap()[24], 0x01, "creation state");
    assert_eq!(terminal.send(SELECT_ID, &hex!("2F00")).status, 0x6A82);
    terminal.send(SELECT_NAME, &MYEID_AID).unwrap();
    assert_eq!(terminal.send(hex!("00 CA 01 A1"), &[]).unwrap(), []);
    assert_eq!(terminal.send(VERIFY, PIN).status, 0x6983);
    assert!(card.probe().key_files().is_empty());
}

#[test]
fn unknown_instructions_and_classes_are_refused() {
    let mut card = blank(MyEidOptions::default());
    for (apdu, status) in [
        (&hex!("00 B2 01 04 00")[..], 0x6D00),
        (&hex!("00 CB 3F FF 00"), 0x6D00),
        (&hex!("80 CA 01 A0 00"), 0x6E00),
        (&hex!("0C CA 01 A0 00"), 0x6882),
        (&hex!("A0 CA 01 A0 00"), 0x6E00),
        (&hex!("00 CA 01"), 0x6700),
        (&hex!("00"), 0x6700),
        (&hex!("00 A4 04 00 05 A0"), 0x6700),
        (&hex!("00 A4 04 00 00 00 01 A0 00 00"), 0x6700),
        (&hex!("00 C0 00 00 10"), 0x6985),
    ] {
        assert_eq!(raw(&mut card, apdu).1, status, "{apdu:02X?}");
    }
    assert_eq!(raw(&mut card, &[]).1, 0x6700);
}
