//! The curve beside what others say of it: RFC 5639 (the equation, the order), RFC 7027 A.3 (key agreement), and
//! signatures made by OpenSSL 3.0.
#![allow(clippy::unwrap_used)]

use cardea_brainpool_p512::{AffinePoint, BrainpoolP512r1, ProjectivePoint, Scalar};
use ecdsa::signature::hazmat::PrehashVerifier as _;
use elliptic_curve::bigint::U512;
use elliptic_curve::hazmat::FieldArithmetic;
use elliptic_curve::sec1::ToSec1Point as _;
use elliptic_curve::{Curve as _, Group as _, PublicKey, SecretKey};
use primeorder::PrimeCurveParams;
use sha2::{Digest as _, Sha256, Sha512};

type FieldElement = <BrainpoolP512r1 as FieldArithmetic>::FieldElement;

/// Private key, then x and y of the public key, of the two sides in RFC 7027 A.3, and x of the shared point.
const A: [&str; 3] = [
    "16302ff0dbbb5a8d733dab7141c1b45acbc8715939677f6a56850a38bd87bd59\
     b09e80279609ff333eb9d4c061231fb26f92eeb04982a5f1d1764cad57665422",
    "0a420517e406aac0acdce90fcd71487718d3b953efd7fbec5f7f27e28c614999\
     9397e91e029e06457db2d3e640668b392c2a7e737a7f0bf04436d11640fd09fd",
    "72e6882e8db28aad36237cd25d580db23783961c8dc52dfa2ec138ad472a0fce\
     f3887cf62b623b2a87de5c588301ea3e5fc269b373b60724f5e82a6ad147fde7",
];
const B: [&str; 3] = [
    "230e18e1bcc88a362fa54e4ea3902009292f7f8033624fd471b5d8ace49d12cf\
     abbc19963dab8e2f1eba00bffb29e4d72d13f2224562f405cb80503666b25429",
    "9d45f66de5d67e2e6db6e93a59ce0bb48106097ff78a081de781cdb31fce8ccb\
     aaea8dd4320c4119f1e9cd437a2eab3731fa9668ab268d871deda55a5473199f",
    "2fdc313095bcdd5fb3a91636f07a959c8e86b5636a1e930e8396049cb481961d\
     365cc11453a06c719835475b12cb52fc3c383bce35e27ef194512b71876285fa",
];
const SHARED: &str = "a7927098655f1f9976fa50a9d566865dc530331846381c87256baf3226244b76\
     d36403c024d7bbf0aa0803eaff405d3d24f11a9b5c0bef679fe1454b21c4cd1f";

/// A public key of OpenSSL's, and signatures of "abc" by it: SHA-256, SHA-512, then SHA-512 with r and s shorter than
/// the field.
const SIGNER: &str = "04\
     182c50be531be89b19d503f8043a8434a2e1e9fa5e6dbe2033a0b12ee0aa9733\
     2b704557a4ce65fcd96e853ab35906f8cfc3dcdcc584e1595e9cda9c56a7acab\
     3531946373fd11c8546dfca53a5baf9c07e6405eb289500ff12ad38b30669f89\
     e783a9b69849b1eae127d20dde42a2d6f0db77451427517e750f4c12aa0c2526";
const WITH_SHA256: &str = "695f03f6c1d141f8015c57488d40e990425ad3fdeaa5a5d18ba8f03a9d9fb58c\
     101746442abc541bd3b3465fff83561b5693dd3d628407189ab0bae5a2cef811\
     94b13b3334d751ff4c6a82a86c0cf0321e3958477e8ab4b375d3238c9f6de0e7\
     8cdbaf742d6f80ca05f2d2e0976e2b7c04f81d64d5f4e3ad0e9eacc0f1f9da38";
const WITH_SHA512: [&str; 3] = [
    "8bbc27ffec236ebb3ddb4e90ddd97175c1fd8a1f03ff778bd7be7fc94d7dbf1d\
     6cb3ef7651c6c99bf2c7e32e40c1bd1cf3a58974f53d630945037fbaf9bddf4c\
     1732d7f9d6c2d3713633ddcd490f11da0193a8ada12a1b2b62b80e111342428a\
     e03f14ce6bc3b069efad5a2b9d4ff996f3ca9174968463a397259ba88950c6e1",
    "00e6f795d09ef8eef7d342e7cbe3693aca92bbf2aa0cc5bb2729b532bb55440d\
     93364f76c509f5bf31ea7fc7c3515b9bf15ba1a1177e749b657b550f4305e0fc\
     a201f681a6099ce05803bbe833570e90b16c6f3817f8b5d94da179f5b319fca3\
     04aeedc65198f232b278f61ee70a4baf84d1b0b89858304225eda2c5b1e644f4",
    "4571916b15bf5b637f38b1dece9ebb2761fb92178c2ce04c161c8ba8065401f4\
     2046f0d4d03727b2f599c5b8f14b7d8f9a2b01d7d325c9fa8c84e2a442f2e08f\
     00ebdfbe56e6903452ccaef3d1e48201957e1671d11d9e49180ba521c660622c\
     31d875c63d88c21f5495da43f351ee0e25500a63706fd5d5a401a48c318cf43b",
];

fn bytes(text: &str) -> Vec<u8> {
    hex::decode(text).unwrap()
}

/// x, where it lies on the curve, by the equation itself.
fn on_curve(x: FieldElement, y: FieldElement) -> bool {
    y.square() == x.square() * x + BrainpoolP512r1::EQUATION_A * x + BrainpoolP512r1::EQUATION_B
}

/// Doubling and adding, bit by bit, for multiples that are no scalars.
fn multiple(of: ProjectivePoint, number: &U512) -> ProjectivePoint {
    (0..U512::BITS).rev().fold(ProjectivePoint::IDENTITY, |sum, bit| {
        let doubled = sum.double();
        if number.bit_vartime(bit) { doubled + of } else { doubled }
    })
}

#[test]
fn the_generator_lies_on_the_curve_and_has_the_order() {
    let (x, y) = BrainpoolP512r1::GENERATOR;
    assert!(on_curve(x, y));
    assert!(!on_curve(x, y + FieldElement::ONE));
    let order = BrainpoolP512r1::ORDER.get();
    let generator = ProjectivePoint::GENERATOR;
    assert_eq!(multiple(generator, &order), ProjectivePoint::IDENTITY);
    assert_eq!(multiple(generator, &order.wrapping_sub(&U512::ONE)), -generator);
    assert_eq!(generator * -Scalar::ONE, -generator);
}

#[test]
fn scalars_multiply_as_doubling_and_adding_does() {
    for private in [A[0], B[0]] {
        let scalar = Scalar::from_slice(&bytes(private)).unwrap();
        let expected = multiple(ProjectivePoint::GENERATOR, &scalar.to_canonical());
        assert_eq!(ProjectivePoint::GENERATOR * scalar, expected);
        assert_eq!((ProjectivePoint::GENERATOR * scalar.invert().unwrap()) * scalar, ProjectivePoint::GENERATOR);
    }
}

#[test]
fn both_sides_of_rfc_7027_agree() {
    let shared = bytes(SHARED);
    for (own, other) in [(A, B), (B, A)] {
        let secret = SecretKey::<BrainpoolP512r1>::from_slice(&bytes(own[0])).unwrap();
        let point = bytes(&["04", own[1], own[2]].concat());
        assert_eq!(secret.public_key().to_sec1_point(false).as_bytes(), point);
        let peer = PublicKey::<BrainpoolP512r1>::from_sec1_bytes(&bytes(&["04", other[1], other[2]].concat())).unwrap();
        let agreed = AffinePoint::from(peer.to_projective() * *secret.to_nonzero_scalar());
        assert_eq!(agreed.to_sec1_point(false).as_bytes()[1..65], shared);
    }
}

#[test]
fn a_compressed_point_is_the_same_and_a_point_beside_the_curve_is_none() {
    for [_, x, y] in [A, B] {
        let whole = bytes(&["04", x, y].concat());
        let key = PublicKey::<BrainpoolP512r1>::from_sec1_bytes(&whole).unwrap();
        let compressed = key.to_sec1_point(true);
        assert_eq!(compressed.as_bytes(), [&[2 | (whole[128] & 1)], &whole[1..65]].concat());
        assert_eq!(PublicKey::from_sec1_bytes(compressed.as_bytes()).unwrap(), key);
        let mut beside = whole.clone();
        beside[128] ^= 1;
        assert!(PublicKey::<BrainpoolP512r1>::from_sec1_bytes(&beside).is_err());
    }
    let identity = [0];
    assert!(PublicKey::<BrainpoolP512r1>::from_sec1_bytes(&identity).is_err());
}

#[test]
fn private_keys_are_from_one_to_the_order_less_one() {
    let order = BrainpoolP512r1::ORDER.get();
    let scalar = |number: &U512| SecretKey::<BrainpoolP512r1>::from_slice(&bytes(&format!("{number:x}")));
    assert!(scalar(&U512::ZERO).is_err());
    assert!(scalar(&order).is_err());
    let last = scalar(&order.wrapping_sub(&U512::ONE)).unwrap();
    assert_eq!(last.public_key().to_projective(), -ProjectivePoint::GENERATOR);
}

#[test]
fn signatures_of_openssl_verify() {
    let key = ecdsa::VerifyingKey::<BrainpoolP512r1>::from_sec1_bytes(&bytes(SIGNER)).unwrap();
    let verifies = |hash: &[u8], signature: &[u8]| {
        let signature = ecdsa::Signature::<BrainpoolP512r1>::from_slice(signature).unwrap();
        key.verify_prehash(hash, &signature).is_ok()
    };
    let cases = WITH_SHA512.map(|signature| (Sha512::digest(b"abc").to_vec(), signature));
    for (hash, signature) in cases.into_iter().chain([(Sha256::digest(b"abc").to_vec(), WITH_SHA256)]) {
        let mut signature = bytes(signature);
        assert!(verifies(&hash, &signature));
        signature[127] ^= 1;
        assert!(!verifies(&hash, &signature));
        signature[127] ^= 1;
        signature[63] ^= 1;
        assert!(!verifies(&hash, &signature));
    }
    assert!(!verifies(&Sha512::digest(b"abd"), &bytes(WITH_SHA512[0])));
}
