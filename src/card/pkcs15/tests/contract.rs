//! Entries in the contract's terms.

use super::vectors as v;
use super::*;
use crate::card::key::KeyKind;
use crate::card::secret_key::{SecretKind, SecretUsage};
use crate::card::{Abilities, Authentication, DataReference, KeyReference, Usage};

#[test]
fn usage_is_told_both_ways() {
    let usage = Usage { sign: true, decrypt: true, unwrap: false, derive: true };
    let bits = KeyUsage::SIGN | KeyUsage::DECRYPT | KeyUsage::DERIVE;
    assert_eq!((KeyUsage::from(usage), Usage::from(bits)), (bits, usage));
    assert!(Usage::from(KeyUsage::NON_REPUDIATION).sign);
    let public = KeyUsage::VERIFY | KeyUsage::ENCRYPT | KeyUsage::DERIVE;
    assert_eq!(bits.of_public_half(), public);
    let usage = SecretUsage { encrypt: true, decrypt: false, wrap: false, unwrap: true };
    let bits = KeyUsage::ENCRYPT | KeyUsage::UNWRAP;
    assert_eq!((KeyUsage::from(usage), SecretUsage::from(bits)), (bits, usage));
}

#[test]
fn authentication_is_told_both_ways() {
    for authentication in [Authentication::Never, Authentication::Once, Authentication::Always] {
        let common = Common::guarded("key", authentication, &[1]);
        assert_eq!(common.authentication(), authentication);
        assert_eq!(common.auth_id.is_some(), authentication != Authentication::Never);
    }
    let unlinked = Common { flags: ObjectFlags::PRIVATE, ..Common::default() };
    assert_eq!(unlinked.authentication(), Authentication::Once);
    let no_consent = Common { user_consent: Some(0), ..Common::default() };
    assert_eq!(no_consent.authentication(), Authentication::Never);
}

#[test]
fn a_key_that_was_brought_to_the_card_was_not_always_sensitive() {
    assert_eq!(AccessFlags::of(false, false), AccessFlags::SENSITIVE);
    let flags = AccessFlags::of(true, false);
    assert!(flags.contains(AccessFlags::LOCAL | AccessFlags::ALWAYS_SENSITIVE | AccessFlags::NEVER_EXTRACTABLE));
    assert!(!AccessFlags::of(true, true).intersects(AccessFlags::NEVER_EXTRACTABLE));
    assert!(AccessFlags::of(true, true).contains(AccessFlags::EXTRACTABLE));
}

#[test]
fn a_private_key_entry_becomes_a_key_of_the_contract() {
    let entry: PrivateKeyEntry = entry(v::RSA_PRIVATE_FULL);
    let abilities = Abilities { sign: &[], decipher: &[], agree: false };
    let key = entry.private_key(KeyReference(0x4B02), KeyKind::Rsa { bits: 4096 }, None, abilities);
    assert_eq!((key.label.as_str(), key.authentication, key.local), ("Signature", Authentication::Always, Some(true)));
    assert_eq!(key.usage, Usage { sign: true, ..Usage::default() });
    assert_eq!(key.subject, entry.subject);
}

#[test]
fn an_aes_key_is_told_by_the_tokens_algorithms() {
    let info = TokenInfo::parse(&bytes(v::TOKEN_INFO)).unwrap();
    let key: SecretKeyEntry = entry(v::AES_OPENSC);
    assert_eq!(key.kind(Some(&info)), Some(SecretKind::Aes { bits: 256 }));
    assert_eq!(key.kind(None), Some(SecretKind::Generic { length: 32 }));
    let card_key = key.secret_key(KeyReference(0x4D01), SecretKind::Aes { bits: 256 });
    assert_eq!((card_key.extractable, card_key.local), (false, Some(false)));
    let key: SecretKeyEntry = entry(v::DES3_STANDARD);
    assert_eq!(key.kind(Some(&info)), Some(SecretKind::Des3));
}

#[test]
fn a_data_entry_becomes_data_of_the_contract() {
    let entry: DataEntry = entry(v::DATA);
    let data = entry.data(DataReference(0x4501), None);
    assert_eq!((data.label.as_str(), data.application.as_str(), data.private), ("note", "app", true));
    assert_eq!(data.object_id, bytes("06032A0304"));
}
