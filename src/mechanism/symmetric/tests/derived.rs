//! Triple DES and derivations against published values.

use super::{aes, encrypt, key};
use crate::error::Error;
use crate::mechanism::symmetric::*;
use crate::mechanism::{Derivation, Des3Mode, HkdfParameters, Salt};

fn bytes(text: &str) -> Vec<u8> {
    hex::decode(text).unwrap()
}

/// SP 800-67 appendix B.
const KEY: &str = "0123456789abcdef23456789abcdef01456789abcdef0123";
const TEXT: &[u8] = b"The qufck brown fox jump";

#[test]
fn triple_des_has_the_values_of_the_standard_and_of_openssl() {
    let (three, two) = (key(SecretKind::Des3, &bytes(KEY)), key(SecretKind::Des2, &bytes(&KEY[..32])));
    let iv = [0, 1, 2, 3, 4, 5, 6, 7];
    for (mode, key, expected) in [
        (Des3Mode::Ecb, &three, "a826fd8ce53b855fcce21c8112256fe668d5c05dd9b6b900"),
        (Des3Mode::CbcPad { iv }, &three, "f368d06f3bbd614e60f2d0245cad3f818d5c69f2cb3fd5c7efa5066e2c4e03b9"),
        (Des3Mode::Cbc { iv }, &three, "f368d06f3bbd614e60f2d0245cad3f818d5c69f2cb3fd5c7"),
        (Des3Mode::CbcPad { iv }, &two, "5fc422bf09e37e07d18101ef41b90eca02e8ed6fef6e414ea94283bc04636a71"),
    ] {
        let mechanism = Mechanism::Des3(mode);
        for parts in [1, 7, 8, 24] {
            assert_eq!(encrypt(&mechanism, key, TEXT, parts).unwrap(), bytes(expected));
            let mut decryptor = Decryptor::new(&mechanism, key).unwrap();
            let mut plain = Vec::new();
            for part in bytes(expected).chunks(parts) {
                plain.extend_from_slice(&decryptor.update(part).unwrap());
            }
            plain.extend_from_slice(&decryptor.finish().unwrap());
            assert_eq!(plain, TEXT);
        }
    }
    assert_eq!(cipher_check_value(SecretKind::Des3, &bytes(KEY)), Ok(Some([0x4E, 0xBA, 0x73])));
    assert_eq!(check_cipher(&Mechanism::Des3(Des3Mode::Ecb), SecretKind::Aes), Err(Error::KeyTypeInconsistent));
    assert_eq!(check_cipher(&aes(AesMode::Ecb), SecretKind::Des3), Err(Error::KeyTypeInconsistent));
    let short = Encryptor::new(&Mechanism::Des3(Des3Mode::Ecb), &key(SecretKind::Des3, &[0; 23]));
    assert_eq!(short.err(), Some(Error::KeySizeRange));
}

fn of(derivation: &Derivation, base: &str, length: Option<usize>) -> Result<String> {
    derive(derivation, &key(SecretKind::Generic, &bytes(base)), None, length).map(|key| hex::encode(&*key))
}

fn data(text: &str) -> SecretBytes {
    Zeroizing::new(bytes(text))
}

#[test]
fn secrets_are_put_together_as_the_specification_shows() {
    let base = key(SecretKind::Generic, &bytes("01234567"));
    let with_key = derive(&Derivation::WithKey(1), &base, Some(&bytes("89abcdef")), None).unwrap();
    assert_eq!(hex::encode(&*with_key), "0123456789abcdef");
    let other = data("89abcdef");
    assert_eq!(of(&Derivation::WithData(other.clone()), "01234567", None).unwrap(), "0123456789abcdef");
    assert_eq!(of(&Derivation::AfterData(other.clone()), "01234567", None).unwrap(), "89abcdef01234567");
    assert_eq!(of(&Derivation::Xor(other.clone()), "01234567", None).unwrap(), "88888888");
    assert_eq!(of(&Derivation::Xor(other.clone()), "0123", None).unwrap(), "8888", "as long as the shorter");
    assert_eq!(of(&Derivation::WithData(other.clone()), "01234567", Some(5)).unwrap(), "0123456789");
    assert_eq!(of(&Derivation::WithData(other), "01234567", Some(9)), Err(Error::AttributeValueInvalid));
    let extract = |bit| Derivation::Extract { bit };
    assert_eq!(of(&extract(21), "329f84a9", Some(2)).unwrap(), "9526");
    assert_eq!(of(&extract(0), "329f84a9", Some(4)).unwrap(), "329f84a9");
    assert_eq!(of(&extract(32), "329f84a9", Some(2)), Err(Error::MechanismParamInvalid));
    assert_eq!(of(&extract(usize::MAX), "329f84a9", Some(2)), Err(Error::MechanismParamInvalid));
    assert_eq!(of(&extract(0), "329f84a9", Some(5)), Err(Error::AttributeValueInvalid));
    assert_eq!(of(&extract(0), "329f84a9", None), Err(Error::TemplateIncomplete));
}

#[test]
fn digests_and_ciphers_make_secrets() {
    let sha1 = of(&Derivation::Digest(Hash::Sha1), "616263", None).unwrap();
    assert_eq!(sha1, "a9993e364706816aba3e25717850c26c9cd0d89d");
    assert_eq!(of(&Derivation::Digest(Hash::Sha1), "616263", Some(16)).unwrap(), sha1[..32]);
    assert_eq!(of(&Derivation::Digest(Hash::Sha1), "616263", Some(21)), Err(Error::AttributeValueInvalid));
    assert_eq!(of(&Derivation::Digest(Hash::Sha1), "616263", Some(0)), Err(Error::AttributeValueInvalid));
    // SP 800-38A F.1.1
    let base = key(SecretKind::Aes, &bytes("2b7e151628aed2a6abf7158809cf4f3c"));
    let data = data("6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51");
    let cipher = Box::new(aes(AesMode::Ecb));
    let derivation = Derivation::Encrypt { cipher, data };
    let text = derive(&derivation, &base, None, Some(24)).unwrap();
    assert_eq!(hex::encode(&*text), "3ad77bb40d7a3660a89ecaf32466ef97f5d3d58503b9699d");
    assert_eq!(derive(&derivation, &base, None, Some(33)), Err(Error::DataLenRange));
    let generic = Mechanism::Derive(derivation);
    assert_eq!(check_derivation(&generic, SecretKind::Generic).err(), Some(Error::KeyTypeInconsistent));
}

/// RFC 5869 appendix A: test cases 1 to 5 and 7.
#[test]
fn hkdf_has_the_values_of_the_rfc() {
    let sequence = |from: u8, to: u8| hex::encode((from..=to).collect::<Vec<u8>>());
    let long = (sequence(0, 0x4F), sequence(0x60, 0xAF), sequence(0xB0, 0xFF));
    let secret = "0b".repeat(22);
    let cases = [
        (
            Hash::Sha256,
            secret.clone(),
            "000102030405060708090a0b0c".to_owned(),
            "f0f1f2f3f4f5f6f7f8f9".to_owned(),
            "077709362c2e32df0ddc3f0dc47bba6390b6c73bb50f9c3122ec844ad7c2b3e5",
            "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865",
        ),
        (
            Hash::Sha256,
            long.0.clone(),
            long.1.clone(),
            long.2.clone(),
            "06a6b88c5853361a06104c9ceb35b45cef760014904671014a193f40c15fc244",
            "b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c59045a99cac7827271cb41c65e590e09da3275600c2f09b8367793a9aca3db71cc30c58179ec3e87c14c01d5c1f3434f1d87",
        ),
        (
            Hash::Sha256,
            secret.clone(),
            String::new(),
            String::new(),
            "19ef24a32c717b167f33a91d6f648bdf96596776afdb6377ac434c1c293ccb04",
            "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8",
        ),
        (
            Hash::Sha1,
            "0b".repeat(11),
            "000102030405060708090a0b0c".to_owned(),
            "f0f1f2f3f4f5f6f7f8f9".to_owned(),
            "9b6c18c432a7bf8f0e71c8eb88f4b30baa2ba243",
            "085a01ea1b10f36933068b56efa5ad81a4f14b822f5b091568a9cdd4f155fda2c22e422478d305f3f896",
        ),
        (
            Hash::Sha1,
            "0c".repeat(22),
            String::new(),
            String::new(),
            "2adccada18779e7c2077ad2eb19d3f3e731385dd",
            "2c91117204d745f3500d636a62f64f0ab3bae548aa53d423b0d1f27ebba6f5e5673a081d70cce7acfc48",
        ),
    ];
    for (hash, secret, salt, info, extracted, expanded) in cases {
        let parameters = |extract, expand| HkdfParameters {
            extract,
            expand,
            hash,
            salt: if salt.is_empty() { Salt::Zeros } else { Salt::Data(bytes(&salt)) },
            info: bytes(&info),
        };
        let run = |extract, expand, base: &str, length| {
            let derivation = Derivation::Hkdf { parameters: parameters(extract, expand), data: false };
            let salt = bytes(&salt);
            let salt = if salt.is_empty() { None } else { Some(salt.as_slice()) };
            let base = key(SecretKind::Hkdf, &bytes(base));
            derive(&derivation, &base, salt, length).map(|key| hex::encode(&*key))
        };
        let length = Some(expanded.len() / 2);
        assert_eq!(run(true, false, &secret, None).unwrap(), extracted);
        assert_eq!(run(false, true, extracted, length).unwrap(), expanded);
        assert_eq!(run(true, true, &secret, length).unwrap(), expanded);
        assert_eq!(run(true, true, &secret, None).unwrap().len(), 2 * hash.output_len());
        let most = hash.output_len() * 255;
        assert_eq!(run(true, true, &secret, Some(most)).unwrap().len(), 2 * most);
        assert_eq!(run(true, true, &secret, Some(most + 1)), Err(Error::AttributeValueInvalid));
    }
}
