//! Diffie-Hellman by the card.

use subtle::ConstantTimeEq;

use crate::card::PrivateKey;
use crate::card::key::{KeyKind, PublicKey};
use crate::error::Error;
use crate::mechanism::Result;
use crate::mechanism::{Kdf, Mechanism, ec};
use crate::secret::SecretBytes;

/// A key agreement in the making.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DerivePlan {
    kdf: Kdf,
    shared_data: Vec<u8>,
    peer: PublicKey,
}

/// Whether `key` agrees on keys by `mechanism`; the other party's value is not looked at.
pub fn check_derive(mechanism: &Mechanism, key: &PrivateKey) -> Result<()> {
    let parameters = match mechanism {
        Mechanism::Ecdh1(parameters) => parameters,
        Mechanism::Derive(_) => return Err(Error::KeyTypeInconsistent),
        _ => return Err(Error::MechanismInvalid),
    };
    match key.kind {
        KeyKind::Ec(_) => {}
        KeyKind::X25519 if !parameters.cofactor => {}
        KeyKind::Rsa { .. } | KeyKind::Ed25519 | KeyKind::X25519 => return Err(Error::KeyTypeInconsistent),
    }
    if key.usage.derive && key.abilities.agree { Ok(()) } else { Err(Error::KeyFunctionNotPermitted) }
}

/// C_DeriveKey. `MechanismParamInvalid` if the other party's value is not a point of the key's curve.
pub fn plan_derive(mechanism: &Mechanism, key: &PrivateKey) -> Result<DerivePlan> {
    check_derive(mechanism, key)?;
    let Mechanism::Ecdh1(parameters) = mechanism else {
        return Err(Error::MechanismInvalid);
    };
    let peer = PublicKey::point_from_caller(key.kind, &parameters.public_data);
    Ok(DerivePlan {
        kdf: parameters.kdf,
        shared_data: parameters.shared_data.clone(),
        peer: peer.map_err(|_| Error::MechanismParamInvalid)?,
    })
}

impl DerivePlan {
    /// The other party's public key, for the card.
    pub fn peer(&self) -> &PublicKey {
        &self.peer
    }

    /// The key from the card's shared value and the length that the template asks for, where it does; see
    /// [`ec::derive`].
    ///
    /// A shared value of zeros comes from a point of small order and is refused (RFC 7748 6.1).
    pub fn finish(&self, shared: &[u8], length: Option<usize>) -> Result<SecretBytes> {
        let expected = self.peer.kind().bits().div_ceil(8);
        if shared.len() != expected {
            return Err(Error::DeviceError);
        }
        if matches!(self.peer, PublicKey::X25519(_)) && bool::from(shared.ct_eq(&[0; 32])) {
            return Err(Error::MechanismParamInvalid);
        }
        ec::derive(self.kdf, shared, &self.shared_data, length)
    }
}
