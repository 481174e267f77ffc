//! Private keys: what each can do, who sees them, and how their results hold on the host.

use cardea_harness::piv::PivOptions;
use cardea_harness::provision::Layout;
use cardea_pkcs11::card::driver::DRIVERS;
use cardea_pkcs11::configuration::Configuration;
use cardea_pkcs11::error::Error;
use cardea_pkcs11::mechanism::{Hash, Mechanism, OaepParameters, PssParameters};
use cardea_pkcs11::session::{Answer, Session, decrypt, derive, encrypt, objects, sign, wrap};
use cryptoki_sys::{
    CKA_CLASS, CKA_EC_POINT, CKA_KEY_TYPE, CKA_VALUE, CKK_GENERIC_SECRET, CKO_CERTIFICATE, CKO_PRIVATE_KEY,
    CKO_SECRET_KEY,
};
use p256::elliptic_curve::sec1::ToSec1Point;

use super::keys::{
    AUTHENTICATION, CARD_AUTHENTICATION, DIGEST, MANAGEMENT, SIGNATURE, attribute, bytes, decrypted, ecdh, ecdsa,
    ecdsa_with_context, encrypted, find_all, private, public, signature, template, verified,
};
use super::setting::{CONTEXT, GENERAL_AUTHENTICATE, Setting, USER, pin};

const PSS: PssParameters = PssParameters { hash: Hash::Sha256, mgf: Hash::Sha256, salt_length: 32 };

fn oaep() -> Mechanism {
    Mechanism::RsaOaep(OaepParameters { hash: Hash::Sha256, mgf: Hash::Sha1, label: b"label".to_vec() })
}

fn signed_and_verified(session: &Session, mechanism: &Mechanism, id: u8, data: &[u8]) {
    let key = private(session, id).unwrap();
    sign::init(session, mechanism.clone(), key).unwrap();
    if id == SIGNATURE {
        session.login(CONTEXT, pin(cardea_harness::provision::PIN)).unwrap();
    }
    let signature = bytes(sign::sign(session, data, Some(1024)).unwrap());
    assert_eq!(verified(session, mechanism.clone(), id, data, &signature), Ok(()), "{mechanism:?} of {id}");
    let mut forged = signature;
    *forged.last_mut().unwrap() ^= 1;
    assert_eq!(verified(session, mechanism.clone(), id, data, &forged), Err(Error::SignatureInvalid));
}

#[test]
fn every_key_of_the_standard_layout_signs() {
    let setting = Setting::piv();
    let session = setting.logged_in();
    for mechanism in
        [Mechanism::RsaPkcs, Mechanism::RsaPkcsHash(Hash::Sha512), Mechanism::RsaPss(PSS), Mechanism::RsaPssHash(PSS)]
    {
        signed_and_verified(&session, &mechanism, AUTHENTICATION, DIGEST);
    }
    for id in [SIGNATURE, CARD_AUTHENTICATION] {
        signed_and_verified(&session, &Mechanism::Ecdsa, id, DIGEST);
        signed_and_verified(&session, &Mechanism::EcdsaHash(Hash::Sha384), id, b"any message");
    }
}

#[test]
fn every_key_of_the_varied_layout_does_what_it_is_for() {
    let setting = Setting::with(PivOptions::default(), &Layout::varied(), Configuration::default(), DRIVERS);
    let session = setting.logged_in();
    signed_and_verified(&session, &Mechanism::EcdsaHash(Hash::Sha384), AUTHENTICATION, b"with P-384");
    signed_and_verified(&session, &Mechanism::RsaPssHash(PSS), SIGNATURE, b"with RSA-3072");
    signed_and_verified(&session, &Mechanism::RsaPkcsHash(Hash::Sha256), CARD_AUTHENTICATION, b"with RSA-2048");
    let retired: Vec<u8> = find_all(&session, &[(CKA_CLASS, &CKO_PRIVATE_KEY.to_ne_bytes())])
        .unwrap()
        .into_iter()
        .map(|key| attribute(&session, key, cryptoki_sys::CKA_ID)[0])
        .filter(|id| *id > CARD_AUTHENTICATION)
        .collect();
    assert!(retired.len() >= 2, "{retired:?}");
    let cryptogram = encrypted(&session, Mechanism::RsaPkcs, retired[0], b"to the retired RSA-4096 key");
    assert_eq!(
        decrypted(&session, Mechanism::RsaPkcs, retired[0], &cryptogram).unwrap(),
        b"to the retired RSA-4096 key"
    );
}

#[test]
fn what_a_certificate_seals_the_card_opens() {
    let setting = Setting::piv();
    let session = setting.logged_in();
    for mechanism in [Mechanism::RsaPkcs, oaep()] {
        for message in [&b"a premaster secret"[..], b""] {
            let cryptogram = encrypted(&session, mechanism.clone(), MANAGEMENT, message);
            assert_eq!(decrypted(&session, mechanism.clone(), MANAGEMENT, &cryptogram).unwrap(), message);
        }
    }
}

#[test]
fn the_card_and_the_other_party_agree() {
    let setting = Setting::elliptic();
    let session = setting.logged_in();
    let theirs = p256::SecretKey::from_slice(&[0x42; 32]).unwrap();
    let point = attribute(&session, public(&session, MANAGEMENT), CKA_EC_POINT);
    let ours = p256::PublicKey::from_sec1_bytes(&point[2..]).unwrap();
    let product =
        p256::PublicKey::from_affine((ours.to_projective() * *theirs.to_nonzero_scalar()).to_affine()).unwrap();
    let expected = product.to_sec1_point(true).as_bytes()[1..].to_vec();
    let mechanism = ecdh(theirs.public_key().to_sec1_point(false).as_bytes().to_vec());
    let secret = derive::derive(&session, mechanism, private(&session, MANAGEMENT).unwrap(), template(&[])).unwrap();
    assert_eq!(attribute(&session, secret, CKA_VALUE), expected);
}

#[test]
fn private_keys_are_seen_by_the_user_alone() {
    let setting = Setting::elliptic();
    let session = setting.open();
    let seen = |session: &Session| [AUTHENTICATION, SIGNATURE, MANAGEMENT].map(|id| private(session, id).is_some());
    assert_eq!(seen(&session), [false; 3]);
    assert_eq!(find_all(&session, &[(CKA_CLASS, &CKO_CERTIFICATE.to_ne_bytes())]).unwrap().len(), 4);
    session.login(USER, pin(cardea_harness::provision::PIN)).unwrap();
    assert_eq!(seen(&session), [true; 3]);
    let key = private(&session, AUTHENTICATION).unwrap();
    sign::init(&session, Mechanism::Ecdsa, key).unwrap();
    session.logout().unwrap();
    assert_eq!(seen(&session), [false; 3]);
    assert_eq!(sign::sign(&session, DIGEST, Some(64)).err(), Some(Error::UserNotLoggedIn));
    assert_eq!(sign::init(&session, Mechanism::Ecdsa, key), Err(Error::KeyHandleInvalid));
}

#[test]
fn the_key_of_the_card_needs_no_login() {
    let setting = Setting::elliptic();
    let session = setting.open();
    let key = private(&session, CARD_AUTHENTICATION).unwrap();
    setting.commands();
    let signature = signature(&session, Mechanism::Ecdsa, key, DIGEST).unwrap();
    assert_eq!(setting.instructions(), [GENERAL_AUTHENTICATE]);
    assert_eq!(verified(&session, Mechanism::Ecdsa, CARD_AUTHENTICATION, DIGEST, &signature), Ok(()));
}

#[test]
fn a_warm_signature_is_one_command() {
    let setting = Setting::piv();
    let session = setting.logged_in();
    let rsa = private(&session, AUTHENTICATION).unwrap();
    signature(&session, Mechanism::RsaPkcsHash(Hash::Sha256), rsa, b"first").unwrap();
    setting.commands();
    signature(&session, Mechanism::RsaPkcsHash(Hash::Sha256), rsa, b"second").unwrap();
    assert_eq!(setting.instructions(), [GENERAL_AUTHENTICATE]);
}

#[test]
fn asking_for_the_length_or_giving_too_little_room_sends_nothing() {
    let setting = Setting::elliptic();
    let session = setting.logged_in();
    let key = private(&session, AUTHENTICATION).unwrap();
    setting.commands();
    sign::init(&session, Mechanism::Ecdsa, key).unwrap();
    assert!(matches!(sign::sign(&session, DIGEST, None), Ok(Answer::Length(64))));
    for capacity in [0, 1, 63] {
        assert!(matches!(sign::sign(&session, DIGEST, Some(capacity)), Ok(Answer::TooSmall(64))));
    }
    assert_eq!(setting.commands().len(), 0);
    assert_eq!(bytes(sign::sign(&session, DIGEST, Some(64)).unwrap()).len(), 64);
    assert_eq!(setting.commands().len(), 1);
    assert_eq!(sign::sign(&session, DIGEST, Some(64)).err(), Some(Error::OperationNotInitialized));
}

#[test]
fn a_plaintext_that_does_not_fit_is_kept_and_costs_one_command() {
    let setting = Setting::piv();
    let session = setting.logged_in();
    let cryptogram = encrypted(&session, Mechanism::RsaPkcs, MANAGEMENT, b"seventeen letters");
    let key = private(&session, MANAGEMENT).unwrap();
    setting.commands();
    decrypt::init(&session, Mechanism::RsaPkcs, key).unwrap();
    assert!(matches!(decrypt::decrypt(&session, &cryptogram, None), Ok(Answer::Length(245..))));
    assert_eq!(setting.commands().len(), 0);
    for capacity in [1, 16] {
        assert!(matches!(decrypt::decrypt(&session, &cryptogram, Some(capacity)), Ok(Answer::TooSmall(17))));
    }
    assert!(matches!(decrypt::decrypt(&session, &cryptogram, None), Ok(Answer::Length(17))));
    assert_eq!(bytes(decrypt::decrypt(&session, &cryptogram, Some(17)).unwrap()), b"seventeen letters");
    assert_eq!(setting.instructions(), [GENERAL_AUTHENTICATE]);
    assert_eq!(decrypt::decrypt(&session, &cryptogram, Some(17)).err(), Some(Error::OperationNotInitialized));
}

#[test]
fn a_foreign_selection_is_met_in_silence_where_no_login_is_needed() {
    let setting = Setting::elliptic();
    let session = setting.open();
    let key = private(&session, CARD_AUTHENTICATION).unwrap();
    for _ in 0..3 {
        setting.another_selects_its_application();
        assert!(signature(&session, Mechanism::Ecdsa, key, DIGEST).is_ok());
        setting.reader.reset_by_another();
        assert!(signature(&session, Mechanism::Ecdsa, key, DIGEST).is_ok());
    }
}

#[test]
fn a_foreign_selection_that_drops_the_login_is_told() {
    let setting = Setting::elliptic();
    let session = setting.logged_in();
    private(&session, AUTHENTICATION).unwrap();
    setting.another_selects_its_application();
    assert_eq!(ecdsa(&session, AUTHENTICATION), Err(Error::UserNotLoggedIn));
    session.login(USER, pin(cardea_harness::provision::PIN)).unwrap();
    assert!(ecdsa(&session, AUTHENTICATION).is_ok());
    assert!(ecdsa_with_context(&session).is_ok());
}

#[test]
fn what_an_aes_key_wraps_that_a_certificate_seals_the_card_opens() {
    let setting = Setting::piv();
    let session = setting.logged_in();
    let oaep = OaepParameters { hash: Hash::Sha256, mgf: Hash::Sha1, label: b"label".to_vec() };
    let (public, private) = (public(&session, MANAGEMENT), private(&session, MANAGEMENT).unwrap());
    let class = CKO_SECRET_KEY.to_ne_bytes();
    let kind = CKK_GENERIC_SECRET.to_ne_bytes();
    for (length, value) in [(16, vec![0x5A; 300]), (24, vec![1]), (32, vec![0x5A; 16])] {
        let mechanism = Mechanism::RsaAesWrap { length, oaep: oaep.clone() };
        let key = template(&[(CKA_CLASS, &class), (CKA_KEY_TYPE, &kind), (CKA_VALUE, &value)]);
        let key = objects::create(&session, key).unwrap();
        let Answer::Length(needed) = wrap::wrap(&session, mechanism.clone(), public, key, None).unwrap() else {
            panic!("no length")
        };
        let wrapped = bytes(wrap::wrap(&session, mechanism.clone(), public, key, Some(needed)).unwrap());
        assert_eq!(wrapped.len(), needed);
        let unwrap = |wrapped: &[u8]| {
            let template = template(&[(CKA_CLASS, &class), (CKA_KEY_TYPE, &kind)]);
            wrap::unwrap(&session, mechanism.clone(), private, wrapped, template)
        };
        assert_eq!(attribute(&session, unwrap(&wrapped).unwrap(), CKA_VALUE), value);
        assert_eq!(unwrap(&wrapped[..256]), Err(Error::WrappedKeyLenRange), "the AES key alone");
        let mut changed = wrapped.clone();
        *changed.last_mut().unwrap() ^= 1;
        assert_eq!(unwrap(&changed), Err(Error::WrappedKeyInvalid));
        let mut changed = wrapped;
        changed[255] ^= 1;
        assert_eq!(unwrap(&changed), Err(Error::WrappedKeyInvalid));
    }
    let mechanism = Mechanism::RsaAesWrap { length: 32, oaep };
    assert_eq!(encrypt::init(&session, mechanism, public), Err(Error::MechanismInvalid), "it wraps and nothing else");
}
