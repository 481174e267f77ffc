#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use super::*;

/// SubjectPublicKeyInfo values by OpenSSL.
const RSA_1024: &str = "30819f300d06092a864886f70d010101050003818d0030818902818100b5f1b958c3631198314b3e9e135c640354b1719507539772dc5994e5ea5e4820a287939edb106ed8060e8ed13bc17d32e33353c625ebb091f6d0e767975290c6656c6f002730b5761bcf2eb54ad1f3fa87fdb86e30b8d9ca4cade0b5b7232509bb8dd52d90b1e065edf330705817e6739cc8db112e54f99d05e8cd06a8376a450203010001";
const RSA_1025: &str = "30819f300d06092a864886f70d010101050003818d00308189028181012ae0d49bf0d55e17df35073a38752562ce326a992af620492c3ef80e23a89b094908466f68a634ab6ac2f779f134fb1f973d82864ae91ad4902c17c6479f33735b598b1206807f8ee01c70575b204b05bba817f14be61cbca5feea027b34c807d06d1b7a258ebae22bcc0554bf915434e80dd09af8cc4abf13a407094dd89ffd0203010001";
const P256: &str = "3059301306072a8648ce3d020106082a8648ce3d030107034200047223c9c7bf32ffc08316d52e664ea5fa83fc02822714f8510d8631c00de6e821fddc0f95a02d6e80011a109f4ed0fc3f1a3516bae5b49b6318752054a8d69a4e";
const P384: &str = "3076301006072a8648ce3d020106052b810400220362000434a1114198f8b981e1ebce31f2af035f99c1015b9f6524d3a423ddf54c4b20cf08e7fde584cdd1679b73f52ce819c0818734502c4cd9f9c0c2074ac34faecdf385080684b675f0608724131011917c14319eee06923f46c07cc6a9cd2c4ce781";
const P521: &str = "30819b301006072a8648ce3d020106052b81040023038186000400b433a616394d0f2c4df9f1af0a1f15e141c660053968a0672bad06d6a19de71fadc4fe1771f77732caf835bd761d0209460df32f7c8e379e30a7a1e224b4356eb500df4f2b73dd430aea8a48b18e95d15c47cdf091412f2a78051351e659ddf12cffcde3f25e559f42f41555eecda7b04442e2a592340f2ad23767eb4d2cb3e8bcfd4b";
const BRAINPOOL_P512: &str = "30819b301406072a8648ce3d020106092b240303020801010d0381820004182c50be531be89b19d503f8043a8434a2e1e9fa5e6dbe2033a0b12ee0aa97332b704557a4ce65fcd96e853ab35906f8cfc3dcdcc584e1595e9cda9c56a7acab3531946373fd11c8546dfca53a5baf9c07e6405eb289500ff12ad38b30669f89e783a9b69849b1eae127d20dde42a2d6f0db77451427517e750f4c12aa0c2526";
const ED25519: &str = "302a300506032b6570032100212a0dcb858da28485aafdf7ac2cd2283632facf2b040528403f0d0ca889e374";
const X25519: &str = "302a300506032b656e0321000219b706578038b1a81ca5e8cf33d0ae0505a52ca3c6594495a4df96a226d218";
const P256_EXPLICIT: &str = "3082014b3082010306072a8648ce3d02013081f7020101302c06072a8648ce3d0101022100ffffffff00000001000000000000000000000000ffffffffffffffffffffffff305b0420ffffffff00000001000000000000000000000000fffffffffffffffffffffffc04205ac635d8aa3a93e7b3ebbd55769886bc651d06b0cc53b0f63bce3c3e27d2604b031500c49d360886e704936a6678e1139d26b7819f7e900441046b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c2964fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5022100ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551020101034200047ba33848c4d7a9eb94ccd18c4aa37b8c64a1165be4d528f0e8913b1fe75f0a6ebfa2170cadc654cf43acddbb9323ad7a71910674b195c4402d006afa8d29cdc8";

fn bytes(text: &str) -> Vec<u8> {
    hex::decode(text).unwrap()
}

fn key(text: &str) -> PublicKey {
    PublicKey::from_spki(&bytes(text)).unwrap()
}

#[test]
fn every_kind_of_key_comes_from_der_and_goes_back() {
    let cases = [
        (RSA_1024, "RSA-1024", 1024),
        (RSA_1025, "RSA-1025", 1025),
        (P256, "P-256", 256),
        (P384, "P-384", 384),
        (P521, "P-521", 521),
        (BRAINPOOL_P512, "brainpoolP512r1", 512),
        (ED25519, "Ed25519", 255),
        (X25519, "X25519", 255),
    ];
    for (der, name, bits) in cases {
        let key = key(der);
        assert_eq!((key.kind().name().as_str(), key.kind().bits()), (name, bits));
        assert_eq!(hex::encode(key.to_spki()), der);
    }
}

#[test]
fn der_with_bytes_after_it_or_missing_is_refused() {
    for der in [RSA_1024, P256, P384, P521, BRAINPOOL_P512, ED25519, X25519] {
        let good = bytes(der);
        assert_eq!(PublicKey::from_spki(&[good.as_slice(), &[0]].concat()), Err(KeyError::Malformed));
        for length in 0..good.len() {
            assert!(PublicKey::from_spki(&good[..length]).is_err());
        }
    }
    assert_eq!(PublicKey::from_spki(&[]), Err(KeyError::Malformed));
}

#[test]
fn explicit_parameters_and_unknown_algorithms_are_unsupported() {
    assert_eq!(PublicKey::from_spki(&bytes(P256_EXPLICIT)), Err(KeyError::Unsupported));
    // secp192k1 (1.3.132.0.31), then id-RSASSA-PSS and Ed448 as algorithms. P-256's point is none of secp256k1's.
    let named =
        |curve: &str| format!("3056301006072a8648ce3d020106052b810400{curve}034200{}", &P256[P256.len() - 130..]);
    assert_eq!(PublicKey::from_spki(&bytes(&named("1f"))), Err(KeyError::Unsupported));
    assert_eq!(PublicKey::from_spki(&bytes(&named("0a"))), Err(KeyError::Malformed));
    assert_eq!(PublicKey::from_spki(&bytes(&ED25519.replace("2b6570", "2b6571"))), Err(KeyError::Unsupported));
    let pss = RSA_1024.replace("2a864886f70d010101", "2a864886f70d01010a");
    assert_eq!(PublicKey::from_spki(&bytes(&pss)), Err(KeyError::Unsupported));
}

#[test]
fn wrong_parameters_of_a_known_algorithm_are_malformed() {
    // NULL parameters for Ed25519 (RFC 8410 3), an OID for RSA, NULL for EC.
    let ed = format!("302c300706032b65700500{}", &ED25519[18..]);
    assert_eq!(PublicKey::from_spki(&bytes(&ed)), Err(KeyError::Malformed));
    let rsa = RSA_1024.replace("2a864886f70d0101010500", "2a864886f70d0101010600");
    assert_eq!(PublicKey::from_spki(&bytes(&rsa)), Err(KeyError::Malformed));
    let without = RSA_1024.replace("30819f300d06092a864886f70d0101010500", "30819d300b06092a864886f70d010101");
    assert_eq!(key(&without), key(RSA_1024));
}

#[test]
fn points_must_lie_on_the_curve() {
    for der in [P256, P384, P521, BRAINPOOL_P512] {
        let mut off = bytes(der);
        *off.last_mut().unwrap() ^= 1;
        assert_eq!(PublicKey::from_spki(&off), Err(KeyError::Malformed));
    }
    let PublicKey::Ec { curve, point } = key(P256) else { panic!() };
    let hybrid = [&[0x06 | (point[64] & 1)], &point[1..]].concat();
    let compact = [&[0x05], &point[1..33]].concat();
    for bad in [&[][..], &[0x00], &hybrid, &compact, &point[..64], &point[1..]] {
        assert_eq!(PublicKey::from_ec_point(curve, bad), Err(KeyError::Malformed));
    }
    // y = 2 has no x on the curve of Ed25519.
    let mut off = [0; 32];
    off[0] = 2;
    assert_eq!(PublicKey::from_ed25519(&off), Err(KeyError::Malformed));
    // y = 1 is there once: not as p + 1, and not with a sign for x = 0.
    let mut one = [0; 32];
    one[0] = 1;
    assert!(PublicKey::from_ed25519(&one).is_ok());
    one[31] = 0x80;
    assert_eq!(PublicKey::from_ed25519(&one), Err(KeyError::Malformed));
    let mut above = [0xFF; 32];
    (above[0], above[31]) = (0xEE, 0x7F);
    assert_eq!(PublicKey::from_ed25519(&above), Err(KeyError::Malformed));
    assert_eq!(PublicKey::from_x25519(&off[1..]), Err(KeyError::Malformed));
    assert_eq!(PublicKey::from_x25519(&off), Ok(PublicKey::X25519(off)));
}

#[test]
fn rsa_numbers_must_be_sane() {
    let PublicKey::Rsa { modulus, exponent } = key(RSA_1024) else { panic!() };
    let padded = [&[0, 0], modulus.as_slice()].concat();
    assert_eq!(PublicKey::from_rsa(&padded, &[0, 1, 0, 1]).unwrap(), key(RSA_1024));
    let mut even = modulus.clone();
    *even.last_mut().unwrap() &= 0xFE;
    assert_eq!(PublicKey::from_rsa(&even, &exponent), Err(KeyError::Malformed));
    for bad in [&[][..], &[0], &[1], &[2], &[1, 0, 0], &modulus, &padded] {
        assert_eq!(PublicKey::from_rsa(&modulus, bad), Err(KeyError::Malformed), "{bad:?}");
    }
    assert!(PublicKey::from_rsa(&modulus, &[3]).is_ok());
    let long = |bytes: usize| vec![0xFF; bytes];
    assert!(PublicKey::from_rsa(&long(384), &long(383)).is_ok());
    assert!(PublicKey::from_rsa(&long(2048), &long(8)).is_ok());
    assert_eq!(PublicKey::from_rsa(&long(385), &long(9)), Err(KeyError::Unsupported), "a verification of seconds");
    let of_bits = |bits: usize| {
        let mut number = vec![0xFF; bits.div_ceil(8)];
        number[0] >>= number.len() * 8 - bits;
        PublicKey::from_rsa(&number, &[3])
    };
    assert_eq!(of_bits(511), Err(KeyError::Unsupported));
    assert_eq!(of_bits(512).unwrap().kind(), KeyKind::Rsa { bits: 512 });
    assert_eq!(of_bits(16_384).unwrap().kind(), KeyKind::Rsa { bits: 16_384 });
    assert_eq!(of_bits(16_385), Err(KeyError::Unsupported));
    assert_eq!(PublicKey::from_rsa(&[], &[3]), Err(KeyError::Unsupported));
}

#[test]
fn cryptoki_attributes_of_curves_are_der() {
    let p256 = key(P256);
    assert_eq!(hex::encode(p256.ec_params().unwrap()), "06082a8648ce3d030107");
    assert_eq!(hex::encode(p256.ec_point().unwrap()), format!("0441{}", &P256[P256.len() - 130..]));
    let p521 = key(P521);
    assert_eq!(hex::encode(p521.ec_params().unwrap()), "06052b81040023");
    assert_eq!(hex::encode(p521.ec_point().unwrap()), format!("048185{}", &P521[P521.len() - 266..]));
    assert_eq!(hex::encode(key(ED25519).ec_params().unwrap()), "06032b6570");
    assert_eq!(hex::encode(key(X25519).ec_params().unwrap()), "06032b656e");
    assert_eq!(hex::encode(key(X25519).ec_point().unwrap()), format!("0420{}", &X25519[24..]));
    assert_eq!((key(RSA_1024).ec_params(), key(RSA_1024).ec_point()), (None, None));
}

#[test]
fn a_callers_point_is_raw_or_wrapped_compressed_or_not() {
    for der in [P256, P384, P521, BRAINPOOL_P512] {
        let key = key(der);
        let PublicKey::Ec { point, .. } = &key else { panic!() };
        let (x, y) = point[1..].split_at(point.len() / 2);
        let compressed = [&[0x02 | (y.last().unwrap() & 1)], x].concat();
        for form in [point.clone(), octet_string(point), compressed.clone(), octet_string(&compressed)] {
            assert_eq!(PublicKey::point_from_caller(key.kind(), &form).unwrap(), key);
        }
        let trailing = [octet_string(point), vec![0]].concat();
        assert_eq!(PublicKey::point_from_caller(key.kind(), &trailing), Err(KeyError::Malformed));
        assert_eq!(PublicKey::point_from_caller(KeyKind::X25519, point), Err(KeyError::Malformed));
    }
    for key in [key(ED25519), key(X25519)] {
        let wrapped = key.ec_point().unwrap();
        assert_eq!(PublicKey::point_from_caller(key.kind(), &wrapped).unwrap(), key);
        assert_eq!(PublicKey::point_from_caller(key.kind(), &wrapped[2..]).unwrap(), key);
    }
    let rsa = KeyKind::Rsa { bits: 1024 };
    assert_eq!(PublicKey::point_from_caller(rsa, &[4; 65]), Err(KeyError::Unsupported));
}

#[test]
fn ecdsa_signatures_with_short_numbers_are_filled() {
    let signature = ecdsa_from_der(&[0x30, 0x07, 0x02, 0x01, 0x05, 0x02, 0x02, 0x00, 0x80], Curve::P256).unwrap();
    assert_eq!(signature, [vec![0; 31], vec![5], vec![0; 31], vec![0x80]].concat());
    assert_eq!(ecdsa_to_der(&signature, Curve::P256).unwrap(), [0x30, 0x07, 0x02, 0x01, 0x05, 0x02, 0x02, 0x00, 0x80]);
    assert_eq!(ecdsa_to_der(&signature, Curve::P384), Err(KeyError::Malformed));
}

#[test]
fn ecdsa_signatures_that_are_not_two_positive_numbers_of_the_fields_size_are_refused() {
    let wide = [&[0x30, 0x26, 0x02, 0x21], [0x01; 33].as_slice(), &[0x02, 0x01, 0x01]].concat();
    let cases: [&[u8]; 8] = [
        &wide,
        &[0x30, 0x06, 0x02, 0x01, 0x80, 0x02, 0x01, 0x01],
        &[0x30, 0x06, 0x02, 0x01, 0x00, 0x02, 0x01, 0x01],
        &[0x30, 0x07, 0x02, 0x02, 0x00, 0x01, 0x02, 0x01, 0x01],
        &[0x30, 0x06, 0x02, 0x01, 0x01, 0x02, 0x01, 0x01, 0x00],
        &[0x30, 0x09, 0x02, 0x01, 0x01, 0x02, 0x01, 0x01, 0x02, 0x01, 0x01],
        &[0x30, 0x03, 0x02, 0x01, 0x01],
        &[],
    ];
    for der in cases {
        assert_eq!(ecdsa_from_der(der, Curve::P256), Err(KeyError::Malformed), "{der:02X?}");
    }
    assert!(ecdsa_from_der(&wide, Curve::P384).is_ok());
}
