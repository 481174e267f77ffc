#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use super::*;
use crate::card::{Abilities, Authentication, DecipherScheme, KeyReference, SignatureScheme, Usage};
use crate::mechanism::rsa::tests::{KeyPair, key_pair};
use crate::mechanism::{EcdhParameters, Kdf, OaepParameters};

/// A private key of this kind that can do and may do everything.
pub(crate) fn key(kind: KeyKind) -> PrivateKey {
    let (sign, decipher, agree): (&[SignatureScheme], &[DecipherScheme], bool) = match kind {
        KeyKind::Rsa { .. } => {
            (&[SignatureScheme::RsaRaw, SignatureScheme::RsaPkcs1], &[DecipherScheme::RsaRaw], false)
        }
        KeyKind::Ec(_) => (&[SignatureScheme::Ecdsa], &[], true),
        KeyKind::Ed25519 => (&[SignatureScheme::Eddsa], &[], false),
        KeyKind::X25519 => (&[], &[], true),
    };
    PrivateKey {
        reference: KeyReference(1),
        id: vec![1],
        label: "key".to_owned(),
        kind,
        public: None,
        subject: vec![],
        abilities: Abilities { sign, decipher, agree },
        usage: Usage { sign: true, decrypt: true, unwrap: true, derive: true },
        authentication: Authentication::Once,
        local: None,
        storage: crate::card::Storage::Token,
        policy: crate::card::KeyPolicy::default(),
    }
}

pub(crate) fn public_key(bits: &str) -> PublicKey {
    let RsaPublic { modulus, exponent } = key_pair(bits).public;
    PublicKey::from_rsa(&modulus, &exponent).unwrap()
}

fn rsa(bits: &str) -> (KeyPair, PrivateKey) {
    let mut key = key(public_key(bits).kind());
    key.public = Some(public_key(bits));
    (key_pair(bits), key)
}

fn pss(hash: Hash, salt_length: usize) -> PssParameters {
    PssParameters { hash, mgf: Hash::Sha1, salt_length }
}

fn signature_mechanisms() -> Vec<(Mechanism, Vec<u8>)> {
    let digest = Hash::Sha256.digest(&[b"data"]);
    vec![
        (Mechanism::RsaPkcs, b"data".to_vec()),
        (Mechanism::RsaX509, b"data".to_vec()),
        (Mechanism::RsaPkcsHash(Hash::Sha384), b"data".to_vec()),
        (Mechanism::RsaPss(pss(Hash::Sha256, 0)), digest.clone()),
        (Mechanism::RsaPss(pss(Hash::Sha256, 32)), digest),
        (Mechanism::RsaPssHash(pss(Hash::Sha1, 20)), b"data".to_vec()),
    ]
}

#[test]
fn what_the_card_signs_the_host_verifies() {
    for bits in ["1024", "1025", "2048"] {
        let (pair, key) = rsa(bits);
        for (mechanism, data) in signature_mechanisms() {
            let mut plan = plan_sign(&mechanism, &key).unwrap();
            let length = plan.output_len();
            for part in data.chunks(3) {
                plan.update(part).unwrap();
            }
            let (scheme, input) = plan.finish().unwrap();
            assert_eq!((scheme, input.len()), (SignatureScheme::RsaRaw, length));
            let signature = pair.private_operation(&input);
            let verify = |data: &[u8], signature: &[u8]| {
                let mut plan = plan_verify(&mechanism, &public_key(bits)).unwrap();
                assert_eq!(plan.signature_len(), length);
                plan.update(data).unwrap();
                plan.finish(signature)
            };
            assert_eq!(verify(&data, &signature), Ok(()), "{mechanism:?}");
            let mut other = data.clone();
            other[0] ^= 1;
            assert_eq!(verify(&other, &signature), Err(Error::SignatureInvalid), "{mechanism:?}");
            assert_eq!(verify(&data, &signature[1..]), Err(Error::SignatureLenRange));
            assert_eq!(verify(&data, &pair.public.modulus), Err(Error::SignatureInvalid));
        }
    }
}

#[test]
fn recovery_gives_the_signed_data_back() {
    let (pair, key) = rsa("1024");
    for (mechanism, expected) in
        [(Mechanism::RsaPkcs, b"data".to_vec()), (Mechanism::RsaX509, [vec![0; 124], b"data".to_vec()].concat())]
    {
        let mut plan = plan_sign_recover(&mechanism, &key).unwrap();
        plan.update(b"data").unwrap();
        let signature = pair.private_operation(&plan.finish().unwrap().1);
        let plan = plan_verify_recover(&mechanism, &public_key("1024")).unwrap();
        assert!(expected.len() <= plan.max_output_len());
        assert_eq!(*plan.recover(&signature).unwrap(), expected);
        assert_eq!(plan.recover(&signature[1..]), Err(Error::SignatureLenRange));
    }
    let plan = plan_verify_recover(&Mechanism::RsaPkcs, &public_key("1024")).unwrap();
    assert_eq!(plan.recover(&[1; 128]), Err(Error::SignatureInvalid));
    let hashed = Mechanism::RsaPkcsHash(Hash::Sha256);
    assert_eq!(plan_sign_recover(&hashed, &key).err(), Some(Error::MechanismInvalid));
    assert_eq!(plan_verify_recover(&hashed, &public_key("1024")).err(), Some(Error::MechanismInvalid));
}

#[test]
fn a_card_that_pads_gets_the_digest_info_only() {
    let (_, mut key) = rsa("1024");
    key.abilities.sign = &[SignatureScheme::RsaPkcs1];
    let mut plan = plan_sign(&Mechanism::RsaPkcsHash(Hash::Sha256), &key).unwrap();
    assert_eq!(plan.output_len(), 128);
    plan.update(b"da").unwrap();
    plan.update(b"ta").unwrap();
    let (scheme, input) = plan.finish().unwrap();
    assert_eq!(scheme, SignatureScheme::RsaPkcs1);
    assert_eq!(*input, pkcs1::digest_info(Hash::Sha256, &Hash::Sha256.digest(&[b"data"])));
    for mechanism in [Mechanism::RsaX509, Mechanism::RsaPss(pss(Hash::Sha1, 0))] {
        assert_eq!(plan_sign(&mechanism, &key).err(), Some(Error::MechanismInvalid));
    }
}

#[test]
fn data_beyond_the_mechanisms_limit_are_refused_as_they_come() {
    let (pair, key) = rsa("1024");
    let feed = |mechanism: &Mechanism, length: usize| {
        let mut plan = plan_sign(mechanism, &key).unwrap();
        plan.update(&vec![0; length / 2])?;
        plan.update(&vec![0; length - length / 2])?;
        plan.finish().map(|_| ())
    };
    assert_eq!(feed(&Mechanism::RsaPkcs, 117), Ok(()));
    assert_eq!(feed(&Mechanism::RsaPkcs, 118), Err(Error::DataLenRange));
    assert_eq!(feed(&Mechanism::RsaX509, 128), Ok(()));
    assert_eq!(feed(&Mechanism::RsaX509, 129), Err(Error::DataLenRange));
    for length in [0, 31, 33] {
        assert_eq!(feed(&Mechanism::RsaPss(pss(Hash::Sha256, 0)), length), Err(Error::DataLenRange));
    }
    let mut plan = plan_sign(&Mechanism::RsaX509, &key).unwrap();
    plan.update(&pair.public.modulus).unwrap();
    assert_eq!(plan.finish().err(), Some(Error::DataInvalid));
}

#[test]
fn ecdsa_takes_digests_of_any_length_and_the_card_gets_the_fields() {
    for curve in Curve::ALL {
        let input = |mechanism: &Mechanism, parts: &[&[u8]]| {
            let mut plan = plan_sign(mechanism, &key(KeyKind::Ec(curve))).unwrap();
            assert_eq!((plan.output_len(), plan.scheme()), (2 * curve.field_len(), SignatureScheme::Ecdsa));
            for part in parts {
                plan.update(part)?;
            }
            plan.finish().map(|(_, input)| input.to_vec())
        };
        assert_eq!(input(&Mechanism::Ecdsa, &[b""]), Err(Error::DataLenRange));
        for length in [1, 20, 32, 64, 66, 200] {
            let digest = vec![0xA5; length];
            let framed = crate::mechanism::ec::frame_digest(curve, &digest);
            assert_eq!(framed.len(), curve.field_len());
            assert_eq!(input(&Mechanism::Ecdsa, &[&digest]), Ok(framed.clone()));
            assert_eq!(input(&Mechanism::Ecdsa, &[&digest[..length / 2], &digest[length / 2..]]), Ok(framed));
        }
        let hashed = input(&Mechanism::EcdsaHash(Hash::Sha256), &[b"a", b"bc"]).unwrap();
        assert_eq!(hashed, crate::mechanism::ec::frame_digest(curve, &Hash::Sha256.digest(&[b"abc"])));
    }
}

#[test]
fn eddsa_messages_go_whole_to_the_card() {
    let mut plan = plan_sign(&Mechanism::Eddsa, &key(KeyKind::Ed25519)).unwrap();
    plan.update(b"mess").unwrap();
    plan.update(b"age").unwrap();
    assert_eq!(plan.update(&vec![0; 65_535]), Err(Error::DataLenRange));
    let (scheme, input) = plan.finish().unwrap();
    assert_eq!((scheme, input.as_slice()), (SignatureScheme::Eddsa, b"message".as_slice()));
    let rfc8032 = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a";
    let public = PublicKey::from_ed25519(&hex::decode(rfc8032).unwrap()).unwrap();
    let signature = "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b";
    let signature = hex::decode(signature).unwrap();
    assert_eq!(plan_verify(&Mechanism::Eddsa, &public).unwrap().finish(&signature), Ok(()));
    assert_eq!(plan_verify(&Mechanism::Eddsa, &public).unwrap().finish(&signature[1..]), Err(Error::SignatureLenRange));
}

#[test]
fn what_the_host_encrypts_the_card_decrypts() {
    let oaep = OaepParameters { hash: Hash::Sha1, mgf: Hash::Sha256, label: b"label".to_vec() };
    let secret = rejection_secret().unwrap();
    let (pair, key) = rsa("1025");
    for mechanism in [Mechanism::RsaPkcs, Mechanism::RsaOaep(oaep), Mechanism::RsaX509] {
        let mut encrypt = plan_encrypt(&mechanism, &public_key("1025")).unwrap();
        let message = vec![0x00; encrypt.max_input()];
        encrypt.update(&message).unwrap();
        assert_eq!(encrypt.update(&[1]), Err(Error::DataLenRange));
        let length = encrypt.output_len();
        let cryptogram = encrypt.finish().unwrap();
        assert_eq!(cryptogram.len(), length);
        let mut decrypt = plan_decrypt(&mechanism, &key, &secret).unwrap();
        assert_eq!((decrypt.input_len(), decrypt.max_output_len()), (length, message.len()));
        decrypt.update(&cryptogram[..9]).unwrap();
        decrypt.update(&cryptogram[9..]).unwrap();
        let (scheme, cryptogram) = decrypt.finish_input().unwrap();
        assert_eq!(scheme, DecipherScheme::RsaRaw);
        assert_eq!(*decrypt.unpad(pair.private_operation(&cryptogram)).unwrap(), message, "{mechanism:?}");
        assert_eq!(decrypt.unpad(vec![0; 128].into()), Err(Error::DeviceError));
    }
}

#[test]
fn cryptograms_of_wrong_length_or_beyond_the_modulus_never_reach_the_card() {
    let (pair, key) = rsa("1024");
    let secret = rejection_secret().unwrap();
    let input = |cryptogram: &[u8]| {
        let mut plan = plan_decrypt(&Mechanism::RsaPkcs, &key, &secret).unwrap();
        plan.update(cryptogram)?;
        plan.finish_input().map(|(_, cryptogram)| cryptogram)
    };
    assert_eq!(input(&[1; 127]), Err(Error::EncryptedDataLenRange));
    assert_eq!(input(&[1; 129]), Err(Error::EncryptedDataLenRange));
    assert_eq!(input(&pair.public.modulus), Err(Error::EncryptedDataInvalid));
    assert_eq!(input(&[1; 128]), Ok(vec![1; 128]));
}

#[test]
fn a_card_that_unpads_is_answered_for_where_it_refuses() {
    let (_, mut key) = rsa("1024");
    let secret = rejection_secret().unwrap();
    let answers = |key: &PrivateKey| {
        let mut plan = plan_decrypt(&Mechanism::RsaPkcs, key, &secret).unwrap();
        plan.update(&[1; 128]).unwrap();
        let (scheme, _) = plan.finish_input().unwrap();
        (scheme, plan)
    };
    let (_, raw) = answers(&key);
    key.abilities.decipher = &[DecipherScheme::RsaPkcs1];
    let (scheme, plan) = answers(&key);
    assert_eq!(scheme, DecipherScheme::RsaPkcs1);
    assert_eq!(plan.unpad(b"message".to_vec().into()).unwrap().as_slice(), b"message");
    assert_eq!(plan.unpad(vec![1; 118].into()), Err(Error::DeviceError));
    assert_eq!(plan.rejected().unwrap(), raw.unpad(vec![0; 128].into()).unwrap());
    let oaep = Mechanism::RsaOaep(OaepParameters { hash: Hash::Sha1, mgf: Hash::Sha1, label: vec![] });
    assert_eq!(plan_decrypt(&oaep, &key, &secret).err(), Some(Error::MechanismInvalid));
}

#[test]
fn a_key_agrees_with_points_of_its_own_curve() {
    let x = "0219b706578038b1a81ca5e8cf33d0ae0505a52ca3c6594495a4df96a226d218";
    let mechanism = |public_data: &[u8]| {
        Mechanism::Ecdh1(EcdhParameters {
            cofactor: false,
            kdf: Kdf::Null,
            shared_data: vec![],
            public_data: public_data.to_vec(),
        })
    };
    let peer = hex::decode(x).unwrap();
    let plan = plan_derive(&mechanism(&peer), &key(KeyKind::X25519)).unwrap();
    assert_eq!(plan.peer(), &PublicKey::from_x25519(&peer).unwrap());
    assert_eq!(*plan.finish(&[5; 32], Some(16)).unwrap(), [5; 16]);
    assert_eq!(plan.finish(&[5; 31], Some(16)), Err(Error::DeviceError));
    assert_eq!(plan.finish(&[0; 32], Some(16)), Err(Error::MechanismParamInvalid));
    let p256 = key(KeyKind::Ec(Curve::P256));
    assert_eq!(plan_derive(&mechanism(&peer), &p256), Err(Error::MechanismParamInvalid));
    assert_eq!(plan_derive(&mechanism(&peer), &key(KeyKind::Ed25519)), Err(Error::KeyTypeInconsistent));
    assert_eq!(plan_derive(&Mechanism::Ecdsa, &p256), Err(Error::MechanismInvalid));
    let Mechanism::Ecdh1(parameters) = mechanism(&peer) else { panic!() };
    let cofactor = Mechanism::Ecdh1(EcdhParameters { cofactor: true, ..parameters });
    assert_eq!(plan_derive(&cofactor, &key(KeyKind::X25519)), Err(Error::KeyTypeInconsistent));
    assert_eq!(check_derive(&cofactor, &p256), Ok(()));
    let mut forbidden = key(KeyKind::X25519);
    forbidden.usage.derive = false;
    assert_eq!(plan_derive(&mechanism(&peer), &forbidden), Err(Error::KeyFunctionNotPermitted));
}

#[test]
fn mechanisms_are_judged_against_the_key_before_any_data_come() {
    let (_, mut key_rsa) = rsa("512");
    let p256 = key(KeyKind::Ec(Curve::P256));
    let refused = |mechanism: &Mechanism, key: &PrivateKey| check_sign(mechanism, key).unwrap_err();
    assert_eq!(refused(&Mechanism::RsaPkcs, &p256), Error::KeyTypeInconsistent);
    assert_eq!(refused(&Mechanism::Ecdsa, &key_rsa), Error::KeyTypeInconsistent);
    assert_eq!(refused(&Mechanism::Eddsa, &p256), Error::KeyTypeInconsistent);
    assert_eq!(refused(&Mechanism::Digest(Hash::Sha1), &p256), Error::MechanismInvalid);
    assert_eq!(refused(&Mechanism::RsaPkcsHash(Hash::Sha512), &key_rsa), Error::KeySizeRange);
    assert_eq!(refused(&Mechanism::RsaPssHash(pss(Hash::Sha512, 0)), &key_rsa), Error::KeySizeRange);
    assert_eq!(refused(&Mechanism::RsaPssHash(pss(Hash::Sha1, 43)), &key_rsa), Error::MechanismParamInvalid);
    assert!(check_sign(&Mechanism::RsaPssHash(pss(Hash::Sha1, 42)), &key_rsa).is_ok());
    let oaep = Mechanism::RsaOaep(OaepParameters { hash: Hash::Sha256, mgf: Hash::Sha1, label: vec![] });
    assert_eq!(check_decrypt(&oaep, &key_rsa), Err(Error::KeySizeRange));
    assert_eq!(check_decrypt(&Mechanism::Ecdsa, &p256), Err(Error::MechanismInvalid));
    assert_eq!(check_decrypt(&Mechanism::RsaPkcs, &p256), Err(Error::KeyTypeInconsistent));
    key_rsa.usage = Usage { unwrap: true, ..Usage::default() };
    assert_eq!(refused(&Mechanism::RsaPkcs, &key_rsa), Error::KeyFunctionNotPermitted);
    assert_eq!(check_decrypt(&Mechanism::RsaPkcs, &key_rsa), Err(Error::KeyFunctionNotPermitted));
    assert!(check_unwrap(&Mechanism::RsaPkcs, &key_rsa).is_ok());
}
