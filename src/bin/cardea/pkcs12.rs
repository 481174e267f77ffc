//! PKCS#12 files (RFC 7292): a private key and certificates behind a passphrase.

use cardea_pkcs11::secret::SecretBytes;
use der::asn1::{AnyRef, ObjectIdentifier, OctetStringRef};
use der::{Decode, Reader, SliceReader, Tag, Tagged};

use crate::ber;
use crate::encryption::{Passphrase, Refusal};

/// id-data and id-encryptedData (RFC 5652).
const DATA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.7.1");
const ENCRYPTED_DATA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.7.6");
/// Bags (RFC 7292 appendix D).
const KEY: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.12.10.1.1");
const SHROUDED_KEY: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.12.10.1.2");
const CERTIFICATE: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.12.10.1.3");
const BAGS: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.12.10.1.6");
/// x509Certificate.
const X509: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.22.1");
/// How deep bags may lie in bags.
const DEEPEST: u32 = 8;

/// What was in the file.
#[derive(Default)]
pub(crate) struct Contents {
    /// Private keys as PKCS#8.
    pub(crate) keys: Vec<SecretBytes>,
    /// Certificates in the order of the file.
    pub(crate) certificates: Vec<Vec<u8>>,
}

/// A file that was recognised, in DER.
pub(crate) struct Pkcs12(SecretBytes);

impl Pkcs12 {
    /// Takes a file for PKCS#12 that begins as a PFX does: with version 3 and a ContentInfo.
    pub(crate) fn recognize(content: &[u8]) -> Option<Self> {
        let der = ber::to_der(content)?;
        let is_pfx = SliceReader::new(&der).ok()?.sequence(|reader| {
            let version = u8::decode(reader)?;
            let content = AnyRef::decode(reader)?;
            while !reader.is_finished() {
                AnyRef::decode(reader)?;
            }
            Ok::<_, der::Error>(version == 3 && content.tag() == Tag::Sequence)
        });
        is_pfx.ok()?.then_some(Self(der))
    }

    /// Checks that the passphrase is the one, and decrypts.
    pub(crate) fn open(&self, passphrase: Passphrase) -> Result<Contents, Refusal> {
        match self.opened(&passphrase) {
            Err(Refusal::Passphrase) if passphrase.is_empty() => self.opened(&passphrase.without_zero()),
            result => result,
        }
    }

    fn opened(&self, passphrase: &Passphrase) -> Result<Contents, Refusal> {
        let (kind, content, mac) = SliceReader::new(&self.0)?.sequence(|reader| {
            let _version = u8::decode(reader)?;
            let (kind, content) = content_info(reader)?;
            let mac = if reader.is_finished() { None } else { Some(reader.tlv_bytes()?) };
            Ok::<_, der::Error>((kind, content, mac))
        })?;
        // The other kind is signed with a key that nobody here would know.
        if kind != DATA {
            return Err(Refusal::Algorithm);
        }
        let safe = <&OctetStringRef>::from_der(content)?.as_bytes();
        if let Some(mac) = mac {
            check(mac, safe, passphrase)?;
        }
        let mut contents = Contents::default();
        let der = ber::to_der(safe).ok_or(Refusal::Malformed)?;
        for part in sequence_of(&der)? {
            let (kind, content) = content_info(&mut SliceReader::new(part)?)?;
            let bags = match kind {
                DATA => SecretBytes::new(<&OctetStringRef>::from_der(content)?.as_bytes().to_vec()),
                ENCRYPTED_DATA => encrypted(content, passphrase)?,
                _ => return Err(Refusal::Algorithm),
            };
            contents.add(&bags, passphrase, DEEPEST)?;
        }
        Ok(contents)
    }
}

impl Contents {
    /// Adds what is in SafeContents.
    fn add(&mut self, bags: &[u8], passphrase: &Passphrase, depth: u32) -> Result<(), Refusal> {
        let depth = depth.checked_sub(1).ok_or(Refusal::Malformed)?;
        let der = ber::to_der(bags).ok_or(Refusal::Malformed)?;
        for bag in sequence_of(&der)? {
            let (kind, value) = SliceReader::new(bag)?.sequence(|reader| {
                let kind = ObjectIdentifier::decode(reader)?;
                let value = AnyRef::decode(reader)?.value();
                // Names and numbers of keys are not needed: certificates are matched with keys by what is in them.
                while !reader.is_finished() {
                    AnyRef::decode(reader)?;
                }
                Ok::<_, der::Error>((kind, value))
            })?;
            match kind {
                KEY => self.keys.push(SecretBytes::new(value.to_vec())),
                SHROUDED_KEY => self.keys.push(decrypt_key(value, passphrase)?),
                CERTIFICATE => self.certificates.extend(certificate(value)?),
                BAGS => self.add(value, passphrase, depth)?,
                // Revocation lists and secrets of others.
                _ => {}
            }
        }
        Ok(())
    }
}

/// Decrypts an EncryptedPrivateKeyInfo (RFC 5958 3); gives the PrivateKeyInfo.
pub(crate) fn decrypt_key(der: &[u8], passphrase: &Passphrase) -> Result<SecretBytes, Refusal> {
    let (algorithm, cryptogram) = SliceReader::new(der)?.sequence(|reader| {
        let algorithm = reader.tlv_bytes()?;
        Ok::<_, der::Error>((algorithm, <&OctetStringRef>::decode(reader)?.as_bytes()))
    })?;
    passphrase.decrypt(algorithm, cryptogram)
}

/// Whether this is an EncryptedPrivateKeyInfo.
pub(crate) fn is_encrypted_key(der: &[u8]) -> bool {
    let parsed = SliceReader::new(der).and_then(|mut reader| {
        reader.sequence(|reader| {
            let algorithm = AnyRef::decode(reader)?.tag();
            <&OctetStringRef>::decode(reader)?;
            Ok::<_, der::Error>(algorithm == Tag::Sequence)
        })
    });
    parsed == Ok(true)
}

/// ContentInfo: a type and, explicitly tagged, a content.
fn content_info<'d>(reader: &mut SliceReader<'d>) -> der::Result<(ObjectIdentifier, &'d [u8])> {
    reader.sequence(|reader| {
        let kind = ObjectIdentifier::decode(reader)?;
        Ok((kind, AnyRef::decode(reader)?.value()))
    })
}

/// EncryptedData (RFC 5652 8): the cryptogram is one octet string, or several pieces under the same tag.
fn encrypted(der: &[u8], passphrase: &Passphrase) -> Result<SecretBytes, Refusal> {
    let (algorithm, cryptogram) = SliceReader::new(der)?.sequence(|reader| {
        let _version = u8::decode(reader)?;
        let content = reader.sequence(|reader| {
            let _kind: ObjectIdentifier = ObjectIdentifier::decode(reader)?;
            let algorithm = reader.tlv_bytes()?;
            let content = AnyRef::decode(reader)?;
            Ok::<_, der::Error>((algorithm, content))
        })?;
        while !reader.is_finished() {
            AnyRef::decode(reader)?;
        }
        Ok::<_, der::Error>(content)
    })?;
    if !cryptogram.tag().is_constructed() {
        return passphrase.decrypt(algorithm, cryptogram.value());
    }
    let mut joined = Vec::with_capacity(cryptogram.value().len());
    let mut reader = SliceReader::new(cryptogram.value())?;
    while !reader.is_finished() {
        joined.extend_from_slice(<&OctetStringRef>::decode(&mut reader)?.as_bytes());
    }
    passphrase.decrypt(algorithm, &joined)
}

/// MacData (RFC 7292 4): the passphrase is the one if the content has this code under it.
fn check(mac: &[u8], content: &[u8], passphrase: &Passphrase) -> Result<(), Refusal> {
    let (hash, code, salt, iterations) = SliceReader::new(mac)?.sequence(|reader| {
        let (hash, code) = reader.sequence(|reader| {
            let hash = reader.sequence(|reader| {
                let hash = ObjectIdentifier::decode(reader)?;
                while !reader.is_finished() {
                    AnyRef::decode(reader)?;
                }
                Ok::<_, der::Error>(hash)
            })?;
            Ok::<_, der::Error>((hash, <&OctetStringRef>::decode(reader)?.as_bytes()))
        })?;
        let salt = <&OctetStringRef>::decode(reader)?.as_bytes();
        let iterations = if reader.is_finished() { 1 } else { u32::decode(reader)? };
        Ok::<_, der::Error>((hash, code, salt, iterations))
    })?;
    if passphrase.proves(hash, (salt, iterations), content, code)? { Ok(()) } else { Err(Refusal::Passphrase) }
}

/// CertBag: the certificate, where it is one of X.509.
fn certificate(der: &[u8]) -> der::Result<Option<Vec<u8>>> {
    SliceReader::new(der)?.sequence(|reader| {
        let kind = ObjectIdentifier::decode(reader)?;
        let value = AnyRef::decode(reader)?;
        let certificate = <&OctetStringRef>::from_der(value.value())?;
        Ok((kind == X509).then(|| certificate.as_bytes().to_vec()))
    })
}

/// The members of a SEQUENCE OF, each with its tag.
fn sequence_of(der: &[u8]) -> der::Result<Vec<&[u8]>> {
    SliceReader::new(der)?.sequence(|reader| {
        let mut members = Vec::new();
        while !reader.is_finished() {
            members.push(reader.tlv_bytes()?);
        }
        Ok(members)
    })
}
