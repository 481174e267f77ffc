//! Public halves of private keys whose value is known.

use cardea_brainpool_p512::BrainpoolP512r1;
use p256::elliptic_curve::{self, sec1::ToSec1Point as _};
use zeroize::Zeroizing;

use super::{Curve, KeyError, KeyKind, PublicKey};

impl PublicKey {
    /// The public half of a scalar as long as the field; `Malformed` for one that is zero or not below the order
    /// (SEC 1 3.2.1).
    pub fn of_scalar(curve: Curve, scalar: &[u8]) -> Result<Self, KeyError> {
        macro_rules! public {
            ($curve:ty) => {{
                let secret =
                    elliptic_curve::SecretKey::<$curve>::from_slice(scalar).map_err(|_| KeyError::Malformed)?;
                secret.public_key().to_sec1_point(false).as_bytes().to_vec()
            }};
        }
        let point = match curve {
            Curve::P256 => public!(p256::NistP256),
            Curve::P384 => public!(p384::NistP384),
            Curve::P521 => public!(p521::NistP521),
            Curve::Secp256k1 => public!(k256::Secp256k1),
            Curve::BrainpoolP256 => public!(bp256::BrainpoolP256r1),
            Curve::BrainpoolP384 => public!(bp384::BrainpoolP384r1),
            Curve::BrainpoolP512 => public!(BrainpoolP512r1),
        };
        Ok(Self::Ec { curve, point })
    }

    /// The public half of an Ed25519 seed (RFC 8032 5.1.5) or X25519 scalar (RFC 7748 6.1), and its bytes; `None` for
    /// keys of other kinds.
    pub fn of_seed(kind: KeyKind, seed: &[u8; 32]) -> Option<(Self, [u8; 32])> {
        match kind {
            KeyKind::Ed25519 => {
                let public = ed25519_dalek::SigningKey::from_bytes(seed).verifying_key().to_bytes();
                Some((Self::Ed25519(public), public))
            }
            KeyKind::X25519 => {
                let scalar = Zeroizing::new(*seed);
                let public = curve25519_dalek::MontgomeryPoint::mul_base_clamped(*scalar).to_bytes();
                Some((Self::X25519(public), public))
            }
            KeyKind::Rsa { .. } | KeyKind::Ec(_) => None,
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn bytes(text: &str) -> Vec<u8> {
        hex::decode(text).unwrap()
    }

    #[test]
    fn a_scalar_of_one_gives_the_base_point() {
        let one = [vec![0; 31], vec![1]].concat();
        let PublicKey::Ec { point, .. } = PublicKey::of_scalar(Curve::P256, &one).unwrap() else { panic!() };
        assert_eq!(
            hex::encode_upper(&point[1..33]),
            "6B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296"
        );
        for refused in [vec![0; 32], vec![0xFF; 32]] {
            assert_eq!(PublicKey::of_scalar(Curve::P256, &refused), Err(KeyError::Malformed));
        }
    }

    /// RFC 8032 7.1, first test; a pair made by OpenSSL.
    #[test]
    fn seeds_give_the_public_keys_of_the_standards() {
        for (kind, seed, public) in [
            (
                KeyKind::Ed25519,
                "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
                "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
            ),
            (
                KeyKind::X25519,
                "77076d0a7318a57d3c16c17251b26645df4c2f92ebc099aa0e1c1a9a2e6b7d47",
                "8039db4dbb0cabc38e85fcbf9d28e1caada667cc6496f80427a32d617a6a1262",
            ),
        ] {
            let seed = bytes(seed).try_into().unwrap();
            let (_, found) = PublicKey::of_seed(kind, &seed).unwrap();
            assert_eq!(hex::encode(found), public);
        }
    }
}
