#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use super::*;
use crate::card::key::{ecdsa_from_der, ecdsa_to_der};
use crate::mechanism::Hash;

fn vectors() -> impl Iterator<Item = (Curve, Vec<u8>, Vec<u8>, Vec<u8>, Vec<u8>)> {
    include_str!("ecdsa.txt").lines().filter(|line| !line.starts_with('#')).map(|line| {
        let fields: Vec<&str> = line.split(' ').collect();
        let curve = Curve::ALL.into_iter().find(|curve| curve.name() == fields[0]).unwrap();
        let hash = match fields[2] {
            "sha1" => Hash::Sha1,
            "sha224" => Hash::Sha224,
            "sha256" => Hash::Sha256,
            "sha384" => Hash::Sha384,
            "sha512" => Hash::Sha512,
            name => panic!("{name}"),
        };
        let bytes = |index: usize| hex::decode(fields[index]).unwrap();
        (curve, bytes(1), hash.digest(&[b"abc"]), bytes(3), bytes(4))
    })
}

#[test]
fn signatures_of_openssl_verify_for_every_curve_and_hash() {
    let mut count = 0;
    for (curve, point, digest, der, signature) in vectors() {
        assert!(verify_ecdsa(curve, &point, &digest, &signature), "{curve:?} {} bytes", digest.len());
        assert_eq!(ecdsa_from_der(&der, curve).unwrap(), signature);
        assert_eq!(ecdsa_to_der(&signature, curve).unwrap(), der);
        let mut bad = signature.clone();
        *bad.last_mut().unwrap() ^= 1;
        assert!(!verify_ecdsa(curve, &point, &digest, &bad));
        assert!(!verify_ecdsa(curve, &point, &Hash::Sha256.digest(&[b"abd"]), &signature));
        assert!(!verify_ecdsa(curve, &point, &digest, &vec![0; 2 * curve.field_len()]));
        count += 1;
    }
    assert_eq!(count, 37);
}

#[test]
fn signatures_of_openssl_verify_for_data_longer_and_shorter_than_a_hash() {
    let lines = include_str!("prehashed.txt").lines().filter(|line| !line.starts_with('#'));
    let mut count = 0;
    for line in lines {
        let fields: Vec<&str> = line.split(' ').collect();
        let curve = Curve::ALL.into_iter().find(|curve| curve.name() == fields[0]).unwrap();
        let [point, data, signature] = [1, 2, 3].map(|index| hex::decode(fields[index]).unwrap());
        assert!(verify_ecdsa(curve, &point, &data, &signature), "{curve:?} {} bytes", data.len());
        assert!(!verify_ecdsa(curve, &point, &data[1..], &signature));
        count += 1;
    }
    assert_eq!(count, 6);
}

#[test]
fn the_signature_of_rfc_6979_for_p256_verifies() {
    let point = hex::decode(
        "0460fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb67903fe1008b8bc99a41ae9e95628bc64f2f1b20c2d7e9f5177a3c294d4462299",
    );
    let signature = hex::decode(
        "efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716f7cb1c942d657c41d436c7a1b6e29f65f3e900dbb9aff4064dc4ab2f843acda8",
    );
    assert!(verify_ecdsa(Curve::P256, &point.unwrap(), &Hash::Sha256.digest(&[b"sample"]), &signature.unwrap()));
}

#[test]
fn a_digest_is_cut_to_the_orders_bits_or_filled_from_the_left() {
    let long: Vec<u8> = (1..=70).collect();
    assert_eq!(frame_digest(Curve::P256, &long), long[..32]);
    assert_eq!(frame_digest(Curve::P384, &long), long[..48]);
    assert_eq!(frame_digest(Curve::P256, &[1, 2])[28..], [0, 0, 1, 2]);
    assert_eq!(frame_digest(Curve::P521, &[0xFF; 64]), [vec![0, 0], vec![0xFF; 64]].concat());
    // 528 bits lose their last 7 (FIPS 186-5 6.4.1).
    let framed = frame_digest(Curve::P521, &[0xFF; 80]);
    assert_eq!((framed[0], framed.len()), (0x01, 66));
    assert!(framed[1..].iter().all(|byte| *byte == 0xFF));
    let framed = frame_digest(Curve::P521, &[[0x80].as_slice(), &[0; 64], &[0x80]].concat());
    assert_eq!((framed[0], framed[1], framed[65]), (0x01, 0x00, 0x01));
}

#[test]
fn a_short_signature_of_two_halves_is_filled() {
    assert_eq!(full_signature(Curve::P256, &[1, 2]).unwrap(), [vec![0; 31], vec![1], vec![0; 31], vec![2]].concat());
    for length in [0, 1, 63, 65, 66] {
        assert_eq!(full_signature(Curve::P256, &vec![1; length]), Err(Error::SignatureLenRange), "{length}");
    }
    assert_eq!(full_signature(Curve::P521, &[7; 132]).unwrap(), [7; 132]);
}

#[test]
fn signatures_of_rfc_8032_verify_and_points_of_small_order_do_not() {
    let cases = [
        (
            "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
            "",
            "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
        ),
        (
            "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
            "72",
            "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
        ),
    ];
    for (key, message, signature) in cases {
        let key = hex::decode(key).unwrap().try_into().unwrap();
        let message = hex::decode(message).unwrap();
        let mut signature: [u8; 64] = hex::decode(signature).unwrap().try_into().unwrap();
        assert!(verify_ed25519(&key, &message, &signature));
        assert!(!verify_ed25519(&key, b"other", &signature));
        signature[63] |= 0x80;
        assert!(!verify_ed25519(&key, &message, &signature));
    }
    // With the neutral element as key and R, s = 0 fits every message.
    let mut neutral = [0; 32];
    neutral[0] = 1;
    let mut forged = [0; 64];
    forged[0] = 1;
    assert!(!verify_ed25519(&neutral, b"anything", &forged));
}

#[test]
fn x963_gives_the_published_and_openssls_keys() {
    // NIST CAVS, ANSI X9.63-2001 with SHA-256, no shared information.
    let shared = hex::decode("96c05619d56c328ab95fe84b18264b08725b85e33fd34f08").unwrap();
    let key = derive(Kdf::X963(Hash::Sha256), &shared, &[], Some(16)).unwrap();
    assert_eq!(hex::encode(key.as_slice()), "443024c3dae66b95e6f5670601558f71");
    let shared: Vec<u8> = (0..32).collect();
    let cases = [
        (
            Hash::Sha1,
            "4011ea603f80e0ee1a1724d45854c25790566e05ec2a78794d8c1af6a379b62b078e20f66ac752b88d123b8c1b9685952fd188b17b47ffaeb4c6c30a5980273c7712a6f81b060d73015028",
        ),
        (
            Hash::Sha224,
            "ba97ae9ec743eefa1913eabe4b28fa4473b5c2ee2f8af2ff4d917560944cf6da0d3f72e7626ef0e6ce6b83a6e79ed44187b6e7f9364af6ce98978366d1985512864d995fecb6482070d027",
        ),
        (
            Hash::Sha256,
            "a2ba25392f91013464ed530b7260876d7d85630fd24cd7894a49600ab4c7a8c33354555992b455ebe41e722867504954a4df484c1d3c0c1bdf6ecefb467afb36a3c7188e88fda97d332a14",
        ),
        (
            Hash::Sha384,
            "fe47a5704e323b60d97fbdfa55af2525a9efc40096903d5429bde8357b7dbff91bcabad902d4268de06cec789de712635a4e9611e1cb5d2c07520309d03456477a434792978183d5e527ef",
        ),
        (
            Hash::Sha512,
            "690226c0e6ac85fe577d4e7f1751e44be3028e400b2a2f4c824cbe97e147b133e204741bb20286e114d6907b66113c6f38396388e0000477725636aacd40db67b5fe27c2eb0f2c73ea5c5c",
        ),
    ];
    for (hash, expected) in cases {
        let key = derive(Kdf::X963(hash), &shared, b"shared info", Some(75)).unwrap();
        assert_eq!(hex::encode(key.as_slice()), expected);
    }
}

/// `openssl kdf … SSKDF`.
#[test]
fn the_one_step_function_gives_openssls_keys() {
    let shared: Vec<u8> = (0..32).collect();
    let cases = [
        (
            Hash::Sha1,
            "26873f02a83fb04bc46d995979f90801ed2b76c04e4ade809b7d00e1383b04ae77b59f3a90dd9f23f5eb4b7c78256a81bdacbfbd156137888a4c642baf1814e2fa29d2fe128a4f2616f7e6",
        ),
        (
            Hash::Sha224,
            "53bd99d452b0720453f91c3e5f367b2e54906904ee3f5dacb879ff1a644f2e93b477e6052da7638faf565a211c492b13e8545f25778f8c4aeb9de63d5aa0ff1a21d15b6c2297e28a4d50ba",
        ),
        (
            Hash::Sha256,
            "5df78c9e87a5c2a7bdeab2c69428c070470a67cb1c82ef8be1c1f7533d960f8fca05449abeb7caec712dbc8de4b995327b6549d62c34aa6079ced5beacd818e0515db12525316862531719",
        ),
        (
            Hash::Sha384,
            "dfc646cbed1505134cf2c874003e430412f70f882298da72adada0ba89f0cf6073d73e6e6cd5d77175c38ad91d2fa8df4df0aad9dc091b16fdbe6b8e3b54d007b86a42657a730874ab28fc",
        ),
        (
            Hash::Sha512,
            "e59de8c9a688ab5e4e9ee0f7b89733bd2f51ba6d9bfd1ce81a483ba9aec5046aa3f1176a3203a1de94e15427f7ab417178f835d52ee9fe01b0ecb3b17f36ed75c08a0a8e9fd9fbd696d29f",
        ),
    ];
    for (hash, expected) in cases {
        for length in [1, hash.output_len(), 75] {
            let key = derive(Kdf::OneStep(hash), &shared, b"shared info", Some(length)).unwrap();
            assert_eq!(hex::encode(key.as_slice()), expected[..2 * length]);
        }
    }
    assert_eq!(derive(Kdf::OneStep(Hash::Sha1), &[1], &[], None), Err(Error::TemplateIncomplete));
}

#[test]
fn without_a_kdf_truncation_removes_leading_bytes() {
    let derive_null = |length| derive(Kdf::Null, &[1, 2, 3, 4], &[], length).map(|key| key.to_vec());
    assert_eq!(derive_null(None), Ok(vec![1, 2, 3, 4]));
    assert_eq!(derive_null(Some(4)), Ok(vec![1, 2, 3, 4]));
    assert_eq!(derive_null(Some(3)), Ok(vec![2, 3, 4]));
    assert_eq!(derive_null(Some(5)), Err(Error::AttributeValueInvalid));
    assert_eq!(derive_null(Some(0)), Err(Error::AttributeValueInvalid));
}

#[test]
fn a_kdf_needs_a_length_within_reason() {
    assert_eq!(derive(Kdf::X963(Hash::Sha1), &[1], &[], None), Err(Error::TemplateIncomplete));
    assert_eq!(derive(Kdf::X963(Hash::Sha1), &[1], &[], Some(usize::MAX)), Err(Error::AttributeValueInvalid));
    assert_eq!(derive(Kdf::X963(Hash::Sha1), &[1], &[], Some(MAX_DERIVED)).unwrap().len(), MAX_DERIVED);
}
