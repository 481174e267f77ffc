//! What C_CreateObject says to each template.

use cardea_harness::provision::PUK;
use cardea_pkcs11::error::Error;
use cardea_pkcs11::session::verify;
use cryptoki_sys::*;

use super::*;
use crate::in_process::keys::{AUTHENTICATION, DIGEST, ecdsa, find_all, public, verified};
use crate::in_process::setting::{SO, Setting, pin};

/// Attributes beside those of a class.
type More<'m> = &'m [(CK_ATTRIBUTE_TYPE, &'m [u8])];

/// A P-256 point with its parameters: the generator.
fn ec() -> Pairs {
    let generator = "046b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c2964fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5";
    vec![
        (CKA_CLASS, number(CKO_PUBLIC_KEY)),
        (CKA_KEY_TYPE, number(CKK_EC)),
        (CKA_EC_PARAMS, hex::decode("06082a8648ce3d030107").unwrap()),
        (CKA_EC_POINT, hex::decode(generator).unwrap()),
    ]
}

fn rsa() -> Pairs {
    let modulus = [&[0xC1][..], &[0x55; 126], &[0x01]].concat();
    vec![
        (CKA_CLASS, number(CKO_PUBLIC_KEY)),
        (CKA_KEY_TYPE, number(CKK_RSA)),
        (CKA_MODULUS, modulus),
        (CKA_PUBLIC_EXPONENT, vec![1, 0, 1]),
    ]
}

/// The certificate that the token has of its authentication key.
fn on_token(session: &Session) -> u64 {
    find_all(session, &[(CKA_CLASS, &CKO_CERTIFICATE.to_ne_bytes()), (CKA_ID, &[AUTHENTICATION])]).unwrap()[0]
}

fn certificate(session: &Session) -> Pairs {
    vec![
        (CKA_CLASS, number(CKO_CERTIFICATE)),
        (CKA_CERTIFICATE_TYPE, number(CKC_X_509)),
        (CKA_VALUE, attribute(session, on_token(session), CKA_VALUE)),
    ]
}

#[test]
fn every_class_that_a_session_can_hold_is_made_and_found_again() {
    let setting = Setting::elliptic();
    let session = setting.open();
    for pairs in [data(b"value"), certificate(&session), rsa(), ec(), aes(&[7; 16]), generic(b"secret")] {
        let pairs = with(&pairs, &[(CKA_LABEL, b"made here")]);
        let handle = create(&session, &pairs).unwrap();
        let wanted: Vec<(CK_ATTRIBUTE_TYPE, &[u8])> = pairs.iter().map(|pair| (pair.0, pair.1.as_slice())).collect();
        // CKA_EC_POINT is shown as DER OCTET STRING, however it was given.
        let wanted: Vec<_> = wanted.into_iter().filter(|pair| pair.0 != CKA_EC_POINT).collect();
        assert_eq!(find_all(&session, &wanted), Ok(vec![handle]), "{pairs:?}");
        assert!(!is_true(&session, handle, CKA_TOKEN));
        for yes in [CKA_MODIFIABLE, CKA_COPYABLE, CKA_DESTROYABLE] {
            assert!(is_true(&session, handle, yes));
        }
        objects::destroy(&session, handle).unwrap();
        assert_eq!(find_all(&session, &wanted), Ok(vec![]));
    }
    assert_eq!(setting.slot().token_info().unwrap().session_count, 1);
}

#[test]
fn a_template_that_says_too_little_is_incomplete() {
    let setting = Setting::elliptic();
    let session = setting.open();
    let cases = [
        (data(b""), CKA_CLASS),
        (certificate(&session), CKA_CERTIFICATE_TYPE),
        (certificate(&session), CKA_VALUE),
        (rsa(), CKA_KEY_TYPE),
        (rsa(), CKA_MODULUS),
        (rsa(), CKA_PUBLIC_EXPONENT),
        (ec(), CKA_EC_PARAMS),
        (ec(), CKA_EC_POINT),
        (aes(&[7; 16]), CKA_KEY_TYPE),
        (aes(&[7; 16]), CKA_VALUE),
    ];
    for (pairs, attribute) in cases {
        assert!(create(&session, &pairs).is_ok(), "{pairs:?}");
        assert_eq!(create(&session, &without(&pairs, attribute)), Err(Error::TemplateIncomplete), "{attribute:#x}");
    }
}

#[test]
fn an_attribute_that_the_class_does_not_have_is_named_as_such() {
    let setting = Setting::elliptic();
    let session = setting.open();
    let cases = [
        (data(b""), CKA_KEY_TYPE),
        (data(b""), CKA_ID),
        (certificate(&session), CKA_ENCRYPT),
        (rsa(), CKA_EC_PARAMS),
        (ec(), CKA_MODULUS),
        (rsa(), CKA_SENSITIVE),
        (aes(&[7; 16]), CKA_MODULUS),
        (aes(&[7; 16]), CKA_SUBJECT),
        (generic(b"x"), CKA_VENDOR_DEFINED),
    ];
    for (pairs, attribute) in cases {
        assert_eq!(
            create(&session, &with(&pairs, &[(attribute, &YES)])),
            Err(Error::AttributeTypeInvalid),
            "{attribute:#x}"
        );
    }
}

#[test]
fn what_the_module_says_itself_no_template_says() {
    let setting = Setting::elliptic();
    let session = setting.open();
    let none = CK_UNAVAILABLE_INFORMATION.to_ne_bytes();
    let cases: [(Pairs, CK_ATTRIBUTE_TYPE, &[u8]); 9] = [
        (data(b""), CKA_UNIQUE_ID, b"mine"),
        (rsa(), CKA_LOCAL, &NO),
        (rsa(), CKA_KEY_GEN_MECHANISM, &none),
        (rsa(), CKA_MODULUS_BITS, &1024_u64.to_ne_bytes()),
        (aes(&[7; 16]), CKA_VALUE_LEN, &16_u64.to_ne_bytes()),
        (aes(&[7; 16]), CKA_LOCAL, &YES),
        (aes(&[7; 16]), CKA_ALWAYS_SENSITIVE, &YES),
        (aes(&[7; 16]), CKA_NEVER_EXTRACTABLE, &YES),
        // The security officer alone trusts.
        (aes(&[7; 16]), CKA_TRUSTED, &YES),
    ];
    for (pairs, attribute, value) in cases {
        assert_eq!(
            create(&session, &with(&pairs, &[(attribute, value)])),
            Err(Error::AttributeReadOnly),
            "{attribute:#x}"
        );
    }
}

#[test]
fn a_value_of_another_form_is_invalid() {
    let setting = Setting::elliptic();
    let session = setting.open();
    let other_class = number(CKO_HW_FEATURE);
    let cases: [(Pairs, CK_ATTRIBUTE_TYPE, &[u8]); 23] = [
        (data(b""), CKA_CLASS, &[0, 0]),
        (data(b""), CKA_CLASS, &other_class),
        (data(b""), CKA_PRIVATE, &[2]),
        (data(b""), CKA_PRIVATE, &[]),
        (data(b""), CKA_MODIFIABLE, &[0, 0]),
        (data(b""), CKA_LABEL, &[0xFF]),
        (data(b""), CKA_OBJECT_ID, &[6, 3, 1]),
        (certificate(&session), CKA_CERTIFICATE_TYPE, &2_u64.to_ne_bytes()),
        (certificate(&session), CKA_CERTIFICATE_CATEGORY, &4_u64.to_ne_bytes()),
        (certificate(&session), CKA_VALUE, b"no certificate"),
        (certificate(&session), CKA_CHECK_VALUE, b"abc"),
        (rsa(), CKA_KEY_TYPE, &CKK_DSA.to_ne_bytes()),
        (rsa(), CKA_MODULUS, &[0x80; 128]),
        (rsa(), CKA_PUBLIC_EXPONENT, &[2]),
        (ec(), CKA_EC_POINT, &[4; 65]),
        (aes(&[7; 16]), CKA_VALUE, &[7; 17]),
        (aes(&[7; 16]), CKA_VALUE, &[]),
        (aes(&[7; 16]), CKA_KEY_TYPE, &CKK_RSA.to_ne_bytes()),
        (aes(&[7; 16]), CKA_KEY_TYPE, &CKK_DES3.to_ne_bytes()),
        (aes(&[7; 16]), CKA_CHECK_VALUE, &[0, 0, 0]),
        (aes(&[7; 16]), CKA_ALLOWED_MECHANISMS, &[0; 7]),
        (aes(&[7; 16]), CKA_START_DATE, b"20251301"),
        (aes(&[7; 16]), CKA_START_DATE, b"2025111"),
    ];
    for (pairs, attribute, value) in cases {
        let refused = create(&session, &with(&pairs, &[(attribute, value)]));
        assert_eq!(refused, Err(Error::AttributeValueInvalid), "{attribute:#x} {value:?}");
    }
}

#[test]
fn a_template_that_contradicts_itself_is_inconsistent() {
    let setting = Setting::elliptic();
    let session = setting.open();
    let cases: [(Pairs, More<'_>); 5] = [
        (certificate(&session), &[(CKA_SUBJECT, &[0x30, 0])]),
        (certificate(&session), &[(CKA_SERIAL_NUMBER, &[2, 1, 0])]),
        (certificate(&session), &[(CKA_PUBLIC_KEY_INFO, &[0x30, 0])]),
        (ec(), &[(CKA_PUBLIC_KEY_INFO, &[0x30, 0])]),
        (aes(&[7; 16]), &[(CKA_START_DATE, b"20260101"), (CKA_END_DATE, b"20251231")]),
    ];
    for (pairs, more) in cases {
        assert_eq!(create(&session, &with(&pairs, more)), Err(Error::TemplateInconsistent), "{more:?}");
    }
    let mut twice = data(b"one");
    twice.push((CKA_VALUE, b"other".to_vec()));
    assert_eq!(create(&session, &twice), Err(Error::TemplateInconsistent));
    let mut same = data(b"one");
    same.push((CKA_VALUE, b"one".to_vec()));
    assert!(create(&session, &same).is_ok());
}

#[test]
fn curves_are_named_or_refused() {
    let setting = Setting::elliptic();
    let session = setting.open();
    let with_curve = |parameters: &str| with(&ec(), &[(CKA_EC_PARAMS, &hex::decode(parameters).unwrap())]);
    // secp192k1; a name; explicit parameters; nothing.
    for named in ["06052b8104001f", "130b736f6d6577686572656c73"] {
        assert_eq!(create(&session, &with_curve(named)), Err(Error::CurveNotSupported), "{named}");
    }
    for unnamed in ["3000", "", "0608"] {
        assert_eq!(create(&session, &with_curve(unnamed)), Err(Error::DomainParamsInvalid), "{unnamed}");
    }
    let edwards = |parameters: &[u8]| {
        let point = hex::decode("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a").unwrap();
        let key_type = number(CKK_EC_EDWARDS);
        create(
            &session,
            &with(&ec(), &[(CKA_KEY_TYPE, &key_type), (CKA_EC_PARAMS, parameters), (CKA_EC_POINT, &point)]),
        )
    };
    let (by_number, by_name) = (edwards(&[6, 3, 0x2B, 0x65, 0x70]).unwrap(), edwards(b"\x13\x0Cedwards25519").unwrap());
    assert_eq!(attribute(&session, by_number, CKA_EC_POINT), attribute(&session, by_name, CKA_EC_POINT));
    assert_eq!(edwards(&[6, 3, 0x2B, 0x65, 0x71]), Err(Error::CurveNotSupported));
}

#[test]
fn a_private_key_is_never_made_on_the_host() {
    let setting = Setting::elliptic();
    let session = setting.logged_in();
    let private = vec![
        (CKA_CLASS, number(CKO_PRIVATE_KEY)),
        (CKA_KEY_TYPE, number(CKK_EC)),
        (CKA_EC_PARAMS, hex::decode("06082a8648ce3d030107").unwrap()),
        (CKA_VALUE, vec![7; 32]),
    ];
    assert_eq!(create(&session, &private), Err(Error::TemplateInconsistent));
}

#[test]
fn a_key_that_may_not_leave_the_token_is_never_made_on_the_host() {
    let setting = Setting::elliptic();
    let session = setting.logged_in();
    let bound: [(CK_ATTRIBUTE_TYPE, &[u8]); 2] = [(CKA_SENSITIVE, &YES), (CKA_EXTRACTABLE, &NO)];
    assert_eq!(create(&session, &with(&aes(&[7; 16]), &bound)), Err(Error::TemplateInconsistent));
    for one in bound {
        assert!(create(&session, &with(&aes(&[7; 16]), &[one])).is_ok());
    }
}

#[test]
fn token_objects_need_a_session_that_writes_a_login_and_a_token_that_can() {
    let setting = Setting::elliptic();
    let session = setting.open();
    let read_only = setting.library.session(setting.library.open_session(0, false).unwrap()).unwrap();
    let refusals =
        [Error::UserNotLoggedIn, Error::UserNotLoggedIn, Error::TemplateInconsistent, Error::TokenWriteProtected];
    for (pairs, refusal) in [data(b"value"), certificate(&session), rsa(), aes(&[7; 16])].into_iter().zip(refusals) {
        let on_token = with(&pairs, &[(CKA_TOKEN, &YES)]);
        assert_eq!(create(&session, &on_token), Err(refusal));
        assert_eq!(create(&read_only, &on_token), Err(Error::SessionReadOnly));
        assert!(create(&read_only, &pairs).is_ok());
    }
}

#[test]
fn a_certificate_says_itself_what_the_template_leaves_out() {
    let setting = Setting::elliptic();
    let session = setting.open();
    let on_token = on_token(&session);
    let made = create(&session, &certificate(&session)).unwrap();
    for same in [CKA_SUBJECT, CKA_ISSUER, CKA_SERIAL_NUMBER, CKA_PUBLIC_KEY_INFO, CKA_START_DATE, CKA_CHECK_VALUE] {
        assert!(!attribute(&session, made, same).is_empty());
        assert_eq!(attribute(&session, made, same), attribute(&session, on_token, same), "{same:#x}");
    }
    let given = [CKA_SUBJECT, CKA_ISSUER, CKA_SERIAL_NUMBER].map(|given| (given, attribute(&session, on_token, given)));
    let given: Vec<(CK_ATTRIBUTE_TYPE, &[u8])> = given.iter().map(|pair| (pair.0, pair.1.as_slice())).collect();
    assert!(create(&session, &with(&certificate(&session), &given)).is_ok());
}

#[test]
fn a_certificate_may_be_elsewhere() {
    let setting = Setting::elliptic();
    let session = setting.open();
    let elsewhere = with(
        &certificate(&session),
        &[
            (CKA_VALUE, &[]),
            (CKA_URL, b"https://example.org/certificate"),
            (CKA_SUBJECT, &[0x30, 0]),
            (CKA_HASH_OF_SUBJECT_PUBLIC_KEY, &[1; 20]),
            (CKA_HASH_OF_ISSUER_PUBLIC_KEY, &[2; 20]),
        ],
    );
    assert!(create(&session, &elsewhere).is_ok());
    for needed in [CKA_URL, CKA_SUBJECT, CKA_HASH_OF_SUBJECT_PUBLIC_KEY, CKA_HASH_OF_ISSUER_PUBLIC_KEY] {
        assert_eq!(create(&session, &without(&elsewhere, needed)), Err(Error::TemplateIncomplete));
    }
}

#[test]
fn a_public_key_from_elsewhere_verifies_as_the_tokens_own() {
    let setting = Setting::elliptic();
    let session = setting.logged_in();
    let signature = ecdsa(&session, AUTHENTICATION).unwrap();
    assert_eq!(verified(&session, Mechanism::Ecdsa, AUTHENTICATION, DIGEST, &signature), Ok(()));
    let point = attribute(&session, public(&session, AUTHENTICATION), CKA_EC_POINT);
    let key = create(&session, &with(&ec(), &[(CKA_EC_POINT, &point)])).unwrap();
    let check = |key, signature: &[u8]| {
        verify::init(&session, Mechanism::Ecdsa, key)?;
        verify::verify(&session, DIGEST, signature)
    };
    assert_eq!(check(key, &signature), Ok(()));
    let other = create(&session, &ec()).unwrap();
    assert_eq!(check(other, &signature), Err(Error::SignatureInvalid));
}

#[test]
fn the_security_officer_trusts() {
    let setting = Setting::elliptic();
    let session = setting.open();
    session.login(SO, pin(PUK)).unwrap();
    let trusted = with(&aes(&[7; 16]), &[(CKA_TRUSTED, &YES)]);
    let key = create(&session, &trusted).unwrap();
    assert!(is_true(&session, key, CKA_TRUSTED));
    session.logout().unwrap();
    assert_eq!(set(&session, key, CKA_TRUSTED, &YES), Err(Error::AttributeReadOnly));
    assert_eq!(set(&session, key, CKA_TRUSTED, &NO), Ok(()));
    assert_eq!(set(&session, key, CKA_TRUSTED, &YES), Err(Error::AttributeReadOnly));
}
