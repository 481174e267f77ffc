//! The entries of PKCS#15 directory files (PKCS #15 v1.1 6, ISO/IEC 7816-15 8).

use super::super::tlv::object;

const BIT_STRING: u8 = 0x03;
const OCTET_STRING: u8 = 0x04;
const NULL: u8 = 0x05;
const OBJECT_IDENTIFIER: u8 = 0x06;
const ENUMERATED: u8 = 0x0A;
const UTF8_STRING: u8 = 0x0C;
const SEQUENCE: u8 = 0x30;

/// The user PIN's identifier among the authentication objects.
pub(super) const USER: u8 = 0x01;
/// The security officer's PIN's.
pub(super) const OFFICER: u8 = 0xFF;

/// KeyUsageFlags.
pub(super) mod usage {
    pub(in super::super) const ENCRYPT: u8 = 0;
    pub(in super::super) const DECRYPT: u8 = 1;
    pub(in super::super) const SIGN: u8 = 2;
    pub(in super::super) const WRAP: u8 = 4;
    pub(in super::super) const UNWRAP: u8 = 5;
    pub(in super::super) const VERIFY: u8 = 6;
    pub(in super::super) const DERIVE: u8 = 8;
    pub(in super::super) const NON_REPUDIATION: u8 = 9;
}

/// KeyAccessFlags.
pub(super) mod access {
    pub(in super::super) const SENSITIVE: u8 = 0;
    pub(in super::super) const EXTRACTABLE: u8 = 1;
    pub(in super::super) const ALWAYS_SENSITIVE: u8 = 2;
    pub(in super::super) const NEVER_EXTRACTABLE: u8 = 3;
    pub(in super::super) const LOCAL: u8 = 4;
}

pub(super) fn sequence(parts: &[Vec<u8>]) -> Vec<u8> {
    object(SEQUENCE, &parts.concat())
}

/// A constructed object with a context-specific tag.
fn context(number: u8, content: &[u8]) -> Vec<u8> {
    object(0xA0 | number, content)
}

pub(super) fn integer(number: u16) -> Vec<u8> {
    match number {
        0..=0x7F => object(0x02, &[number as u8]),
        0x80..=0x7FFF => object(0x02, &number.to_be_bytes()),
        _ => object(0x02, &[0, (number >> 8) as u8, number as u8]),
    }
}

pub(super) fn identifier(encoded: &[u8]) -> Vec<u8> {
    object(OBJECT_IDENTIFIER, encoded)
}

/// A BIT STRING of whole bytes.
pub(super) fn bytes_as_bits(bytes: &[u8]) -> Vec<u8> {
    object(BIT_STRING, &[&[0], bytes].concat())
}

/// A named bit list, without trailing zero bits (X.690 11.2.2).
pub(super) fn named_bits(numbers: &[u8]) -> Vec<u8> {
    let Some(last) = numbers.iter().max() else {
        return object(BIT_STRING, &[0]);
    };
    let mut bytes = vec![0; usize::from(last / 8) + 1];
    for number in numbers {
        bytes[usize::from(number / 8)] |= 0x80 >> (number % 8);
    }
    object(BIT_STRING, &[&[7 - last % 8], bytes.as_slice()].concat())
}

/// Path of a file in the application's DF.
pub(super) fn path(file: u16) -> Vec<u8> {
    let [high, low] = file.to_be_bytes();
    sequence(&[object(OCTET_STRING, &[0x3F, 0x00, 0x50, 0x15, high, low])])
}

/// CommonObjectAttributes of what anybody may see, or what belongs to whoever has the user PIN; all of it modifiable.
fn common(label: &str, private: bool, consent: bool) -> Vec<u8> {
    const PRIVATE: u8 = 0;
    const MODIFIABLE: u8 = 1;
    let flags: &[u8] = if private { &[PRIVATE, MODIFIABLE] } else { &[MODIFIABLE] };
    let mut parts = vec![object(UTF8_STRING, label.as_bytes()), named_bits(flags)];
    if private {
        parts.push(object(OCTET_STRING, &[USER]));
    }
    if consent {
        parts.push(integer(1));
    }
    sequence(&parts)
}

/// A key for its directory file.
#[derive(Debug, Clone)]
pub(super) struct KeyEntry<'k> {
    pub(super) id: u8,
    pub(super) label: &'k str,
    pub(super) consent: bool,
    pub(super) usage: Vec<u8>,
    pub(super) access: Vec<u8>,
    pub(super) file: u16,
    pub(super) bits: u16,
}

impl KeyEntry<'_> {
    /// PrivateKeyType: an RSA key, or with tag 0 one on a curve.
    pub(super) fn private_key(&self, elliptic: bool) -> Vec<u8> {
        let key = sequence(&[
            object(OCTET_STRING, &[self.id]),
            named_bits(&self.usage),
            named_bits(&self.access),
            integer(self.file & 0xFF),
        ]);
        let attributes = sequence(&[path(self.file), integer(self.bits)]);
        let parts = [common(self.label, true, self.consent), key, context(1, &attributes)].concat();
        if elliptic { context(0, &parts) } else { object(SEQUENCE, &parts) }
    }

    /// PublicKeyType, not native: what is in the file is for the host.
    pub(super) fn public_key(&self, elliptic: bool) -> Vec<u8> {
        let not_native = object(0x01, &[0]);
        let key = sequence(&[object(OCTET_STRING, &[self.id]), named_bits(&self.usage), not_native, integer(0)]);
        let mut attributes = vec![path(self.file)];
        if !elliptic {
            attributes.push(integer(self.bits));
        }
        let parts = [common(self.label, false, false), key, context(1, &sequence(&attributes))].concat();
        if elliptic { context(0, &parts) } else { object(SEQUENCE, &parts) }
    }

    /// SecretKeyType: AES as a generic secret key with references to the token's algorithms, 3DES with tag 4.
    pub(super) fn secret_key(&self, algorithms: &[u16]) -> Vec<u8> {
        let mut key = vec![
            object(OCTET_STRING, &[self.id]),
            named_bits(&self.usage),
            named_bits(&self.access),
            integer(self.file & 0xFF),
        ];
        if !algorithms.is_empty() {
            key.push(context(1, &algorithms.iter().copied().flat_map(integer).collect::<Vec<_>>()));
        }
        let length = context(0, &integer(self.bits));
        let parts =
            [common(self.label, true, false), sequence(&key), length, context(1, &sequence(&[path(self.file)]))];
        if algorithms.is_empty() { context(4, &parts.concat()) } else { sequence(&parts) }
    }
}

/// CertificateType: an X.509 certificate, an authority's or somebody's.
pub(super) fn certificate(id: u8, label: &str, authority: bool, file: u16) -> Vec<u8> {
    let mut attributes = vec![object(OCTET_STRING, &[id])];
    if authority {
        attributes.push(object(0x01, &[0xFF]));
    }
    let attributes = sequence(&attributes);
    sequence(&[common(label, false, false), attributes, context(1, &sequence(&[path(file)]))])
}

/// DataType: an opaque data object.
pub(super) fn data(label: &str, private: bool, file: u16) -> Vec<u8> {
    let attributes = sequence(&[object(UTF8_STRING, b"Cardea")]);
    sequence(&[common(label, private, false), attributes, context(1, &path(file))])
}

/// AuthenticationType: a PIN of 4 to 8 characters, padded with FF to 8 bytes.
pub(super) fn pin(label: &str, id: u8, reference: u8) -> Vec<u8> {
    const INITIALIZED: u8 = 4;
    const NEEDS_PADDING: u8 = 5;
    const SO_PIN: u8 = 7;
    const ASCII_NUMERIC: u8 = 1;
    let flags: &[u8] =
        if id == OFFICER { &[INITIALIZED, NEEDS_PADDING, SO_PIN] } else { &[INITIALIZED, NEEDS_PADDING] };
    let attributes = sequence(&[
        named_bits(flags),
        object(ENUMERATED, &[ASCII_NUMERIC]),
        integer(4),
        integer(8),
        integer(8),
        object(0x80, &[reference]),
        object(OCTET_STRING, &[0xFF]),
    ]);
    let common = sequence(&[object(UTF8_STRING, label.as_bytes()), named_bits(&[0, 1])]);
    sequence(&[common, sequence(&[object(OCTET_STRING, &[id])]), context(1, &attributes)])
}

/// The references of the token's algorithms for an AES key.
pub(super) fn aes_algorithms(bits: u16) -> Vec<u16> {
    match bits {
        128 => vec![1, 2],
        192 => vec![3, 4],
        _ => vec![5, 6],
    }
}

/// TokenInfo of version 1, with ECB and CBC for AES-128, AES-192 and AES-256.
pub(super) fn token_info(serial: &[u8], label: &str) -> Vec<u8> {
    const PRN_GENERATION: u8 = 2;
    const EID_COMPLIANT: u8 = 3;
    const ENCIPHER: u8 = 4;
    const DECIPHER: u8 = 5;
    const CKM_AES_ECB: u16 = 0x1081;
    const CKM_AES_CBC: u16 = 0x1082;
    // 2.16.840.1.101.3.4.1: ECB is 1, 21 and 41, CBC 2, 22 and 42
    const AES: [u8; 8] = [0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x01];
    let modes = [
        (CKM_AES_ECB, 1),
        (CKM_AES_CBC, 2),
        (CKM_AES_ECB, 21),
        (CKM_AES_CBC, 22),
        (CKM_AES_ECB, 41),
        (CKM_AES_CBC, 42),
    ];
    let algorithms = modes.iter().zip(1..).flat_map(|((mechanism, arc), reference)| {
        sequence(&[
            integer(reference),
            integer(*mechanism),
            object(NULL, &[]),
            named_bits(&[ENCIPHER, DECIPHER]),
            identifier(&[&AES[..], &[*arc]].concat()),
            integer(0),
        ])
    });
    sequence(&[
        integer(0),
        object(OCTET_STRING, serial),
        object(UTF8_STRING, b"Aventra Ltd."),
        object(0x80, label.as_bytes()),
        named_bits(&[PRN_GENERATION, EID_COMPLIANT]),
        context(2, &algorithms.collect::<Vec<_>>()),
    ])
}

/// The object directory: where the other directory files are.
pub(super) fn object_directory(directories: &[(u8, u16)]) -> Vec<u8> {
    directories.iter().flat_map(|(tag, file)| context(*tag, &path(*file))).collect()
}
