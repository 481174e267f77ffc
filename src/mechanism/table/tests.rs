#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use super::*;
use crate::card::key::{Curve, KeyKind, PublicKey};
use crate::mechanism::plan::tests::{key, public_key};
use crate::mechanism::{InputPart, NumberFormat, Salt};

fn pss_parameters(hash: u64, mgf: u64) -> Parameters {
    Parameters::Pss { hash, mgf, salt_length: 20 }
}

fn ecdh_parameters(kdf: u64, shared_data: &[u8]) -> Parameters {
    Parameters::Ecdh1 { kdf, shared_data: shared_data.to_vec(), public_data: vec![4; 65] }
}

fn derivation_data(vector: usize) -> Parameters {
    Parameters::Data { vector: vec![0; vector], data: vec![0; 16].into() }
}

fn oaep_parameters() -> Parameters {
    Parameters::Oaep { hash: CKM_SHA_1, mgf: CKG_MGF1_SHA1, source: CKZ_DATA_SPECIFIED, label: vec![] }
}

fn key_based(counter: Option<NumberFormat>) -> Parameters {
    Parameters::KeyBased { function: CKM_SHA256_HMAC, input: vec![InputPart::Iteration(counter)], iv: vec![] }
}

fn any_parameters(ckm: u64) -> Parameters {
    match parameter_kind(ckm).unwrap() {
        ParameterKind::Pss => {
            let row = HASHES.iter().find(|row| family(ckm) == Some(Family::RsaPssHash(row.0)));
            pss_parameters(row.map_or(CKM_SHA_1, |row| row.1), CKG_MGF1_SHA1)
        }
        ParameterKind::Oaep => oaep_parameters(),
        ParameterKind::RsaAesWrap => Parameters::RsaAesWrap { bits: 256, oaep: Box::new(oaep_parameters()) },
        ParameterKind::KeyBased => key_based(Some(NumberFormat { little_endian: false, bits: 32 })),
        ParameterKind::KeyBasedFeedback => key_based(None),
        ParameterKind::Ecdh1 => ecdh_parameters(CKD_NULL, &[]),
        ParameterKind::Gcm => Parameters::Gcm { iv: vec![0; 12], associated: vec![], tag_bits: 128 },
        ParameterKind::Ctr => Parameters::Ctr { bits: 32, block: [0; 16] },
        ParameterKind::Length => Parameters::Length(8),
        ParameterKind::Bytes => {
            let des = matches!(family(ckm), Some(Family::Des3(_)));
            Parameters::Bytes(vec![0; if des { 8 } else { 16 }])
        }
        ParameterKind::Number => Parameters::Number(8),
        ParameterKind::Data => derivation_data(0),
        ParameterKind::AesData => derivation_data(16),
        ParameterKind::Des3Data => derivation_data(8),
        ParameterKind::Hkdf => {
            Parameters::Hkdf { extract: true, expand: true, hash: CKM_SHA256, salt: Salt::Zeros, info: vec![] }
        }
        _ => Parameters::None,
    }
}

#[test]
fn each_mechanism_is_made_with_its_parameter_and_keeps_its_number() {
    for (ckm, _) in TABLE {
        let pipeline = *ckm == CKM_SP800_108_DOUBLE_PIPELINE_KDF;
        let made = mechanism(*ckm, if pipeline { key_based(None) } else { any_parameters(*ckm) }).unwrap();
        assert_eq!(number(&made), *ckm);
        assert_eq!(TABLE.iter().filter(|row| row.0 == *ckm).count(), 1);
    }
    assert_eq!(parameter_kind(CKM_DES_CBC), None);
    assert_eq!(mechanism(CKM_DES_CBC, Parameters::None), Err(Error::MechanismInvalid));
    assert_eq!(mechanism(CKM_DES_KEY_GEN, Parameters::None), Err(Error::MechanismInvalid));
}

#[test]
fn a_parameter_of_the_wrong_kind_is_refused() {
    for (ckm, _) in TABLE {
        let wanted = parameter_kind(*ckm).unwrap();
        assert_eq!(mechanism(*ckm, Parameters::Bytes(vec![0])), Err(Error::MechanismParamInvalid));
        let optional = [ParameterKind::None, ParameterKind::OptionalEddsa, ParameterKind::OptionalBytes];
        if !optional.contains(&wanted) {
            assert_eq!(mechanism(*ckm, Parameters::None), Err(Error::MechanismParamInvalid));
        }
        if wanted != ParameterKind::Ecdh1 {
            assert_eq!(mechanism(*ckm, ecdh_parameters(CKD_NULL, &[])), Err(Error::MechanismParamInvalid));
        }
    }
}

#[test]
fn a_pss_hash_is_the_mechanisms_own() {
    let sha256 = mechanism(CKM_SHA256_RSA_PKCS_PSS, pss_parameters(CKM_SHA256, CKG_MGF1_SHA1)).unwrap();
    assert_eq!(sha256, Mechanism::RsaPssHash(PssParameters { hash: Hash::Sha256, mgf: Hash::Sha1, salt_length: 20 }));
    let invalid = Err(Error::MechanismParamInvalid);
    assert_eq!(mechanism(CKM_SHA256_RSA_PKCS_PSS, pss_parameters(CKM_SHA_1, CKG_MGF1_SHA256)), invalid);
    assert!(mechanism(CKM_RSA_PKCS_PSS, pss_parameters(CKM_SHA512, CKG_MGF1_SHA224)).is_ok());
    assert_eq!(mechanism(CKM_RSA_PKCS_PSS, pss_parameters(CKM_MD5, CKG_MGF1_SHA1)), invalid);
    assert_eq!(mechanism(CKM_RSA_PKCS_PSS, pss_parameters(CKM_SHA_1, 0)), invalid);
    assert_eq!(mechanism(CKM_RSA_PKCS_PSS, pss_parameters(CKM_SHA_1, CKG_MGF1_SHA3_256)), invalid);
}

#[test]
fn an_oaep_label_needs_its_source_named() {
    let oaep = |source, label: &[u8]| {
        let label = label.to_vec();
        mechanism(CKM_RSA_PKCS_OAEP, Parameters::Oaep { hash: CKM_SHA256, mgf: CKG_MGF1_SHA256, source, label })
    };
    assert!(oaep(CKZ_DATA_SPECIFIED, b"label").is_ok());
    assert!(oaep(CKZ_DATA_SPECIFIED, b"").is_ok());
    assert!(oaep(0, b"").is_ok());
    assert_eq!(oaep(0, b"label"), Err(Error::MechanismParamInvalid));
    assert_eq!(oaep(2, b""), Err(Error::MechanismParamInvalid));
}

#[test]
fn eddsa_is_pure_without_context() {
    let eddsa =
        |prehash, context: &[u8]| mechanism(CKM_EDDSA, Parameters::Eddsa { prehash, context: context.to_vec() });
    assert_eq!(mechanism(CKM_EDDSA, Parameters::None), Ok(Mechanism::Eddsa));
    assert_eq!(eddsa(false, b""), Ok(Mechanism::Eddsa));
    assert_eq!(eddsa(true, b""), Err(Error::MechanismParamInvalid));
    assert_eq!(eddsa(false, b"context"), Err(Error::MechanismParamInvalid));
}

#[test]
fn shared_data_are_for_a_kdf_only() {
    let ecdh = |kdf, shared: &[u8]| mechanism(CKM_ECDH1_DERIVE, ecdh_parameters(kdf, shared));
    assert!(ecdh(CKD_NULL, b"").is_ok());
    assert_eq!(ecdh(CKD_NULL, b"info"), Err(Error::MechanismParamInvalid));
    let Ok(Mechanism::Ecdh1(parameters)) = ecdh(CKD_SHA384_KDF, b"info") else { unreachable!() };
    assert_eq!((parameters.kdf, parameters.shared_data), (Kdf::X963(Hash::Sha384), b"info".to_vec()));
    let Ok(Mechanism::Ecdh1(parameters)) = ecdh(CKD_SHA256_KDF_SP800, b"info") else { unreachable!() };
    assert_eq!((parameters.kdf, parameters.shared_data), (Kdf::OneStep(Hash::Sha256), b"info".to_vec()));
    assert!(ecdh(CKD_SHA1_KDF_SP800, b"").is_ok());
    // A function for X9.42 keys.
    assert_eq!(ecdh(CKD_SHA1_KDF_ASN1, b""), Err(Error::MechanismParamInvalid));
    let without = Parameters::Ecdh1 { kdf: CKD_NULL, shared_data: vec![], public_data: vec![] };
    assert_eq!(mechanism(CKM_ECDH1_DERIVE, without), Err(Error::MechanismParamInvalid));
}

#[test]
fn a_private_key_allows_what_its_card_can_do() {
    use crate::card::{DecipherScheme, SignatureScheme};
    let mut rsa = key(KeyKind::Rsa { bits: 1024 });
    let all = mechanisms_for_private(&rsa);
    assert_eq!(all.len(), 15, "every RSA mechanism: {all:?}");
    rsa.abilities.sign = &[SignatureScheme::RsaPkcs1];
    rsa.abilities.decipher = &[DecipherScheme::RsaPkcs1];
    let padded = [
        CKM_RSA_PKCS,
        CKM_SHA1_RSA_PKCS,
        CKM_SHA224_RSA_PKCS,
        CKM_SHA256_RSA_PKCS,
        CKM_SHA384_RSA_PKCS,
        CKM_SHA512_RSA_PKCS,
    ];
    assert_eq!(mechanisms_for_private(&rsa), padded);
    rsa.usage.sign = false;
    assert_eq!(mechanisms_for_private(&rsa), [CKM_RSA_PKCS]);
    rsa.usage.decrypt = false;
    rsa.usage.unwrap = false;
    assert!(mechanisms_for_private(&rsa).is_empty());
}

#[test]
fn a_short_rsa_key_leaves_out_the_hashes_that_do_not_fit() {
    let allowed = mechanisms_for_private(&key(KeyKind::Rsa { bits: 512 }));
    assert!(allowed.contains(&CKM_SHA256_RSA_PKCS) && allowed.contains(&CKM_SHA384_RSA_PKCS_PSS));
    for ckm in [CKM_SHA384_RSA_PKCS, CKM_SHA512_RSA_PKCS, CKM_SHA512_RSA_PKCS_PSS] {
        assert!(!allowed.contains(&ckm), "{ckm:#x}");
    }
}

#[test]
fn keys_on_curves_allow_their_own_mechanisms() {
    let p256 = mechanisms_for_private(&key(KeyKind::Ec(Curve::P256)));
    assert!(p256.contains(&CKM_ECDSA) && p256.contains(&CKM_ECDSA_SHA512) && p256.contains(&CKM_ECDH1_DERIVE));
    assert!(!p256.contains(&CKM_EDDSA) && !p256.contains(&CKM_RSA_PKCS));
    assert_eq!(mechanisms_for_private(&key(KeyKind::Ed25519)), [CKM_EDDSA]);
    assert_eq!(mechanisms_for_private(&key(KeyKind::X25519)), [CKM_ECDH1_DERIVE]);
    assert!(mechanisms_for_public(&PublicKey::X25519([9; 32])).is_empty());
    assert!(mechanisms_for_public(&public_key("1024")).contains(&CKM_RSA_PKCS_OAEP));
}

#[test]
fn a_tokens_mechanisms_follow_from_its_keys() {
    let keys = [key(KeyKind::Rsa { bits: 2048 }), key(KeyKind::Rsa { bits: 1024 }), key(KeyKind::Ec(Curve::P384))];
    let rows = token_mechanisms(&keys, [], &[], &[]);
    let row = |ckm| rows.iter().find(|row| row.ckm == ckm).copied();
    let pkcs = row(CKM_RSA_PKCS).unwrap();
    assert_eq!((pkcs.min_key, pkcs.max_key), (1024, 2048));
    let recover = CKF_SIGN_RECOVER | CKF_VERIFY_RECOVER;
    let crypt = CKF_ENCRYPT | CKF_DECRYPT | CKF_WRAP | CKF_UNWRAP;
    assert_eq!(pkcs.flags, CKF_HW | CKF_SIGN | CKF_VERIFY | recover | crypt);
    assert_eq!(row(CKM_SHA256_RSA_PKCS_PSS).unwrap().flags, CKF_HW | CKF_SIGN | CKF_VERIFY);
    assert_eq!(row(CKM_RSA_PKCS_OAEP).unwrap().flags, CKF_HW | crypt);
    let curve = CKF_EC_F_P | CKF_EC_OID | CKF_EC_CURVENAME | CKF_EC_UNCOMPRESS | CKF_EC_COMPRESS;
    let ecdsa = row(CKM_ECDSA_SHA256).unwrap();
    assert_eq!((ecdsa.min_key, ecdsa.max_key, ecdsa.flags), (384, 384, CKF_HW | CKF_SIGN | CKF_VERIFY | curve));
    assert_eq!(row(CKM_ECDH1_DERIVE).unwrap().flags, CKF_HW | CKF_DERIVE | curve);
    let digest = row(CKM_SHA256).unwrap();
    assert_eq!((digest.min_key, digest.max_key, digest.flags), (0, 0, CKF_DIGEST));
    assert_eq!(row(CKM_EDDSA), None);
}

#[test]
fn an_empty_token_offers_what_its_card_supports_and_the_hashes() {
    let none = token_mechanisms(&[], [], &[], &[]);
    assert_eq!(none.iter().filter(|row| row.flags == CKF_DIGEST).count(), 5);
    assert!(none.iter().all(|row| row.flags & CKF_HW == 0));
    let like = |kind| Supported { kind, abilities: key(kind).abilities };
    let supported = [like(KeyKind::Rsa { bits: 4096 }), like(KeyKind::Ed25519)];
    let rows = token_mechanisms(&[], [], &supported, &[]);
    let row = |ckm| rows.iter().find(|row| row.ckm == ckm).copied().unwrap();
    assert_eq!((row(CKM_RSA_PKCS).min_key, row(CKM_RSA_PKCS).max_key), (4096, 4096));
    assert_eq!((row(CKM_EDDSA).max_key, row(CKM_EDDSA).flags & CKF_HW), (255, CKF_HW));
}

#[test]
fn a_token_with_keys_offers_the_sizes_of_those_that_it_can_have_beside_them() {
    let like = |kind| Supported { kind, abilities: key(kind).abilities };
    let supported = [2048, 4096].map(|bits| like(KeyKind::Rsa { bits }));
    let generate = [2048, 4096].map(|bits| KeyKind::Rsa { bits });
    let held = [key(KeyKind::Rsa { bits: 1024 })];
    let rows = token_mechanisms(&held, [], &supported, &generate);
    let sizes = |ckm| rows.iter().find(|row| row.ckm == ckm).map(|row| (row.min_key, row.max_key)).unwrap();
    assert_eq!(sizes(CKM_RSA_PKCS_KEY_PAIR_GEN), (2048, 4096));
    assert_eq!(sizes(CKM_SHA256_RSA_PKCS), (1024, 4096));
}

#[test]
fn what_only_the_host_computes_is_not_marked_as_hardware() {
    let rows = token_mechanisms(&[], [&public_key("1024")], &[], &[]);
    let pkcs = rows.iter().find(|row| row.ckm == CKM_RSA_PKCS).unwrap();
    assert_eq!(pkcs.flags, CKF_VERIFY | CKF_VERIFY_RECOVER | CKF_ENCRYPT | CKF_WRAP);
}

#[test]
fn what_the_host_does_with_secret_keys_is_always_offered() {
    let rows = token_mechanisms(&[], [], &[], &[]);
    let row = |ckm| rows.iter().find(|row| row.ckm == ckm).map(|row| (row.min_key, row.max_key, row.flags)).unwrap();
    let cipher = CKF_ENCRYPT | CKF_DECRYPT | CKF_WRAP | CKF_UNWRAP;
    for ckm in [CKM_AES_ECB, CKM_AES_CBC, CKM_AES_CBC_PAD, CKM_AES_CTR, CKM_AES_GCM, CKM_AES_KEY_WRAP] {
        assert_eq!(row(ckm), (16, 32, cipher), "{ckm:#x}");
    }
    for ckm in [CKM_AES_KEY_WRAP_PAD, CKM_AES_KEY_WRAP_KWP, CKM_AES_KEY_WRAP_PKCS7] {
        assert_eq!(row(ckm), (16, 32, cipher), "{ckm:#x}");
    }
    assert_eq!(row(CKM_AES_CMAC), (16, 32, CKF_SIGN | CKF_VERIFY));
    assert_eq!(row(CKM_SHA256_HMAC_GENERAL), (8, 524_288, CKF_SIGN | CKF_VERIFY));
    assert_eq!(row(CKM_AES_KEY_GEN), (16, 32, CKF_GENERATE));
    assert_eq!(row(CKM_GENERIC_SECRET_KEY_GEN), (8, 524_288, CKF_GENERATE));
    assert_eq!(row(CKM_DES3_CBC_PAD), (0, 0, cipher));
    assert_eq!(row(CKM_DES2_KEY_GEN), (0, 0, CKF_GENERATE));
    assert_eq!(row(CKM_HKDF_DERIVE), (8, 524_288, CKF_DERIVE));
    assert_eq!(row(CKM_AES_ECB_ENCRYPT_DATA), (16, 32, CKF_DERIVE));
}

#[test]
fn a_secret_key_allows_what_its_type_is_for() {
    let aes = mechanisms_for_secret(SecretKind::Aes);
    assert!(aes.contains(&CKM_AES_GCM) && aes.contains(&CKM_AES_CMAC_GENERAL) && aes.contains(&CKM_AES_KEY_WRAP_KWP));
    assert!(!aes.contains(&CKM_SHA256_HMAC));
    let hmac = mechanisms_for_secret(SecretKind::Hmac(Hash::Sha1));
    assert!(hmac.starts_with(&[CKM_SHA_1_HMAC, CKM_SHA_1_HMAC_GENERAL]) && !hmac.contains(&CKM_SHA256_HMAC));
    let des3 = mechanisms_for_secret(SecretKind::Des3);
    assert!(des3.contains(&CKM_DES3_ECB) && des3.contains(&CKM_DES3_CBC_PAD) && !des3.contains(&CKM_AES_ECB));
    assert!(des3.contains(&CKM_DES3_CBC_ENCRYPT_DATA) && !des3.contains(&CKM_AES_CBC_ENCRYPT_DATA));
    for kind in SecretKind::ALL {
        assert!(mechanisms_for_secret(kind).contains(&CKM_HKDF_DERIVE), "{kind:?}");
    }
    let generic = mechanisms_for_secret(SecretKind::Generic);
    assert!(generic.contains(&CKM_SHA512_HMAC) && !generic.contains(&CKM_AES_ECB));
    assert!(!mechanisms_for_secret(SecretKind::Other).contains(&CKM_AES_ECB));
}

#[test]
fn parameters_of_secret_key_mechanisms_have_their_values() {
    let invalid = Err(Error::MechanismParamInvalid);
    for length in [0, 15, 17] {
        assert_eq!(mechanism(CKM_AES_CBC, Parameters::Bytes(vec![0; length])), invalid);
    }
    for bits in [0, 129, u64::MAX] {
        assert_eq!(mechanism(CKM_AES_CTR, Parameters::Ctr { bits, block: [0; 16] }), invalid);
    }
    let gcm = |iv: usize, tag_bits| {
        mechanism(CKM_AES_GCM, Parameters::Gcm { iv: vec![0; iv], associated: vec![], tag_bits }).is_ok()
    };
    assert!(gcm(12, 128) && gcm(1, 96) && gcm(256, 32));
    assert!(!gcm(0, 128) && !gcm(12, 0) && !gcm(12, 100) && !gcm(12, 88) && !gcm(12, 136));
    for (ckm, most) in [(CKM_AES_CMAC_GENERAL, 16), (CKM_SHA_1_HMAC_GENERAL, 20), (CKM_SHA512_HMAC_GENERAL, 64)] {
        assert!(mechanism(ckm, Parameters::Length(1)).is_ok() && mechanism(ckm, Parameters::Length(most)).is_ok());
        assert_eq!(mechanism(ckm, Parameters::Length(0)), invalid);
        assert_eq!(mechanism(ckm, Parameters::Length(most + 1)), invalid);
    }
    for (ckm, length) in [(CKM_AES_KEY_WRAP, 8), (CKM_AES_KEY_WRAP_PKCS7, 8), (CKM_AES_KEY_WRAP_KWP, 4)] {
        assert!(mechanism(ckm, Parameters::None).is_ok());
        assert!(mechanism(ckm, Parameters::Bytes(vec![1; length])).is_ok());
        assert_eq!(mechanism(ckm, Parameters::Bytes(vec![1; length + 1])), invalid);
    }
}

#[test]
fn parameters_of_derivations_have_their_values() {
    let invalid = Err(Error::MechanismParamInvalid);
    let data =
        |vector: usize, length: usize| Parameters::Data { vector: vec![0; vector], data: vec![1; length].into() };
    for ckm in [CKM_XOR_BASE_AND_DATA, CKM_CONCATENATE_BASE_AND_DATA, CKM_CONCATENATE_DATA_AND_BASE] {
        assert_eq!(mechanism(ckm, data(0, 0)), invalid);
        assert_eq!(mechanism(ckm, data(0, 65_537)), invalid);
        assert_eq!(mechanism(ckm, Parameters::None), invalid);
        assert!(mechanism(ckm, data(0, 65_536)).is_ok());
    }
    for (ckm, block) in [(CKM_AES_CBC_ENCRYPT_DATA, 16), (CKM_DES3_CBC_ENCRYPT_DATA, 8)] {
        assert!(mechanism(ckm, data(block, 2 * block)).is_ok());
        assert_eq!(mechanism(ckm, data(block, block + 1)), invalid);
        assert_eq!(mechanism(ckm, data(0, block)), invalid);
    }
    assert_eq!(mechanism(CKM_AES_ECB_ENCRYPT_DATA, data(16, 16)), invalid);
    let hkdf = |extract, expand, hash| {
        let salt = Salt::Zeros;
        mechanism(CKM_HKDF_DERIVE, Parameters::Hkdf { extract, expand, hash, salt, info: vec![] }).is_ok()
    };
    assert!(hkdf(true, false, CKM_SHA_1) && hkdf(false, true, CKM_SHA512));
    assert!(!hkdf(false, false, CKM_SHA256) && !hkdf(true, true, CKM_SHA256_RSA_PKCS));
    assert_eq!(salt(CKF_HKDF_SALT_KEY, vec![], 7), Ok(Salt::Key(7)));
    assert_eq!(salt(3, vec![], 7), Err(Error::MechanismParamInvalid));
}

#[test]
fn key_pairs_are_generated_for_the_kinds_that_the_card_makes_and_for_no_other_type() {
    let generate = [KeyKind::Rsa { bits: 1024 }, KeyKind::Rsa { bits: 3072 }, KeyKind::Ec(Curve::P384)];
    let rows = token_mechanisms(&[], [], &[], &generate);
    let row = |ckm| rows.iter().find(|row| row.ckm == ckm).copied();
    let rsa = row(CKM_RSA_PKCS_KEY_PAIR_GEN).unwrap();
    assert_eq!((rsa.min_key, rsa.max_key, rsa.flags), (1024, 3072, CKF_HW | CKF_GENERATE_KEY_PAIR));
    let curve = row(CKM_EC_KEY_PAIR_GEN).unwrap();
    assert_eq!((curve.min_key, curve.max_key), (384, 384));
    let named = CKF_EC_F_P | CKF_EC_OID | CKF_EC_CURVENAME | CKF_EC_UNCOMPRESS | CKF_EC_COMPRESS;
    assert_eq!(curve.flags, CKF_HW | CKF_GENERATE_KEY_PAIR | named);
    assert_eq!(row(CKM_EC_EDWARDS_KEY_PAIR_GEN), None);
    assert_eq!(row(CKM_RSA_PKCS), None, "a kind that is made says nothing of what is done with it");
}

#[test]
fn the_key_of_a_wrapping_is_one_that_aes_has() {
    let wrap =
        |bits| mechanism(CKM_RSA_AES_KEY_WRAP, Parameters::RsaAesWrap { bits, oaep: Box::new(oaep_parameters()) });
    for bits in [128, 192, 256] {
        assert!(wrap(bits).is_ok());
    }
    for bits in [0, 8, 129, 512] {
        assert_eq!(wrap(bits), Err(Error::MechanismParamInvalid), "{bits}");
    }
    let other = Parameters::RsaAesWrap { bits: 128, oaep: Box::new(Parameters::None) };
    assert_eq!(mechanism(CKM_RSA_AES_KEY_WRAP, other), Err(Error::MechanismParamInvalid));
}
