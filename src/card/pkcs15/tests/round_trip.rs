//! What is written is what was read, and what was written is read.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

use super::vectors as v;
use super::*;

/// Entries are written bit by bit as they were.
#[test]
fn an_entry_is_written_as_it_was_read() {
    fn same<T: Entry>(text: &str) {
        let file = DirectoryFile::<T>::parse(&bytes(text)).unwrap();
        let written: Vec<u8> = file.entries().flat_map(Entry::encode).collect();
        assert_eq!(hex::encode(written), hex::encode(bytes(text)), "{}", T::FILE);
    }
    let private =
        [v::RSA_PRIVATE, v::RSA_PRIVATE_FULL, v::EC_PRIVATE_OPENSC, v::EC_PRIVATE_STANDARD, v::EC_PRIVATE_NO_FILE];
    for text in private {
        same::<PrivateKeyEntry>(text);
    }
    for text in [v::RSA_PUBLIC, v::RSA_PUBLIC_DIRECT] {
        same::<PublicKeyEntry>(text);
    }
    same::<SecretKeyEntry>(v::AES_OPENSC);
    same::<CertificateEntry>(v::CERTIFICATE);
    same::<CertificateEntry>(v::CERTIFICATE_FULL);
    same::<DataEntry>(v::DATA);
    same::<DataEntry>(v::DATA_OID);
    same::<PinEntry>(v::PIN);
    same::<PinEntry>(v::SO_PIN);
    same::<ObjectDirectoryEntry>(v::OBJECT_DIRECTORY);
    same::<UnusedSpaceEntry>(v::UNUSED_SPACE);
    same::<ApplicationTemplate>(v::TEMPLATE);
    let info = TokenInfo::parse(&bytes(v::TOKEN_INFO)).unwrap();
    assert_eq!(hex::encode(info.encode()), hex::encode(bytes(v::TOKEN_INFO)));
}

/// Access control rules and other fields that are not described here come back.
#[test]
fn what_extends_an_entry_survives() {
    let text = "303F 3018 0C0B50726976617465204B6579 030206C0 040101 30023000
        3011 040145 03020520 030203B8 020100 A201AA A110300E 3008 04063F0050154B01 02020800";
    let key: PrivateKeyEntry = entry(text);
    assert_eq!((key.common.extensions.clone(), key.key.extensions.clone()), (bytes("30023000"), bytes("A201AA")));
    assert_eq!(key.encode(), bytes(text));
}

fn path() -> impl Strategy<Value = Path> {
    (vec(any::<u8>(), 0..=16), option::of(any::<u32>()), option::of(any::<u32>()))
        .prop_map(|(file, index, length)| Path { file, index, length })
}

fn value() -> impl Strategy<Value = ObjectValue> {
    prop_oneof![path().prop_map(ObjectValue::Path), vec(any::<u8>(), 0..300).prop_map(ObjectValue::Direct)]
}

fn common() -> impl Strategy<Value = Common> {
    let authentication = option::of(vec(any::<u8>(), 1..20));
    (any::<String>(), any::<u32>(), authentication, option::of(any::<u32>())).prop_map(
        |(label, flags, auth_id, user_consent)| Common {
            label,
            flags: ObjectFlags(flags),
            auth_id,
            user_consent,
            extensions: bytes("30023000"),
        },
    )
}

fn key() -> impl Strategy<Value = KeyAttributes> {
    let dates = (option::of("[0-9]{14}Z"), option::of("[0-9]{14}Z"));
    (
        vec(any::<u8>(), 0..40),
        any::<u32>(),
        any::<bool>(),
        option::of(any::<u32>().prop_map(AccessFlags)),
        option::of(any::<i32>()),
        dates,
        vec(any::<i32>(), 0..16),
    )
        .prop_map(|(id, usage, native, access, key_reference, (start_date, end_date), algorithms)| KeyAttributes {
            native,
            access,
            key_reference,
            start_date,
            end_date,
            algorithms,
            ..KeyAttributes::new(id, KeyUsage(usage))
        })
}

fn algorithm() -> impl Strategy<Value = (KeyAlgorithm, Option<u32>)> {
    prop_oneof![
        any::<u32>().prop_map(|size| (KeyAlgorithm::Rsa, Some(size))),
        option::of(112..600u32).prop_map(|size| (KeyAlgorithm::Ec, size)),
        Just((KeyAlgorithm::Dsa, None)),
    ]
}

fn info() -> impl Strategy<Value = Option<KeyInfo>> {
    option::of(prop_oneof![
        (-1..100i32).prop_map(KeyInfo::Reference),
        vec(any::<u8>(), 0..30).prop_map(KeyInfo::Parameters)
    ])
}

fn reread<T: Entry>(entry: &T) -> T {
    T::decode(&only(&entry.encode())).unwrap().unwrap()
}

proptest! {
    #[test]
    fn private_and_public_keys_are_read_as_written(
        common in common(), key in key(), value in value(), (algorithm, size) in algorithm(), info in info(),
        subject in option::of(Just(bytes("30023100"))),
    ) {
        let subject = subject.unwrap_or_default();
        let mut private = PrivateKeyEntry::new(algorithm, key.clone(), value.clone(), size);
        (private.common, private.subject, private.attributes.info) = (common.clone(), subject.clone(), info.clone());
        prop_assert_eq!(reread(&private), private);
        let mut public = PublicKeyEntry::new(algorithm, key, value, size);
        (public.common, public.subject, public.attributes.info) = (common, subject, info);
        prop_assert_eq!(reread(&public), public);
    }

    #[test]
    fn secret_keys_are_read_as_written(
        common in common(), key in key(), value in value(), length in option::of(any::<u32>()), des in any::<bool>(),
    ) {
        let algorithm = if des { SecretKeyAlgorithm::Des3 } else { SecretKeyAlgorithm::Generic };
        let mut secret = SecretKeyEntry::new(algorithm, key, value, length);
        secret.common = common;
        prop_assert_eq!(reread(&secret), secret);
    }

    #[test]
    fn certificates_and_data_objects_are_read_as_written(
        common in common(), id in vec(any::<u8>(), 0..40), value in value(), application in any::<String>(),
        flags in any::<[bool; 4]>(),
    ) {
        let [authority, named, numbered, told] = flags;
        let mut certificate = CertificateEntry::new(id, value.clone());
        (certificate.common, certificate.authority) = (common.clone(), authority);
        if named {
            (certificate.subject, certificate.issuer) = (bytes("30023100"), bytes("30043102 3000"));
        }
        if numbered {
            certificate.serial = bytes("0204FFFFFFFF");
        }
        prop_assert_eq!(reread(&certificate), certificate);
        let mut data = DataEntry::new(application, value);
        (data.common, data.oid) = (common, told.then(|| bytes("06032A0304")));
        if numbered {
            data.application_oid = bytes("06032A0305");
        }
        prop_assert_eq!(reread(&data), data);
    }

    #[test]
    fn pins_are_read_as_written(
        common in common(), auth_id in vec(any::<u8>(), 0..20), flags in any::<u32>(), kind in 0..7u32,
        lengths in any::<[u32; 3]>(), bounded in any::<bool>(), pin_reference in option::of(any::<i32>()),
        pad in option::of(any::<u8>()), path in option::of(path()),
    ) {
        let [min_length, stored_length, max_length] = lengths;
        let mut pin: PinEntry = entry(v::PIN);
        (pin.common, pin.auth_id, pin.flags, pin.min_length, pin.stored_length) =
            (common, auth_id, PinFlags(flags), min_length, stored_length);
        (pin.max_length, pin.pin_reference, pin.pad, pin.path) = (bounded.then_some(max_length), pin_reference, pad, path);
        pin.kind = match kind {
            0 => PinType::Bcd, 1 => PinType::AsciiNumeric, 2 => PinType::Utf8, 3 => PinType::HalfNibbleBcd,
            4 => PinType::Iso9564, other => PinType::Other(other),
        };
        prop_assert_eq!(reread(&pin), pin);
    }

    #[test]
    fn token_information_is_read_as_written(
        texts in any::<[String; 4]>(), serial in vec(any::<u8>(), 0..20), flags in any::<u32>(), version in 0..2u32,
        algorithms in vec((any::<i32>(), any::<u32>(), any::<u32>(), option::of(any::<i32>())), 0..20),
        update in option::of("[0-9]{14}Z"),
    ) {
        let [manufacturer, label, issuer, holder] = texts;
        let algorithms = algorithms.into_iter().map(|(reference, mechanism, operations, card_reference)| AlgorithmInfo {
            reference, mechanism, parameters: bytes("0500"), operations: Operations(operations),
            oid: bytes("06032A0304"), card_reference, extensions: Vec::new(),
        }).collect();
        let info = TokenInfo {
            version, serial, manufacturer, label, flags: TokenFlags(flags), algorithms, issuer, holder,
            last_update: update, language: "en".to_owned(), ..TokenInfo::default()
        };
        prop_assert_eq!(TokenInfo::parse(&info.encode()), Ok(info));
    }

    #[test]
    fn places_and_templates_are_read_as_written(path in path(), direct in vec(any::<u8>(), 0..300)) {
        for place in [Place::File(path.clone()), Place::Direct(direct)] {
            let listed = ObjectDirectoryEntry { class: ObjectClass::UsefulCertificates, place };
            prop_assert_eq!(reread(&listed), listed);
        }
        let space = UnusedSpaceEntry { path: path.clone(), auth_id: None, extensions: Vec::new() };
        prop_assert_eq!(reread(&space), space);
        let template = ApplicationTemplate {
            aid: application::AID.to_vec(), path: path.file.clone(), object_directory: Some(path.clone()),
            token_info: Some(path.clone()), unused_space: Some(path), ..ApplicationTemplate::default()
        };
        prop_assert_eq!(reread(&template), template);
    }
}
