//! What entries mean.

use super::vectors as v;
use super::*;
use crate::card::key::{Curve, KeyKind};
use crate::card::{Authentication, CardError};
use crate::secret::Pin;

#[test]
fn a_private_key_is_read_as_opensc_writes_it() {
    let key: PrivateKeyEntry = entry(v::RSA_PRIVATE);
    assert_eq!((key.common.label.as_str(), key.key.id.as_slice()), ("Private Key", &[0x45][..]));
    assert_eq!(key.common.flags, ObjectFlags::PRIVATE | ObjectFlags::MODIFIABLE);
    assert_eq!(key.common.auth_id, Some(vec![1]));
    assert_eq!(key.common.authentication(), Authentication::Once);
    assert_eq!(key.key.usage, KeyUsage::SIGN);
    assert!(key.key.native);
    let access = AccessFlags::SENSITIVE | AccessFlags::ALWAYS_SENSITIVE | AccessFlags::NEVER_EXTRACTABLE;
    assert_eq!(key.key.access, Some(access | AccessFlags::LOCAL));
    assert_eq!((key.key.local(), key.key.reference()), (Some(true), Some(0)));
    assert_eq!(key.kind(), Some(KeyKind::Rsa { bits: 2048 }));
    let path = key.attributes.value.path().unwrap();
    assert_eq!((path, path.identifier()), (&Path::new(bytes("3F0050154B01")), Some(0x4B01)));
}

#[test]
fn a_private_key_may_say_all_that_the_standard_has() {
    let key: PrivateKeyEntry = entry(v::RSA_PRIVATE_FULL);
    assert_eq!(key.common.authentication(), Authentication::Always);
    assert_eq!(key.key.usage, KeyUsage::NON_REPUDIATION);
    assert!(!key.key.native);
    assert_eq!((key.key.key_reference, key.key.reference()), (Some(-255), Some(0x01)));
    assert_eq!(key.key.start_date.as_deref().and_then(key::date), Some("20200101".to_owned()));
    assert_eq!(key.key.end_date.as_deref().and_then(key::date), Some("20301231".to_owned()));
    assert_eq!(key.subject, bytes("3010310E300C06035504030C05416C696365"));
    assert_eq!(key.attributes.info, Some(KeyInfo::Reference(5)));
    assert_eq!(key.kind(), Some(KeyKind::Rsa { bits: 4096 }));
}

#[test]
fn a_curve_is_told_by_its_identifier_or_by_the_size_of_its_field() {
    let key: PrivateKeyEntry = entry(v::EC_PRIVATE_OPENSC);
    assert_eq!((key.algorithm, key.kind()), (KeyAlgorithm::Ec, Some(KeyKind::Ec(Curve::P384))));
    assert_eq!(key.key.usage, KeyUsage::SIGN | KeyUsage::DERIVE);
    let key: PrivateKeyEntry = entry(v::EC_PRIVATE_STANDARD);
    assert_eq!((key.algorithm, key.kind()), (KeyAlgorithm::Ec, Some(KeyKind::Ec(Curve::P256))));
    assert_eq!(key.key.reference(), Some(0x81), "257 + 128: the low byte");
    assert_eq!(key.key.key_reference, Some(0x0181));
    let key: PrivateKeyEntry = entry(v::EC_PRIVATE_NO_FILE);
    assert_eq!(key.attributes.value, ObjectValue::Path(Path::default()));
    assert_eq!(key.common.authentication(), Authentication::Never);
}

#[test]
fn a_small_number_in_an_ec_entry_is_a_reference_and_no_field_size() {
    let text = v::EC_PRIVATE_OPENSC.replace("02020180", "02020005");
    let key: PrivateKeyEntry = entry(&text);
    assert_eq!((key.attributes.size, key.attributes.info.clone()), (None, Some(KeyInfo::Reference(5))));
    assert_eq!(key.kind(), None);
}

#[test]
fn a_public_key_is_in_a_file_or_in_its_entry() {
    let key: PublicKeyEntry = entry(v::RSA_PUBLIC);
    assert_eq!((key.key.usage, key.kind()), (KeyUsage::VERIFY, Some(KeyKind::Rsa { bits: 2048 })));
    assert_eq!(key.attributes.value.path(), Some(&Path::new(bytes("3F0050155501"))));
    let key: PublicKeyEntry = entry(v::RSA_PUBLIC_DIRECT);
    assert_eq!(key.attributes.value, ObjectValue::Direct(bytes("3007 02020123 020103")));
}

#[test]
fn a_secret_key_has_its_length_with_and_without_a_sequence() {
    let key: SecretKeyEntry = entry(v::AES_OPENSC);
    assert_eq!((key.algorithm, key.length), (SecretKeyAlgorithm::Generic, Some(256)));
    assert_eq!(key.key.algorithms, [1, 2]);
    let usage = KeyUsage::ENCRYPT | KeyUsage::DECRYPT | KeyUsage::WRAP | KeyUsage::UNWRAP;
    assert_eq!(key.key.usage, usage);
    let key: SecretKeyEntry = entry(v::DES3_STANDARD);
    assert_eq!((key.algorithm, key.length), (SecretKeyAlgorithm::Des3, Some(192)));
}

#[test]
fn a_certificate_may_be_a_part_of_a_file_and_say_whose_it_is() {
    let certificate: CertificateEntry = entry(v::CERTIFICATE);
    assert_eq!((certificate.id.as_slice(), certificate.authority), (&[0x45][..], false));
    let certificate: CertificateEntry = entry(v::CERTIFICATE_FULL);
    assert!(certificate.authority);
    assert_eq!(certificate.subject, certificate.issuer);
    assert_eq!(certificate.serial, bytes("02020100"));
    let path = certificate.value.path().unwrap();
    assert_eq!((path.index, path.length), (Some(0), Some(0x612)));
}

#[test]
fn a_data_object_is_opaque_or_has_an_identifier() {
    let data: DataEntry = entry(v::DATA);
    assert_eq!((data.application.as_str(), data.application_oid.clone()), ("app", bytes("06032A0304")));
    assert_eq!((data.oid.clone(), data.value.path()), (None, Some(&Path::new(bytes("3F0050154501")))));
    let data: DataEntry = entry(v::DATA_OID);
    assert_eq!((data.oid, data.value), (Some(bytes("06032A0305")), ObjectValue::Path(Path::new([0x45, 0x02]))));
}

#[test]
fn a_pin_says_how_it_is_sent() {
    let pin: PinEntry = entry(v::PIN);
    assert_eq!((pin.auth_id.as_slice(), pin.reference(), pin.kind), (&[1][..], 1, PinType::AsciiNumeric));
    assert_eq!(pin.flags, PinFlags::LOCAL | PinFlags::INITIALIZED | PinFlags::NEEDS_PADDING);
    assert_eq!((pin.description().min_length, pin.description().max_length), (4, 8));
    assert_eq!(pin.path, Some(Path::new(bytes("3F005015"))));
    let pin: PinEntry = entry(v::SO_PIN);
    assert!(pin.is_security_officer() && pin.is_unblocking());
    assert_eq!((pin.reference(), pin.max_length, pin.longest()), (0x81, None, 16));
}

#[test]
fn reference_data_are_framed_as_the_entry_says() {
    let mut pin: PinEntry = entry(v::PIN);
    let framed = |pin: &PinEntry, text: &str| pin.reference_data(&Pin::new(text.as_bytes())).map(|data| data.to_vec());
    assert_eq!(framed(&pin, "1234"), Ok(bytes("31323334FFFFFFFF")));
    assert_eq!(framed(&pin, "12345678"), Ok(bytes("3132333435363738")));
    assert_eq!(framed(&pin, "123"), Err(CardError::PinLength));
    assert_eq!(framed(&pin, "123456789"), Err(CardError::PinLength));
    assert_eq!(framed(&pin, "12a4"), Err(CardError::PinInvalid));
    pin.min_length = 0;
    assert_eq!(framed(&pin, ""), Err(CardError::PinLength), "an empty PIN is never sent");
    pin.kind = PinType::Utf8;
    assert_eq!(framed(&pin, "pässt"), Ok(bytes("70C3A4737374FFFF")));
    pin.kind = PinType::HalfNibbleBcd;
    assert_eq!(framed(&pin, "1234"), Ok(bytes("F1F2F3F4FFFFFFFF")));
    pin.kind = PinType::Bcd;
    assert_eq!(framed(&pin, "12345"), Ok(bytes("12345FFFFFFFFFFF")));
    pin.kind = PinType::Iso9564;
    assert_eq!(framed(&pin, "12345"), Ok(bytes("2512345FFFFFFFFF")));
    pin.kind = PinType::Other(9);
    assert_eq!(framed(&pin, "12345"), Err(CardError::NotSupported));
    (pin.kind, pin.flags) = (PinType::AsciiNumeric, PinFlags::NONE);
    assert_eq!(framed(&pin, "1234"), Ok(b"1234".to_vec()));
}

#[test]
fn the_token_tells_its_serial_number_and_its_algorithms() {
    let info = TokenInfo::parse(&[bytes(v::TOKEN_INFO), vec![0; 60]].concat()).unwrap();
    assert_eq!((info.manufacturer.as_str(), info.label.as_str()), ("Aventra Ltd.", "MyEID (alice)"));
    assert_eq!(info.serial_text(), "0011223344556677");
    assert_eq!(info.flags, TokenFlags::LOGIN_REQUIRED | TokenFlags::PRN_GENERATION);
    let algorithm = info.algorithm(2).unwrap();
    assert_eq!((algorithm.mechanism, algorithm.card_reference), (0x1082, Some(-118)));
    assert_eq!(algorithm.operations, Operations::ENCIPHER | Operations::DECIPHER);
    assert_eq!(info.last_update.as_deref(), Some("20240305101112Z"));
    assert!(info.algorithm(3).is_none());
    let text = TokenInfo { serial: b"0123ABC".to_vec(), ..TokenInfo::default() };
    assert_eq!(text.serial_text(), "0123ABC");
}

#[test]
fn the_object_directory_names_a_file_for_each_class() {
    let file = DirectoryFile::<ObjectDirectoryEntry>::parse(&bytes(v::OBJECT_DIRECTORY)).unwrap();
    let places: Vec<_> = file.entries().map(|entry| entry.class).collect();
    use ObjectClass as C;
    assert_eq!(
        places,
        [
            C::AuthenticationObjects,
            C::PrivateKeys,
            C::PublicKeys,
            C::SecretKeys,
            C::Certificates,
            C::TrustedCertificates,
            C::DataObjects
        ]
    );
    let direct = entry::<ObjectDirectoryEntry>("A405 A003 300104");
    assert_eq!(direct.place, Place::Direct(bytes("300104")));
}

#[test]
fn unused_space_is_a_part_of_a_file() {
    let space: UnusedSpaceEntry = entry(v::UNUSED_SPACE);
    assert_eq!(space.path, Path { file: vec![0x45, 0x01], index: Some(16), length: Some(256) });
    assert_eq!(space.auth_id, Some(vec![1]));
}

#[test]
fn an_application_template_is_that_of_the_standards_first_example() {
    let template: ApplicationTemplate = entry(v::TEMPLATE);
    assert_eq!((template.aid.as_slice(), template.label.as_str()), (application::AID, "RSA DSI"));
    assert_eq!(template.path, bytes("3F005015"));
    assert_eq!(template.unused_space, Some(Path::new(bytes("3F0050154320"))));
    assert_eq!((template.object_directory, template.token_info), (None, None));
}
