//! The USB reader as a host's kernel meets it: USB/IP over a socket, without a virtual machine.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod host;

use std::time::Duration;

use cardea_harness::card::VirtualCard;
use cardea_harness::piv::{PIV_AID, PivCard, PivOptions};
use cardea_harness::reader::{Action, Fault, Key, PinPad, Properties, VirtualReader};
use cardea_virtual_hardware::ccid::{CcidReader, Command, ReaderDescription};
use cardea_virtual_hardware::usbip::Server;
use hex_literal::hex;

use host::Host;

const EXTENDED: &str = include_str!("../../readers/extended.txt");
const SHORT: &str = include_str!("../../readers/short.txt");
const TPDU: &str = include_str!("../../readers/tpdu.txt");
const PINPAD: &str = include_str!("../../readers/pinpad.txt");

/// A card that answers with what it was asked.
struct Echo;

impl VirtualCard for Echo {
    fn atr(&self) -> Vec<u8> {
        hex!("3B 80 81 31 FE 45 8B").to_vec()
    }
    fn power_on(&mut self) {}
    fn reset(&mut self) {}
    fn power_off(&mut self) {}
    fn transmit(&mut self, command: &[u8]) -> Vec<u8> {
        [command, &[0x90, 0x00]].concat()
    }
}

fn plugged(description: &str, card: impl VirtualCard + 'static) -> (CcidReader, Server, Host) {
    let description = ReaderDescription::parse(description).unwrap();
    let reader = CcidReader::new(description, VirtualReader::with_card(card));
    let server = Server::start(std::sync::Arc::new(reader.clone())).unwrap();
    let host = Host::import(server.port());
    (reader, server, host)
}

fn piv() -> PivCard {
    PivCard::new(PivOptions::extended())
}

fn select() -> Vec<u8> {
    [&[0x00, 0xA4, 0x04, 0x00, PIV_AID.len() as u8][..], &PIV_AID, &[0x00]].concat()
}

#[test]
fn the_list_names_the_device_until_somebody_has_it() {
    let (_reader, server, host) = plugged(EXTENDED, piv());
    assert_eq!(Host::list(server.port()), hex!("01 11 00 05 00 00 00 00 00 00 00 00"));
    drop(host);
    assert!(server.await_host(false, Duration::from_secs(5)));
    let list = Host::list(server.port());
    assert_eq!(list[..12], hex!("01 11 00 05 00 00 00 00 00 00 00 01"));
    assert_eq!(list[12 + 256..12 + 256 + 4], *b"1-1\0");
    // bus 1, device 1, full speed, 058f:9540, release 1.20, one configuration, one interface of class 0B
    assert_eq!(list[12 + 288..], hex!("00000001 00000001 00000002 058F 9540 0120 00 00 00 01 01 01 0B 00 00 00"));
}

#[test]
fn a_device_that_somebody_has_is_not_given_to_another() {
    let (_reader, server, _host) = plugged(EXTENDED, piv());
    assert_eq!(Host::try_import(server.port()).err(), Some(hex!("01 11 00 03 00 00 00 01").to_vec()));
}

#[test]
fn descriptors_and_class_requests_are_answered_on_the_control_pipe() {
    let (_reader, _server, mut host) = plugged(EXTENDED, piv());
    let device = host.control(hex!("80 06 00 01 00 00 12 00")).unwrap();
    assert_eq!(device[..2], hex!("12 01"));
    let configuration = host.control(hex!("80 06 00 02 00 00 FF 00")).unwrap();
    assert_eq!(configuration.len(), usize::from(u16::from_le_bytes([configuration[2], configuration[3]])));
    assert_eq!(host.control(hex!("00 09 01 00 00 00 00 00")), Ok(Vec::new()));
    // GET CLOCK FREQUENCIES: 3,700 kHz
    assert_eq!(host.control(hex!("A1 02 00 00 00 00 04 00")), Ok(3700u32.to_le_bytes().to_vec()));
    // a device qualifier is not there: a stall
    assert_eq!(host.control(hex!("80 06 00 06 00 00 0A 00")), Err(-32));
}

#[test]
fn a_card_is_powered_asked_and_switched_off_byte_by_byte() {
    let (reader, _server, mut host) = plugged(SHORT, Echo);
    assert_eq!(host.message(&hex!("65 00000000 00 01 000000")), hex!("81 00000000 00 01 01 00 00"));
    let atr = host.message(&hex!("62 00000000 00 02 000000"));
    assert_eq!(atr, hex!("80 07000000 00 02 00 00 00 3B 80 81 31 FE 45 8B"));
    let answer = host.message(&hex!("6F 05000000 00 03 000000 00A4040000"));
    assert_eq!(answer, hex!("80 07000000 00 03 00 00 00 00A4040000 9000"));
    let parameters = host.message(&hex!("6C 00000000 00 04 000000"));
    assert_eq!(parameters, hex!("82 07000000 00 04 00 00 01 11 10 00 45 00 FE 00"));
    assert_eq!(host.message(&hex!("6B 01000000 00 05 000000 02")), hex!("83 00000000 00 05 40 00 00"));
    assert_eq!(host.message(&hex!("65 00000000 07 06 000000")), hex!("81 00000000 07 06 42 05 00"));
    assert_eq!(host.message(&hex!("63 00000000 00 07 000000")), hex!("81 00000000 00 07 01 00 00"));
    assert_eq!(host.message(&hex!("6F 05000000 00 08 000000 00A4040000")), hex!("80 00000000 00 08 41 FE 00"));
    assert_eq!(reader.count(Command::IccPowerOff), 1);
    assert!(!reader.reader().is_powered());
}

#[test]
fn an_extended_apdu_longer_than_a_message_goes_both_ways_in_pieces() {
    let (reader, _server, mut host) = plugged(EXTENDED, Echo);
    host.message(&hex!("62 00000000 00 00 000000"));
    let room = reader.description().max_data();
    let apdu: Vec<u8> = [&hex!("00 DB 3F FF 00 02 58")[..], &[0xA5; 600]].concat();
    assert_eq!(host.apdu(&apdu, room), [&apdu[..], &[0x90, 0x00]].concat());
    let blocks = reader.count(Command::XfrBlock);
    assert_eq!(blocks, apdu.len().div_ceil(room) + (apdu.len() + 2).div_ceil(room) - 1);
}

#[test]
fn a_message_for_which_the_host_gives_too_little_room_fills_several_transfers() {
    let (_reader, _server, mut host) = plugged(EXTENDED, Echo);
    host.write(&hex!("62 00000000 00 00 000000"));
    assert_eq!(host.read(12), hex!("80 07000000 00 00 00 00 00 3B 80"));
    assert_eq!(host.read(64), hex!("81 31 FE 45 8B"));
}

#[test]
fn a_piv_card_is_selected_through_the_short_the_extended_and_the_t1_reader() {
    for description in [SHORT, EXTENDED] {
        let (_reader, _server, mut host) = plugged(description, piv());
        host.message(&hex!("62 00000000 00 00 000000"));
        let answer = host.apdu(&select(), 261);
        assert!(answer.ends_with(&[0x90, 0x00]) && answer[0] == 0x61, "{answer:02X?}");
    }
    let (_reader, _server, mut host) = plugged(TPDU, piv());
    host.message(&hex!("62 00000000 00 00 000000"));
    let command = select();
    let mut block = vec![0, 0, command.len() as u8];
    block.extend(&command);
    block.push(block.iter().fold(0, |code, byte| code ^ byte));
    let answer = host.apdu(&block, 261);
    // the reader takes 32 bytes in a block until it says otherwise
    assert_eq!((answer[..3].to_vec(), answer.len(), answer[3]), (vec![0, 0x20, 32], 36, 0x61));
}

#[test]
fn a_card_that_comes_or_goes_is_reported_on_the_interrupt_pipe() {
    let (reader, _server, mut host) = plugged(EXTENDED, piv());
    assert_eq!(host.interrupt(), hex!("50 03"));
    let asked = host.ask(3, 8);
    reader.reader().remove();
    assert_eq!(host.outcome(asked), Ok(hex!("50 02").to_vec()));
    assert_eq!(host.message(&hex!("65 00000000 00 01 000000")), hex!("81 00000000 00 01 02 00 00"));
    assert_eq!(host.message(&hex!("62 00000000 00 02 000000")), hex!("80 00000000 00 02 42 FE 00"));
    assert!(reader.reader().reinsert());
    assert_eq!(host.interrupt(), hex!("50 03"));
}

#[test]
fn a_transfer_that_waits_can_be_taken_back_and_one_that_is_over_cannot() {
    let (reader, _server, mut host) = plugged(EXTENDED, piv());
    assert_eq!(host.interrupt(), hex!("50 03"));
    let asked = host.ask(3, 8);
    assert_eq!(host.take_back(asked), -104);
    assert_eq!(host.take_back(asked), 0);
    // the next notice goes to the next transfer
    reader.reader().remove();
    assert_eq!(host.interrupt(), hex!("50 02"));
}

#[test]
fn a_slow_card_asks_for_time_until_it_answers() {
    let (reader, _server, mut host) = plugged(SHORT, Echo);
    host.message(&hex!("62 00000000 00 00 000000"));
    reader.reader().set_latency(Duration::from_millis(1_000));
    host.write(&hex!("6F 05000000 00 09 000000 00A4040000"));
    assert_eq!(host.read(271), hex!("80 00000000 00 09 80 01 00"));
    assert_eq!(host.read(271), hex!("80 07000000 00 09 00 00 00 00A4040000 9000"));
}

#[test]
fn a_reader_that_is_unplugged_in_the_middle_of_a_command_is_gone_and_can_come_back() {
    let (reader, server, mut host) = plugged(SHORT, piv());
    host.message(&hex!("62 00000000 00 00 000000"));
    reader.reader().fault(Fault::on(0xA4, Action::Unplug));
    let apdu = select();
    host.write(&[&[0x6F, apdu.len() as u8, 0, 0, 0, 0, 1, 0, 0, 0][..], &apdu].concat());
    assert!(host.is_cut());
    assert!(server.await_host(false, Duration::from_secs(5)));
    reader.reader().plug();
    let mut host = Host::import(server.port());
    assert_eq!(host.message(&hex!("65 00000000 00 01 000000")), hex!("81 00000000 00 01 01 00 00"));
}

#[test]
fn a_pin_typed_at_the_reader_reaches_the_card_and_never_the_bus() {
    let (reader, _server, mut host) = plugged(PINPAD, piv());
    reader.reader().set_properties(Properties::short());
    let mut pad = PinPad::typing(&["123456", "654321"]);
    pad.user.push_back(Key::Cancel);
    reader.reader().set_pin_pad(Some(pad));
    host.message(&hex!("62 00000000 00 00 000000"));
    host.apdu(&select(), 261);
    let secure = hex!(
        "69 1C000000 00 01 000000 00 1E 82 08 00 08 04 02 01 09 04 00 000000"
        "00 20 00 80 08 FF FF FF FF FF FF FF FF"
    );
    assert_eq!(host.message(&secure), hex!("80 02000000 00 01 00 00 00 90 00"));
    let refused = host.message(&secure);
    assert_eq!(refused[10..11], [0x63]);
    assert_eq!(host.message(&secure), hex!("80 00000000 00 01 40 EF 00"));
    assert_eq!(host.message(&secure), hex!("80 00000000 00 01 40 F0 00"));
    assert!(!reader.has_carried(b"123456") && !reader.has_carried(b"654321"));
    assert_eq!(reader.count(Command::Secure), 4);
}

#[test]
fn a_reader_without_a_pad_has_no_secure_command() {
    let (reader, _server, mut host) = plugged(SHORT, piv());
    reader.reader().set_pin_pad(Some(PinPad::typing(&["123456"])));
    host.message(&hex!("62 00000000 00 00 000000"));
    let secure = hex!("69 14000000 00 01 000000 00 1E 82 08 00 08 04 02 01 09 04 00 000000 00 20 00 80 00");
    assert_eq!(host.message(&secure), hex!("80 00000000 00 01 40 00 00"));
}
