//! VERIFY, CHANGE REFERENCE DATA, RESET RETRY COUNTER, de-authentication.

use super::*;

const CHANGE: [u8; 4] = hex!("00 24 00 01");
const UNBLOCK: [u8; 4] = hex!("00 2C 00 01");
const FORGET_ALL: [u8; 4] = hex!("00 2E 00 00");

#[test]
fn a_wrong_pin_counts_down_to_6983_and_the_right_one_restores_the_counter() {
    let (mut card, _) = quick(MyEidOptions::default());
    let mut terminal = Terminal::new(&mut card);
    assert_eq!(terminal.send(VERIFY, &[]).status, 0x63C3);
    assert_eq!(terminal.send(VERIFY, b"999999\xFF\xFF").status, 0x63C2);
    terminal.send(VERIFY, PIN).unwrap();
    terminal.send(VERIFY, &[]).unwrap();
    assert_eq!(terminal.send(VERIFY, b"999999\xFF\xFF").status, 0x63C2);
    assert_eq!(terminal.send(VERIFY, &[]).status, 0x63C2, "a wrong PIN takes the right to use keys away");
    assert_eq!(terminal.send(VERIFY, b"999999\xFF\xFF").status, 0x63C1);
    assert_eq!(terminal.send(VERIFY, b"999999\xFF\xFF").status, 0x6983);
    assert_eq!(terminal.send(VERIFY, PIN).status, 0x6983);
    assert_eq!(terminal.send(VERIFY, &[]).status, 0x6983);
}

#[test]
fn pins_have_eight_bytes_and_numbers_from_1_to_14() {
    let (mut card, _) = quick(MyEidOptions::default());
    let mut terminal = Terminal::new(&mut card);
    assert_eq!(terminal.send(VERIFY, b"123456").status, 0x6700);
    assert_eq!(terminal.send(VERIFY, b"123456\xFF\xFF\xFF").status, 0x6700);
    assert_eq!(terminal.send(hex!("00 20 00 00"), PIN).status, 0x6A86);
    assert_eq!(terminal.send(hex!("00 20 00 0F"), PIN).status, 0x6A86);
    assert_eq!(terminal.send(hex!("00 20 01 01"), PIN).status, 0x6A86);
    assert_eq!(terminal.send(hex!("00 20 00 02"), PIN).status, 0x6983, "PIN 2 was never initialised");
    assert_eq!(terminal.send(VERIFY, &[]).status, 0x63C3, "and no try was lost");
}

#[test]
fn each_pin_has_its_own_state() {
    let (mut card, _) = quick(MyEidOptions::default());
    let probe = card.probe();
    let mut terminal = Terminal::new(&mut card);
    let status = |terminal: &mut Terminal<'_>| terminal.send(hex!("00 CA 01 AC"), &[]).unwrap();
    assert_eq!(status(&mut terminal), hex!("0000"));
    terminal.send(VERIFY, PIN).unwrap();
    assert_eq!(status(&mut terminal), hex!("0001"));
    terminal.send(VERIFY_OFFICER, OFFICERS_PIN).unwrap();
    assert_eq!((status(&mut terminal), probe.verified_pins()), (hex!("0005").to_vec(), 5));
    terminal.send(hex!("00 2E 00 01"), &[]).unwrap();
    assert_eq!(status(&mut terminal), hex!("0004"));
    assert_eq!(terminal.send(VERIFY, &[]).status, 0x63C3);
    terminal.send(VERIFY, PIN).unwrap();
    terminal.send(FORGET_ALL, &[]).unwrap();
    assert_eq!((status(&mut terminal), probe.verified_pins()), (hex!("0000").to_vec(), 0));
    assert_eq!(terminal.send(hex!("00 2E 00 0F"), &[]).status, 0x6A86);
    assert_eq!(terminal.send(hex!("00 2E 01 00"), &[]).status, 0x6A86);
    assert_eq!(terminal.send(FORGET_ALL, &[0]).status, 0x6700);
}

#[test]
fn reset_and_power_forget_every_pin_and_select_does_not() {
    let (mut card, _) = quick(MyEidOptions::default());
    let losses: [fn(&mut dyn VirtualCard); 3] = [|card| card.reset(), |card| card.power_on(), |card| card.power_off()];
    for lose in losses {
        let mut terminal = Terminal::new(&mut card);
        terminal.send(VERIFY, PIN).unwrap();
        terminal.send(SELECT_NAME, &MYEID_AID).unwrap();
        terminal.send(VERIFY, &[]).unwrap();
        lose(terminal.card());
        assert_eq!(terminal.send(VERIFY, &[]).status, 0x63C3);
    }
}

#[test]
fn a_pin_is_changed_and_then_not_verified() {
    let (mut card, _) = quick(MyEidOptions::default());
    let mut terminal = Terminal::new(&mut card);
    assert_eq!(terminal.send(CHANGE, b"999999\xFF\xFF654321\xFF\xFF").status, 0x63C2);
    assert_eq!(terminal.send(CHANGE, b"123456\xFF\xFF654\xFF\xFF\xFF\xFF\xFF").status, 0x6700, "three characters");
    assert_eq!(terminal.send(CHANGE, b"123456\xFF\xFF6543\xFF\xFF\xFF1").status, 0x6984, "something after the padding");
    assert_eq!(terminal.send(CHANGE, PIN).status, 0x6982);
    assert_eq!(terminal.send(VERIFY, &[]).status, 0x63C2, "none of which cost a try");
    terminal.send(VERIFY, PIN).unwrap();
    terminal.send(CHANGE, b"123456\xFF\xFF654321\xFF\xFF").unwrap();
    assert_eq!(terminal.send(VERIFY, &[]).status, 0x63C3);
    assert_eq!(terminal.send(VERIFY, PIN).status, 0x63C2);
    terminal.send(VERIFY, b"654321\xFF\xFF").unwrap();
}

#[test]
fn a_blocked_pin_is_unblocked_with_its_puk_and_a_blocked_puk_with_nothing() {
    let (mut card, _) = quick(MyEidOptions::default());
    let mut terminal = Terminal::new(&mut card);
    for _ in 0..3 {
        terminal.send(VERIFY, b"999999\xFF\xFF");
    }
    assert_eq!(terminal.send(CHANGE, b"123456\xFF\xFF654321\xFF\xFF").status, 0x6983);
    assert_eq!(terminal.send(UNBLOCK, &[]).status, 0x63CA);
    assert_eq!(terminal.send(UNBLOCK, b"00000000222222\xFF\xFF").status, 0x63C9);
    terminal.send(UNBLOCK, b"12345678222222\xFF\xFF").unwrap();
    assert_eq!(terminal.send(UNBLOCK, &[]).status, 0x63CA);
    assert_eq!(terminal.send(VERIFY, &[]).status, 0x63C3);
    terminal.send(VERIFY, b"222222\xFF\xFF").unwrap();
    for left in (1..10).rev() {
        assert_eq!(terminal.send(UNBLOCK, b"00000000222222\xFF\xFF").status, 0x63C0 | left);
    }
    assert_eq!(terminal.send(UNBLOCK, b"00000000222222\xFF\xFF").status, 0x6983);
    assert_eq!(terminal.send(UNBLOCK, b"12345678222222\xFF\xFF").status, 0x6983);
    terminal.send(VERIFY, b"222222\xFF\xFF").unwrap();
}

#[test]
fn flags_lock_a_pin_and_let_others_unblock_it() {
    let mut card = blank(MyEidOptions::default());
    let mut terminal = Terminal::new(&mut card);
    for (reference, flags) in [(1, 0x01), (2, 0x02 | 0x04), (3, 0x08), (4, 0x20), (5, 0x10)] {
        let data = [b"111111\xFF\xFF22222222\x03\x03", &[flags][..]].concat();
        terminal.send([0x00, 0xDA, 0x01, reference], &data).unwrap();
    }
    let pin = b"111111\xFF\xFF";
    let other = b"333333\xFF\xFF";
    assert_eq!(terminal.send(VERIFY, pin).status, 0x6985, "locked until it is changed");
    terminal.send(CHANGE, b"111111\xFF\xFF333333\xFF\xFF").unwrap();
    terminal.send(VERIFY, other).unwrap();
    assert_eq!(terminal.send(hex!("00 2C 00 02"), other).status, 0x6982);
    terminal.send(hex!("00 20 00 03"), pin).unwrap();
    assert_eq!(terminal.send(hex!("00 2C 00 05"), other).status, 0x6982, "not for a global unblocker");
    terminal.send(hex!("00 2C 00 02"), other).unwrap();
    assert_eq!(terminal.send(hex!("00 20 00 02"), other).status, 0x6985, "locked by unblocking");
    assert_eq!(terminal.send(hex!("00 24 00 05"), other).status, 0x6982);
    terminal.send(hex!("00 20 00 04"), pin).unwrap();
    terminal.send(hex!("00 24 00 05"), other).unwrap();
    terminal.send(hex!("00 20 00 05"), other).unwrap();
}
