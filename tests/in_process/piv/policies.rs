//! Rules for PIN and touch of a YubiKey's keys, as attributes with the numbers of ykcs11, and its attestations.

use cardea_harness::piv::PivOptions;
use cardea_harness::provision::Layout;
use cardea_pkcs11::card::driver::DRIVERS;
use cardea_pkcs11::configuration::Configuration;
use cardea_pkcs11::error::Error;
use cardea_pkcs11::mechanism::{Mechanism, PairType};
use cardea_pkcs11::session::objects::{AttributeValue, attribute_values, create, destroy, set_attributes};
use cardea_pkcs11::session::{Session, generate};
use cryptoki_sys::*;

use super::bench::{KEY, YUBIKEY};
use crate::in_process::keys::{attribute, find_all, private, public, template};
use crate::in_process::setting::{SO, Setting, library, pin};
use crate::in_process::writing::{P256, TRUE};

const TOUCH_POLICY: u64 = CKA_VENDOR_DEFINED + 0x5955_4201;
const PIN_POLICY: u64 = CKA_VENDOR_DEFINED + 0x5955_4202;
/// GENERATE ASYMMETRIC KEY PAIR and IMPORT KEY.
const GENERATE: u8 = 0x47;
const IMPORT: u8 = 0xFE;

/// CKA_ID, the rules that are given, what is told to the card of PIN and touch, what is shown afterwards.
type Case<'a> = (u8, &'a [(u64, u64)], (Option<u8>, Option<u8>), (u64, u64, bool));

fn card(options: PivOptions) -> Setting {
    let atr = Some(hex::decode(YUBIKEY).unwrap());
    let options = PivOptions { atr, attestation: true, ..options };
    Setting::with(options, &Layout { slots: Vec::new(), ..Layout::elliptic() }, Configuration::default(), DRIVERS)
}

fn administered(setting: &Setting) -> std::sync::Arc<Session> {
    let session = setting.open();
    session.login(SO, pin(KEY)).unwrap();
    session
}

fn rules(id: u8, given: &[(u64, u64)]) -> Vec<(CK_ATTRIBUTE_TYPE, Vec<u8>)> {
    let rules = given.iter().map(|(rule, value)| (*rule, value.to_ne_bytes().to_vec()));
    rules.chain([(CKA_TOKEN, TRUE.to_vec()), (CKA_ID, vec![id])]).collect()
}

fn generated(session: &Session, id: u8, given: &[(u64, u64)]) -> Result<u64, Error> {
    let rules = rules(id, given);
    let private: Vec<(CK_ATTRIBUTE_TYPE, &[u8])> = rules.iter().map(|(rule, value)| (*rule, &value[..])).collect();
    let public = template(&[(CKA_EC_PARAMS, P256), (CKA_TOKEN, TRUE)]);
    generate::key_pair(session, Mechanism::GeneratePair(PairType::Ec), public, template(&private)).map(|pair| pair.1)
}

fn imported(session: &Session, id: u8, given: &[(u64, u64)]) -> Result<u64, Error> {
    let rules = rules(id, given);
    let (class, kind) = (CKO_PRIVATE_KEY.to_ne_bytes(), CKK_EC.to_ne_bytes());
    let mut attributes: Vec<(CK_ATTRIBUTE_TYPE, &[u8])> =
        vec![(CKA_CLASS, &class), (CKA_KEY_TYPE, &kind), (CKA_EC_PARAMS, P256), (CKA_VALUE, &[7; 32])];
    attributes.extend(rules.iter().map(|(rule, value)| (*rule, &value[..])));
    create(session, template(&attributes))
}

/// What the last command with this instruction said of PIN (AA) and touch (AB).
fn sent(setting: &Setting, instruction: u8) -> (Option<u8>, Option<u8>) {
    let commands = setting.commands();
    let command = commands.iter().rfind(|command| command[1] == instruction).unwrap();
    let rule = |tag| command.windows(3).find(|piece| piece[..2] == [tag, 0x01]).map(|piece| piece[2]);
    (rule(0xAA), rule(0xAB))
}

/// What is shown of a key's rules for PIN and touch, and whether it wants its PIN each time.
fn shown(session: &Session, key: u64) -> (u64, u64, bool) {
    let number = |rule| u64::from_ne_bytes(attribute(session, key, rule).try_into().unwrap());
    (number(PIN_POLICY), number(TOUCH_POLICY), attribute(session, key, CKA_ALWAYS_AUTHENTICATE) == TRUE)
}

#[test]
fn rules_reach_the_card_and_the_card_tells_them() {
    let setting = card(PivOptions::default());
    let session = administered(&setting);
    let cases: [Case<'_>; 4] = [
        (1, &[(PIN_POLICY, 3), (TOUCH_POLICY, 2)], (Some(3), Some(2)), (3, 2, true)),
        (2, &[(PIN_POLICY, 2), (TOUCH_POLICY, 3)], (Some(2), Some(3)), (2, 3, false)),
        (3, &[(PIN_POLICY, 1), (TOUCH_POLICY, 1)], (Some(1), Some(1)), (1, 1, false)),
        (4, &[(PIN_POLICY, 0), (TOUCH_POLICY, 2)], (None, Some(2)), (1, 2, false)),
    ];
    for (id, given, told, _) in cases {
        setting.commands();
        // In turn, so that both ways are gone.
        if id % 2 == 0 {
            imported(&session, id, given).unwrap();
            assert_eq!(sent(&setting, IMPORT), told, "{id}");
        } else {
            generated(&session, id, given).unwrap();
            assert_eq!(sent(&setting, GENERATE), told, "{id}");
        }
    }
    // What the card says of them to a process that has made none.
    let next = library(std::slice::from_ref(&setting.reader), Configuration::default(), DRIVERS);
    let theirs = next.session(next.open_session(0, true).unwrap()).unwrap();
    session.logout().unwrap();
    theirs.login(SO, pin(KEY)).unwrap();
    for (id, _, _, expected) in cases {
        assert_eq!(shown(&theirs, private(&theirs, id).unwrap()), expected, "{id}");
    }
}

#[test]
fn a_key_that_was_just_made_shows_the_rules_that_were_given() {
    let setting = card(PivOptions::default());
    let session = administered(&setting);
    let key = generated(&session, 1, &[(PIN_POLICY, 3), (TOUCH_POLICY, 3)]).unwrap();
    assert_eq!(shown(&session, key), (3, 3, true));
    let found = find_all(&session, &[(TOUCH_POLICY, &3_u64.to_ne_bytes())]).unwrap();
    assert_eq!(found, [key]);
}

#[test]
fn rules_that_do_not_exist_or_contradict_are_refused_before_any_command() {
    let setting = card(PivOptions::default());
    let session = administered(&setting);
    setting.commands();
    for rule in [PIN_POLICY, TOUCH_POLICY] {
        assert_eq!(generated(&session, 1, &[(rule, 9)]), Err(Error::AttributeValueInvalid));
        assert_eq!(imported(&session, 1, &[(rule, 9)]), Err(Error::AttributeValueInvalid));
    }
    assert!(setting.instructions().iter().all(|instruction| ![GENERATE, IMPORT].contains(instruction)));
}

#[test]
fn a_card_without_rules_takes_no_wish_for_a_touch_and_shows_none() {
    let setting = Setting::with(
        PivOptions::plain(),
        &Layout { slots: Vec::new(), ..Layout::elliptic() },
        Configuration::default(),
        DRIVERS,
    );
    let session = administered(&setting);
    assert_eq!(generated(&session, 1, &[(TOUCH_POLICY, 2)]), Err(Error::TemplateInconsistent));
    let key = generated(&session, 1, &[(TOUCH_POLICY, 0)]).unwrap();
    let shown = attribute_values(&session, key, &[TOUCH_POLICY, PIN_POLICY]).unwrap();
    assert!(shown.iter().all(|value| matches!(value, AttributeValue::Invalid)));
}

#[test]
fn a_generated_key_is_attested_and_an_imported_one_is_not() {
    let setting = card(PivOptions::default());
    let session = administered(&setting);
    generated(&session, 1, &[]).unwrap();
    imported(&session, 3, &[]).unwrap();
    let next = library(std::slice::from_ref(&setting.reader), Configuration::default(), DRIVERS);
    let theirs = next.session(next.open_session(0, false).unwrap()).unwrap();
    let certificates = find_all(&theirs, &[(CKA_CLASS, &CKO_CERTIFICATE.to_ne_bytes())]).unwrap();
    let named = |wanted: &[u8]| -> Vec<u64> {
        certificates.iter().copied().filter(|found| attribute(&theirs, *found, CKA_LABEL) == wanted).collect()
    };
    assert_eq!(named(b"Attestation of Key Management"), [0; 0]);
    let attestation = named(b"Attestation of PIV Authentication")[0];
    let der = attribute(&theirs, attestation, CKA_VALUE);
    let point = attribute(&theirs, public(&theirs, 1), CKA_EC_POINT);
    assert!(der.windows(64).any(|window| point.ends_with(window)), "it is about another key");
    let issuer = named(b"PIV Attestation")[0];
    assert_eq!(attribute(&theirs, issuer, CKA_ID), [0x19]);
}

#[test]
fn attestations_come_go_and_move_with_their_keys() {
    let setting = card(PivOptions { version: [5, 7, 1], ..PivOptions::default() });
    let session = administered(&setting);
    let shown = |wanted: &[u8]| -> Vec<u64> {
        let certificates = find_all(&session, &[(CKA_CLASS, &CKO_CERTIFICATE.to_ne_bytes())]).unwrap();
        certificates.into_iter().filter(|found| attribute(&session, *found, CKA_LABEL) == wanted).collect()
    };
    let about = |attestation: u64, id: u8| {
        let point = attribute(&session, public(&session, id), CKA_EC_POINT);
        attribute(&session, attestation, CKA_VALUE).windows(64).any(|window| point.ends_with(window))
    };
    let key = generated(&session, 1, &[]).unwrap();
    generated(&session, 2, &[]).unwrap();
    imported(&session, 3, &[]).unwrap();
    assert_eq!(shown(b"PIV Attestation").len(), 1, "who attests");
    let [first] = shown(b"Attestation of PIV Authentication")[..] else { panic!() };
    let [second] = shown(b"Attestation of Digital Signature")[..] else { panic!() };
    assert!(about(first, 1) && about(second, 2));
    assert_eq!(shown(b"Attestation of Key Management"), [0; 0]);

    let unique = attribute(&session, first, CKA_UNIQUE_ID);
    destroy(&session, key).unwrap();
    assert_eq!(shown(b"Attestation of PIV Authentication"), [0; 0]);
    let key = generated(&session, 1, &[]).unwrap();
    let [first] = shown(b"Attestation of PIV Authentication")[..] else { panic!() };
    assert!(about(first, 1), "of the new key");
    assert_ne!(attribute(&session, first, CKA_UNIQUE_ID), unique);

    set_attributes(&session, key, template(&[(CKA_ID, &[5])])).unwrap();
    assert_eq!(shown(b"Attestation of PIV Authentication"), [0; 0]);
    let [moved] = shown(b"Attestation of Retired Key Management 1")[..] else { panic!() };
    assert!(about(moved, 5));
}
