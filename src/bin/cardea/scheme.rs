//! Signature schemes: which mechanism a key and the options mean, and the form of the signature in a file.

use cardea_pkcs11::card::key::{KeyKind, ecdsa_from_der, ecdsa_to_der};
use cardea_pkcs11::mechanism::{Hash, Mechanism, PssParameters};
use const_oid::ObjectIdentifier;

use crate::failure::{Exit, Failure};

/// How to sign, beyond what the key says.
#[derive(Debug, Clone, Copy, Default, clap::Args)]
pub(crate) struct SchemeOptions {
    /// Hash function; SHA-256 if nothing is said, with curves of 384 bits SHA-384 and with longer ones SHA-512
    #[arg(long, value_name = "NAME")]
    pub(crate) hash: Option<HashName>,

    /// The input is the hash itself (with RSA PKCS#1: the whole DigestInfo, or any short block)
    #[arg(long)]
    pub(crate) no_hash: bool,

    /// RSA: RSASSA-PSS instead of PKCS#1 v1.5; the salt is as long as the hash
    #[arg(long)]
    pub(crate) pss: bool,
}

/// Form of an ECDSA signature.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Form {
    /// Ecdsa-Sig-Value (RFC 3279), as OpenSSL and X.509 have it
    #[default]
    Der,
    /// r and s one after the other, as PKCS#11 and JOSE have it
    Raw,
}

/// Hash functions by the names that people type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum HashName {
    /// SHA-1, for what is old
    Sha1,
    /// SHA-224
    Sha224,
    /// SHA-256
    Sha256,
    /// SHA-384
    Sha384,
    /// SHA-512
    Sha512,
}

impl From<HashName> for Hash {
    fn from(name: HashName) -> Self {
        match name {
            HashName::Sha1 => Self::Sha1,
            HashName::Sha224 => Self::Sha224,
            HashName::Sha256 => Self::Sha256,
            HashName::Sha384 => Self::Sha384,
            HashName::Sha512 => Self::Sha512,
        }
    }
}

/// The scheme for a key of `kind`.
pub(crate) fn mechanism(kind: KeyKind, options: SchemeOptions) -> Result<Mechanism, Failure> {
    let SchemeOptions { hash, no_hash, pss } = options;
    let chosen = hash.map(Hash::from).unwrap_or(usual_hash(kind));
    let parameters = PssParameters { hash: chosen, mgf: chosen, salt_length: chosen.output_len() };
    if pss && !matches!(kind, KeyKind::Rsa { .. }) {
        return Err(Failure::usage("--pss is for RSA keys"));
    }
    Ok(match kind {
        KeyKind::Rsa { .. } => match (pss, no_hash) {
            (true, true) => Mechanism::RsaPss(parameters),
            (true, false) => Mechanism::RsaPssHash(parameters),
            (false, true) => Mechanism::RsaPkcs,
            (false, false) => Mechanism::RsaPkcsHash(chosen),
        },
        KeyKind::Ec(_) if no_hash => Mechanism::Ecdsa,
        KeyKind::Ec(_) => Mechanism::EcdsaHash(chosen),
        KeyKind::Ed25519 if hash.is_some() || no_hash => {
            return Err(Failure::usage("Ed25519 signs the file itself: there is no hash to choose"));
        }
        KeyKind::Ed25519 => Mechanism::Eddsa,
        KeyKind::X25519 => return Err(Failure::new(Exit::NotSupported, "X25519 keys do not sign")),
    })
}

fn usual_hash(kind: KeyKind) -> Hash {
    match kind.bits() {
        _ if matches!(kind, KeyKind::Rsa { .. }) => Hash::Sha256,
        384 => Hash::Sha384,
        512 | 521 => Hash::Sha512,
        _ => Hash::Sha256,
    }
}

/// A signature as Cryptoki gives it, in the form of a file.
pub(crate) fn to_file(signature: &[u8], kind: KeyKind, form: Form) -> Result<Vec<u8>, Failure> {
    match (kind, form) {
        (KeyKind::Ec(curve), Form::Der) => ecdsa_to_der(signature, curve)
            .map_err(|_| Failure::new(Exit::Failure, "the card gave a signature of the wrong length")),
        _ => Ok(signature.to_vec()),
    }
}

/// A signature from a file, as Cryptoki wants it.
pub(crate) fn from_file(signature: &[u8], kind: KeyKind, form: Form) -> Result<Vec<u8>, Failure> {
    match (kind, form) {
        (KeyKind::Ec(curve), Form::Der) => ecdsa_from_der(signature, curve).map_err(|_| {
            Failure::new(Exit::BadSignature, "that is no ECDSA signature in DER").advise("or is it --form raw?")
        }),
        _ => Ok(signature.to_vec()),
    }
}

/// The signatureAlgorithm of X.509 for a mechanism without PSS (RFC 4055, RFC 5758, RFC 8410); whether its parameters
/// are NULL (RSA) or absent.
pub(crate) fn algorithm(mechanism: &Mechanism) -> Option<(ObjectIdentifier, bool)> {
    let rsa = |last| Some((ObjectIdentifier::new_unwrap("1.2.840.113549.1.1").push_arc(last).ok()?, true));
    let ecdsa = |last| Some((ObjectIdentifier::new_unwrap("1.2.840.10045.4.3").push_arc(last).ok()?, false));
    match mechanism {
        Mechanism::RsaPkcsHash(Hash::Sha256) => rsa(11),
        Mechanism::RsaPkcsHash(Hash::Sha384) => rsa(12),
        Mechanism::RsaPkcsHash(Hash::Sha512) => rsa(13),
        Mechanism::EcdsaHash(Hash::Sha256) => ecdsa(2),
        Mechanism::EcdsaHash(Hash::Sha384) => ecdsa(3),
        Mechanism::EcdsaHash(Hash::Sha512) => ecdsa(4),
        Mechanism::Eddsa => Some((ObjectIdentifier::new_unwrap("1.3.101.112"), false)),
        _ => None,
    }
}
