//! Filling an OpenPGP card with keys and certificates, by commands alone.
//!
//! RSA keys are imported (they are the test keys in `keys/`), all others are generated on the card.

use std::path::Path;
use std::{fs, io};

use rsa::pkcs8::{DecodePrivateKey, EncodePublicKey};
use rsa::traits::{PrivateKeyParts, PublicKeyParts};
use rsa::{BigUint, RsaPrivateKey, RsaPublicKey};
use sha2::{Digest, Sha256};
use x509_cert::der::Encode;
use x509_cert::der::asn1::{AnyRef, BitStringRef, ObjectIdentifier};
use x509_cert::der::pem::{LineEnding, encode_string};
use x509_cert::spki::{AlgorithmIdentifierRef, SubjectPublicKeyInfoRef};

use super::{OPENPGP_AID, PW1, PW3};
use crate::card::{Terminal, VirtualCard};
use crate::provision::{Authority, Holder, KeyKind, KeySlot, Usage};
use crate::tlv::{length, object, value};

/// What key is under a reference.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OpenPgpKeyKind {
    /// RSA, one of the test keys rsa-2048-a, b and c, imported.
    Rsa2048(char),
    /// RSA with 4096 bits, a test key, imported.
    Rsa4096,
    /// NIST P-256, generated on the card.
    P256,
    /// NIST P-384, generated on the card.
    P384,
    /// NIST P-521, generated on the card.
    P521,
    /// Ed25519, generated on the card.
    Ed25519,
    /// X25519, generated on the card.
    X25519,
}

/// What is to be on a card: keys for signature, decryption and authentication.
#[derive(Debug, Clone)]
pub struct OpenPgpLayout {
    /// Whose card it is.
    pub holder: Holder,
    /// The keys, and whether each has a certificate.
    pub keys: [Option<(OpenPgpKeyKind, bool)>; 3],
    /// PW1 is valid for several signatures.
    pub several_signatures: bool,
}

impl OpenPgpLayout {
    /// A common card, Ada Lovelace's: signature P-256, decryption RSA-2048, authentication RSA-2048, all certified, a PIN for each
    /// signature.
    pub fn standard() -> Self {
        Self {
            holder: Holder::new("Ada Lovelace"),
            keys: [
                Some((OpenPgpKeyKind::P256, true)),
                Some((OpenPgpKeyKind::Rsa2048('b'), true)),
                Some((OpenPgpKeyKind::Rsa2048('a'), true)),
            ],
            several_signatures: false,
        }
    }

    /// A card as users of GnuPG have them, Alan Turing's: Ed25519, X25519, Ed25519, without certificates, one PIN for many signatures.
    pub fn modern() -> Self {
        Self {
            holder: Holder::new("Alan Turing"),
            keys: [
                Some((OpenPgpKeyKind::Ed25519, false)),
                Some((OpenPgpKeyKind::X25519, false)),
                Some((OpenPgpKeyKind::Ed25519, false)),
            ],
            several_signatures: true,
        }
    }

    /// A card with larger keys, Grace Hopper's: RSA-4096, P-384, P-521, the last without a certificate, one PIN for many signatures.
    pub fn varied() -> Self {
        Self {
            holder: Holder::new("Grace Hopper"),
            keys: [
                Some((OpenPgpKeyKind::Rsa4096, true)),
                Some((OpenPgpKeyKind::P384, true)),
                Some((OpenPgpKeyKind::P521, false)),
            ],
            several_signatures: true,
        }
    }
}

/// What a card was filled with; keys by reference: 1 signature, 2 decryption, 3 authentication.
#[derive(Debug, Clone)]
pub struct ProvisionedOpenPgp {
    /// PW1.
    pub pin: String,
    /// PW3.
    pub so_pin: String,
    /// The authority's certificate.
    pub ca_pem: String,
    /// Certificates in DER by key reference.
    pub certificates: Vec<(u8, Vec<u8>)>,
    /// Public keys as SubjectPublicKeyInfo in DER by key reference.
    pub public_keys: Vec<(u8, Vec<u8>)>,
}

impl ProvisionedOpenPgp {
    /// Writes `ca.pem`, and for every key reference `01.crt.pem` and `01.pub.pem` (and so on) into a directory.
    pub fn write_pem(&self, directory: &Path) -> io::Result<()> {
        fs::create_dir_all(directory)?;
        fs::write(directory.join("ca.pem"), &self.ca_pem)?;
        let pem = |label, der: &[u8]| encode_string(label, LineEnding::LF, der).expect("DER encodes as PEM");
        for (reference, der) in &self.certificates {
            fs::write(directory.join(format!("{reference:02x}.crt.pem")), pem("CERTIFICATE", der))?;
        }
        for (reference, der) in &self.public_keys {
            fs::write(directory.join(format!("{reference:02x}.pub.pem")), pem("PUBLIC KEY", der))?;
        }
        Ok(())
    }
}

/// Fills a fresh card according to a layout; the certificates come from `authority`.
///
/// # Panics
/// If the card refuses anything.
pub fn provision_openpgp(
    card: &mut dyn VirtualCard,
    layout: &OpenPgpLayout,
    authority: &Authority,
) -> ProvisionedOpenPgp {
    card.power_on();
    let mut terminal = Terminal::new(card);
    terminal.send([0x00, 0xA4, 0x04, 0x00], &OPENPGP_AID).unwrap();
    terminal.send([0x00, 0x20, 0x00, 0x83], PW3.as_bytes()).unwrap();
    let mut certificates = Vec::new();
    let mut public_keys = Vec::new();
    for (reference, key) in (1..).zip(layout.keys) {
        let Some((kind, certified)) = key else { continue };
        let public = make(&mut terminal, reference, kind);
        // A fingerprint is how others see that a key exists; what it says does not matter to them.
        put(&mut terminal, 0xC6 + u16::from(reference), &Sha256::digest(&public)[..20]);
        put(&mut terminal, 0xCD + u16::from(reference), &1_700_000_000_u32.to_be_bytes());
        if certified {
            let usage = [Usage::Signature, Usage::KeyManagement, Usage::Authentication][usize::from(reference) - 1];
            // The authority asks for nothing of it but the reference.
            let slot = KeySlot::new(reference, KeyKind::P256);
            let certificate = authority.issue(&layout.holder, &slot, usage, &public);
            let occurrence = 3 - reference;
            terminal.send([0x00, 0xA5, occurrence, 0x04], &[0x60, 0x04, 0x5C, 0x02, 0x7F, 0x21]).unwrap();
            put(&mut terminal, 0x7F21, &certificate);
            certificates.push((reference, certificate));
        }
        public_keys.push((reference, public));
    }
    put(&mut terminal, 0x5B, iso_7501_name(&layout.holder).as_bytes());
    put(&mut terminal, 0xC4, &[u8::from(layout.several_signatures)]);
    card.reset();
    ProvisionedOpenPgp {
        pin: PW1.to_owned(),
        so_pin: PW3.to_owned(),
        ca_pem: authority.pem(),
        certificates,
        public_keys,
    }
}

/// Makes a key and returns its SubjectPublicKeyInfo.
fn make(terminal: &mut Terminal<'_>, reference: u8, kind: OpenPgpKeyKind) -> Vec<u8> {
    match kind {
        OpenPgpKeyKind::Rsa2048('a') => import(terminal, reference, include_str!("../../keys/rsa-2048-a.pem")),
        OpenPgpKeyKind::Rsa2048('b') => import(terminal, reference, include_str!("../../keys/rsa-2048-b.pem")),
        OpenPgpKeyKind::Rsa2048(_) => import(terminal, reference, include_str!("../../keys/rsa-2048-c.pem")),
        OpenPgpKeyKind::Rsa4096 => import(terminal, reference, include_str!("../../keys/rsa-4096.pem")),
        OpenPgpKeyKind::P256 => generate(terminal, reference, "1.2.840.10045.3.1.7"),
        OpenPgpKeyKind::P384 => generate(terminal, reference, "1.3.132.0.34"),
        OpenPgpKeyKind::P521 => generate(terminal, reference, "1.3.132.0.35"),
        OpenPgpKeyKind::Ed25519 => generate(terminal, reference, "1.3.6.1.4.1.11591.15.1"),
        OpenPgpKeyKind::X25519 => generate(terminal, reference, "1.3.6.1.4.1.3029.1.5.1"),
    }
}

/// The control reference template of a key (OpenPGP card 7.2.14).
fn template(reference: u8) -> [u8; 2] {
    [[0xB6, 0x00], [0xB8, 0x00], [0xA4, 0x00]][usize::from(reference) - 1]
}

/// PUT DATA of the extended header list with an RSA key in standard format (OpenPGP card 4.4.3.12).
fn import(terminal: &mut Terminal<'_>, reference: u8, pem: &str) -> Vec<u8> {
    let key = RsaPrivateKey::from_pkcs8_pem(pem).expect("a valid test key");
    let bits = key.size() as u16 * 8;
    let [high, low] = bits.to_be_bytes();
    put(terminal, 0xC0 + u16::from(reference), &[0x01, high, low, 0x00, 0x20, 0x00]);
    let exponent = [0x00, 0x01, 0x00, 0x01];
    let primes: Vec<Vec<u8>> = key.primes().iter().map(BigUint::to_bytes_be).collect();
    let lengths =
        [&[0x91][..], &length(4), &[0x92], &length(primes[0].len()), &[0x93], &length(primes[1].len())].concat();
    let list = [
        template(reference).to_vec(),
        object(&[0x7F, 0x48], &lengths),
        object(&[0x5F, 0x48], &[&exponent[..], &primes[0], &primes[1]].concat()),
    ];
    terminal.send([0x00, 0xDB, 0x3F, 0xFF], &object(&[0x4D], &list.concat())).unwrap();
    key.to_public_key().to_public_key_der().expect("a public key encodes").into_vec()
}

/// GENERATE ASYMMETRIC KEY PAIR on a curve (OpenPGP card 7.2.14).
fn generate(terminal: &mut Terminal<'_>, reference: u8, curve: &str) -> Vec<u8> {
    let oid = ObjectIdentifier::new_unwrap(curve);
    let algorithm = match (curve, reference) {
        ("1.3.6.1.4.1.11591.15.1", _) => 0x16,
        (_, 2) => 0x12,
        _ => 0x13,
    };
    put(terminal, 0xC0 + u16::from(reference), &[&[algorithm], oid.as_bytes()].concat());
    let answer = terminal.send([0x00, 0x47, 0x80, 0x00], &template(reference)).unwrap();
    public_key(&answer, curve)
}

/// The SubjectPublicKeyInfo (RFC 5480, RFC 8410) of 7F49 { 86 point } for a key on the curve with this OID.
///
/// # Panics
/// If it is no such answer.
pub fn public_key(answer: &[u8], curve: &str) -> Vec<u8> {
    let inside = value(answer, &[0x7F, 0x49]);
    let point = value(inside, &[0x86]);
    let named = ObjectIdentifier::new_unwrap(curve);
    let (oid, parameters) = match curve {
        "1.3.6.1.4.1.11591.15.1" => (ObjectIdentifier::new_unwrap("1.3.101.112"), None),
        "1.3.6.1.4.1.3029.1.5.1" => (ObjectIdentifier::new_unwrap("1.3.101.110"), None),
        _ => (ObjectIdentifier::new_unwrap("1.2.840.10045.2.1"), Some(AnyRef::from(&named))),
    };
    let info = SubjectPublicKeyInfoRef {
        algorithm: AlgorithmIdentifierRef { oid, parameters },
        subject_public_key: BitStringRef::from_bytes(point).expect("a bit string"),
    };
    info.to_der().expect("a public key encodes")
}

/// The SubjectPublicKeyInfo of 7F49 { 81 modulus, 82 exponent }.
///
/// # Panics
/// If it is no such answer.
pub fn rsa_public_key(answer: &[u8]) -> Vec<u8> {
    let inside = value(answer, &[0x7F, 0x49]);
    let modulus = value(inside, &[0x81]);
    let exponent = value(&inside[inside.len() - 5..], &[0x82]);
    let key = RsaPublicKey::new(BigUint::from_bytes_be(modulus), BigUint::from_bytes_be(exponent));
    key.expect("an RSA key").to_public_key_der().expect("a public key encodes").into_vec()
}

/// `Ada Lovelace` as `Lovelace<<Ada`.
fn iso_7501_name(holder: &Holder) -> String {
    let name = &holder.name;
    name.split_once(' ').map_or_else(|| name.clone(), |(given, surname)| format!("{surname}<<{given}"))
}

fn put(terminal: &mut Terminal<'_>, tag: u16, content: &[u8]) {
    let [p1, p2] = tag.to_be_bytes();
    terminal.send([0x00, 0xDA, p1, p2], content).unwrap();
}
