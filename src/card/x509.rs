//! The fields of an X.509 certificate that a card application needs (RFC 5280 4.1), without judging the rest.
//!
//! Cards carry certificates that a strict decoder refuses for a field that does not matter here (serial numbers
//! out of range, times in the wrong form); such a certificate must not take its key away from the user.

use cardea_apdu::Tag;
use cardea_apdu::tlv::Reader;

use super::Usage;
use super::key::PublicKey;

const BOOLEAN: Tag = Tag::new(0x01);
const INTEGER: Tag = Tag::new(0x02);
const BIT_STRING: Tag = Tag::new(0x03);
const OCTET_STRING: Tag = Tag::new(0x04);
const OBJECT_IDENTIFIER: Tag = Tag::new(0x06);
const SEQUENCE: Tag = Tag::new(0x30);
/// `version [0]`.
const VERSION: Tag = Tag::new(0xA0);
/// `extensions [3]`.
const EXTENSIONS: Tag = Tag::new(0xA3);
/// id-ce-keyUsage, 2.5.29.15.
const KEY_USAGE: [u8; 3] = [0x55, 0x1D, 0x0F];

/// What is taken from a certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fields {
    /// DER Name.
    pub(super) subject: Vec<u8>,
    /// The public key, where its algorithm is known.
    pub(super) public: Option<PublicKey>,
    /// The key usage extension (RFC 5280 4.2.1.3), where there is one.
    pub(super) key_usage: Option<KeyUsage>,
}

/// Bits of the key usage extension, digitalSignature being bit 15.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct KeyUsage(u16);

impl KeyUsage {
    const DIGITAL_SIGNATURE: u16 = 0x8000;
    const NON_REPUDIATION: u16 = 0x4000;
    const KEY_ENCIPHERMENT: u16 = 0x2000;
    const DATA_ENCIPHERMENT: u16 = 0x1000;
    const KEY_AGREEMENT: u16 = 0x0800;
    const KEY_CERT_SIGN: u16 = 0x0400;
    const CRL_SIGN: u16 = 0x0200;

    fn any(self, bits: u16) -> bool {
        self.0 & bits != 0
    }

    /// The uses in Cryptoki's terms.
    pub(super) fn usage(self) -> Usage {
        Usage {
            sign: self.any(Self::DIGITAL_SIGNATURE | Self::NON_REPUDIATION | Self::KEY_CERT_SIGN | Self::CRL_SIGN),
            decrypt: self.any(Self::KEY_ENCIPHERMENT | Self::DATA_ENCIPHERMENT),
            unwrap: self.any(Self::KEY_ENCIPHERMENT),
            derive: self.any(Self::KEY_AGREEMENT),
        }
    }
}

/// Reads a DER certificate; `None` if it has not the structure of one as far as the subject's key.
pub(super) fn fields(der: &[u8]) -> Option<Fields> {
    let certificate = Reader::new(der).expect_next(SEQUENCE).ok()?;
    let to_be_signed = certificate.children().expect_next(SEQUENCE).ok()?;
    let mut rest = to_be_signed.children();
    if rest.clone().next()?.ok()?.tag == VERSION {
        rest.next();
    }
    rest.expect_next(INTEGER).ok()?;
    // signature, issuer, validity
    for _ in 0..3 {
        rest.expect_next(SEQUENCE).ok()?;
    }
    let subject = rest.expect_next(SEQUENCE).ok()?;
    let key = rest.expect_next(SEQUENCE).ok()?;
    Some(Fields {
        subject: subject.encoded().to_vec(),
        public: PublicKey::from_spki(key.encoded()).ok(),
        key_usage: extensions(rest).and_then(key_usage),
    })
}

/// The list of extensions among what follows the public key.
fn extensions(rest: Reader<'_>) -> Option<Reader<'_>> {
    let wrapping = rest.find_object(EXTENSIONS).ok()??;
    Some(wrapping.children().expect_next(SEQUENCE).ok()?.children())
}

fn key_usage(extensions: Reader<'_>) -> Option<KeyUsage> {
    for extension in extensions.map_while(Result::ok) {
        let mut parts = extension.children();
        if parts.expect_next(OBJECT_IDENTIFIER).ok()?.value != KEY_USAGE {
            continue;
        }
        if parts.clone().next()?.ok()?.tag == BOOLEAN {
            parts.next();
        }
        let wrapped = parts.expect_next(OCTET_STRING).ok()?;
        return match wrapped.children().expect_next(BIT_STRING).ok()?.value {
            [_, first, second, ..] => Some(KeyUsage(u16::from_be_bytes([*first, *second]))),
            [_, first] => Some(KeyUsage(u16::from_be_bytes([*first, 0]))),
            _ => None,
        };
    }
    None
}
