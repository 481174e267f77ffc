//! Every attribute of every object, in golden files; what differs from card to card is masked.

use std::fmt::Write;

use cryptoki_sys::*;

use super::super::golden::assert_golden;
use super::super::station::Card;
use super::raw::Raw;
use super::{Token, with_token};

/// How a value is written down.
#[derive(Clone, Copy)]
enum Shape {
    Boolean,
    Number,
    /// CK_ULONG in hexadecimal.
    Code,
    /// CK_ULONGs in hexadecimal.
    Codes,
    Text,
    Bytes,
    /// Only its length: the value is another one on every card.
    Length,
    /// Only that there is one: its length varies as well.
    Masked,
}

use Shape::{Boolean, Bytes, Code, Codes, Length, Masked, Number, Text};

/// Every attribute that storage objects, certificates, keys, data and profiles can have (PKCS#11 3.2 4.4 to 4.11, 6.1, 6.3).
const ATTRIBUTES: &[(&str, CK_ATTRIBUTE_TYPE, Shape)] = &[
    ("CKA_CLASS", CKA_CLASS, Code),
    ("CKA_TOKEN", CKA_TOKEN, Boolean),
    ("CKA_PRIVATE", CKA_PRIVATE, Boolean),
    ("CKA_MODIFIABLE", CKA_MODIFIABLE, Boolean),
    ("CKA_COPYABLE", CKA_COPYABLE, Boolean),
    ("CKA_DESTROYABLE", CKA_DESTROYABLE, Boolean),
    ("CKA_LABEL", CKA_LABEL, Text),
    ("CKA_UNIQUE_ID", CKA_UNIQUE_ID, Length),
    ("CKA_PROFILE_ID", CKA_PROFILE_ID, Code),
    ("CKA_APPLICATION", CKA_APPLICATION, Text),
    ("CKA_OBJECT_ID", CKA_OBJECT_ID, Bytes),
    ("CKA_CERTIFICATE_TYPE", CKA_CERTIFICATE_TYPE, Code),
    ("CKA_CERTIFICATE_CATEGORY", CKA_CERTIFICATE_CATEGORY, Code),
    ("CKA_JAVA_MIDP_SECURITY_DOMAIN", CKA_JAVA_MIDP_SECURITY_DOMAIN, Code),
    ("CKA_NAME_HASH_ALGORITHM", CKA_NAME_HASH_ALGORITHM, Code),
    ("CKA_CHECK_VALUE", CKA_CHECK_VALUE, Length),
    ("CKA_ISSUER", CKA_ISSUER, Bytes),
    ("CKA_SERIAL_NUMBER", CKA_SERIAL_NUMBER, Masked),
    ("CKA_URL", CKA_URL, Text),
    ("CKA_HASH_OF_SUBJECT_PUBLIC_KEY", CKA_HASH_OF_SUBJECT_PUBLIC_KEY, Length),
    ("CKA_HASH_OF_ISSUER_PUBLIC_KEY", CKA_HASH_OF_ISSUER_PUBLIC_KEY, Length),
    ("CKA_KEY_TYPE", CKA_KEY_TYPE, Code),
    ("CKA_ID", CKA_ID, Bytes),
    ("CKA_SUBJECT", CKA_SUBJECT, Bytes),
    ("CKA_START_DATE", CKA_START_DATE, Length),
    ("CKA_END_DATE", CKA_END_DATE, Length),
    ("CKA_TRUSTED", CKA_TRUSTED, Boolean),
    ("CKA_SENSITIVE", CKA_SENSITIVE, Boolean),
    ("CKA_ALWAYS_SENSITIVE", CKA_ALWAYS_SENSITIVE, Boolean),
    ("CKA_EXTRACTABLE", CKA_EXTRACTABLE, Boolean),
    ("CKA_NEVER_EXTRACTABLE", CKA_NEVER_EXTRACTABLE, Boolean),
    ("CKA_LOCAL", CKA_LOCAL, Boolean),
    ("CKA_KEY_GEN_MECHANISM", CKA_KEY_GEN_MECHANISM, Code),
    ("CKA_ALWAYS_AUTHENTICATE", CKA_ALWAYS_AUTHENTICATE, Boolean),
    ("CKA_WRAP_WITH_TRUSTED", CKA_WRAP_WITH_TRUSTED, Boolean),
    ("CKA_SIGN", CKA_SIGN, Boolean),
    ("CKA_SIGN_RECOVER", CKA_SIGN_RECOVER, Boolean),
    ("CKA_VERIFY", CKA_VERIFY, Boolean),
    ("CKA_VERIFY_RECOVER", CKA_VERIFY_RECOVER, Boolean),
    ("CKA_ENCRYPT", CKA_ENCRYPT, Boolean),
    ("CKA_DECRYPT", CKA_DECRYPT, Boolean),
    ("CKA_WRAP", CKA_WRAP, Boolean),
    ("CKA_UNWRAP", CKA_UNWRAP, Boolean),
    ("CKA_DERIVE", CKA_DERIVE, Boolean),
    ("CKA_ENCAPSULATE", CKA_ENCAPSULATE, Boolean),
    ("CKA_DECAPSULATE", CKA_DECAPSULATE, Boolean),
    ("CKA_ALLOWED_MECHANISMS", CKA_ALLOWED_MECHANISMS, Codes),
    ("CKA_WRAP_TEMPLATE", CKA_WRAP_TEMPLATE, Bytes),
    ("CKA_UNWRAP_TEMPLATE", CKA_UNWRAP_TEMPLATE, Bytes),
    ("CKA_DERIVE_TEMPLATE", CKA_DERIVE_TEMPLATE, Bytes),
    ("CKA_MODULUS", CKA_MODULUS, Length),
    ("CKA_MODULUS_BITS", CKA_MODULUS_BITS, Number),
    ("CKA_PUBLIC_EXPONENT", CKA_PUBLIC_EXPONENT, Bytes),
    ("CKA_PRIVATE_EXPONENT", CKA_PRIVATE_EXPONENT, Bytes),
    ("CKA_PRIME_1", CKA_PRIME_1, Bytes),
    ("CKA_PRIME_2", CKA_PRIME_2, Bytes),
    ("CKA_EXPONENT_1", CKA_EXPONENT_1, Bytes),
    ("CKA_EXPONENT_2", CKA_EXPONENT_2, Bytes),
    ("CKA_COEFFICIENT", CKA_COEFFICIENT, Bytes),
    ("CKA_EC_PARAMS", CKA_EC_PARAMS, Bytes),
    ("CKA_EC_POINT", CKA_EC_POINT, Length),
    ("CKA_PUBLIC_KEY_INFO", CKA_PUBLIC_KEY_INFO, Length),
    ("CKA_VALUE", CKA_VALUE, Masked),
];

fn describe(shape: Shape, value: &[u8]) -> String {
    let number = || CK_ULONG::from_ne_bytes(value.try_into().unwrap());
    match (shape, value) {
        (Boolean, [0]) => "false".to_owned(),
        (Boolean, [1]) => "true".to_owned(),
        (Boolean, _) => panic!("no CK_BBOOL: {value:02X?}"),
        (Number, _) => number().to_string(),
        (Code, _) => format!("{:#X}", number()),
        (Codes, _) => {
            let codes =
                value.chunks(size_of::<CK_ULONG>()).map(|code| CK_ULONG::from_ne_bytes(code.try_into().unwrap()));
            codes.map(|code| format!("{code:#X}")).collect::<Vec<_>>().join(" ")
        }
        (Text, _) => format!("{:?}", std::str::from_utf8(value).unwrap()),
        (Bytes | Length | Masked, []) => "empty".to_owned(),
        (Bytes, _) => hex::encode_upper(value),
        (Length, _) => format!("<{} bytes>", value.len()),
        (Masked, _) => "<bytes>".to_owned(),
    }
}

fn write_down(token: &Token) -> String {
    let (raw, session) = (Raw::new(), token.user_session());
    let mut text = String::new();
    for (number, object) in session.find_objects(&[]).unwrap().into_iter().enumerate() {
        writeln!(text, "{}[object {number}]", if number == 0 { "" } else { "\n" }).unwrap();
        for (name, kind, shape) in ATTRIBUTES {
            match raw.attribute(&session, object, *kind) {
                Ok(value) => writeln!(text, "{name} = {}", describe(*shape, &value)).unwrap(),
                Err(CKR_ATTRIBUTE_SENSITIVE) => writeln!(text, "{name} sensitive").unwrap(),
                Err(CKR_ATTRIBUTE_TYPE_INVALID) => {}
                Err(code) => panic!("object {number}, {name}: {code:#X}"),
            }
        }
    }
    text
}

#[test]
fn the_objects_of_the_standard_card_have_the_attributes_of_their_classes() {
    with_token(the_objects_of_the_standard_card_have_the_attributes_of_their_classes, Card::Standard, |token| {
        assert_golden("attributes/standard.txt", &write_down(token));
    });
}

#[test]
fn the_objects_of_a_card_without_extensions_have_the_attributes_of_their_classes() {
    with_token(the_objects_of_a_card_without_extensions_have_the_attributes_of_their_classes, Card::Plain, |token| {
        assert_golden("attributes/plain.txt", &write_down(token));
    });
}

#[test]
fn the_objects_of_a_card_with_retired_keys_have_the_attributes_of_their_classes() {
    with_token(the_objects_of_a_card_with_retired_keys_have_the_attributes_of_their_classes, Card::Varied, |token| {
        assert_golden("attributes/varied.txt", &write_down(token));
    });
}

#[test]
fn the_objects_of_an_openpgp_card_have_the_attributes_of_their_classes() {
    with_token(the_objects_of_an_openpgp_card_have_the_attributes_of_their_classes, Card::OpenPgp, |token| {
        assert_golden("attributes/openpgp.txt", &write_down(token));
    });
}

#[test]
fn the_objects_of_an_openpgp_card_without_certificates_have_the_attributes_of_their_classes() {
    with_token(
        the_objects_of_an_openpgp_card_without_certificates_have_the_attributes_of_their_classes,
        Card::OpenPgpModern,
        |token| assert_golden("attributes/openpgp-modern.txt", &write_down(token)),
    );
}
