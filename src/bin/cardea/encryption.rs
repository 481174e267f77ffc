//! What a passphrase encrypts: PBES2 (RFC 8018 6.2), and what PKCS#12 had before it (RFC 7292 appendices B and C).

use cardea_pkcs11::secret::SecretBytes;
use der::asn1::{ObjectIdentifier, OctetStringRef};
use der::{Decode, Reader, SliceReader};
use des::cipher::{Array, BlockCipherDecrypt, BlockSizeUser, KeyInit};
use des::{TdesEde2, TdesEde3};
use hmac::{Mac, SimpleHmac};
use rc2::Rc2;
use sha1::Sha1;
use sha2::digest::Digest;
use sha2::{Sha224, Sha256, Sha384, Sha512};

/// pkcs-12PbeIds with SHA-1: 3DES with three and with two keys, RC2 with 128 and with 40 bits.
const TRIPLE_DES: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.12.1.3");
const DOUBLE_DES: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.12.1.4");
const RC2_128: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.12.1.5");
const RC2_40: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.12.1.6");

/// Hash functions of the integrity check.
const SHA1: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.14.3.2.26");
const SHA224: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.4");
const SHA256: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.1");
const SHA384: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.2");
const SHA512: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.3");

/// What the function of RFC 7292 B.2 makes a key of: its ID byte (B.3).
const FOR_ENCRYPTION: u8 = 1;
const FOR_THE_VECTOR: u8 = 2;
const FOR_INTEGRITY: u8 = 3;

/// Why nothing was decrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// The passphrase is not the one, or the file is damaged.
    Passphrase,
    /// An algorithm that is not known here.
    Algorithm,
    /// Not the structure that it should be.
    Malformed,
}

impl From<der::Error> for Refusal {
    fn from(_: der::Error) -> Self {
        Self::Malformed
    }
}

/// A passphrase in the two forms in which keys are made of it.
pub(crate) struct Passphrase {
    /// As it was typed, for PBES2.
    typed: SecretBytes,
    /// UTF-16, the highest byte first, with a zero at its end (RFC 7292 B.1).
    wide: SecretBytes,
}

impl Passphrase {
    /// What is no UTF-8 counts as Latin-1.
    pub(crate) fn new(typed: SecretBytes) -> Self {
        let mut wide = SecretBytes::new(Vec::with_capacity(2 * typed.len() + 2));
        match std::str::from_utf8(&typed) {
            Ok(text) => text.encode_utf16().for_each(|unit| wide.extend_from_slice(&unit.to_be_bytes())),
            Err(_) => typed.iter().for_each(|byte| wide.extend_from_slice(&[0, *byte])),
        }
        wide.extend_from_slice(&[0, 0]);
        Self { typed, wide }
    }

    /// Nothing was typed: some programs take that for no bytes at all, without the zero.
    pub(crate) fn is_empty(&self) -> bool {
        self.typed.is_empty()
    }

    /// The other form of an empty passphrase.
    pub(crate) fn without_zero(mut self) -> Self {
        self.wide.clear();
        self
    }

    /// Decrypts what was encrypted by `algorithm`, an AlgorithmIdentifier.
    pub(crate) fn decrypt(&self, algorithm: &[u8], cryptogram: &[u8]) -> Result<SecretBytes, Refusal> {
        let mut reader = SliceReader::new(algorithm)?;
        let (oid, parameters) = reader.sequence(|reader| {
            let oid = ObjectIdentifier::decode(reader)?;
            Ok::<_, der::Error>((oid, reader.tlv_bytes()?))
        })?;
        match oid {
            TRIPLE_DES => self.old::<TdesEde3>(24, parameters, cryptogram),
            DOUBLE_DES => self.old::<TdesEde2>(16, parameters, cryptogram),
            RC2_128 => self.old::<Rc2>(16, parameters, cryptogram),
            RC2_40 => self.old::<Rc2>(5, parameters, cryptogram),
            pkcs5::pbes2::PBES2_OID => {
                let scheme = pkcs5::EncryptionScheme::from_der(algorithm).map_err(|_| Refusal::Algorithm)?;
                let plain = scheme.decrypt(self.typed.as_slice(), cryptogram).map_err(|error| match error {
                    pkcs5::Error::DecryptFailed | pkcs5::Error::EncryptFailed => Refusal::Passphrase,
                    _ => Refusal::Algorithm,
                })?;
                Ok(SecretBytes::new(plain))
            }
            _ => Err(Refusal::Algorithm),
        }
    }

    /// pkcs-12PbeParams: salt and iterations; key and vector are made of them by SHA-1.
    fn old<C: KeyInit + BlockCipherDecrypt>(
        &self,
        key_len: usize,
        parameters: &[u8],
        cryptogram: &[u8],
    ) -> Result<SecretBytes, Refusal> {
        let (salt, iterations) = SliceReader::new(parameters)?.sequence(|reader| {
            let salt = <&OctetStringRef>::decode(reader)?;
            Ok::<_, der::Error>((salt.as_bytes(), u32::decode(reader)?))
        })?;
        let made = |purpose, length| derive::<Sha1>(&self.wide, salt, purpose, iterations, length);
        let cipher = C::new_from_slice(&made(FOR_ENCRYPTION, key_len)).map_err(|_| Refusal::Algorithm)?;
        decrypt_blocks(&cipher, &made(FOR_THE_VECTOR, C::block_size()), cryptogram).ok_or(Refusal::Passphrase)
    }

    /// Whether `mac` is that of `content` under this passphrase (RFC 7292 appendix A).
    pub(crate) fn proves(
        &self,
        hash: ObjectIdentifier,
        (salt, iterations): (&[u8], u32),
        content: &[u8],
        mac: &[u8],
    ) -> Result<bool, Refusal> {
        Ok(match hash {
            SHA1 => is_mac::<Sha1>(&self.wide, salt, iterations, content, mac),
            SHA224 => is_mac::<Sha224>(&self.wide, salt, iterations, content, mac),
            SHA256 => is_mac::<Sha256>(&self.wide, salt, iterations, content, mac),
            SHA384 => is_mac::<Sha384>(&self.wide, salt, iterations, content, mac),
            SHA512 => is_mac::<Sha512>(&self.wide, salt, iterations, content, mac),
            _ => return Err(Refusal::Algorithm),
        })
    }
}

fn is_mac<D: Digest + BlockSizeUser>(wide: &[u8], salt: &[u8], iterations: u32, content: &[u8], mac: &[u8]) -> bool {
    let key = derive::<D>(wide, salt, FOR_INTEGRITY, iterations, <D as Digest>::output_size());
    let Ok(hmac) = <SimpleHmac<D> as KeyInit>::new_from_slice(&key) else { return false };
    hmac.chain_update(content).verify_slice(mac).is_ok()
}

/// Key material of a passphrase (RFC 7292 B.2).
fn derive<D: Digest + BlockSizeUser>(
    wide: &[u8],
    salt: &[u8],
    purpose: u8,
    iterations: u32,
    length: usize,
) -> SecretBytes {
    let block = D::block_size();
    let repeated = |bytes: &[u8]| bytes.len().next_multiple_of(block);
    let mut input = SecretBytes::new(Vec::with_capacity(repeated(salt) + repeated(wide)));
    input.extend(salt.iter().cycle().take(repeated(salt)));
    input.extend(wide.iter().cycle().take(repeated(wide)));
    let mut made = SecretBytes::new(Vec::with_capacity(length.next_multiple_of(<D as Digest>::output_size())));
    while made.len() < length {
        let mut hash = D::new().chain_update(vec![purpose; block]).chain_update(&input).finalize();
        for _ in 1..iterations {
            hash = D::digest(&hash);
        }
        made.extend_from_slice(&hash);
        for part in input.chunks_mut(block) {
            add(part, &hash);
        }
    }
    made.truncate(length);
    made
}

/// Adds a hash, repeated, and one to a number of as many bytes as a block has.
fn add(number: &mut [u8], hash: &[u8]) {
    let repeated: Vec<u8> = hash.iter().copied().cycle().take(number.len()).collect();
    let mut carry = 1_u16;
    for (digit, other) in number.iter_mut().zip(repeated).rev() {
        let [high, low] = (u16::from(*digit) + u16::from(other) + carry).to_be_bytes();
        (*digit, carry) = (low, u16::from(high));
    }
}

/// CBC with the padding of RFC 8018 6.1.1; `None` where that is not there.
fn decrypt_blocks<C: BlockCipherDecrypt>(cipher: &C, vector: &[u8], cryptogram: &[u8]) -> Option<SecretBytes> {
    let mut plain = SecretBytes::new(cryptogram.to_vec());
    let mut before = vector;
    for (block, encrypted) in plain.chunks_mut(C::block_size()).zip(cryptogram.chunks(C::block_size())) {
        let whole: &mut Array<u8, C::BlockSize> = (&mut *block).try_into().ok()?;
        cipher.decrypt_block(whole);
        block.iter_mut().zip(before).for_each(|(byte, other)| *byte ^= other);
        before = encrypted;
    }
    let padding = *plain.last()?;
    let length = plain.len().checked_sub(usize::from(padding))?;
    let is_padded = (1..=C::block_size()).contains(&usize::from(padding))
        && plain.get(length..)?.iter().all(|byte| *byte == padding);
    plain.truncate(length);
    is_padded.then_some(plain)
}
