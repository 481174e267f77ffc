//! MANAGE CHANNEL and what each logical channel has of its own.

use super::*;

const OPEN: [u8; 5] = hex!("00 70 00 00 01");

#[test]
fn a_card_without_channels_has_none() {
    let mut card = blank(MyEidOptions::default());
    assert_eq!(raw(&mut card, &OPEN).1, 0x6881);
    assert_eq!(raw(&mut card, &hex!("01 CA 01 A0 00")).1, 0x6881);
    assert_eq!(raw(&mut card, &hex!("40 CA 01 A0 00")).1, 0x6881);
}

#[test]
fn three_channels_open_and_the_fourth_is_one_too_many() {
    let mut card = blank(MyEidOptions::with_channels());
    for number in 1..4 {
        assert_eq!(raw(&mut card, &[number, 0xCA, 0x01, 0xA0, 0x00]).1, 0x6881, "not open yet");
        assert_eq!(raw(&mut card, &OPEN), (vec![number], 0x9000));
        assert_eq!(raw(&mut card, &[number, 0xCA, 0x01, 0xA0, 0x00]).0.len(), 20);
    }
    assert_eq!(raw(&mut card, &OPEN).1, 0x6A81);
    assert_eq!(raw(&mut card, &hex!("00 70 80 02")).1, 0x9000);
    assert_eq!(raw(&mut card, &hex!("02 CA 01 A0 00")).1, 0x6881);
    assert_eq!(raw(&mut card, &hex!("00 70 80 02")).1, 0x6881, "closed already");
    assert_eq!(raw(&mut card, &OPEN), (vec![2], 0x9000), "the lowest that is free");
    assert_eq!(raw(&mut card, &hex!("40 CA 01 A0 00")).1, 0x6881, "channel 4 does not exist");
}

#[test]
fn channels_are_opened_by_number_and_closed_from_anywhere_but_the_basic_one_never() {
    let mut card = blank(MyEidOptions::with_channels());
    assert_eq!(raw(&mut card, &hex!("00 70 00 03")), (vec![], 0x9000));
    assert_eq!(raw(&mut card, &hex!("00 70 00 03")).1, 0x6A81, "open already");
    assert_eq!(raw(&mut card, &hex!("00 70 00 04")).1, 0x6A86);
    assert_eq!(raw(&mut card, &hex!("00 70 80 00")).1, 0x6A86);
    assert_eq!(raw(&mut card, &hex!("00 70 40 01")).1, 0x6A86);
    assert_eq!(raw(&mut card, &hex!("03 70 00 00 01")), (vec![1], 0x9000), "opened from channel 3");
    assert_eq!(raw(&mut card, &hex!("03 70 80 01")).1, 0x9000);
    assert_eq!(raw(&mut card, &hex!("03 70 80 03")).1, 0x9000, "a channel closes itself");
    assert_eq!(raw(&mut card, &hex!("03 CA 01 A0 00")).1, 0x6881);
    assert_eq!(raw(&mut card, &hex!("00 70 00 03")).1, 0x9000);
    let probe = card.probe();
    assert_eq!(probe.open_channels(), [0, 3]);
    let resets = probe.resets();
    card.reset();
    assert_eq!(raw(&mut card, &hex!("03 CA 01 A0 00")).1, 0x6881, "a reset closes all");
    assert_eq!((probe.open_channels(), probe.resets()), (vec![0], resets + 1));
}

#[test]
fn each_channel_has_its_own_selected_file() {
    let (mut card, _) = quick(MyEidOptions::with_channels());
    raw(&mut card, &OPEN);
    let (master, _) = raw(&mut card, &hex!("01 CA 01 A1 00"));
    assert_eq!(master, hex!("5015 2F00"), "the MF is selected on a channel opened from the basic one");
    assert_eq!(raw(&mut card, &hex!("01 A4 08 0C 04 5015 5031")).1, 0x9000);
    assert_eq!(raw(&mut card, &hex!("00 A4 08 0C 04 5015 4D01")).1, 0x9000);
    assert_eq!(raw(&mut card, &hex!("01 B0 00 00 01")), (vec![0xA0], 0x9000));
    assert_eq!(raw(&mut card, &hex!("00 B0 00 00 01")).1, 0x6985);
    raw(&mut card, &hex!("01 70 00 00 01"));
    assert_eq!(raw(&mut card, &hex!("02 A4 02 0C 02 5031")).1, 0x9000, "opened from channel 1: its DF is selected");
}

#[test]
fn each_channel_has_its_own_environment_and_chain_and_pins_are_common() {
    let (mut card, _) = logged_in(MyEidOptions::with_channels());
    raw(&mut card, &OPEN);
    assert_eq!(raw(&mut card, &hex!("01 A4 08 0C 02 5015")).1, 0x9000);
    assert_eq!(raw(&mut card, &hex!("00 22 81 B8 07 80 01 00 81 02 4D01")).1, 0x9000);
    let block = |class: u8| [&[class, 0x2A, 0x84, 0x80, 16], &[7; 16][..], &[0]].concat();
    assert_eq!(raw(&mut card, &block(0x01)).1, 0x6985, "no environment on channel 1");
    assert_eq!(raw(&mut card, &hex!("01 22 81 B8 07 80 01 00 81 02 4D02")).1, 0x9000);
    let first = raw(&mut card, &block(0x10));
    let other = raw(&mut card, &block(0x11));
    assert_eq!((first.1, other.1), (0x9000, 0x9000), "the PIN verified on channel 0 counts on channel 1");
    assert_ne!(first.0, other.0);
    let (second, _) = raw(&mut card, &block(0x10));
    assert_ne!(second, first.0, "the chain on channel 0 went on");
    assert_eq!(raw(&mut card, &block(0x01)).1, 0x9000);
    assert_eq!(raw(&mut card, &hex!("01 2E 00 00")).1, 0x9000);
    assert_eq!(raw(&mut card, &block(0x10)).1, 0x6982);
}

#[test]
fn chains_and_long_answers_do_not_mix_between_channels() {
    let (mut card, _) = logged_in(MyEidOptions::with_channels());
    raw(&mut card, &OPEN);
    assert_eq!(raw(&mut card, &hex!("10 A4 08 0C 02 5015")).1, 0x9000, "the first part of a chain");
    assert_eq!(raw(&mut card, &hex!("01 A4 08 0C 02 5015")).1, 0x9000, "not the chain's business");
    assert_eq!(raw(&mut card, &hex!("00 A4 08 0C 02 5031")).1, 0x9000);
    assert_eq!(raw(&mut card, &hex!("00 B0 00 00 01")), (vec![0xA0], 0x9000));
    assert_eq!(raw(&mut card, &hex!("01 A4 08 00 04 5015 5031 0A")).1, 0x610F);
    assert_eq!(raw(&mut card, &hex!("00 C0 00 00 0F")).1, 0x6985);
    assert_eq!(raw(&mut card, &hex!("01 C0 00 00 0F")).0.len(), 15);
}

#[test]
fn a_file_deleted_on_one_channel_is_gone_on_the_other() {
    let (mut card, _) = logged_in(MyEidOptions::with_channels());
    raw(&mut card, &OPEN);
    assert_eq!(raw(&mut card, &hex!("01 A4 08 0C 04 5015 4601")).1, 0x9000);
    assert_eq!(raw(&mut card, &hex!("00 A4 08 0C 04 5015 4601")).1, 0x9000);
    assert_eq!(raw(&mut card, &hex!("00 E4 00 00")).1, 0x9000);
    assert_eq!(raw(&mut card, &hex!("01 B0 00 00 00")).1, 0x6986);
    assert_eq!(raw(&mut card, &hex!("01 E4 00 00")).1, 0x6986);
}

/// SELECT of the other application on channel `class`.
fn elsewhere(class: u8) -> Vec<u8> {
    [&[class, 0xA4, 0x04, 0x00, 0x08], &OTHER_AID[..]].concat()
}

/// SELECT of the card's own application on channel `class`.
fn back(class: u8) -> Vec<u8> {
    [&[class, 0xA4, 0x04, 0x00, 0x0C], &MYEID_AID[..]].concat()
}

#[test]
fn another_application_takes_the_place_of_this_one_and_its_pins_with_it() {
    let (mut card, _) = logged_in(MyEidOptions::default());
    let probe = card.probe();
    assert_eq!(raw(&mut card, &elsewhere(0)).1, 0x9000);
    assert_eq!(probe.verified_pins(), 0);
    assert_eq!(raw(&mut card, &hex!("00 CA 01 A0 00")).1, 0x6D00);
    assert_eq!(raw(&mut card, &hex!("00 A4 00 0C 02 3F00")).1, 0x6A86);
    assert_eq!(raw(&mut card, &back(0)).1, 0x9000);
    assert_eq!(raw(&mut card, &hex!("00 CA 01 A0 00")).1, 0x9000);
}

#[test]
fn pins_stay_verified_while_any_channel_has_the_application_selected() {
    let (mut card, _) = logged_in(MyEidOptions::with_channels());
    let probe = card.probe();
    raw(&mut card, &OPEN);
    assert_eq!(raw(&mut card, &elsewhere(0)).1, 0x9000);
    assert_eq!(probe.verified_pins(), 1, "it is selected on channel 1");
    assert_eq!(raw(&mut card, &hex!("01 CA 01 A0 00")).0.len(), 20);
    assert_eq!(raw(&mut card, &hex!("00 70 80 01")).1, 0x9000);
    assert_eq!(probe.verified_pins(), 0, "the last channel was closed");
}

#[test]
fn whoever_is_not_announced_to_choose_the_number_may_not() {
    let card = |channel_assignment| blank(MyEidOptions { channel_assignment, ..MyEidOptions::with_channels() });
    let mut by_card = card(ChannelAssignment::Card);
    assert_eq!([raw(&mut by_card, &hex!("00 70 00 02")).1, raw(&mut by_card, &OPEN).1], [0x6A86, 0x9000]);
    let mut by_device = card(ChannelAssignment::InterfaceDevice);
    assert_eq!([raw(&mut by_device, &OPEN).1, raw(&mut by_device, &hex!("00 70 00 02")).1], [0x6A86, 0x9000]);
    let mut by_nobody = card(ChannelAssignment::Nobody);
    assert_eq!([raw(&mut by_nobody, &OPEN).1, raw(&mut by_nobody, &hex!("00 70 00 02")).1], [0x6A81, 0x6A81]);
}

#[test]
fn a_card_may_leave_it_to_ef_atr_to_tell_of_channels() {
    let mut card = blank(MyEidOptions { announces_in_ef_atr: true, ..MyEidOptions::with_channels() });
    let atr = card.atr();
    assert!(atr.windows(3).any(|bytes| bytes == [0x80, 0x31, 0x10]), "{atr:02X?}");
    assert_eq!(raw(&mut card, &hex!("00 A4 08 0C 02 2F01")).1, 0x9000);
    assert_eq!(raw(&mut card, &hex!("00 B0 00 00 00")).0, hex!("47 03 C0 21 9B"));
}
