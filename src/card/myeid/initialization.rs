//! Initialization: the card is emptied and gets the file system that OpenSC's profile for it has, with an officer's PIN.
//!
//! The card has a state of creation, in which access conditions are not looked at and PINs are set; it ends with the
//! activation. EF.TokenInfo gets its content last of all: a card without is not initialized, so what is torn before that is
//! begun again by the next initialization, and is nothing that anybody uses meanwhile. The list of PINs is written directly
//! before the activation, since whoever begins again proves the officer's PIN where one is listed.
//!
//! The user has a PIN that nobody knows, until the officer sets one. The officer's PIN is a global unblocker: whoever has
//! verified it sets the user's PIN without a PUK. That is good of the officer's PIN however often it is changed, where the
//! PUK, the officer's PIN at the initialization, is for ever: the card has no command that changes it.

use cardea_apdu::Command;
use zeroize::Zeroizing;

use super::MANUFACTURER;
use super::directory::Head;
use super::file::{APPLICATION, select_directory};
use super::lasting::value;
use super::pin::{self, Pins};
use super::store::{self, INS_PUT_DATA};
use crate::card::command::{execute, security, selection, verification};
use crate::card::pkcs15::binary::update_binary;
use crate::card::pkcs15::{
    AlgorithmInfo, Application, ApplicationTemplate, Common, Entry, ObjectClass, ObjectDirectoryEntry, ObjectFlags,
    Operations, Path, PinEntry, PinFlags, PinType, Place, TokenFlags, TokenInfo,
};
use crate::card::{CardError, Role};
use crate::channel::Channel;
use crate::secret::{Pin, SecretBytes};

const INS_ACTIVATE: u8 = 0x44;
/// P2 of PUT DATA: initialise.
const INITIALISE: u8 = 0xE0;
/// References of the user's PIN and the officer's.
const USER: u8 = 1;
const OFFICER: u8 = 3;
/// Tries of a PIN and of its PUK.
const TRIES: [u8; 2] = [3, 10];
/// Flag of a PIN: a global unblocker sets it.
const UNBLOCKED_GLOBALLY: u8 = 0x04;
/// Flag of a PIN: a global unblocker.
const GLOBAL_UNBLOCKER: u8 = 0x08;
/// Access conditions: read by all, changed and deleted by the officer.
const OFFICERS: [u8; 3] = [0x03, 0x3F, 0xFF];
/// Read by all, changed by the user, deleted by the officer.
const LIST: [u8; 3] = [0x01, 0x3F, 0xFF];
/// The MF, in which the user creates and which the officer initialises.
const MASTER: [u8; 3] = [0x11, 0x3F, 0xFF];
/// The application's DF, in which the user creates and deletes.
const DIRECTORY: [u8; 3] = [0x11, 0x1F, 0xFF];
/// EF.DIR, in the MF.
const EF_DIR: (u16, u16) = (0x2F00, 128);
const EF_ODF: (u16, u16) = (0x5031, 255);
const EF_TOKEN_INFO: (u16, u16) = (0x5032, 320);
const EF_UNUSED_SPACE: (u16, u16) = (0x5033, 510);
/// Directory files with their sizes.
const LISTS: [(ObjectClass, u16, u16); 7] = [
    (ObjectClass::AuthenticationObjects, 0x4401, 255),
    (ObjectClass::PrivateKeys, 0x4402, 1530),
    (ObjectClass::PublicKeys, 0x4404, 1530),
    (ObjectClass::SecretKeys, 0x4407, 1530),
    (ObjectClass::Certificates, 0x4403, 1530),
    (ObjectClass::TrustedCertificates, 0x4405, 510),
    (ObjectClass::DataObjects, 0x4406, 1530),
];
/// CKM_AES_ECB and CKM_AES_CBC.
const AES_MODES: [u32; 2] = [0x1081, 0x1082];

/// Proves the officer's PIN where there is one, empties the card and fills it.
pub(super) fn initialize(
    channel: &mut Channel<'_>,
    pins: &Pins,
    serial: &[u8],
    officer: &Pin,
    label: &str,
) -> Result<(), CardError> {
    let reference_data = pin::padded(officer)?;
    if pins.officer().is_some() {
        pins.verify(channel, Role::SecurityOfficer, officer)?;
    }
    let conditions = [&[0xFF, 0xFF][..], &MASTER, &DIRECTORY].concat();
    execute(channel, Command::new(0x00, INS_PUT_DATA, 0x01, INITIALISE).data(&conditions))?;
    let unknown = nobodys(channel)?;
    set_pin(channel, (USER, UNBLOCKED_GLOBALLY), &unknown, &reference_data)?;
    set_pin(channel, (OFFICER, GLOBAL_UNBLOCKER), &reference_data, &reference_data)?;
    let path = [&[0x3F, 0x00][..], &APPLICATION].concat();
    let template =
        ApplicationTemplate { aid: super::AID.to_vec(), label: "MyEID".to_owned(), path, ..Default::default() };
    let mut files = Application::at(&APPLICATION);
    file(channel, &mut files, EF_DIR, &[0x3F, 0x00], OFFICERS, &template.encode())?;
    let directory = [&[0x3F, 0x00][..], &APPLICATION].concat();
    let lists = LISTS.into_iter().flat_map(|(class, file, _)| match value(file).path() {
        Some(path) => ObjectDirectoryEntry { class, place: Place::File(path.clone()) }.encode(),
        None => Vec::new(),
    });
    let entries: Vec<u8> = [officers_entry().encode(), users_entry().encode()].concat();
    for (identifier, access, content) in [
        (EF_ODF, LIST, lists.collect()),
        (EF_TOKEN_INFO, OFFICERS, Vec::new()),
        (EF_UNUSED_SPACE, OFFICERS, Vec::new()),
    ] {
        select_directory(channel)?;
        file(channel, &mut files, identifier, &directory, access, &content)?;
    }
    let (pins, others): (Vec<_>, Vec<_>) =
        LISTS.into_iter().partition(|(class, ..)| *class == ObjectClass::AuthenticationObjects);
    for (_, identifier, size) in others {
        select_directory(channel)?;
        file(channel, &mut files, (identifier, size), &directory, LIST, &[])?;
    }
    for (_, identifier, size) in pins {
        select_directory(channel)?;
        file(channel, &mut files, (identifier, size), &directory, OFFICERS, &entries)?;
    }
    execute(channel, Command::new(0x00, INS_ACTIVATE, 0x04, 0x00).data(super::AID))?;
    selection::select(channel, super::AID)?;
    complete(channel, &mut files, &token_info(serial, label).encode(), &reference_data)
}

/// Writes EF.TokenInfo, which only the officer may from the activation on, who is logged out again.
fn complete(
    channel: &mut Channel<'_>,
    files: &mut Application,
    token_info: &[u8],
    officer: &SecretBytes,
) -> Result<(), CardError> {
    let (identifier, size) = EF_TOKEN_INFO;
    if token_info.len() > usize::from(size) {
        return Err(CardError::Input);
    }
    verification::verify(channel, OFFICER, officer.clone())?;
    let path = [&[0x3F, 0x00][..], &APPLICATION, &identifier.to_be_bytes()].concat();
    files.files.select(channel, &Path::new(path))?;
    update_binary(channel, 0, token_info)?;
    // A card that cannot forget him does with the next selection or reset.
    match pin::log_out(channel) {
        Err(error @ CardError::Channel(_)) => Err(error),
        _ => Ok(()),
    }
}

/// Says in AODF that the user has a PIN, once the officer has set one. The officer is verified.
pub(super) fn announce_user_pin(
    channel: &mut Channel<'_>,
    application: &mut Application,
    head: &Head,
    reference: u8,
) -> Result<(), CardError> {
    let Some(path) = head.file_for(ObjectClass::AuthenticationObjects) else { return Ok(()) };
    application.files.change_directory::<PinEntry, _>(channel, path, |directory| {
        directory.update(|entry| {
            let waits = entry.reference() == reference && !entry.flags.contains(PinFlags::INITIALIZED);
            entry.flags = if waits { entry.flags | PinFlags::INITIALIZED } else { entry.flags };
            waits
        });
        Ok(())
    })
}

/// PUT DATA of a PIN with its flags and its PUK.
fn set_pin(channel: &mut Channel<'_>, (reference, flags): (u8, u8), pin: &[u8], puk: &[u8]) -> Result<(), CardError> {
    let mut data = Zeroizing::new(Vec::with_capacity(pin.len() + puk.len() + TRIES.len() + 1));
    for part in [pin, puk, &TRIES, &[flags]] {
        data.extend_from_slice(part);
    }
    let command = Command::new(0x00, INS_PUT_DATA, 0x01, reference).data_zeroizing(data);
    execute(channel, command.secret_command()).map(drop)
}

/// Eight characters from the card's own generator, which nobody has seen.
fn nobodys(channel: &mut Channel<'_>) -> Result<SecretBytes, CardError> {
    let mut random = security::get_challenge(channel, 8)?;
    random.iter_mut().for_each(|byte| *byte = b'0' + *byte % 10);
    if random.len() == 8 { Ok(random) } else { Err(CardError::Malformed { what: "challenge" }) }
}

/// A file with a content, in the current DF, whose path is `directory`.
fn file(
    channel: &mut Channel<'_>,
    files: &mut Application,
    (identifier, size): (u16, u16),
    directory: &[u8],
    access: [u8; 3],
    content: &[u8],
) -> Result<(), CardError> {
    if content.len() > usize::from(size) {
        return Err(CardError::Input);
    }
    store::create_here(channel, identifier, size, access)?;
    if content.is_empty() {
        return Ok(());
    }
    files.files.select(channel, &Path::new([directory, &identifier.to_be_bytes()].concat()))?;
    update_binary(channel, 0, content)
}

fn officers_entry() -> PinEntry {
    entry("Security Officer PIN", OFFICER, PinFlags::INITIALIZED | PinFlags::NEEDS_PADDING | PinFlags::SO_PIN)
}

fn users_entry() -> PinEntry {
    entry("User PIN", USER, PinFlags::NEEDS_PADDING)
}

fn entry(label: &str, reference: u8, flags: PinFlags) -> PinEntry {
    PinEntry {
        common: Common {
            label: label.to_owned(),
            flags: ObjectFlags::PRIVATE | ObjectFlags::MODIFIABLE,
            ..Common::default()
        },
        auth_id: vec![reference],
        class_extensions: Vec::new(),
        flags,
        kind: PinType::AsciiNumeric,
        min_length: 4,
        stored_length: 8,
        max_length: Some(8),
        pin_reference: Some(i32::from(reference)),
        pad: Some(0xFF),
        last_change: None,
        path: None,
        extensions: Vec::new(),
    }
}

fn token_info(serial: &[u8], label: &str) -> TokenInfo {
    // 2.16.840.1.101.3.4.1: ECB is 1, 21 and 41, CBC 2, 22 and 42.
    let modes = [1, 21, 41].into_iter().flat_map(|first| AES_MODES.into_iter().zip([first, first + 1]));
    let algorithm = |(reference, (mechanism, arc)): (i32, (u32, u8))| AlgorithmInfo {
        reference,
        mechanism,
        parameters: vec![0x05, 0x00],
        operations: Operations::ENCIPHER | Operations::DECIPHER,
        oid: vec![0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x01, arc],
        card_reference: Some(0),
        extensions: Vec::new(),
    };
    TokenInfo {
        serial: serial.to_vec(),
        manufacturer: MANUFACTURER.to_owned(),
        label: label.to_owned(),
        flags: TokenFlags::PRN_GENERATION | TokenFlags::EID_COMPLIANT,
        algorithms: (1..).zip(modes).map(algorithm).collect(),
        ..TokenInfo::default()
    }
}
