//! The virtual MyEID card does what is published of MyEID's commands, and refuses the rest.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod channels;
mod files;
mod keys;
mod life_cycle;
mod opensc;
mod operations;
mod pins;
mod robustness;
mod session_objects;
mod symmetric;

use cardea_harness::card::{Response, Terminal, VirtualCard};
use cardea_harness::myeid::{
    ChannelAssignment, MYEID_AID, MyEidCard, MyEidKey, MyEidKeyKind, MyEidLayout, MyEidOptions, OTHER_AID,
    ProvisionedMyEid, provision_myeid,
};
use cardea_harness::provision::{Authority, Holder};
use hex_literal::hex;

const SELECT_NAME: [u8; 4] = hex!("00 A4 04 00");
const SELECT_ID: [u8; 4] = hex!("00 A4 00 00");
const READ: [u8; 4] = hex!("00 B0 00 00");
const UPDATE: [u8; 4] = hex!("00 D6 00 00");
const CREATE: [u8; 4] = hex!("00 E0 00 00");
const DELETE: [u8; 4] = hex!("00 E4 00 00");
const VERIFY: [u8; 4] = hex!("00 20 00 01");
const VERIFY_OFFICER: [u8; 4] = hex!("00 20 00 03");
const GENERATE: [u8; 4] = hex!("00 46 00 00");
const SIGN: [u8; 4] = hex!("00 2A 9E 9A");
const PIN: &[u8] = b"123456\xFF\xFF";
const OFFICERS_PIN: &[u8] = b"87654321";

/// A blank card with the application selected.
fn blank(options: MyEidOptions) -> MyEidCard {
    let mut card = MyEidCard::new(options);
    card.power_on();
    Terminal::new(&mut card).send(SELECT_NAME, &MYEID_AID).unwrap();
    card
}

/// A provisioned card with keys that are there at once: 4B01 P-256, 4B02 P-521 to agree with, 4D01 AES-256, 4D02 AES-128 that may
/// be wrapped; application selected.
fn quick(options: MyEidOptions) -> (MyEidCard, ProvisionedMyEid) {
    provisioned(
        options,
        vec![
            MyEidKey::new(0x46, "Signature key", MyEidKeyKind::Curve(256)),
            MyEidKey::new(0x47, "Agreement key", MyEidKeyKind::Curve(521)),
            MyEidKey::new(0x48, "AES key", MyEidKeyKind::Aes(256)),
            MyEidKey::new(0x49, "Extractable key", MyEidKeyKind::Aes(128)).extractable(),
        ],
    )
}

/// A card with keys, application selected.
fn provisioned(options: MyEidOptions, keys: Vec<MyEidKey>) -> (MyEidCard, ProvisionedMyEid) {
    let mut card = MyEidCard::new(options);
    let layout = MyEidLayout { label: "Test".into(), holder: Holder::new("Ada Lovelace"), keys };
    let provisioned = provision_myeid(&mut card, &layout, &Authority::default());
    Terminal::new(&mut card).send(SELECT_NAME, &MYEID_AID).unwrap();
    (card, provisioned)
}

/// The same with the user PIN verified.
fn logged_in(options: MyEidOptions) -> (MyEidCard, ProvisionedMyEid) {
    let (mut card, provisioned) = quick(options);
    Terminal::new(&mut card).send(VERIFY, PIN).unwrap();
    (card, provisioned)
}

/// Sends one APDU as it is: response data and status word.
fn raw(card: &mut dyn VirtualCard, apdu: &[u8]) -> (Vec<u8>, u16) {
    let mut answer = card.transmit(apdu);
    let status = answer.split_off(answer.len() - 2);
    (answer, u16::from_be_bytes([status[0], status[1]]))
}

/// FCP of a file as CREATE FILE takes it.
fn parameters(size_tag: u8, size: u16, kind: u8, id: u16, access: [u8; 3], attributes: [u8; 2]) -> Vec<u8> {
    let [s1, s2] = size.to_be_bytes();
    let [i1, i2] = id.to_be_bytes();
    let [a1, a2, a3] = access;
    let [p1, p2] = attributes;
    vec![
        0x62, 0x17, size_tag, 2, s1, s2, 0x82, 1, kind, 0x83, 2, i1, i2, 0x86, 3, a1, a2, a3, 0x85, 2, p1, p2, 0x8A, 1,
        0,
    ]
}

/// A key file for the user.
fn key_file(kind: u8, bits: u16, id: u16, attributes: [u8; 2]) -> Vec<u8> {
    parameters(0x81, bits, kind, id, [0x11, 0x11, 0xFF], attributes)
}

/// Creates a file and is content with 9000 only.
fn create(terminal: &mut Terminal<'_>, parameters: &[u8]) {
    terminal.send(CREATE, parameters).unwrap();
}

/// MANAGE SECURITY ENVIRONMENT for an algorithm and a key file, and whatever follows.
fn environment(terminal: &mut Terminal<'_>, p1_p2: [u8; 2], algorithm: u8, file: u16, rest: &[u8]) -> Response {
    let [high, low] = file.to_be_bytes();
    let template = [&[0x80, 1, algorithm, 0x81, 2, high, low], rest].concat();
    terminal.send([0x00, 0x22, p1_p2[0], p1_p2[1]], &template)
}

const SIGNING: [u8; 2] = [0x41, 0xB6];
const DECIPHERING: [u8; 2] = [0x41, 0xB8];
const AGREEMENT: [u8; 2] = [0x41, 0xA4];
const ENCIPHERING: [u8; 2] = [0x81, 0xB8];
