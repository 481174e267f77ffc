//! Secrets that are derived of secrets, and triple DES, compared with what `openssl` and the standards say.

use cryptoki::error::RvError;
use cryptoki::mechanism::ekdf::AesCbcDeriveParams;
use cryptoki::mechanism::hkdf::{HkdfParams, HkdfSalt};
use cryptoki::mechanism::misc::{ExtractParams, KeyDerivationStringData};
use cryptoki::mechanism::{Mechanism, MechanismType};
use cryptoki::object::{Attribute, AttributeType, KeyType, ObjectClass, ObjectHandle};
use cryptoki::session::Session;

use super::super::station::Card;
use super::{Token, assert_refused, with_token};

/// A secret of the session that others may be derived of.
fn secret(session: &Session, key_type: KeyType, value: &[u8]) -> ObjectHandle {
    let mut template = vec![
        Attribute::Class(ObjectClass::SECRET_KEY),
        Attribute::KeyType(key_type),
        Attribute::Value(value.to_vec()),
        Attribute::Token(false),
        Attribute::Derive(true),
    ];
    if key_type == KeyType::AES || key_type == KeyType::DES3 {
        template.extend([Attribute::Encrypt(true), Attribute::Decrypt(true)]);
    }
    session.create_object(&template).unwrap()
}

fn value(session: &Session, key: ObjectHandle) -> Vec<u8> {
    match &session.get_attributes(key, &[AttributeType::Value]).unwrap()[..] {
        [Attribute::Value(value)] => value.clone(),
        other => panic!("{other:?}"),
    }
}

fn derived(session: &Session, mechanism: &Mechanism<'_>, base: ObjectHandle, length: u64) -> Vec<u8> {
    let template = [
        Attribute::Class(ObjectClass::SECRET_KEY),
        Attribute::KeyType(KeyType::GENERIC_SECRET),
        Attribute::ValueLen(length.into()),
        Attribute::Token(false),
    ];
    value(session, session.derive_key(mechanism, base, &template).unwrap())
}

/// HKDF as OpenSSL computes it.
fn hkdf(token: &Token, mode: &str, key: &[u8], salt: &[u8], info: &[u8], length: usize) -> Vec<u8> {
    let options = [
        "digest:SHA384".to_owned(),
        format!("mode:{mode}"),
        format!("hexkey:{}", hex::encode(key)),
        format!("hexsalt:{}", hex::encode(salt)),
        format!("hexinfo:{}", hex::encode(info)),
    ];
    let mut arguments = ["kdf", "-binary", "-keylen"].map(str::to_owned).to_vec();
    arguments.push(length.to_string());
    for option in options {
        arguments.extend(["-kdfopt".to_owned(), option]);
    }
    arguments.push("HKDF".to_owned());
    token.openssl.run(&arguments).succeeded().stdout
}

#[test]
fn hkdf_gives_what_openssl_gives() {
    with_token(hkdf_gives_what_openssl_gives, Card::Elliptic, |token| {
        let session = token.user_session();
        let (key, salt, info) = ([0x5A; 40], [0x17; 13], *b"the purpose");
        let base = secret(&session, KeyType::GENERIC_SECRET, &key);
        let of_key = secret(&session, KeyType::GENERIC_SECRET, &salt);
        let both = hkdf(token, "EXTRACT_AND_EXPAND", &key, &salt, &info, 100);
        for salt in [HkdfSalt::Data(&salt), HkdfSalt::Key(of_key)] {
            let parameters = HkdfParams::new(MechanismType::SHA384, Some(salt), Some(&info));
            assert_eq!(derived(&session, &Mechanism::HkdfDerive(parameters), base, 100), both);
        }
        let expand = HkdfParams::new(MechanismType::SHA384, None, Some(&info));
        let expected = hkdf(token, "EXPAND_ONLY", &key, &salt, &info, 48);
        assert_eq!(derived(&session, &Mechanism::HkdfDerive(expand), base, 48), expected);
        let extract = HkdfParams::new(MechanismType::SHA384, Some(HkdfSalt::Data(&salt)), None);
        let expected = hkdf(token, "EXTRACT_ONLY", &key, &salt, &info, 48);
        assert_eq!(derived(&session, &Mechanism::HkdfDerive(extract), base, 48), expected);
        let hash = HkdfParams::new(MechanismType::RSA_PKCS, Some(HkdfSalt::Null), None);
        let refused = session.derive_key(&Mechanism::HkdfDerive(hash), base, &[]);
        assert_refused(refused, RvError::MechanismParamInvalid);
    });
}

#[test]
fn secrets_are_put_together() {
    with_token(secrets_are_put_together, Card::Elliptic, |token| {
        let session = token.user_session();
        let one = secret(&session, KeyType::GENERIC_SECRET, &[0x01, 0x23, 0x45, 0x67]);
        let other = [0x89, 0xAB, 0xCD, 0xEF];
        let second = secret(&session, KeyType::GENERIC_SECRET, &other);
        let data = || KeyDerivationStringData::new(&other);
        let whole = [0x01, 0x23, 0x45, 0x67, 0x89, 0xAB, 0xCD, 0xEF];
        let turned = [0x89, 0xAB, 0xCD, 0xEF, 0x01, 0x23, 0x45, 0x67];
        let derive = |mechanism: Mechanism<'_>, length| derived(&session, &mechanism, one, length);
        assert_eq!(derive(Mechanism::ConcatenateBaseAndKey(second), 8), whole);
        assert_eq!(derive(Mechanism::ConcatenateBaseAndData(data()), 8), whole);
        assert_eq!(derive(Mechanism::ConcatenateDataAndBase(data()), 8), turned);
        assert_eq!(derive(Mechanism::XorBaseAndData(data()), 4), [0x88; 4]);
        assert_eq!(derive(Mechanism::ExtractKeyFromKey(ExtractParams::new(4)), 2), [0x12, 0x34]);
        let aes = secret(&session, KeyType::AES, &[7; 16]);
        let data = [0x42; 32];
        let expected = session.encrypt(&Mechanism::AesCbc([9; 16]), aes, &data).unwrap();
        let mechanism = Mechanism::AesCbcEncryptData(AesCbcDeriveParams::new([9; 16], &data));
        assert_eq!(derived(&session, &mechanism, aes, 24), expected[..24]);
    });
}

#[test]
fn triple_des_has_the_values_of_its_standard() {
    with_token(triple_des_has_the_values_of_its_standard, Card::Elliptic, |token| {
        let session = token.user_session();
        // SP 800-67 appendix B
        let key = hex::decode("0123456789abcdef23456789abcdef01456789abcdef0123").unwrap();
        let des = secret(&session, KeyType::DES3, &key);
        let (text, expected) = (b"The qufck brown fox jump", "a826fd8ce53b855fcce21c8112256fe668d5c05dd9b6b900");
        assert_eq!(hex::encode(session.encrypt(&Mechanism::Des3Ecb, des, text).unwrap()), expected);
        let padded = Mechanism::Des3CbcPad([3; 8]);
        let cryptogram = session.encrypt(&padded, des, b"odd").unwrap();
        assert_eq!(session.decrypt(&padded, des, &cryptogram).unwrap(), b"odd");
        let template = [Attribute::Token(false), Attribute::Sensitive(false)];
        let made = session.generate_key(&Mechanism::Des3KeyGen, &template).unwrap();
        let made = value(&session, made);
        assert!(made.len() == 24 && made.iter().all(|byte| byte.count_ones() % 2 == 1));
    });
}
