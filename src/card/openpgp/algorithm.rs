//! Algorithm attributes (OpenPGP card 4.4.3.9 and 4.4.3.10): which kind of key stands, or may stand, under a reference.

use super::key_reference::Key;
use crate::card::CardError;
use crate::card::key::{Curve, KeyKind};

/// Identifiers of RFC 4880 and its successors.
const RSA: u8 = 0x01;
const ECDH: u8 = 0x12;
const ECDSA: u8 = 0x13;
const EDDSA: u8 = 0x16;
/// Ed25519 as OpenPGP names it, 1.3.6.1.4.1.11591.15.1.
const ED25519: &[u8] = &[0x2B, 0x06, 0x01, 0x04, 0x01, 0xDA, 0x47, 0x0F, 0x01];
/// X25519 as OpenPGP names it, 1.3.6.1.4.1.3029.1.5.1.
const CURVE25519: &[u8] = &[0x2B, 0x06, 0x01, 0x04, 0x01, 0x97, 0x55, 0x01, 0x05, 0x01];
/// Shortest public exponent field that is written: 65537 needs 17 bits, and all cards take 32.
const EXPONENT_BITS: u16 = 32;

/// How private keys are imported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ImportFormat {
    /// RSA: e, p, q.
    Standard,
    /// RSA: e, p, q and n.
    StandardWithModulus,
    /// RSA: e, p, q, 1/q mod p, d mod (p-1), d mod (q-1).
    Crt,
    /// RSA: these and n.
    CrtWithModulus,
    /// Curves: the scalar alone.
    Scalar,
    /// Curves: the scalar and the public key.
    ScalarWithPublicKey,
}

/// What DO C1, C2 or C3 says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Attributes {
    pub(super) kind: KeyKind,
    pub(super) exponent_bits: u16,
    pub(super) format: ImportFormat,
}

impl Attributes {
    /// Reads the DO's content; `None` for an algorithm or curve that is not known here.
    pub(super) fn parse(content: &[u8]) -> Option<Self> {
        let (algorithm, rest) = content.split_first()?;
        match *algorithm {
            RSA => {
                let [n_high, n_low, e_high, e_low, format @ ..] = rest else { return None };
                let format = match format.first() {
                    None | Some(0) => ImportFormat::Standard,
                    Some(1) => ImportFormat::StandardWithModulus,
                    Some(2) => ImportFormat::Crt,
                    Some(3) => ImportFormat::CrtWithModulus,
                    Some(_) => return None,
                };
                Some(Self {
                    kind: KeyKind::Rsa { bits: usize::from(u16::from_be_bytes([*n_high, *n_low])) },
                    exponent_bits: u16::from_be_bytes([*e_high, *e_low]),
                    format,
                })
            }
            ECDH | ECDSA | EDDSA => {
                let (kind, format) = match curve(rest) {
                    Some(kind) => (kind, ImportFormat::Scalar),
                    None => {
                        let (format, oid) = rest.split_last()?;
                        let format = match format {
                            0xFF => ImportFormat::ScalarWithPublicKey,
                            0x00 => ImportFormat::Scalar,
                            _ => return None,
                        };
                        (curve(oid)?, format)
                    }
                };
                let fits = match kind {
                    KeyKind::Ed25519 => *algorithm == EDDSA,
                    KeyKind::X25519 => *algorithm == ECDH,
                    _ => *algorithm != EDDSA,
                };
                fits.then_some(Self { kind, exponent_bits: 0, format })
            }
            _ => None,
        }
    }

    /// Reads an entry of the algorithm information for `key`.
    pub(super) fn listed(key: Key, content: &[u8]) -> Option<Self> {
        match content {
            // YubiKeys before firmware 5.6.1 list X25519 as a curve for EdDSA (Yubico's yubikit, openpgp.py, 2023).
            [EDDSA, curve @ ..] if key == Key::Decryption && curve == CURVE25519 => {
                Some(Self { kind: KeyKind::X25519, exponent_bits: 0, format: ImportFormat::Scalar })
            }
            _ => Self::parse(content).filter(|listed| key.usage(listed.kind) != crate::card::Usage::default()),
        }
    }

    /// The attributes of a key of this kind in the place of `key`, to be written: `present` is what stands there, whose
    /// exponent length and format are kept where the algorithm is the same.
    pub(super) fn for_key(key: Key, kind: KeyKind, present: Option<Self>) -> Result<Self, CardError> {
        let usage = key.usage(kind);
        if usage == crate::card::Usage::default() {
            return Err(CardError::NotSupported);
        }
        let kept = present.filter(|present| same_algorithm(present.kind, kind));
        let (exponent_bits, format) = match (kept, kind) {
            (Some(kept), _) => (kept.exponent_bits, kept.format),
            (None, KeyKind::Rsa { .. }) => (EXPONENT_BITS, ImportFormat::Standard),
            (None, _) => (0, ImportFormat::Scalar),
        };
        Ok(Self { kind, exponent_bits, format })
    }

    /// The DO's content for `key`.
    pub(super) fn encode(&self, key: Key) -> Result<Vec<u8>, CardError> {
        let (algorithm, oid): (u8, &[u8]) = match self.kind {
            KeyKind::Rsa { bits } => {
                let [n_high, n_low] = u16::try_from(bits).map_err(|_| CardError::NotSupported)?.to_be_bytes();
                let [e_high, e_low] = self.exponent_bits.to_be_bytes();
                let format = match self.format {
                    ImportFormat::StandardWithModulus => 1,
                    ImportFormat::Crt => 2,
                    ImportFormat::CrtWithModulus => 3,
                    _ => 0,
                };
                return Ok(vec![RSA, n_high, n_low, e_high, e_low, format]);
            }
            KeyKind::Ed25519 => (EDDSA, ED25519),
            KeyKind::X25519 => (ECDH, CURVE25519),
            KeyKind::Ec(curve) => (if key == Key::Decryption { ECDH } else { ECDSA }, oid(curve)),
        };
        let mut content = vec![algorithm];
        content.extend_from_slice(oid);
        if self.format == ImportFormat::ScalarWithPublicKey {
            content.push(0xFF);
        }
        Ok(content)
    }
}

fn same_algorithm(one: KeyKind, other: KeyKind) -> bool {
    core::mem::discriminant(&one) == core::mem::discriminant(&other)
}

/// The content of a curve's OBJECT IDENTIFIER, as it stands in attributes.
fn oid(curve: Curve) -> &'static [u8] {
    curve.oid_der().get(2..).unwrap_or_default()
}

/// The kind of key on the curve with this OBJECT IDENTIFIER content.
fn curve(content: &[u8]) -> Option<KeyKind> {
    match content {
        ED25519 => Some(KeyKind::Ed25519),
        CURVE25519 => Some(KeyKind::X25519),
        _ => Curve::ALL.into_iter().find(|curve| oid(*curve) == content).map(KeyKind::Ec),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Option<Attributes> {
        Attributes::parse(&hex::decode(text).unwrap())
    }

    #[test]
    fn attributes_name_algorithm_size_and_import_format() {
        let rsa = parse("010800002002").unwrap();
        assert_eq!((rsa.kind, rsa.format), (KeyKind::Rsa { bits: 2048 }, ImportFormat::Crt));
        // Version 1 and early 2.0 cards leave the format out.
        assert_eq!(parse("0108000020").unwrap().format, ImportFormat::Standard);
        assert_eq!(parse("132A8648CE3D030107").unwrap().kind, KeyKind::Ec(Curve::P256));
        let with_public = parse("122B81040022FF").unwrap();
        assert_eq!(
            (with_public.kind, with_public.format),
            (KeyKind::Ec(Curve::P384), ImportFormat::ScalarWithPublicKey)
        );
        assert_eq!(parse("132B8104002300").unwrap().kind, KeyKind::Ec(Curve::P521));
        assert_eq!(parse("162B06010401DA470F01").unwrap().kind, KeyKind::Ed25519);
        assert_eq!(parse("122B060104019755010501").unwrap().kind, KeyKind::X25519);
    }

    #[test]
    fn what_is_not_known_or_not_whole_is_no_attribute() {
        for text in ["", "01", "0108", "01080000", "010800002004", "13", "132A86", "162A8648CE3D030107", "99010203"] {
            assert_eq!(parse(text), None, "{text}");
        }
        assert_eq!(parse("132B06010401DA470F01"), None);
        assert_eq!(parse("162B060104019755010501"), None);
    }

    #[test]
    fn attributes_to_be_written_keep_the_format_of_the_same_algorithm() {
        for text in ["010800002003", "010800001100"] {
            let present = parse(text);
            let rsa = Attributes::for_key(Key::Signature, KeyKind::Rsa { bits: 4096 }, present).unwrap();
            let mut expected = hex::decode(text).unwrap();
            expected.splice(1..3, [0x10, 0x00]);
            assert_eq!(rsa.encode(Key::Signature).unwrap(), expected);
        }
        let present = parse("132A8648CE3D030107FF");
        let ec = Attributes::for_key(Key::Decryption, KeyKind::Ec(Curve::P384), present).unwrap();
        assert_eq!(ec.encode(Key::Decryption).unwrap(), hex::decode("122B81040022FF").unwrap());
        let ed25519 = Attributes::for_key(Key::Authentication, KeyKind::Ed25519, present).unwrap();
        assert_eq!(ed25519.encode(Key::Authentication).unwrap(), hex::decode("162B06010401DA470F01").unwrap());
    }

    #[test]
    fn a_key_gets_no_algorithm_that_it_cannot_use() {
        assert!(Attributes::for_key(Key::Signature, KeyKind::X25519, None).is_err());
        assert!(Attributes::for_key(Key::Decryption, KeyKind::Ed25519, None).is_err());
    }
}
