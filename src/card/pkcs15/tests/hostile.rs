//! Broken entries: never a panic, never more than there is, never another entry lost.

use proptest::collection::vec;
use proptest::prelude::*;

use super::vectors as v;
use super::*;
use crate::card::CardError;
use crate::card::pkcs15::directory_file::ENTRIES_MAX;

/// Parses as everything, and asks of what was read what can be asked.
fn parse_all(content: &[u8]) {
    fn parse<T: Entry>(content: &[u8]) {
        let Ok(file) = DirectoryFile::<T>::parse(content) else { return };
        assert!(file.encode().len() <= content.len());
        for entry in file.entries() {
            assert!(T::decode(&only(&entry.encode())).is_ok(), "{}", T::FILE);
        }
    }
    parse::<PrivateKeyEntry>(content);
    parse::<PublicKeyEntry>(content);
    parse::<SecretKeyEntry>(content);
    parse::<CertificateEntry>(content);
    parse::<DataEntry>(content);
    parse::<PinEntry>(content);
    parse::<ObjectDirectoryEntry>(content);
    parse::<UnusedSpaceEntry>(content);
    let _ = DirectoryFile::<ApplicationTemplate>::parse(content);
    let _ = TokenInfo::parse(content).map(|info| info.encode());
    let _ = FileControl::parse(content);
    for pin in DirectoryFile::<PinEntry>::parse(content).unwrap_or_default().entries() {
        assert!(pin.longest() <= 510);
        let _ = pin.reference_data(&crate::secret::Pin::new(b"123456"));
    }
    for key in DirectoryFile::<PrivateKeyEntry>::parse(content).unwrap_or_default().entries() {
        let _ = (key.kind(), key.key.reference(), key.common.authentication());
    }
}

const ALL: [&str; 20] = [
    v::RSA_PRIVATE,
    v::RSA_PRIVATE_FULL,
    v::EC_PRIVATE_OPENSC,
    v::EC_PRIVATE_STANDARD,
    v::EC_PRIVATE_NO_FILE,
    v::RSA_PUBLIC,
    v::RSA_PUBLIC_DIRECT,
    v::AES_OPENSC,
    v::DES3_STANDARD,
    v::CERTIFICATE,
    v::CERTIFICATE_FULL,
    v::DATA,
    v::DATA_OID,
    v::PIN,
    v::SO_PIN,
    v::TOKEN_INFO,
    v::OBJECT_DIRECTORY,
    v::TEMPLATE,
    v::UNUSED_SPACE,
    "6F10 8102 0400 8201 01 8302 4402 8603 11FFFF",
];

#[test]
fn no_truncation_panics() {
    for text in ALL {
        let whole = bytes(text);
        (0..whole.len()).for_each(|length| parse_all(&whole[..length]));
    }
}

#[test]
fn no_flipped_bit_panics() {
    for text in ALL {
        let mut content = bytes(text);
        for bit in 0..content.len() * 8 {
            content[bit / 8] ^= 1 << (bit % 8);
            parse_all(&content);
            content[bit / 8] ^= 1 << (bit % 8);
        }
    }
}

#[test]
fn no_replaced_byte_panics() {
    for text in ALL {
        let content = bytes(text);
        for position in 0..content.len() {
            for byte in [0x00, 0x7F, 0x80, 0x81, 0x84, 0xFF] {
                let mut broken = content.clone();
                broken[position] = byte;
                parse_all(&broken);
            }
        }
    }
}

#[test]
fn a_truncated_file_is_malformed() {
    let whole = bytes(v::RSA_PRIVATE);
    for length in 1..whole.len() {
        let parsed = DirectoryFile::<PrivateKeyEntry>::parse(&whole[..length]);
        assert_eq!(parsed, Err(CardError::Malformed { what: "private key directory" }), "{length} bytes");
    }
}

#[test]
fn a_mistake_in_one_entry_hides_no_other() {
    let broken = v::RSA_PRIVATE.replace("040145", "020145");
    let unknown = "A903 020101";
    let content = [bytes(v::EC_PRIVATE_OPENSC), bytes(&broken), bytes(unknown), bytes(v::RSA_PRIVATE_FULL)].concat();
    let mut file = DirectoryFile::<PrivateKeyEntry>::parse(&content).unwrap();
    assert_eq!(file.entries().map(|key| key.algorithm).collect::<Vec<_>>(), [KeyAlgorithm::Ec, KeyAlgorithm::Rsa]);
    assert_eq!(file.items()[1].entry, Err(EntryError));
    assert_eq!(file.items()[2].entry, Ok(None));
    assert_eq!(file.remove(|key| key.algorithm == KeyAlgorithm::Ec), 1);
    assert_eq!(file.encode(), [bytes(&broken), bytes(unknown), bytes(v::RSA_PRIVATE_FULL)].concat());
}

#[test]
fn mandatory_fields_and_types_are_insisted_on() {
    fn refused<T: Entry>(text: &str) {
        let file = DirectoryFile::<T>::parse(&bytes(text)).unwrap();
        assert!(matches!(file.items()[0].entry, Err(EntryError)), "{text}");
    }
    refused::<PrivateKeyEntry>(&v::RSA_PRIVATE.replace("02020800", "04020800"));
    refused::<PrivateKeyEntry>(&v::RSA_PRIVATE.replace("03020520", "04020520"));
    refused::<PrivateKeyEntry>(&v::RSA_PRIVATE.replace("A110300E", "A210300E"));
    refused::<PrivateKeyEntry>(&v::RSA_PRIVATE.replace("03020520", "03020920"));
    refused::<PinEntry>(&v::PIN.replace("0A0101", "020101"));
    refused::<PinEntry>(&v::PIN.replace("0401FF 3006", "0402FF00 05"));
    refused::<CertificateEntry>(&v::CERTIFICATE.replace("040145", "020145"));
    refused::<ObjectDirectoryEntry>("A00A 3008 02063F0050154402");
    refused::<ObjectDirectoryEntry>("A00C 3008 04063F0050154402 0500");
    let broken = v::TOKEN_INFO.replace("03020560", "04020560");
    assert_eq!(TokenInfo::parse(&bytes(&broken)), Err(CardError::Malformed { what: "TokenInfo" }));
}

#[test]
fn a_file_has_a_bounded_number_of_entries() {
    let full = bytes("3000").repeat(ENTRIES_MAX);
    assert_eq!(DirectoryFile::<PinEntry>::parse(&full).unwrap().items().len(), ENTRIES_MAX);
    let more = bytes("3000").repeat(ENTRIES_MAX + 1);
    assert!(DirectoryFile::<PinEntry>::parse(&more).is_err());
}

#[test]
fn padding_may_stand_between_entries_and_erased_memory_ends_them() {
    let content = [bytes(v::PIN), vec![0; 9], bytes(v::SO_PIN), vec![0; 3], vec![0xFF; 5], vec![0x30; 40]].concat();
    let file = DirectoryFile::<PinEntry>::parse(&content).unwrap();
    assert_eq!(file.entries().map(PinEntry::reference).collect::<Vec<_>>(), [1, 0x81]);
    for empty in [vec![], vec![0; 100], vec![0xFF; 100]] {
        assert_eq!(DirectoryFile::<PinEntry>::parse(&empty), Ok(DirectoryFile::default()));
    }
}

proptest! {
    #[test]
    fn no_bytes_panic(content in vec(any::<u8>(), 0..400)) {
        parse_all(&content);
    }

    #[test]
    fn no_mutation_panics(which in 0..ALL.len(), changes in vec((any::<prop::sample::Index>(), any::<u8>()), 1..6)) {
        let mut content = bytes(ALL[which]);
        for (position, byte) in changes {
            let position = position.index(content.len());
            content[position] = byte;
        }
        parse_all(&content);
    }
}
