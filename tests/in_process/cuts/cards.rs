//! The cards that are written to.

use cardea_apdu::Tag;
use cardea_apdu::tlv::Reader;
use cardea_harness::myeid::{
    self, MyEidCard, MyEidKey, MyEidKeyKind, MyEidLayout, MyEidOptions, MyEidProbe, provision_myeid,
};
use cardea_harness::openpgp::{
    OPENPGP_AID, OpenPgpCard, OpenPgpKeyKind, OpenPgpLayout, OpenPgpOptions, PW1, PW3, provision_openpgp,
};
use cardea_harness::piv::{PIV_AID, PivCard, PivOptions};
use cardea_harness::provision::{Authority, KeyKind, KeySlot, Layout, PIN, provision};
use cardea_harness::reader::VirtualReader;

use super::operations::{self as of, Operation};
use crate::in_process::link::LocalReader;
use crate::in_process::piv::{KEY, YUBIKEY as YUBIKEY_ATR};
use crate::in_process::setting::{SO, USER, select};

/// A look into a chip, where there is one.
pub(super) type Chip = Option<MyEidProbe>;

/// A kind of card.
pub(super) struct Card {
    pub(super) name: &'static str,
    /// Who writes to it.
    pub(super) writer: (u64, &'static str),
    /// The user's PIN.
    pub(super) user: &'static str,
    /// The user sees what the writer does not.
    pub(super) finds_as_user: bool,
    /// `CKA_ID` of what is made, and another.
    pub(super) ids: [u8; 2],
    pub(super) make: fn() -> (VirtualReader, Chip),
    /// What is in the card, asked by commands that are not the driver's.
    pub(super) inside: fn(&LocalReader) -> Vec<Vec<u8>>,
    pub(super) operations: &'static [&'static Operation],
    /// One of so many interruptions is tried where not all are.
    pub(super) share: u32,
}

pub(super) static MYEID: Card = Card {
    name: "MyEID",
    writer: (USER, myeid::PIN),
    user: myeid::PIN,
    finds_as_user: false,
    ids: [0x77, 0x78],
    make: || {
        let mut card = MyEidCard::new(MyEidOptions::default());
        let keys = vec![
            MyEidKey::new(0x46, "key", MyEidKeyKind::Curve(256)),
            MyEidKey::new(0x45, "RSA key", MyEidKeyKind::Rsa2048('a')),
        ];
        provision_myeid(&mut card, &MyEidLayout { keys, ..MyEidLayout::standard() }, &Authority::default());
        let chip = card.probe();
        (VirtualReader::with_card(card), Some(chip))
    },
    inside: |reader| {
        reader.transmit_by_another(&[0x00, 0xA4, 0x08, 0x00, 0x02, 0x50, 0x15]);
        let mut files = reader.transmit_by_another(&[0x00, 0xCA, 0x01, 0xA1, 0x00]);
        files.truncate(files.len() - 2);
        let mut files: Vec<Vec<u8>> = files.chunks(2).map(<[u8]>::to_vec).collect();
        files.sort();
        files
    },
    share: 7,
    operations: &[
        &of::GENERATION,
        &of::SESSION_GENERATION,
        &of::IMPORT,
        &of::RSA_IMPORT,
        &of::UNWRAPPING,
        &of::CERTIFICATE,
        &of::LONG_CERTIFICATE,
        &of::KEY_DESTRUCTION,
        &of::CERTIFICATE_DESTRUCTION,
        &of::DATA,
        &of::DATA_CHANGE,
        &of::DATA_DESTRUCTION,
        &of::LABEL,
        &of::CERTIFICATE_LABEL,
        &of::SECRET_KEY,
        &of::SESSION_SECRET_KEY,
        &of::SECRET_KEY_UNWRAPPING,
        &of::SECRET_KEY_DESTRUCTION,
    ],
};

pub(super) static OPENPGP: Card = Card {
    name: "OpenPGP card",
    writer: (SO, PW3),
    user: PW1,
    finds_as_user: true,
    ids: [1, 3],
    make: || {
        let mut card = OpenPgpCard::new(OpenPgpOptions::default());
        let keys = [None, None, Some((OpenPgpKeyKind::Ed25519, false))];
        let layout = OpenPgpLayout { keys, ..OpenPgpLayout::modern() };
        provision_openpgp(&mut card, &layout, &Authority::default());
        (VirtualReader::with_card(card), None)
    },
    inside: |reader| {
        reader.transmit_by_another(&select(&OPENPGP_AID));
        // Fingerprints, times, and which keys there are: what algorithm an empty place has is no matter.
        let mut related = reader.transmit_by_another(&[0x00, 0xCA, 0x00, 0x6E, 0x00, 0x00, 0x00]);
        related.truncate(related.len() - 2);
        let discretionary = Reader::new(&related).find(Tag::new(0x73)).unwrap().unwrap().to_vec();
        let find = |tag| Reader::new(&discretionary).find(Tag::new(tag)).unwrap().unwrap_or_default().to_vec();
        let mut found: Vec<Vec<u8>> = [0xC5, 0xCD, 0xDE].map(find).to_vec();
        for occurrence in 0..3 {
            let choose = [0x00, 0xA5, occurrence, 0x04, 0x06, 0x60, 0x04, 0x5C, 0x02, 0x7F, 0x21];
            reader.transmit_by_another(&choose);
            found.push(reader.transmit_by_another(&[0x00, 0xCA, 0x7F, 0x21, 0x00, 0x00, 0x00]));
        }
        found
    },
    share: 2,
    operations: &[
        &of::GENERATION,
        &of::GENERATION_OVER_KEY,
        &of::IMPORT,
        &of::RSA_IMPORT,
        &of::EDWARDS_IMPORT,
        &of::UNWRAPPING,
        &of::CERTIFICATE,
        &of::CERTIFICATE_OVER_CERTIFICATE,
        &of::LONG_CERTIFICATE,
        &of::KEY_DESTRUCTION,
        &of::CERTIFICATE_DESTRUCTION,
        &of::HIDDEN_KEY,
        &of::HIDDEN_KEY_DESTRUCTION,
    ],
};

pub(super) static YUBIKEY: Card = Card {
    name: "YubiKey",
    writer: (SO, KEY),
    user: PIN,
    finds_as_user: false,
    ids: [3, 2],
    make: || {
        let options =
            PivOptions { version: [5, 7, 1], atr: Some(hex::decode(YUBIKEY_ATR).unwrap()), ..PivOptions::default() };
        (piv(options), None)
    },
    inside: inside_piv,
    share: 2,
    operations: &[
        &of::GENERATION,
        &of::GENERATION_OVER_KEY,
        &of::IMPORT,
        &of::RSA_IMPORT,
        &of::IMPORT_BESIDE_CERTIFICATE,
        &of::UNWRAPPING,
        &of::CERTIFICATE,
        &of::CERTIFICATE_OVER_CERTIFICATE,
        &of::LONG_CERTIFICATE,
        &of::KEY_DESTRUCTION,
        &of::CERTIFICATE_DESTRUCTION,
        &of::KEY_MOVE,
        &of::CERTIFICATE_MOVE,
        &of::STANDARD_DATA,
        &of::STANDARD_DATA_CHANGE,
        &of::STANDARD_DATA_DESTRUCTION,
    ],
};

pub(super) static PIV: Card = Card {
    name: "PIV card with short commands",
    writer: (SO, KEY),
    user: PIN,
    finds_as_user: false,
    ids: [3, 2],
    make: || (piv(PivOptions { reselect_keeps_login: true, version: [5, 7, 1], ..PivOptions::short() }), None),
    inside: inside_piv,
    share: 3,
    operations: &[
        &of::GENERATION,
        &of::RSA_IMPORT,
        &of::CERTIFICATE,
        &of::CERTIFICATE_OVER_CERTIFICATE,
        &of::LONG_CERTIFICATE,
        &of::CERTIFICATE_DESTRUCTION,
        &of::STANDARD_DATA,
        &of::STANDARD_DATA_DESTRUCTION,
    ],
};

fn piv(options: PivOptions) -> VirtualReader {
    let mut card = PivCard::new(options);
    let slots = vec![KeySlot::new(0x9A, KeyKind::P256)];
    provision(&mut card, &Layout { slots, ..Layout::elliptic() }, &Authority::default());
    VirtualReader::with_card(card)
}

/// Metadata of the keys 9A, 9C, 9D, 82, and the objects for their certificates and others.
fn inside_piv(reader: &LocalReader) -> Vec<Vec<u8>> {
    reader.transmit_by_another(&select(&PIV_AID));
    let mut found = Vec::new();
    for reference in [0x9A, 0x9C, 0x9D, 0x82] {
        found.push(reader.transmit_by_another(&[0x00, 0xF7, 0x00, reference, 0x00]));
    }
    for object in [0x05, 0x0A, 0x0B, 0x0D, 0x07, 0x0C] {
        let ask = [0x00, 0xCB, 0x3F, 0xFF, 0x05, 0x5C, 0x03, 0x5F, 0xC1, object, 0x00];
        let answer = reader.transmit_by_another(&ask);
        // What is empty is as good as none.
        found.push(if answer == [0x53, 0x00, 0x90, 0x00] { vec![0x6A, 0x82] } else { answer });
    }
    found
}
