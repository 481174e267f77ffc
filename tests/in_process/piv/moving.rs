//! Keys of a YubiKey with firmware 5.7 move to another CKA_ID and are deleted; older ones do not move.

use std::sync::Arc;

use cardea_harness::piv::PivOptions;
use cardea_harness::provision::Layout;
use cardea_pkcs11::card::driver::DRIVERS;
use cardea_pkcs11::configuration::Configuration;
use cardea_pkcs11::error::Error;
use cardea_pkcs11::mechanism::Mechanism;
use cardea_pkcs11::session::objects::{destroy, set_attributes};
use cardea_pkcs11::session::{Session, verify};
use cryptoki_sys::*;

use super::bench::{KEY, YUBIKEY};
use crate::in_process::keys::{DIGEST, attribute, ecdsa, private, public, template};
use crate::in_process::setting::{SO, Setting, USER, library, pin};
use crate::in_process::writing::{TRUE, elliptic_pair};

/// MOVE KEY.
const MOVE_KEY: u8 = 0xF6;
/// IMPORT KEY.
const IMPORT: u8 = 0xFE;

fn yubikey(version: [u8; 3]) -> Setting {
    let options = PivOptions { version, atr: Some(hex::decode(YUBIKEY).unwrap()), ..PivOptions::default() };
    Setting::with(options, &Layout { slots: Vec::new(), ..Layout::elliptic() }, Configuration::default(), DRIVERS)
}

fn officer(setting: &Setting) -> Arc<Session> {
    let session = setting.open();
    session.login(SO, pin(KEY)).unwrap();
    session
}

fn made(session: &Session, id: u8) -> (u64, u64) {
    elliptic_pair(session, &[(CKA_TOKEN, TRUE), (CKA_ID, &[id])]).unwrap()
}

/// Whether the user signs with the key under this id, and the public key under it agrees.
fn signs(session: &Session, id: u8) -> bool {
    let signature = ecdsa(session, id).unwrap();
    verify::init(session, Mechanism::Ecdsa, public(session, id)).unwrap();
    verify::verify(session, DIGEST, &signature).is_ok()
}

fn moved(session: &Session, key: u64, id: u8) -> Result<(), Error> {
    set_attributes(session, key, template(&[(CKA_ID, &[id])]))
}

/// MOVE KEY commands that the card got: P1 and P2.
fn moves(setting: &Setting) -> Vec<(u8, u8)> {
    let commands = setting.commands().into_iter();
    commands.filter(|command| command[1] == MOVE_KEY).map(|command| (command[2], command[3])).collect()
}

#[test]
fn a_key_moves_to_the_reference_of_its_new_id_and_signs_there() {
    let setting = yubikey([5, 7, 1]);
    let session = officer(&setting);
    let (public_half, key) = made(&session, 1);
    let point = attribute(&session, public_half, CKA_EC_POINT);
    setting.commands();
    moved(&session, key, 5).unwrap();
    assert_eq!(moves(&setting), [(0x82, 0x9A)]);
    assert_eq!((attribute(&session, key, CKA_ID), attribute(&session, public_half, CKA_ID)), (vec![5], vec![5]));
    assert_eq!(attribute(&session, key, CKA_LABEL), b"Retired Key Management 1");
    session.logout().unwrap();
    session.login(USER, pin(cardea_harness::provision::PIN)).unwrap();
    assert!(signs(&session, 5));
    assert_eq!(private(&session, 1), None);
    // Another process finds it there, and its old place takes another key.
    let next = library(std::slice::from_ref(&setting.reader), Configuration::default(), DRIVERS);
    let theirs = next.session(next.open_session(0, true).unwrap()).unwrap();
    theirs.login(SO, pin(KEY)).unwrap();
    assert_eq!(attribute(&theirs, public(&theirs, 5), CKA_EC_POINT), point);
    made(&theirs, 1);
    theirs.logout().unwrap();
    theirs.login(USER, pin(cardea_harness::provision::PIN)).unwrap();
    assert!(signs(&theirs, 1) && signs(&theirs, 5));
    assert_ne!(attribute(&theirs, public(&theirs, 1), CKA_EC_POINT), point);
}

#[test]
fn a_key_keeps_its_rules_where_it_moves() {
    let setting = yubikey([5, 7, 1]);
    let session = officer(&setting);
    let (_, key) = made(&session, 2);
    moved(&session, key, 6).unwrap();
    let next = library(std::slice::from_ref(&setting.reader), Configuration::default(), DRIVERS);
    let theirs = next.session(next.open_session(0, true).unwrap()).unwrap();
    theirs.login(USER, pin(cardea_harness::provision::PIN)).unwrap();
    let key = private(&theirs, 6).unwrap();
    assert_eq!(attribute(&theirs, key, CKA_ALWAYS_AUTHENTICATE), TRUE);
}

#[test]
fn an_occupied_or_impossible_place_takes_no_key_and_both_stay() {
    let setting = yubikey([5, 7, 1]);
    let session = officer(&setting);
    let (_, key) = made(&session, 1);
    made(&session, 3);
    setting.commands();
    assert!(moved(&session, key, 3).is_err());
    for id in [0, 0x19, 0x1A, 0xFF] {
        assert_eq!(moved(&session, key, id), Err(Error::AttributeValueInvalid), "{id}");
    }
    assert_eq!(moves(&setting), []);
    session.logout().unwrap();
    session.login(USER, pin(cardea_harness::provision::PIN)).unwrap();
    assert!(signs(&session, 1) && signs(&session, 3));
}

#[test]
fn a_deleted_key_is_gone_by_one_command_and_its_handles_with_it() {
    let setting = yubikey([5, 7, 1]);
    let session = officer(&setting);
    let (public_half, key) = made(&session, 1);
    let (_, other) = made(&session, 3);
    setting.commands();
    destroy(&session, key).unwrap();
    assert_eq!(moves(&setting), [(0xFF, 0x9A)]);
    assert_eq!(destroy(&session, key), Err(Error::ObjectHandleInvalid));
    assert_eq!(private(&session, 1), None);
    assert_eq!(private(&session, 3), Some(other));
    let _ = destroy(&session, public_half);
    let (_, again) = made(&session, 1);
    assert_ne!(again, key);
    session.logout().unwrap();
    session.login(USER, pin(cardea_harness::provision::PIN)).unwrap();
    assert!(signs(&session, 1) && signs(&session, 3));
}

#[test]
fn nobody_but_the_officer_moves_or_deletes() {
    let setting = yubikey([5, 7, 1]);
    let session = officer(&setting);
    let (_, key) = made(&session, 1);
    session.logout().unwrap();
    session.login(USER, pin(cardea_harness::provision::PIN)).unwrap();
    let key = private(&session, 1).unwrap_or(key);
    setting.commands();
    assert_eq!(moved(&session, key, 5), Err(Error::UserNotLoggedIn));
    assert_eq!(destroy(&session, key), Err(Error::UserNotLoggedIn));
    assert_eq!(moves(&setting), []);
    assert!(signs(&session, 1));
}

#[test]
fn an_older_yubikey_moves_nothing_and_deletes_by_another_key_in_its_place() {
    let setting = yubikey([5, 4, 3]);
    let session = officer(&setting);
    let (_, key) = made(&session, 1);
    assert_eq!(attribute(&session, key, CKA_MODIFIABLE), [0]);
    setting.commands();
    assert!(moved(&session, key, 5).is_err());
    destroy(&session, key).unwrap();
    let instructions = setting.instructions();
    assert!(!instructions.contains(&MOVE_KEY) && instructions.contains(&IMPORT), "{instructions:02X?}");
    let next = library(std::slice::from_ref(&setting.reader), Configuration::default(), DRIVERS);
    let theirs = next.session(next.open_session(0, true).unwrap()).unwrap();
    theirs.login(SO, pin(KEY)).unwrap();
    assert_eq!(private(&theirs, 1), None);
}
