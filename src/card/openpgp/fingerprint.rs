//! Fingerprint and time of a key, which GnuPG finds keys by (RFC 4880 12.2): the card stores them, whoever makes a key
//! computes them.

use std::time::{SystemTime, UNIX_EPOCH};

use sha1::{Digest, Sha1};

use super::algorithm::Attributes;
use super::key_reference::Key;
use crate::card::CardError;
use crate::card::command::data_object::put_data_by_number;
use crate::card::key::{Curve, KeyKind, PublicKey};
use crate::channel::Channel;

/// Version 4 of public key packets.
const VERSION: u8 = 4;
/// What is hashed before a version 4 key's length.
const PREFIX: u8 = 0x99;
/// What GnuPG puts before points of Curve25519.
const NATIVE_POINT: u8 = 0x40;
/// KDF parameters of ECDH keys (RFC 6637 9): length, reserved, hash, key-wrap cipher, as RFC 6637 13 pairs them with
/// curves, and GnuPG where it makes an OpenPGP key of one on a card.
const SHA256_AES128: [u8; 4] = [0x03, 0x01, 0x08, 0x07];
const SHA384_AES192: [u8; 4] = [0x03, 0x01, 0x09, 0x08];
const SHA512_AES256: [u8; 4] = [0x03, 0x01, 0x0A, 0x09];

/// Keys that are made one after the other within so many seconds get the time of the first. GnuPG (2.2) makes one OpenPGP
/// key of those on a card with one time for all, and finds them by their fingerprints, which the time is part of.
const ONE_OCCASION: u32 = 3600;

/// Writes both for a key made now; `others` are the times of the other keys on the card.
pub(super) fn store(channel: &mut Channel<'_>, key: Key, public: &PublicKey, others: &[u32]) -> Result<(), CardError> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs());
    let time = time_of_making(u32::try_from(now).unwrap_or(u32::MAX), others);
    put_data_by_number(channel, key.fingerprint(), fingerprint(key, public, time)?.to_vec().into())?;
    put_data_by_number(channel, key.generation_time(), time.to_be_bytes().to_vec().into())
}

fn time_of_making(now: u32, others: &[u32]) -> u32 {
    let recent = others.iter().copied().filter(|time| *time <= now && now - *time <= ONE_OCCASION);
    recent.max().unwrap_or(now)
}

/// Writes zeros for both: there is no key.
pub(super) fn clear(channel: &mut Channel<'_>, key: Key) -> Result<(), CardError> {
    put_data_by_number(channel, key.fingerprint(), vec![0; 20].into())?;
    put_data_by_number(channel, key.generation_time(), vec![0; 4].into())
}

/// The fingerprint of a version 4 key.
fn fingerprint(key: Key, public: &PublicKey, time: u32) -> Result<[u8; 20], CardError> {
    let kind = public.kind();
    let attributes = Attributes::for_key(key, kind, None)?.encode(key)?;
    let (algorithm, oid) = attributes.split_first().ok_or(CardError::NotSupported)?;
    let mut body = vec![VERSION];
    body.extend_from_slice(&time.to_be_bytes());
    body.push(*algorithm);
    match public {
        PublicKey::Rsa { modulus, exponent } => {
            push_number(&mut body, modulus);
            push_number(&mut body, exponent);
        }
        PublicKey::Ec { point, .. } => push_curve(&mut body, oid, point),
        PublicKey::Ed25519(point) | PublicKey::X25519(point) => {
            push_curve(&mut body, oid, &[&[NATIVE_POINT][..], point].concat());
        }
    }
    if key == Key::Decryption {
        match kind {
            KeyKind::X25519 | KeyKind::Ec(Curve::P256 | Curve::BrainpoolP256 | Curve::Secp256k1) => {
                body.extend_from_slice(&SHA256_AES128);
            }
            KeyKind::Ec(Curve::P384 | Curve::BrainpoolP384) => body.extend_from_slice(&SHA384_AES192),
            KeyKind::Ec(Curve::P521 | Curve::BrainpoolP512) => body.extend_from_slice(&SHA512_AES256),
            KeyKind::Rsa { .. } | KeyKind::Ed25519 => {}
        }
    }
    let length = u16::try_from(body.len()).map_err(|_| CardError::NotSupported)?;
    let mut digest = Sha1::new();
    digest.update([PREFIX]);
    digest.update(length.to_be_bytes());
    digest.update(&body);
    Ok(digest.finalize().into())
}

fn push_curve(body: &mut Vec<u8>, oid: &[u8], point: &[u8]) {
    body.push(u8::try_from(oid.len()).unwrap_or(0));
    body.extend_from_slice(oid);
    push_number(body, point);
}

/// A multiprecision integer (RFC 4880 3.2): its length in bits, then itself, without leading zeros.
fn push_number(body: &mut Vec<u8>, number: &[u8]) {
    let bits = number.first().map_or(0, |first| number.len() * 8 - first.leading_zeros() as usize);
    body.extend_from_slice(&u16::try_from(bits).unwrap_or(u16::MAX).to_be_bytes());
    body.extend_from_slice(number);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Keys that GnuPG 2.2.40 made (`gpg --quick-gen-key`, `gpg --list-packets --verbose`).
    const OF_GNUPG: &str = include_str!("fingerprints.txt");

    #[test]
    fn fingerprints_are_those_of_gnupg() {
        let mut curves = Vec::new();
        for line in OF_GNUPG.lines().filter(|line| !line.starts_with('#')) {
            let fields: Vec<&str> = line.split(' ').collect();
            let [name, time, place, point, expected] = fields[..] else { panic!("{line}") };
            let curve = Curve::ALL.into_iter().find(|curve| curve.name() == name).unwrap();
            let key = if place == "ECDH" { Key::Decryption } else { Key::Signature };
            let public = PublicKey::from_ec_point(curve, &hex::decode(point).unwrap()).unwrap();
            let found = fingerprint(key, &public, time.parse().unwrap()).unwrap();
            assert_eq!(hex::encode_upper(found), expected, "{name} {place}");
            curves.push(curve);
        }
        assert_eq!(curves.len(), 2 * Curve::ALL.len());
        assert!(Curve::ALL.into_iter().all(|curve| curves.contains(&curve)));
    }

    #[test]
    fn keys_of_one_occasion_have_one_time() {
        let now = 1_700_000_000;
        assert_eq!(time_of_making(now, &[]), now);
        assert_eq!(time_of_making(now, &[now - 10, 0]), now - 10);
        assert_eq!(time_of_making(now, &[now - 3600, now - 20]), now - 20);
        // Long ago, in the future, never.
        assert_eq!(time_of_making(now, &[now - 3601, now + 1, 0]), now);
    }
}
