//! SELECT, READ BINARY, UPDATE BINARY, CREATE FILE, DELETE FILE, GET DATA.

use super::*;

const LIST: [u8; 4] = hex!("00 CA 01 A1");

#[test]
fn the_answer_to_reset_ends_with_the_name() {
    let plain = MyEidCard::new(MyEidOptions::default()).atr();
    assert_eq!(plain, hex!("3B F5 96 00 00 81 31 FE 45 4D 79 45 49 44 14"));
    for options in [
        MyEidOptions::with_channels(),
        MyEidOptions { extended_length: true, ..MyEidOptions::default() },
        MyEidOptions { logical_channels: 2, ..MyEidOptions::default() },
    ] {
        let third = 0x80
            | if options.extended_length { 0x40 } else { 0 }
            | if options.logical_channels > 1 { 0x18 | (options.logical_channels - 1) } else { 0 };
        let atr = MyEidCard::new(options).atr();
        let historical = &atr[atr.len() - 12..atr.len() - 1];
        assert_eq!(historical, [&hex!("80 73 C0 21")[..], &[third], b"\x55MyEID"].concat());
    }
}

#[test]
fn files_are_selected_by_name_identifier_and_path_with_control_information() {
    let (mut card, _) = quick(MyEidOptions::default());
    let mut terminal = Terminal::new(&mut card);
    let application = terminal.send(SELECT_NAME, &MYEID_AID).unwrap();
    assert_eq!(
        application,
        [&hex!("6F 25 81 02 0000 82 01 38 83 02 5015 86 03 11 1F FF 85 02 0000 8A 01 07 84 0C")[..], &MYEID_AID]
            .concat()
    );
    assert_eq!(terminal.send(SELECT_NAME, &MYEID_AID[..5]).unwrap(), application);
    let directory = hex!("6F 17 80 02 00FF 82 01 01 83 02 5031 86 03 01 3F FF 85 02 0000 8A 01 07");
    assert_eq!(terminal.send(SELECT_ID, &hex!("5031")).unwrap(), directory);
    assert_eq!(terminal.send(hex!("00 A4 08 00"), &hex!("5015 5031")).unwrap(), directory);
    assert_eq!(terminal.send(hex!("00 A4 08 00"), &hex!("3F00 5015 5031")).unwrap(), directory);
    assert_eq!(terminal.send(hex!("00 A4 02 00"), &hex!("5031")).unwrap(), directory);
    assert_eq!(terminal.send(hex!("00 A4 02 04"), &hex!("5031")).unwrap()[0], 0x62);
    assert_eq!(terminal.send(hex!("00 A4 02 0C"), &hex!("5031")).unwrap(), []);
    let key = terminal.send(SELECT_ID, &hex!("4B01")).unwrap();
    assert_eq!(key, hex!("6F 17 81 02 0100 82 01 22 83 02 4B01 86 03 11 11 FF 85 02 0300 8A 01 07"));
    assert_eq!(terminal.send(SELECT_ID, &hex!("4D01")).unwrap()[20..22], hex!("01 00"));
    let master = terminal.send(SELECT_ID, &[]).unwrap();
    assert_eq!(master[11..13], hex!("3F00"));
    assert_eq!(terminal.send(hex!("00 A4 01 00"), &hex!("5015")).unwrap(), application);
    assert_eq!(terminal.send(hex!("00 A4 03 00"), &[]).unwrap(), master);
}

#[test]
fn what_is_not_there_is_not_selected_and_the_old_selection_stays() {
    let (mut card, _) = quick(MyEidOptions::default());
    let mut terminal = Terminal::new(&mut card);
    terminal.send(SELECT_ID, &hex!("5031")).unwrap();
    for (header, data, status) in [
        (hex!("00 A4 00 00"), &hex!("4711")[..], 0x6A82),
        (hex!("00 A4 01 00"), &hex!("5031"), 0x6A82),
        (hex!("00 A4 02 00"), &hex!("5015"), 0x6A82),
        (hex!("00 A4 04 00"), &hex!("A000000308"), 0x6A82),
        (hex!("00 A4 08 00"), &hex!("5015 4711"), 0x6A82),
        (hex!("00 A4 08 00"), &hex!("5015 5031 5031"), 0x6A82),
        (hex!("00 A4 08 00"), &hex!("5015 50"), 0x6A82),
        (hex!("00 A4 00 00"), &hex!("50"), 0x6700),
        (hex!("00 A4 05 00"), &hex!("5031"), 0x6A86),
        (hex!("00 A4 00 01"), &hex!("5031"), 0x6A86),
    ] {
        assert_eq!(terminal.send(header, data).status, status, "{header:02X?} {data:02X?}");
    }
    assert_eq!(terminal.send(READ, &[]).unwrap()[0], 0xA0);
}

#[test]
fn reading_beyond_the_end_is_told_apart_from_reading_outside() {
    let (mut card, _) = quick(MyEidOptions::default());
    Terminal::new(&mut card).send(SELECT_ID, &hex!("5031")).unwrap();
    assert_eq!(raw(&mut card, &hex!("00 B0 00 00 10")).0.len(), 16);
    let (data, status) = raw(&mut card, &hex!("00 B0 00 F8 10"));
    assert_eq!((data.len(), status), (7, 0x6282));
    let (data, status) = raw(&mut card, &hex!("00 B0 00 F8 00"));
    assert_eq!((data.len(), status), (7, 0x9000));
    assert_eq!(raw(&mut card, &hex!("00 B0 00 FF 00")), (vec![], 0x6B00));
    assert_eq!(raw(&mut card, &hex!("00 B0 80 00 00")), (vec![], 0x6A86));
    Terminal::new(&mut card).send(SELECT_ID, &hex!("4B01")).unwrap();
    assert_eq!(raw(&mut card, &hex!("00 B0 00 00 00")), (vec![], 0x6985));
}

#[test]
fn access_conditions_are_kept() {
    let (mut card, provisioned) = quick(MyEidOptions::default());
    let mut terminal = Terminal::new(&mut card);
    terminal.send(SELECT_ID, &hex!("4502")).unwrap();
    assert_eq!(terminal.send(READ, &[]).status, 0x6982);
    assert_eq!(terminal.send(UPDATE, b"x").status, 0x6982);
    assert_eq!(terminal.send(DELETE, &[]).status, 0x6982);
    terminal.send(SELECT_ID, &hex!("4601")).unwrap();
    assert_eq!(terminal.send(READ, &[]).unwrap(), provisioned.data[0]);
    terminal.send(VERIFY, PIN).unwrap();
    terminal.send(SELECT_ID, &hex!("4502")).unwrap();
    assert_eq!(terminal.send(READ, &[]).unwrap(), provisioned.data[1]);
    terminal.send(hex!("00 D6 00 02"), b"AT").unwrap();
    assert_eq!(terminal.send(READ, &[]).unwrap(), b"whAT is private");
    assert_eq!(terminal.send(hex!("00 D6 00 0E"), b"xy").status, 0x6B00);
    // TokenInfo is the security officer's
    terminal.send(SELECT_ID, &hex!("5032")).unwrap();
    assert_eq!(terminal.send(UPDATE, b"x").status, 0x6982);
    terminal.send(VERIFY_OFFICER, OFFICERS_PIN).unwrap();
    terminal.send(UPDATE, b"x").unwrap();
    let never = parameters(0x80, 10, 0x01, 0x4700, [0xFF, 0xFF, 0xFF], [0, 0]);
    create(&mut terminal, &never);
    assert_eq!(terminal.send(READ, &[]).status, 0x6982);
    assert_eq!(terminal.send(UPDATE, b"x").status, 0x6982);
    assert_eq!(terminal.send(DELETE, &[]).status, 0x6982);
}

#[test]
fn files_are_created_and_deleted_with_either_class() {
    let (mut card, _) = logged_in(MyEidOptions::default());
    let mut terminal = Terminal::new(&mut card);
    let file = parameters(0x80, 300, 0x01, 0x4700, [0x01, 0x1F, 0xFF], [0, 0]);
    let before = terminal.send(LIST, &[]).unwrap();
    for class in [0x00, 0xA0] {
        create(&mut terminal, &file);
        assert_eq!(terminal.send(CREATE, &file).status, 0x6A89);
        assert_eq!(terminal.send(LIST, &[]).unwrap(), [&before[..], &hex!("4700")].concat());
        assert_eq!(raw(terminal.card(), &[class, 0xE4, 0x00, 0x00]).1, 0x9000);
        assert_eq!(terminal.send(SELECT_ID, &hex!("4700")).status, 0x6A82);
        assert_eq!(terminal.send(LIST, &[]).unwrap(), before);
    }
    assert_eq!(raw(terminal.card(), &hex!("A0 A4 00 00 02 5031")).1, 0x6E00);
    terminal.send(SELECT_NAME, &MYEID_AID).unwrap();
    assert_eq!(terminal.send(DELETE, &[]).status, 0x6985);
    terminal.send(SELECT_ID, &[]).unwrap();
    assert_eq!(terminal.send(DELETE, &[]).status, 0x6985);
}

#[test]
fn a_directory_goes_with_what_is_in_it() {
    let (mut card, _) = logged_in(MyEidOptions::default());
    let mut terminal = Terminal::new(&mut card);
    create(&mut terminal, &parameters(0x81, 0, 0x38, 0x6000, [0x11, 0x1F, 0xFF], [0, 0]));
    create(&mut terminal, &parameters(0x80, 5, 0x01, 0x6001, [0x01, 0x1F, 0xFF], [0, 0]));
    create(&mut terminal, &parameters(0x81, 0, 0x38, 0x6002, [0x11, 0x1F, 0xFF], [0, 0]));
    terminal.send(hex!("00 A4 08 00"), &hex!("5015 6000")).unwrap();
    assert_eq!(terminal.send(LIST, &[]).unwrap(), hex!("6001 6002"));
    assert_eq!(terminal.send(hex!("00 CA 01 A2"), &[]).unwrap(), hex!("6001"));
    assert_eq!(terminal.send(hex!("00 CA 01 A3"), &[]).unwrap(), hex!("6002"));
    terminal.send(DELETE, &[]).unwrap();
    for path in [&hex!("5015 6000")[..], &hex!("5015 6000 6001")] {
        assert_eq!(terminal.send(hex!("00 A4 08 00"), path).status, 0x6A82);
    }
}

#[test]
fn wrong_control_parameters_are_refused() {
    let (mut card, _) = logged_in(MyEidOptions::default());
    let mut terminal = Terminal::new(&mut card);
    let good = parameters(0x80, 10, 0x01, 0x4700, [0x01, 0x1F, 0xFF], [0, 0]);
    let with = |position: usize, bytes: &[u8]| {
        let mut wrong = good.clone();
        wrong[position..position + bytes.len()].copy_from_slice(bytes);
        wrong
    };
    for wrong in [
        with(0, &[0x6F]),
        with(1, &[0x16]),
        with(4, &[0x80]),
        with(8, &[0x02]),
        with(8, &[0x41]),
        with(11, &hex!("3F00")),
        with(11, &hex!("0000")),
        with(11, &hex!("FFFF")),
        with(13, &[0x87]),
        with(18, &[0x86]),
        [&good[..], &[0]].concat(),
        good[..24].to_vec(),
        hex!("62 0D 80 02 000A 82 01 01 86 03 010101").to_vec(),
        hex!("62 00").to_vec(),
        vec![],
        key_file(0x11, 1000, 0x4B10, [0, 0]),
        key_file(0x22, 224, 0x4B10, [0, 0]),
        key_file(0x29, 64, 0x4B10, [0, 0]),
        key_file(0x19, 100, 0x4B10, [0, 0]),
    ] {
        assert_eq!(terminal.send(CREATE, &wrong).status, 0x6984, "{wrong:02X?}");
    }
    assert_eq!(terminal.send(hex!("00 E0 01 00"), &good).status, 0x6A86);
    create(&mut terminal, &good);
}

#[test]
fn persistent_memory_is_bounded_and_deletion_frees_it() {
    let (mut card, _) = quick(MyEidOptions { persistent_bytes: 16_000, ..MyEidOptions::default() });
    let mut terminal = Terminal::new(&mut card);
    let file = |id| parameters(0x80, 800, 0x01, id, [0x01, 0x1F, 0xFF], [0, 0]);
    assert_eq!(terminal.send(CREATE, &file(0x4700)).status, 0x6982);
    terminal.send(VERIFY, PIN).unwrap();
    let full = (0x4700..0x4720).find(|id| terminal.send(CREATE, &file(*id)).status == 0x6A84).unwrap();
    assert!(full > 0x4700);
    terminal.send(SELECT_ID, &hex!("4700")).unwrap();
    terminal.send(DELETE, &[]).unwrap();
    create(&mut terminal, &file(full));
}

#[test]
fn card_information_counts_changes_and_capabilities_name_key_sizes() {
    let serial = *b"\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0A";
    let (mut card, _) = logged_in(MyEidOptions { serial: Some(serial), ..MyEidOptions::default() });
    assert_eq!(card.serial(), serial);
    let mut terminal = Terminal::new(&mut card);
    let information = |terminal: &mut Terminal<'_>| terminal.send(hex!("00 CA 01 A0"), &[]).unwrap();
    let before = information(&mut terminal);
    assert_eq!((&before[5..8], &before[8..18], before.len()), (&[4, 5, 5][..], &serial[..], 20));
    create(&mut terminal, &parameters(0x80, 10, 0x01, 0x4700, [0x01, 0x1F, 0xFF], [0, 0]));
    let after = information(&mut terminal);
    let counter = |information: &[u8]| u16::from_be_bytes([information[18], information[19]]);
    assert_eq!(counter(&after), counter(&before) + 1);
    assert_eq!(terminal.send(hex!("00 CA 01 AA"), &[]).unwrap(), hex!("01 000F 1000 00C0 0100 0209"));
    let mut old = blank(MyEidOptions::old());
    assert_eq!(Terminal::new(&mut old).send(hex!("00 CA 01 AA"), &[]).unwrap()[3..5], hex!("0800"));
    assert_eq!(terminal.send(hex!("00 CA 01 AB"), &[]).status, 0x6A88);
    assert_eq!(terminal.send(hex!("00 CA 02 A0"), &[]).status, 0x6A88);
}

#[test]
fn random_numbers_have_the_length_asked_for_and_differ() {
    let mut card = blank(MyEidOptions::default());
    let (first, status) = raw(&mut card, &hex!("00 84 00 00 08"));
    assert_eq!((first.len(), status), (8, 0x9000));
    assert_ne!(raw(&mut card, &hex!("00 84 00 00 08")).0, first);
    assert_eq!(raw(&mut card, &hex!("00 84 00 00 00")).0.len(), 256);
    assert_eq!(raw(&mut card, &hex!("00 84 00 01 00")).1, 0x6A86);
}
