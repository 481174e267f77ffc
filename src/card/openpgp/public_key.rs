//! Public keys, which the card gives without a certificate (OpenPGP card 7.2.14).

use cardea_apdu::Tag;
use cardea_apdu::tlv::{Reader, write};

use super::key_reference::Key;
use crate::card::CardError;
use crate::card::command::security::generate_asymmetric_key_pair;
use crate::card::key::{KeyKind, PublicKey};
use crate::channel::Channel;

/// P1: generate a key.
const GENERATE: u8 = 0x80;
/// P1: read the public key.
const READ: u8 = 0x81;
/// Public key template.
const TEMPLATE: Tag = Tag::new(0x7F49);
/// Modulus.
const MODULUS: Tag = Tag::new(0x81);
/// Public exponent.
const EXPONENT: Tag = Tag::new(0x82);
/// Point.
const POINT: Tag = Tag::new(0x86);
/// What GnuPG, and some cards, put before points of Curve25519.
const NATIVE_POINT: u8 = 0x40;

const MALFORMED: CardError = CardError::Malformed { what: "public key" };

/// The public half of the present key, whose kind the attributes tell.
pub(super) fn read(channel: &mut Channel<'_>, key: Key, kind: KeyKind) -> Result<PublicKey, CardError> {
    parse(&generate_asymmetric_key_pair(channel, READ, &write(key.template(), &[]))?, kind)
}

/// Replaces the key by one that the card generates, of the kind that the attributes tell.
pub(super) fn generate(channel: &mut Channel<'_>, key: Key, kind: KeyKind) -> Result<PublicKey, CardError> {
    parse(&generate_asymmetric_key_pair(channel, GENERATE, &write(key.template(), &[]))?, kind)
}

fn parse(answer: &[u8], kind: KeyKind) -> Result<PublicKey, CardError> {
    let template = Reader::new(answer).find_object(TEMPLATE).map_err(|_| MALFORMED)?.ok_or(MALFORMED)?.children();
    let find = |tag| template.find(tag).map_err(|_| MALFORMED)?.ok_or(MALFORMED);
    let public = match kind {
        KeyKind::Rsa { .. } => PublicKey::from_rsa(find(MODULUS)?, find(EXPONENT)?),
        KeyKind::Ec(curve) => PublicKey::from_ec_point(curve, find(POINT)?),
        KeyKind::Ed25519 => PublicKey::from_ed25519(bare(find(POINT)?)),
        KeyKind::X25519 => PublicKey::from_x25519(bare(find(POINT)?)),
    };
    public.map_err(|_| MALFORMED)
}

/// A point of Curve25519 without GnuPG's prefix.
pub(super) fn bare(point: &[u8]) -> &[u8] {
    match point {
        [NATIVE_POINT, rest @ ..] if rest.len() == 32 => rest,
        _ => point,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::card::key::Curve;

    #[test]
    fn a_point_of_curve25519_may_have_a_prefix() {
        let point = "8520F0098930A754748B7DDCB43EF75A0DBF3A0D26381AF4EBA4A98EAA9B4E6A";
        for prefix in ["7F49228620", "7F4923862140"] {
            let answer = hex::decode(format!("{}{point}", prefix)).unwrap();
            assert_eq!(parse(&answer, KeyKind::X25519).unwrap().kind(), KeyKind::X25519);
        }
    }

    #[test]
    fn what_is_no_public_key_is_refused() {
        for answer in ["", "7F49", "7F4900", "7F49028600", "7F490481008200", "7F4903860104", "8600"] {
            let answer = hex::decode(answer).unwrap();
            for kind in [KeyKind::Rsa { bits: 2048 }, KeyKind::Ec(Curve::P256), KeyKind::Ed25519] {
                assert_eq!(parse(&answer, kind), Err(MALFORMED));
            }
        }
    }
}
