//! The card's AES key under the Library: who sees it and when, what is said of it, and what it does.

use std::sync::Arc;

use cardea_harness::openpgp::{OpenPgpCard, OpenPgpLayout, OpenPgpOptions, PW1, PW3, provision_openpgp};
use cardea_harness::provision::Authority;
use cardea_harness::reader::VirtualReader;
use cardea_pkcs11::card::driver::DRIVERS;
use cardea_pkcs11::configuration::Configuration;
use cardea_pkcs11::error::Error;
use cardea_pkcs11::library::Library;
use cardea_pkcs11::mechanism::{AesMode, Mechanism};
use cardea_pkcs11::session::objects::{AttributeValue, attribute_values};
use cardea_pkcs11::session::{Session, decrypt, encrypt, objects, sign};
use cryptoki_sys::*;

use crate::in_process::bench::cipher::{chained, text};
use crate::in_process::keys::{DIGEST, attribute, bytes, find_all, private, template};
use crate::in_process::link::LocalReader;
use crate::in_process::setting::{SO, USER, library, pin};

const VALUE: [u8; 32] = *b"thirty-two bytes of an AES key..";
const IV: [u8; 16] = [9; 16];

/// A card, and the libraries of two programs before it.
struct Setting {
    reader: Arc<LocalReader>,
    library: Library,
    another: Library,
}

impl Setting {
    fn new() -> Self {
        let mut card = OpenPgpCard::new(OpenPgpOptions::default());
        provision_openpgp(&mut card, &OpenPgpLayout::standard(), &Authority::default());
        let reader = LocalReader::new("Virtual Reader 00 00", VirtualReader::with_card(card));
        let program = || library(std::slice::from_ref(&reader), Configuration::default(), DRIVERS);
        Self { library: program(), another: program(), reader }
    }

    fn instructions(&self) -> Vec<u8> {
        let commands = self.reader.virtual_reader().commands();
        self.reader.virtual_reader().clear_log();
        commands.iter().map(|command| command[1]).collect()
    }
}

fn logged_in(library: &Library, user: u64, secret: &str) -> Arc<Session> {
    let session = library.session(library.open_session(0, true).unwrap()).unwrap();
    session.login(user, pin(secret)).unwrap();
    session
}

fn create(session: &Session, more: &[(u64, &[u8])]) -> Result<u64, Error> {
    let (class, kind) = (CKO_SECRET_KEY.to_ne_bytes(), CKK_AES.to_ne_bytes());
    let mut all: Vec<(u64, &[u8])> =
        vec![(CKA_CLASS, &class), (CKA_KEY_TYPE, &kind), (CKA_VALUE, &VALUE), (CKA_TOKEN, &[1])];
    all.extend_from_slice(more);
    objects::create(session, template(&all))
}

fn secret_keys(session: &Session) -> Vec<u64> {
    find_all(session, &[(CKA_CLASS, &CKO_SECRET_KEY.to_ne_bytes())]).unwrap()
}

/// A card that got its key from another program.
fn with_key() -> Setting {
    let setting = Setting::new();
    let officer = logged_in(&setting.another, SO, PW3);
    create(&officer, &[]).unwrap();
    setting.another.close_all_sessions(0).unwrap();
    setting
}

#[test]
fn the_user_finds_the_key_after_login_by_one_command() {
    let setting = with_key();
    let session = setting.library.session(setting.library.open_session(0, true).unwrap()).unwrap();
    assert!(secret_keys(&session).is_empty());
    session.login(USER, pin(PW1)).unwrap();
    find_all(&session, &[(CKA_CLASS, &CKO_PRIVATE_KEY.to_ne_bytes())]).unwrap();
    setting.instructions();
    let found = secret_keys(&session);
    assert_eq!((found.len(), setting.instructions()), (1, vec![0x2A]));
    assert_eq!((secret_keys(&session), setting.instructions()), (found.clone(), vec![]));
    assert!(find_all(&session, &[]).unwrap().contains(&found[0]));
    session.logout().unwrap();
    assert!(secret_keys(&session).is_empty());
    session.login(USER, pin(PW1)).unwrap();
    assert_eq!(secret_keys(&session), found, "the same handle");
}

#[test]
fn what_nobody_knows_of_the_key_is_not_said() {
    let setting = with_key();
    let session = logged_in(&setting.library, USER, PW1);
    let key = secret_keys(&session)[0];
    for (kind, value) in [
        (CKA_PRIVATE, &[1_u8][..]),
        (CKA_TOKEN, &[1]),
        (CKA_SENSITIVE, &[1]),
        (CKA_EXTRACTABLE, &[0]),
        (CKA_LOCAL, &[0]),
        (CKA_ALWAYS_SENSITIVE, &[0]),
        (CKA_ENCRYPT, &[1]),
        (CKA_DECRYPT, &[1]),
        (CKA_DESTROYABLE, &[1]),
        (CKA_MODIFIABLE, &[0]),
        (CKA_ID, &[4]),
        (CKA_LABEL, b"AES key"),
    ] {
        assert_eq!(attribute(&session, key, kind), value, "{kind:#x}");
    }
    let told = attribute_values(&session, key, &[CKA_VALUE_LEN, CKA_VALUE]).unwrap();
    assert!(matches!(told[..], [AttributeValue::Invalid, AttributeValue::Sensitive]));
    // Who wrote it knows its length.
    let setting = Setting::new();
    let officer = logged_in(&setting.library, SO, PW3);
    let key = create(&officer, &[]).unwrap();
    assert_eq!(attribute(&officer, key, CKA_VALUE_LEN), 32_u64.to_ne_bytes());
    officer.logout().unwrap();
    officer.login(USER, pin(PW1)).unwrap();
    assert_eq!(secret_keys(&officer), [key], "once");
}

#[test]
fn the_key_encrypts_and_decrypts_in_parts_as_the_host_does() {
    let setting = with_key();
    let session = logged_in(&setting.library, USER, PW1);
    let key = secret_keys(&session)[0];
    let plain = text(40);
    let mode = || Mechanism::Aes(AesMode::CbcPad { iv: IV });
    let padded = [&plain[..635], &[5; 5]].concat();
    encrypt::init(&session, mode(), key).unwrap();
    let mut cryptogram = Vec::new();
    for part in plain[..635].chunks(77) {
        cryptogram.extend(bytes(encrypt::update(&session, part, Some(800)).unwrap()));
    }
    cryptogram.extend(bytes(encrypt::finish(&session, Some(800)).unwrap()));
    assert_eq!(cryptogram, chained(&VALUE, &IV, &padded));
    decrypt::init(&session, mode(), key).unwrap();
    assert_eq!(bytes(decrypt::decrypt(&session, &cryptogram, Some(800)).unwrap()), plain[..635]);
}

#[test]
fn looking_for_objects_takes_nothing_from_the_login() {
    let setting = with_key();
    let session = setting.library.session(setting.library.open_session(0, true).unwrap()).unwrap();
    find_all(&session, &[]).unwrap();
    session.login(USER, pin(PW1)).unwrap();
    let all = find_all(&session, &[]).unwrap();
    assert!(all.contains(&secret_keys(&session)[0]));
    let key = private(&session, 1).unwrap();
    sign::init(&session, Mechanism::Ecdsa, key).unwrap();
    sign::sign(&session, DIGEST, Some(1024)).unwrap();
}

#[test]
fn a_login_that_another_program_ended_is_found_out_and_hides_no_key_for_good() {
    let setting = with_key();
    let session = logged_in(&setting.library, USER, PW1);
    assert_eq!(setting.reader.transmit_by_another(&[0x00, 0x20, 0xFF, 0x82]), [0x90, 0x00]);
    assert!(secret_keys(&session).is_empty());
    session.login(USER, pin(PW1)).unwrap();
    assert_eq!(secret_keys(&session).len(), 1);
}

#[test]
fn the_officer_destroys_what_the_user_has_found() {
    let setting = with_key();
    let session = logged_in(&setting.library, USER, PW1);
    let key = secret_keys(&session)[0];
    assert_eq!(objects::destroy(&session, key), Err(Error::UserNotLoggedIn));
    session.logout().unwrap();
    session.login(SO, pin(PW3)).unwrap();
    assert_eq!(secret_keys(&session), [key]);
    assert_eq!(create(&session, &[]), Err(Error::AttributeValueInvalid), "occupied");
    objects::destroy(&session, key).unwrap();
    assert!(secret_keys(&session).is_empty());
    session.logout().unwrap();
    let user = logged_in(&setting.another, USER, PW1);
    assert!(secret_keys(&user).len() <= 1, "the snapshot of a program that wrote it");
    setting.reader.remove();
    setting.reader.reinsert();
    let user = logged_in(&setting.another, USER, PW1);
    assert!(secret_keys(&user).is_empty());
}

#[test]
fn a_key_that_the_card_cannot_keep_as_it_is_wanted_is_refused() {
    let setting = Setting::new();
    let officer = logged_in(&setting.library, SO, PW3);
    for more in [(CKA_EXTRACTABLE, &[1_u8][..]), (CKA_PRIVATE, &[0]), (CKA_DECRYPT, &[0]), (CKA_SIGN, &[1])] {
        assert_eq!(create(&officer, &[more]), Err(Error::TemplateInconsistent), "{more:?}");
    }
    officer.logout().unwrap();
    officer.login(USER, pin(PW1)).unwrap();
    assert_eq!(create(&officer, &[]), Err(Error::UserNotLoggedIn));
    assert!(secret_keys(&officer).is_empty());
}
