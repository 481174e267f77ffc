//! Key files in volatile memory.

use super::*;

const SESSION_OBJECT: [u8; 2] = [0x00, 0x01];

fn session_key(terminal: &mut Terminal<'_>, id: u16) {
    create(terminal, &key_file(0x29, 256, id, SESSION_OBJECT));
    terminal.send(hex!("00 DA 01 A0"), &[0x11; 32]).unwrap();
}

#[test]
fn session_objects_vanish_at_every_reset_and_nothing_else_does() {
    let losses: [fn(&mut dyn VirtualCard); 3] = [|card| card.reset(), |card| card.power_on(), |card| card.power_off()];
    let (mut card, _) = quick(MyEidOptions::default());
    let before = card.probe().key_files();
    for lose in losses {
        let mut terminal = Terminal::new(&mut card);
        terminal.send(SELECT_NAME, &MYEID_AID).unwrap();
        terminal.send(VERIFY, PIN).unwrap();
        session_key(&mut terminal, 0x4D10);
        create(&mut terminal, &key_file(0x22, 256, 0x4B10, SESSION_OBJECT));
        terminal.send(GENERATE, &[]).unwrap();
        environment(&mut terminal, SIGNING, 0x04, 0x4B10, &[]).unwrap();
        terminal.send(SIGN, &[1; 32]).unwrap();
        assert_eq!(terminal.send(SELECT_ID, &hex!("4B10")).unwrap()[20..22], hex!("03 01"));
        lose(terminal.card());
        assert_eq!((card.probe().volatile_files(), card.probe().key_files()), (vec![], before.clone()));
        let mut terminal = Terminal::new(&mut card);
        terminal.send(SELECT_NAME, &MYEID_AID).unwrap();
        assert_eq!(terminal.send(SELECT_ID, &hex!("4D10")).status, 0x6A82);
    }
}

#[test]
fn select_login_and_logout_leave_session_objects_alone() {
    let (mut card, _) = logged_in(MyEidOptions::default());
    let mut terminal = Terminal::new(&mut card);
    session_key(&mut terminal, 0x4D10);
    terminal.send(SELECT_ID, &[]).unwrap();
    terminal.send(hex!("00 2E 00 00"), &[]).unwrap();
    terminal.send(SELECT_NAME, &MYEID_AID).unwrap();
    terminal.send(SELECT_ID, &hex!("4D10")).unwrap();
    assert_eq!(terminal.send(DELETE, &[]).status, 0x6982, "deletion needs the PIN again");
    terminal.send(VERIFY, PIN).unwrap();
    environment(&mut terminal, ENCIPHERING, 0x00, 0x4D10, &[]).unwrap();
    terminal.send(hex!("00 2A 84 80"), &[0; 16]).unwrap();
    assert_eq!(card.probe().volatile_files(), [0x4D10]);
}

#[test]
fn volatile_memory_is_bounded_and_deletion_frees_it() {
    let (mut card, _) = logged_in(MyEidOptions { volatile_bytes: 300, ..MyEidOptions::default() });
    let mut terminal = Terminal::new(&mut card);
    let full = (0x4D10..0x4D40)
        .find(|id| terminal.send(CREATE, &key_file(0x29, 256, *id, SESSION_OBJECT)).status == 0x6A84)
        .unwrap();
    assert_eq!(full, 0x4D14, "32 bytes of key and 32 of descriptor each");
    assert_eq!(terminal.send(CREATE, &key_file(0x11, 2048, 0x4B10, SESSION_OBJECT)).status, 0x6A84);
    create(&mut terminal, &key_file(0x29, 256, 0x4D30, [0, 0]));
    terminal.send(SELECT_ID, &hex!("4D10")).unwrap();
    assert_eq!(raw(terminal.card(), &hex!("A0 E4 00 00")).1, 0x9000);
    create(&mut terminal, &key_file(0x29, 256, full, SESSION_OBJECT));
    assert_eq!(terminal.send(CREATE, &key_file(0x29, 256, 0x4D31, SESSION_OBJECT)).status, 0x6A84);
}

#[test]
fn only_key_files_are_session_objects() {
    let (mut card, _) = logged_in(MyEidOptions::default());
    let mut terminal = Terminal::new(&mut card);
    for (tag, kind) in [(0x80, 0x01), (0x81, 0x38)] {
        let parameters = parameters(tag, 10, kind, 0x4700, [0x11, 0x1F, 0xFF], SESSION_OBJECT);
        assert_eq!(terminal.send(CREATE, &parameters).status, 0x6984);
    }
}

#[test]
fn an_old_card_takes_the_bit_for_nothing_and_keeps_the_file() {
    let (mut card, _) = logged_in(MyEidOptions::old());
    session_key(&mut Terminal::new(&mut card), 0x4D10);
    card.reset();
    assert!(card.probe().key_files().contains(&0x4D10));
    let mut terminal = Terminal::new(&mut card);
    terminal.send(SELECT_NAME, &MYEID_AID).unwrap();
    terminal.send(SELECT_ID, &hex!("4D10")).unwrap();
    let (mut first, _) = logged_in(MyEidOptions { version: [4, 0, 10], ..MyEidOptions::default() });
    session_key(&mut Terminal::new(&mut first), 0x4D10);
    first.reset();
    assert!(!first.probe().key_files().contains(&0x4D10));
}
