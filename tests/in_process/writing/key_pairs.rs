//! C_GenerateKeyPair, lasting and for the session.

use cardea_pkcs11::error::Error;
use cardea_pkcs11::mechanism::{Hash, Mechanism, PairType};
use cardea_pkcs11::session::{decrypt, encrypt, generate, objects, verify};
use cryptoki_sys::*;

use super::{FALSE, ID, P256, Setting, TRUE, elliptic_pair, rsa_pair};
use crate::in_process::keys::{DIGEST, attribute, bytes, find_all, private, public, signature, template};

#[test]
fn a_pair_of_the_session_is_used_on_the_card_and_goes_with_the_session() {
    let setting = Setting::new("session-pair");
    let (keeper, session) = (setting.logged_in(), setting.open());
    let lasting = setting.chip.key_files().len();
    let (public, private) = elliptic_pair(&session, &[(CKA_ID, &[ID])]).unwrap();
    assert_eq!(setting.left(), (1, 1));
    assert_eq!(attribute(&session, private, CKA_TOKEN), FALSE);
    assert_eq!(attribute(&session, private, CKA_LOCAL), TRUE);
    assert_eq!(attribute(&session, private, CKA_EC_PARAMS), P256);
    assert_eq!(attribute(&session, public, CKA_TOKEN), FALSE);
    let signed = signature(&keeper, Mechanism::Ecdsa, private, DIGEST).unwrap();
    verify::init(&keeper, Mechanism::Ecdsa, public).unwrap();
    verify::verify(&keeper, DIGEST, &signed).unwrap();
    setting.library.close_session(session.handle()).unwrap();
    assert_eq!(setting.left(), (0, 0));
    assert_eq!(setting.chip.key_files().len(), lasting);
    assert_eq!(signature(&keeper, Mechanism::Ecdsa, private, DIGEST), Err(Error::KeyHandleInvalid));
}

#[test]
fn a_pair_of_the_session_goes_by_destruction_logout_and_reset() {
    let setting = Setting::new("session-ends");
    let session = setting.logged_in();
    let (public, private) = elliptic_pair(&session, &[]).unwrap();
    objects::destroy(&session, private).unwrap();
    assert_eq!(setting.left(), (0, 0));
    objects::destroy(&session, public).unwrap();
    let (_, private) = rsa_pair(&session, 1024, &[]).unwrap();
    session.logout().unwrap();
    assert_eq!(setting.left(), (0, 0));
    session.login(1, crate::in_process::setting::pin(cardea_harness::myeid::PIN)).unwrap();
    assert_eq!(signature(&session, Mechanism::RsaPkcs, private, DIGEST), Err(Error::KeyHandleInvalid));
    let (_, private) = elliptic_pair(&session, &[]).unwrap();
    setting.reader.reset_by_another();
    assert!(signature(&session, Mechanism::Ecdsa, private, DIGEST).is_err());
    assert_eq!(signature(&session, Mechanism::Ecdsa, private, DIGEST), Err(Error::KeyHandleInvalid));
    assert_eq!(setting.left(), (0, 0));
}

#[test]
fn a_pair_of_the_session_is_seen_by_nobody_else() {
    let setting = Setting::new("session-alone");
    let session = setting.logged_in();
    elliptic_pair(&session, &[(CKA_ID, &[ID])]).unwrap();
    let other = setting.afresh();
    let theirs = other.session(other.open_session(0, true).unwrap()).unwrap();
    theirs.login(1, crate::in_process::setting::pin(cardea_harness::myeid::PIN)).unwrap();
    assert_eq!(private(&theirs, ID), None);
    assert_eq!(find_all(&theirs, &[(CKA_ID, &[ID])]).unwrap(), [0; 0]);
}

#[test]
fn a_lasting_pair_is_there_for_the_next_process_and_works() {
    let setting = Setting::new("lasting-pair");
    let session = setting.logged_in();
    let before: Vec<u64> = find_all(&session, &[]).unwrap();
    let lasting: &[(CK_ATTRIBUTE_TYPE, &[u8])] = &[(CKA_TOKEN, TRUE), (CKA_ID, &[ID]), (CKA_LABEL, b"made here")];
    let (made_public, made_private) = rsa_pair(&session, 1024, lasting).unwrap();
    assert_eq!(setting.left(), (0, 0));
    let after = find_all(&session, &[]).unwrap();
    assert!(before.iter().all(|handle| after.contains(handle)), "what was there keeps its handle");
    assert_eq!(after.len(), before.len() + 2);
    for key in [made_public, made_private] {
        assert_eq!(attribute(&session, key, CKA_LABEL), b"made here");
        assert_eq!(attribute(&session, key, CKA_TOKEN), TRUE);
        assert_eq!(attribute(&session, key, CKA_DESTROYABLE), TRUE);
    }
    encrypt::init(&session, Mechanism::RsaPkcs, made_public).unwrap();
    let cryptogram = bytes(encrypt::encrypt(&session, b"secret", Some(128)).unwrap());
    drop(session);
    let next = setting.afresh();
    let session = next.session(next.open_session(0, true).unwrap()).unwrap();
    session.login(1, crate::in_process::setting::pin(cardea_harness::myeid::PIN)).unwrap();
    decrypt::init(&session, Mechanism::RsaPkcs, private(&session, ID).unwrap()).unwrap();
    assert_eq!(bytes(decrypt::decrypt(&session, &cryptogram, Some(128)).unwrap()), b"secret");
}

#[test]
fn both_halves_of_a_lasting_pair_are_destroyed_in_either_order() {
    let setting = Setting::new("destroy-pair");
    let session = setting.logged_in();
    let files = setting.chip.key_files();
    for public_first in [true, false] {
        let (public, private) = elliptic_pair(&session, &[(CKA_TOKEN, TRUE), (CKA_ID, &[ID])]).unwrap();
        assert_eq!(setting.chip.key_files().len(), files.len() + 1);
        let order = if public_first { [public, private] } else { [private, public] };
        for key in order {
            objects::destroy(&session, key).unwrap();
            assert_eq!(objects::destroy(&session, key), Err(Error::ObjectHandleInvalid));
        }
        assert_eq!(setting.chip.key_files(), files);
        assert_eq!(find_all(&session, &[(CKA_ID, &[ID])]).unwrap(), [0; 0]);
    }
}

#[test]
fn lasting_keys_take_a_session_that_writes_and_a_user() {
    let setting = Setting::new("authority");
    let public = setting.open();
    let lasting: &[(CK_ATTRIBUTE_TYPE, &[u8])] = &[(CKA_TOKEN, TRUE)];
    assert_eq!(elliptic_pair(&public, lasting), Err(Error::UserNotLoggedIn));
    assert_eq!(elliptic_pair(&public, &[]), Err(Error::UserNotLoggedIn));
    let session = setting.logged_in();
    let read_only = setting.library.session(setting.library.open_session(0, false).unwrap()).unwrap();
    assert_eq!(elliptic_pair(&read_only, lasting), Err(Error::SessionReadOnly));
    elliptic_pair(&read_only, &[]).unwrap();
    let (_, private) = elliptic_pair(&session, lasting).unwrap();
    assert_eq!(objects::destroy(&read_only, private), Err(Error::SessionReadOnly));
    session.logout().unwrap();
    session.login(0, crate::in_process::setting::pin(cardea_harness::myeid::SO_PIN)).expect_err("a read-only session");
}

#[test]
fn another_programs_logout_is_met_by_the_next_write() {
    let setting = Setting::new("lost-login");
    let session = setting.logged_in();
    assert_eq!(setting.reader.transmit_by_another(&[0x00, 0x2E, 0x00, 0x00]), [0x90, 0x00]);
    assert_eq!(elliptic_pair(&session, &[(CKA_TOKEN, TRUE)]), Err(Error::UserNotLoggedIn));
    assert_eq!(session.info().unwrap().state, 2, "public again");
}

#[test]
fn templates_that_contradict_themselves_or_the_card_are_refused() {
    let setting = Setting::new("templates");
    let session = setting.logged_in();
    let generated = |pair, public: &[(CK_ATTRIBUTE_TYPE, &[u8])], private: &[(CK_ATTRIBUTE_TYPE, &[u8])]| {
        generate::key_pair(&session, Mechanism::GeneratePair(pair), template(public), template(private)).err()
    };
    let bits = 1024_u64.to_ne_bytes();
    let (rsa, ec) = (PairType::Rsa, PairType::Ec);
    let curve: (CK_ATTRIBUTE_TYPE, &[u8]) = (CKA_EC_PARAMS, P256);
    let class = CKO_CERTIFICATE.to_ne_bytes();
    type Given<'a> = &'a [(CK_ATTRIBUTE_TYPE, &'a [u8])];
    let cases: &[(PairType, Given<'_>, Given<'_>, Error)] = &[
        (rsa, &[], &[], Error::TemplateIncomplete),
        (ec, &[], &[], Error::TemplateIncomplete),
        (rsa, &[(CKA_MODULUS_BITS, &1000_u64.to_ne_bytes())], &[], Error::AttributeValueInvalid),
        (rsa, &[(CKA_MODULUS_BITS, &bits), (CKA_PUBLIC_EXPONENT, &[3])], &[], Error::AttributeValueInvalid),
        (rsa, &[(CKA_MODULUS_BITS, &bits), (CKA_MODULUS, &[3])], &[], Error::AttributeReadOnly),
        (ec, &[(CKA_EC_PARAMS, b"\x06\x05\x2B\x81\x04\x00\x0A")], &[], Error::CurveNotSupported),
        (ec, &[(CKA_EC_PARAMS, b"curve")], &[], Error::DomainParamsInvalid),
        (ec, &[curve, (CKA_KEY_TYPE, &CKK_RSA.to_ne_bytes())], &[], Error::TemplateInconsistent),
        (ec, &[curve, (CKA_CLASS, &class)], &[], Error::TemplateInconsistent),
        (ec, &[curve], &[(CKA_CLASS, &class)], Error::TemplateInconsistent),
        (ec, &[curve, (CKA_TOKEN, TRUE)], &[(CKA_TOKEN, FALSE)], Error::TemplateInconsistent),
        (
            ec,
            &[curve, (CKA_TOKEN, TRUE), (CKA_ID, &[1])],
            &[(CKA_TOKEN, TRUE), (CKA_ID, &[2])],
            Error::TemplateInconsistent,
        ),
        (ec, &[curve], &[(CKA_EXTRACTABLE, TRUE)], Error::TemplateInconsistent),
        (ec, &[curve], &[(CKA_LOCAL, TRUE)], Error::AttributeReadOnly),
        (ec, &[curve], &[(CKA_MODULUS_BITS, &bits)], Error::AttributeTypeInvalid),
        (ec, &[curve], &[(CKA_SIGN, &[2])], Error::AttributeValueInvalid),
        (ec, &[curve], &[(CKA_ALWAYS_AUTHENTICATE, TRUE), (CKA_PRIVATE, FALSE)], Error::TemplateInconsistent),
        (PairType::Edwards, &[(CKA_EC_PARAMS, b"\x06\x03\x2B\x65\x70")], &[], Error::MechanismInvalid),
    ];
    for (pair, public, private, expected) in cases {
        assert_eq!(generated(*pair, public, private), Some(*expected), "{pair:?} {public:02X?} {private:02X?}");
    }
    assert_eq!(setting.left(), (0, 0));
}

#[test]
fn curves_are_named_by_identifier_and_by_name() {
    let setting = Setting::new("names");
    let session = setting.logged_in();
    for name in [&b"\x13\x09secp256r1"[..], b"\x13\x0Aprime256v1", b"\x13\x05P-256"] {
        let (public, _) = generate::key_pair(
            &session,
            Mechanism::GeneratePair(PairType::Ec),
            template(&[(CKA_EC_PARAMS, name)]),
            template(&[]),
        )
        .unwrap();
        assert_eq!(attribute(&session, public, CKA_EC_PARAMS), P256);
    }
}

#[test]
fn usages_are_those_of_the_template_and_hold() {
    let setting = Setting::new("usages");
    let session = setting.logged_in();
    let usages: &[(CK_ATTRIBUTE_TYPE, &[u8])] = &[(CKA_TOKEN, TRUE), (CKA_ID, &[ID])];
    let bits = 1024_u64.to_ne_bytes();
    let public_template = [&[(CKA_MODULUS_BITS, &bits[..])][..], usages].concat();
    let private_template = [usages, &[(CKA_DECRYPT, FALSE), (CKA_UNWRAP, FALSE)]].concat();
    let (public_key, private_key) = generate::key_pair(
        &session,
        Mechanism::GeneratePair(PairType::Rsa),
        template(&public_template),
        template(&private_template),
    )
    .unwrap();
    assert_eq!(attribute(&session, private_key, CKA_SIGN), TRUE);
    assert_eq!(attribute(&session, private_key, CKA_DECRYPT), FALSE);
    assert_eq!(decrypt::init(&session, Mechanism::RsaPkcs, private_key), Err(Error::KeyFunctionNotPermitted));
    let mechanism = Mechanism::RsaPkcsHash(Hash::Sha256);
    let signed = signature(&session, mechanism.clone(), private_key, DIGEST).unwrap();
    verify::init(&session, mechanism, public_key).unwrap();
    verify::verify(&session, DIGEST, &signed).unwrap();
    assert_eq!(public(&session, ID), public_key);
}
