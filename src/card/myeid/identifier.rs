//! Identifiers of keys and certificates for which the caller names none: SHA-1 of the public key's bits, by which a
//! certificate and its key find each other (RFC 5280 4.2.1.2 (1), as OpenSC has it for RSA: of the modulus).

use sha1::{Digest, Sha1};

use crate::card::PrivateKey;
use crate::card::Storage;
use crate::card::key::PublicKey;

/// `id` where there is one; else that of the public key, or where it is not known, of the certificate.
pub(super) fn of(id: &[u8], public: Option<&PublicKey>, der: &[u8]) -> Vec<u8> {
    if !id.is_empty() {
        return id.to_vec();
    }
    let bits = match public {
        Some(PublicKey::Rsa { modulus, .. }) => modulus,
        Some(PublicKey::Ec { point, .. }) => point.as_slice(),
        Some(PublicKey::Ed25519(bytes) | PublicKey::X25519(bytes)) => bytes,
        None => der,
    };
    Sha1::digest(bits).to_vec()
}

/// A lasting key with an identifier.
pub(super) fn given(mut key: PrivateKey) -> PrivateKey {
    if key.storage == Storage::Token && key.public.is_some() {
        key.id = of(&key.id, key.public.as_ref(), &[]);
    }
    key
}
