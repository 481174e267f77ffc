//! Keys on every curve, as C_CreateObject takes them, and the signatures that they verify: OpenSSL's.

use cardea_pkcs11::card::Role;
use cardea_pkcs11::card::key::{Curve, KeyKind, PublicKey, octet_string};
use cardea_pkcs11::error::Error;
use cardea_pkcs11::mechanism::{Hash, Parameters};
use cardea_pkcs11::object::Creator;
use cardea_pkcs11::object::created::Imported;
use cardea_pkcs11::object::private_key_info::DecodedKey;
use cardea_pkcs11::session::verify;
use cryptoki_sys::*;

use super::*;
use crate::in_process::setting::Setting;

/// Curve, point, hash, signature of "abc" in DER and as r and s.
const SIGNATURES: &str = include_str!("../../../src/mechanism/ec/ecdsa.txt");
/// All names of a curve that has more than one.
const NAMES: [(Curve, &[&str]); 3] = [
    (Curve::P256, &["secp256r1", "prime256v1", "P-256"]),
    (Curve::P384, &["secp384r1", "P-384"]),
    (Curve::P521, &["secp521r1", "P-521"]),
];
const HASHES: [(&str, Hash, CK_MECHANISM_TYPE); 5] = [
    ("sha1", Hash::Sha1, CKM_ECDSA_SHA1),
    ("sha224", Hash::Sha224, CKM_ECDSA_SHA224),
    ("sha256", Hash::Sha256, CKM_ECDSA_SHA256),
    ("sha384", Hash::Sha384, CKM_ECDSA_SHA384),
    ("sha512", Hash::Sha512, CKM_ECDSA_SHA512),
];

struct Vector {
    curve: Curve,
    point: Vec<u8>,
    hash: Hash,
    mechanism: CK_MECHANISM_TYPE,
    signature: Vec<u8>,
}

fn vectors() -> impl Iterator<Item = Vector> {
    SIGNATURES.lines().filter(|line| !line.starts_with('#')).map(|line| {
        let fields: Vec<&str> = line.split(' ').collect();
        let bytes = |index: usize| hex::decode(fields[index]).unwrap();
        let (_, hash, mechanism) = HASHES.into_iter().find(|(name, ..)| *name == fields[2]).unwrap();
        let curve = Curve::ALL.into_iter().find(|curve| curve.name() == fields[0]).unwrap();
        Vector { curve, point: bytes(1), hash, mechanism, signature: bytes(4) }
    })
}

/// A point of each curve.
fn points() -> impl Iterator<Item = (Curve, Vec<u8>)> {
    Curve::ALL.into_iter().map(|curve| (curve, vectors().find(|vector| vector.curve == curve).unwrap().point))
}

fn key(parameters: &[u8], point: &[u8]) -> Pairs {
    vec![
        (CKA_CLASS, number(CKO_PUBLIC_KEY)),
        (CKA_KEY_TYPE, number(CKK_EC)),
        (CKA_EC_PARAMS, parameters.to_vec()),
        (CKA_EC_POINT, point.to_vec()),
    ]
}

fn printable(name: &str) -> Vec<u8> {
    [&[0x13, name.len() as u8], name.as_bytes()].concat()
}

fn compressed(point: &[u8]) -> Vec<u8> {
    let (x, y) = point[1..].split_at(point.len() / 2);
    [&[0x02 | (y.last().unwrap() & 1)], x].concat()
}

#[test]
fn signatures_of_openssl_verify_on_every_curve_hashed_here_or_before() {
    let setting = Setting::elliptic();
    let session = setting.open();
    let check = |key, mechanism, data: &[u8], signature: &[u8]| {
        verify::init(&session, super::mechanism(mechanism, Parameters::None), key)?;
        verify::verify(&session, data, signature)
    };
    for Vector { curve, point, hash, mechanism, signature } in vectors() {
        let key = create(&session, &key(curve.oid_der(), &octet_string(&point))).unwrap();
        let digest = hash.digest(&[b"abc"]);
        assert_eq!(check(key, mechanism, b"abc", &signature), Ok(()), "{curve:?}");
        assert_eq!(check(key, CKM_ECDSA, &digest, &signature), Ok(()), "{curve:?}");
        assert_eq!(check(key, mechanism, b"abd", &signature), Err(Error::SignatureInvalid));
        for bad in [&signature[1..], &[&signature[..], &[0, 0]].concat(), &[]] {
            assert_eq!(check(key, CKM_ECDSA, &digest, bad), Err(Error::SignatureLenRange));
        }
        let zeros = vec![0; signature.len()];
        assert_eq!(check(key, CKM_ECDSA, &digest, &zeros), Err(Error::SignatureInvalid));
    }
}

#[test]
fn a_curve_has_an_identifier_and_names_and_its_points_have_four_forms() {
    let setting = Setting::elliptic();
    let session = setting.open();
    for (curve, point) in points() {
        let names =
            NAMES.into_iter().find(|(own, _)| *own == curve).map_or(vec![curve.name()], |(_, all)| all.to_vec());
        let named = names.into_iter().map(printable).chain([curve.oid_der().to_vec()]);
        let short = compressed(&point);
        let forms = [octet_string(&point), point.clone(), octet_string(&short), short];
        let made = named.flat_map(|parameters| forms.each_ref().map(|form| key(&parameters, form)));
        for pairs in made {
            let handle = create(&session, &pairs).unwrap();
            assert_eq!(attribute(&session, handle, CKA_EC_PARAMS), curve.oid_der());
            assert_eq!(attribute(&session, handle, CKA_EC_POINT), octet_string(&point));
        }
    }
}

#[test]
fn what_is_no_point_of_the_curve_is_an_invalid_value() {
    let setting = Setting::elliptic();
    let session = setting.open();
    for (curve, point) in points() {
        let length = curve.field_len();
        let mut beside = point.clone();
        beside[2 * length] ^= 1;
        let hybrid = [&[0x06 | (point[2 * length] & 1)], &point[1..]].concat();
        let above = [&[0x02][..], &vec![0xFF; length]].concat();
        let nothing = vec![0x04; 1 + 2 * length];
        let other = points().find(|(other, _)| *other != curve && other.field_len() == length);
        let points =
            [&beside, &hybrid, &above, &nothing, &vec![0], &vec![], &point[1..].to_vec(), &vec![0; point.len()]];
        let shorter = [&[0x04], &point[2..]].concat();
        for bad in points.into_iter().chain([&shorter]).chain(other.as_ref().map(|(_, point)| point)) {
            for form in [bad.clone(), octet_string(bad)] {
                let refused = create(&session, &key(curve.oid_der(), &form));
                assert_eq!(refused, Err(Error::AttributeValueInvalid), "{curve:?} {form:02X?}");
            }
        }
    }
}

#[test]
fn a_point_is_wrapped_in_der_with_nothing_after_it() {
    let setting = Setting::elliptic();
    let session = setting.open();
    for (curve, point) in points() {
        let der = octet_string(&point);
        let long = [&[0x04, 0x82, 0x00, point.len() as u8], &point[..]].concat();
        let endless = [&[0x24, 0x80], &der[..], &[0, 0]].concat();
        let bits = [&[0x03], &octet_string(&[&[0], &point[..]].concat())[1..]].concat();
        let twice = octet_string(&der);
        let longer = [&der[..], &[0]].concat();
        for bad in
            [&long, &endless, &bits, &twice, &longer, &der[..der.len() - 1].to_vec(), &[&point[..], &[0]].concat()]
        {
            let refused = create(&session, &key(curve.oid_der(), bad));
            assert_eq!(refused, Err(Error::AttributeValueInvalid), "{curve:?} {bad:02X?}");
        }
    }
}

#[test]
fn parameters_that_are_not_der_name_no_curve() {
    let setting = Setting::elliptic();
    let session = setting.open();
    for (curve, point) in points() {
        let (oid, name) = (curve.oid_der(), printable(curve.name()));
        let long = |der: &[u8]| [&der[..1], &[0x81], &der[1..]].concat();
        let after = |der: &[u8]| [der, &[0x05, 0x00]].concat();
        for bad in [long(oid), long(&name), after(oid), after(&name), oid[2..].to_vec(), oid[..oid.len() - 1].to_vec()]
        {
            let refused = create(&session, &key(&bad, &octet_string(&point)));
            assert_eq!(refused, Err(Error::DomainParamsInvalid), "{curve:?} {bad:02X?}");
        }
        // A name in another string type, and one that is not this curve's.
        let utf8 = [&[0x0C], &name[1..]].concat();
        assert_eq!(create(&session, &key(&utf8, &octet_string(&point))), Err(Error::DomainParamsInvalid));
        let other = printable(&curve.name().to_uppercase().replace("-", "_"));
        assert_eq!(create(&session, &key(&other, &octet_string(&point))), Err(Error::CurveNotSupported));
    }
}

#[test]
fn the_information_about_a_key_has_its_point_in_either_form() {
    let setting = Setting::elliptic();
    let session = setting.open();
    for (curve, point) in points() {
        let pairs = key(curve.oid_der(), &octet_string(&point));
        let info = PublicKey::from_ec_point(curve, &point).unwrap().to_spki();
        let (head, oid) = (hex::decode("06072a8648ce3d0201").unwrap(), curve.oid_der());
        let sequence = |content: &[u8]| [&[0x30], &octet_string(content)[1..]].concat();
        let algorithm = sequence(&[&head, oid].concat());
        let bits = [&[0x03], &octet_string(&[&[0], &compressed(&point)[..]].concat())[1..]].concat();
        let short = sequence(&[algorithm, bits].concat());
        for given in [&info, &short, &vec![]] {
            let made = create(&session, &with(&pairs, &[(CKA_PUBLIC_KEY_INFO, given)])).unwrap();
            assert_eq!(attribute(&session, made, CKA_PUBLIC_KEY_INFO), info);
        }
        let mut negative = short.clone();
        let sign = negative.len() - curve.field_len() - 1;
        negative[sign] ^= 1;
        for other in [&negative, &[&info[..], &[0]].concat(), &octet_string(&point)] {
            let refused = create(&session, &with(&pairs, &[(CKA_PUBLIC_KEY_INFO, other)]));
            assert_eq!(refused, Err(Error::TemplateInconsistent), "{curve:?}");
        }
    }
}

/// What C_CreateObject makes of a private key for a card.
fn brought(pairs: &Pairs) -> Result<PublicKey, Error> {
    let officer = Creator { role: Some(Role::SecurityOfficer), read_write: true };
    Imported::parse(&template(pairs), officer).map(|imported| imported.public)
}

#[test]
fn private_keys_of_openssl_give_their_public_halves() {
    let lines = include_str!("private-keys.txt").lines().filter(|line| !line.starts_with('#'));
    let mut curves = Vec::new();
    for line in lines {
        let fields: Vec<&str> = line.split(' ').collect();
        let curve = Curve::ALL.into_iter().find(|curve| curve.name() == fields[0]).unwrap();
        let [info, own, point] = [1, 2, 3].map(|index| hex::decode(fields[index]).unwrap());
        let decoded = DecodedKey::from_private_key_info(&info).unwrap();
        assert_eq!(decoded.kind(), Some(KeyKind::Ec(curve)));
        let scalar = decoded.numbers.shown(CKA_VALUE).unwrap();
        assert_eq!(DecodedKey::from_ec_private_key(&own).unwrap().numbers.shown(CKA_VALUE), Some(scalar));
        let pairs = vec![
            (CKA_CLASS, number(CKO_PRIVATE_KEY)),
            (CKA_KEY_TYPE, number(CKK_EC)),
            (CKA_TOKEN, YES.to_vec()),
            (CKA_EC_PARAMS, curve.oid_der().to_vec()),
            (CKA_VALUE, scalar.to_vec()),
        ];
        let public = PublicKey::from_ec_point(curve, &point).unwrap();
        let same = [
            (CKA_VALUE, [&[0, 0], scalar].concat()),
            (CKA_EC_PARAMS, printable(if curve == Curve::P256 { "prime256v1" } else { curve.name() })),
            (CKA_EC_POINT, octet_string(&compressed(&point))),
            (CKA_PUBLIC_KEY_INFO, public.to_spki()),
        ];
        for (attribute, value) in same {
            assert_eq!(
                brought(&with(&pairs, &[(attribute, &value)])).as_ref(),
                Ok(&public),
                "{curve:?} {attribute:#x}"
            );
        }
        let length = curve.field_len();
        for bad in [vec![0; length], vec![0xFF; length], [&[1], scalar].concat(), vec![]] {
            let refused = brought(&with(&pairs, &[(CKA_VALUE, &bad)]));
            assert_eq!(refused, Err(Error::AttributeValueInvalid), "{curve:?} {bad:02X?}");
        }
        let mut one = vec![0; length];
        one[length - 1] = 1;
        let generator = PublicKey::of_scalar(curve, &one).unwrap();
        let other = [(CKA_EC_POINT, generator.ec_point().unwrap()), (CKA_PUBLIC_KEY_INFO, generator.to_spki())];
        for (attribute, value) in other {
            let refused = brought(&with(&pairs, &[(attribute, &value)]));
            assert_eq!(refused, Err(Error::TemplateInconsistent), "{curve:?} {attribute:#x}");
        }
        curves.push(curve);
    }
    assert_eq!(curves, Curve::ALL);
}
