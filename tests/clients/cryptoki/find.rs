//! C_FindObjects with many templates, and what attributes say about one another.

use std::collections::BTreeSet;

use cryptoki::object::{Attribute, AttributeInfo, AttributeType, CertificateType, KeyType, ObjectClass, ObjectHandle};
use cryptoki::session::Session;

use super::super::keys;
use super::super::station::Card;
use super::{Token, object, with_token};

fn count(session: &Session, template: &[Attribute]) -> usize {
    session.find_objects(template).unwrap().len()
}

fn value(session: &Session, object: ObjectHandle, attribute: AttributeType) -> Attribute {
    let values = session.get_attributes(object, &[attribute]).unwrap();
    values.into_iter().next().unwrap_or_else(|| panic!("{object} has no {attribute}"))
}

/// SubjectPublicKeyInfo of a key, by OpenSSL from the bench's file.
fn spki(token: &Token, file: &str) -> Vec<u8> {
    token.openssl.run(&["pkey", "-pubin", "-in", file, "-pubout", "-outform", "DER"]).succeeded().stdout
}

fn certificate(token: &Token, file: &str) -> Vec<u8> {
    token.openssl.run(&["x509", "-in", file, "-outform", "DER"]).succeeded().stdout
}

#[test]
fn a_template_finds_what_matches_all_of_it_and_nothing_else() {
    with_token(a_template_finds_what_matches_all_of_it_and_nothing_else, Card::Standard, |token| {
        let session = token.user_session();
        let class = Attribute::Class;
        let label = |text: &str| Attribute::Label(text.as_bytes().to_vec());
        let all = count(&session, &[]);
        let cases: Vec<(Vec<Attribute>, usize)> = vec![
            (vec![class(ObjectClass::CERTIFICATE)], 4),
            (vec![class(ObjectClass::PRIVATE_KEY)], 4),
            (vec![class(ObjectClass::PUBLIC_KEY)], 4),
            (vec![class(ObjectClass::SECRET_KEY)], 0),
            (vec![class(ObjectClass::PROFILE)], 4),
            (vec![Attribute::Token(true)], all),
            (vec![Attribute::Token(false)], 0),
            (vec![Attribute::Private(true)], 3),
            (vec![Attribute::Id(vec![1])], 3),
            (vec![Attribute::Id(vec![])], 0),
            (vec![Attribute::Id(vec![1, 0])], 0),
            (vec![label("Digital Signature")], 3),
            (vec![label("digital signature")], 0),
            (vec![label("Digital")], 0),
            (vec![Attribute::KeyType(KeyType::RSA)], 4),
            (vec![Attribute::KeyType(KeyType::EC), class(ObjectClass::PRIVATE_KEY)], 2),
            (vec![Attribute::KeyType(KeyType::AES)], 0),
            (vec![Attribute::CertificateType(CertificateType::X_509)], 4),
            (vec![Attribute::Sign(true), class(ObjectClass::PRIVATE_KEY)], 3),
            (vec![Attribute::Decrypt(true)], 1),
            (vec![Attribute::AlwaysAuthenticate(true)], 1),
            (vec![Attribute::Sign(true), Attribute::Decrypt(true)], 0),
            (vec![Attribute::Value(certificate(token, "9a.crt.pem"))], 1),
            (vec![Attribute::Value(b"no such value".to_vec())], 0),
            (vec![Attribute::ModulusBits(2048.into())], 2),
            (vec![Attribute::PublicKeyInfo(spki(token, "9d.pub.pem"))], 3),
            (
                vec![
                    class(ObjectClass::CERTIFICATE),
                    Attribute::Id(vec![2]),
                    label("Digital Signature"),
                    Attribute::Token(true),
                ],
                1,
            ),
            (vec![Attribute::VendorDefined((AttributeType::VendorDefined(0x8000_1234), vec![1]))], 0),
        ];
        for (template, expected) in cases {
            assert_eq!(count(&session, &template), expected, "{template:?}");
        }
        // Private components match nothing, whatever is asked (PKCS#11 3.2 4.9).
        assert_eq!(count(&session, &[Attribute::PrivateExponent(vec![])]), 0);
    });
}

#[test]
fn private_objects_are_found_after_login_and_not_before_or_after() {
    with_token(private_objects_are_found_after_login_and_not_before_or_after, Card::Standard, |token| {
        let session = token.user_session();
        let private = [Attribute::Class(ObjectClass::PRIVATE_KEY)];
        assert_eq!(count(&session, &private), 4);
        let handle = object(&session, ObjectClass::PRIVATE_KEY, 1);
        session.logout().unwrap();
        assert_eq!(count(&session, &private), 1, "9E never wants a PIN");
        assert!(session.get_attributes(handle, &[AttributeType::Label]).is_err());
    });
}

#[test]
fn a_search_gives_the_same_handles_each_time_however_many_at_once() {
    with_token(a_search_gives_the_same_handles_each_time_however_many_at_once, Card::Varied, |token| {
        let session = token.user_session();
        let all = session.find_objects(&[]).unwrap();
        assert_eq!(all.iter().map(ToString::to_string).collect::<BTreeSet<_>>().len(), all.len());
        for size in [1, 2, 7, 1000] {
            let size = std::num::NonZeroUsize::new(size).unwrap();
            let found = session.iter_objects_with_cache_size(&[], size).unwrap().map(Result::unwrap);
            assert_eq!(found.collect::<Vec<_>>(), all, "{size} at once");
        }
    });
}

#[test]
fn attributes_say_what_is_on_the_card() {
    for_each_key(attributes_say_what_is_on_the_card, Card::Varied);
}

#[test]
fn attributes_say_what_is_on_a_card_without_extensions() {
    for_each_key(attributes_say_what_is_on_a_card_without_extensions, Card::Plain);
}

#[test]
fn attributes_say_what_is_on_an_openpgp_card() {
    for_each_key(attributes_say_what_is_on_an_openpgp_card, Card::OpenPgp);
}

#[test]
fn attributes_say_what_is_on_an_openpgp_card_without_certificates() {
    for_each_key(attributes_say_what_is_on_an_openpgp_card_without_certificates, Card::OpenPgpModern);
}

fn for_each_key<F: Fn()>(case: F, card: Card) {
    with_token(case, card, |token| {
        let session = token.user_session();
        for key in keys::on(card) {
            let mut classes = vec![ObjectClass::PRIVATE_KEY, ObjectClass::PUBLIC_KEY];
            if key.certified {
                classes.push(ObjectClass::CERTIFICATE);
                let certified = object(&session, ObjectClass::CERTIFICATE, key.id);
                assert_eq!(
                    value(&session, certified, AttributeType::Value),
                    Attribute::Value(certificate(token, &key.certificate()))
                );
            }
            let spki = spki(token, &key.public());
            for class in classes {
                let object = object(&session, class, key.id);
                let info = Attribute::PublicKeyInfo(spki.clone());
                assert_eq!(value(&session, object, AttributeType::PublicKeyInfo), info, "{key:?} {class}");
            }
            if key.curve().is_some() {
                // CKA_EC_POINT is the point in a DER OCTET STRING (PKCS#11 3.2 6.3.3).
                let public = object(&session, ObjectClass::PUBLIC_KEY, key.id);
                let Attribute::EcPoint(point) = value(&session, public, AttributeType::EcPoint) else { panic!() };
                assert_eq!((point[0], usize::from(point[1])), (0x04, point.len() - 2));
                assert!(spki.ends_with(&point[2..]), "{key:?}");
            }
            let private = object(&session, ObjectClass::PRIVATE_KEY, key.id);
            let secret = [AttributeType::PrivateExponent, AttributeType::Value];
            let hidden =
                session.get_attribute_info(private, &secret[usize::from(key.curve().is_some())..][..1]).unwrap();
            assert!(matches!(hidden[..], [AttributeInfo::Sensitive]), "{key:?} {hidden:?}");
        }
        let unique = session.find_objects(&[]).unwrap();
        let names = unique.iter().map(|object| format!("{:?}", value(&session, *object, AttributeType::UniqueId)));
        assert_eq!(names.collect::<BTreeSet<_>>().len(), unique.len());
    });
}
