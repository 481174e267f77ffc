//! Files: descriptor, access conditions, file control parameters.

use super::key::Key;
use super::status::INVALID_DATA;
use super::tlv;

/// Identifies a file for as long as it exists, on whatever channel; never reused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct FileNumber(pub(super) u32);

/// The file descriptor byte (data object 82 of the FCP).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// 38: DF.
    Directory,
    /// 01: transparent working EF.
    Transparent,
    /// 11: RSA key pair.
    Rsa,
    /// 22: key pair on a NIST curve.
    Elliptic,
    /// 19: DES or 3DES key.
    Des,
    /// 29: AES key.
    Aes,
    /// 41: generic secret; elsewhere this would be a shareable transparent EF.
    GenericSecret,
}

impl Kind {
    pub(super) fn from_byte(byte: u8) -> Option<Self> {
        Some(match byte {
            0x38 => Self::Directory,
            0x01 => Self::Transparent,
            0x11 => Self::Rsa,
            0x22 => Self::Elliptic,
            0x19 => Self::Des,
            0x29 => Self::Aes,
            0x41 => Self::GenericSecret,
            _ => return None,
        })
    }

    fn byte(self) -> u8 {
        match self {
            Self::Directory => 0x38,
            Self::Transparent => 0x01,
            Self::Rsa => 0x11,
            Self::Elliptic => 0x22,
            Self::Des => 0x19,
            Self::Aes => 0x29,
            Self::GenericSecret => 0x41,
        }
    }

    pub(super) fn is_key(self) -> bool {
        !matches!(self, Self::Directory | Self::Transparent)
    }

    pub(super) fn is_secret_key(self) -> bool {
        matches!(self, Self::Des | Self::Aes | Self::GenericSecret)
    }
}

/// What a file's access conditions (data object 86) are asked about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Access {
    /// READ BINARY of a working EF, use of a key, CREATE FILE of an EF in a DF: the high nibble of byte 1.
    Read,
    /// UPDATE BINARY, key import, CREATE FILE of a DF in a DF: the low nibble of byte 1.
    Update,
    /// DELETE FILE; of the MF: initialisation. The high nibble of byte 2.
    Delete,
    /// GENERATE KEY PAIR: the low nibble of byte 2.
    Generate,
}

/// The proprietary attribute bytes (data object 85).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Attributes(pub(super) [u8; 2]);

impl Attributes {
    /// Byte 1, 01: the file holds a usable key.
    const VALID_KEY: u8 = 0x01;
    /// Byte 1, 02: the key was generated on the card.
    const GENERATED: u8 = 0x02;
    /// Byte 2, 01: the file is a session object.
    pub(super) const SESSION_OBJECT: u8 = 0x01;
    /// Byte 2, 08: the key may leave the card wrapped.
    const EXTRACTABLE: u8 = 0x08;

    /// The PIN that is forgotten after each use of the key (high nibble of byte 1), 0 for none.
    pub(super) fn consent(self) -> u8 {
        self.0[0] >> 4
    }

    pub(super) fn is_session_object(self) -> bool {
        self.0[1] & Self::SESSION_OBJECT != 0
    }

    pub(super) fn is_extractable(self) -> bool {
        self.0[1] & Self::EXTRACTABLE != 0
    }
}

/// What is in a file.
#[derive(Debug)]
pub(super) enum Content {
    Directory { name: Vec<u8> },
    Transparent(Vec<u8>),
    Key(Key),
}

/// A file.
#[derive(Debug)]
pub(super) struct File {
    pub(super) number: FileNumber,
    pub(super) parent: FileNumber,
    pub(super) id: u16,
    pub(super) kind: Kind,
    /// Bytes of a working EF, bits of a key.
    pub(super) size: u16,
    access: [u8; 3],
    pub(super) attributes: Attributes,
    /// Whether the file lives in volatile memory.
    pub(super) volatile: bool,
    pub(super) content: Content,
}

impl File {
    pub(super) fn new(number: FileNumber, parent: FileNumber, parameters: Parameters, volatile: bool) -> Self {
        let Parameters { size, kind, id, access, attributes, name } = parameters;
        let content = match kind {
            Kind::Directory => Content::Directory { name },
            Kind::Transparent => Content::Transparent(vec![0; usize::from(size)]),
            _ => Content::Key(Key::empty(kind)),
        };
        Self { number, parent, id, kind, size, access, attributes, volatile, content }
    }

    pub(super) fn is_directory(&self) -> bool {
        self.kind == Kind::Directory
    }

    /// The nibble that governs an access: 0 always, 1 to 14 that PIN, 15 never.
    pub(super) fn condition(&self, access: Access) -> u8 {
        match access {
            Access::Read => self.access[0] >> 4,
            Access::Update => self.access[0] & 0x0F,
            Access::Delete => self.access[1] >> 4,
            Access::Generate => self.access[1] & 0x0F,
        }
    }

    pub(super) fn name(&self) -> &[u8] {
        match &self.content {
            Content::Directory { name } => name,
            _ => &[],
        }
    }

    /// The bytes of memory that the file takes, its descriptor included.
    pub(super) fn memory(&self) -> usize {
        memory(self.kind, self.size, self.name().len())
    }

    /// The file control information that SELECT answers with, in a template of the given tag.
    pub(super) fn control_information(&self, template: u8, life_cycle: u8) -> Vec<u8> {
        let size_tag = if self.kind == Kind::Transparent { 0x80 } else { 0x81 };
        let mut attributes = self.attributes;
        if let Content::Key(key) = &self.content {
            attributes.0[0] |= if key.is_usable() { Attributes::VALID_KEY } else { 0 };
            attributes.0[0] |= if key.is_generated() { Attributes::GENERATED } else { 0 };
        }
        let mut objects = [
            tlv::object(size_tag, &self.size.to_be_bytes()),
            tlv::object(0x82, &[self.kind.byte()]),
            tlv::object(0x83, &self.id.to_be_bytes()),
            tlv::object(0x86, &self.access),
            tlv::object(0x85, &attributes.0),
            tlv::object(0x8A, &[life_cycle]),
        ]
        .concat();
        if !self.name().is_empty() {
            objects.extend(tlv::object(0x84, self.name()));
        }
        tlv::object(template, &objects)
    }
}

/// The bytes of memory that a file takes.
pub(super) fn memory(kind: Kind, size: u16, name: usize) -> usize {
    const DESCRIPTOR: usize = 32;
    let bits = usize::from(size);
    DESCRIPTOR
        + match kind {
            Kind::Directory => name,
            Kind::Transparent => usize::from(size),
            // modulus, five numbers of half its length, exponent
            Kind::Rsa => bits.div_ceil(8) + 5 * bits.div_ceil(16) + 4,
            // private key and point
            Kind::Elliptic => 3 * bits.div_ceil(8) + 1,
            Kind::Des | Kind::Aes | Kind::GenericSecret => bits.div_ceil(8),
        }
}

/// File control parameters as CREATE FILE brings them.
#[derive(Debug, Clone)]
pub(super) struct Parameters {
    pub(super) size: u16,
    pub(super) kind: Kind,
    pub(super) id: u16,
    pub(super) access: [u8; 3],
    pub(super) attributes: Attributes,
    pub(super) name: Vec<u8>,
}

impl Parameters {
    /// Decodes `62 { 80/81 size, 82 descriptor, 83 identifier, 84 name, 85 attributes, 86 access conditions, 8A life cycle }`.
    ///
    /// Size, descriptor, identifier and access conditions have to be there, nothing twice; an EF has no name.
    pub(super) fn decode(data: &[u8]) -> Result<Self, u16> {
        let Some((0x62, template, [])) = tlv::first(data) else {
            return Err(INVALID_DATA);
        };
        let objects = tlv::all(template).ok_or(INVALID_DATA)?;
        let (mut size, mut kind, mut id, mut access) = (None, None, None, None);
        let (mut attributes, mut name, mut life_cycle) = (None, None, None);
        for (tag, value) in objects {
            let fresh = match (tag, value) {
                (0x80 | 0x81, [high, low]) => size.replace((tag, u16::from_be_bytes([*high, *low]))).is_none(),
                (0x82, [byte]) => kind.replace(Kind::from_byte(*byte).ok_or(INVALID_DATA)?).is_none(),
                (0x83, [high, low]) => id.replace(u16::from_be_bytes([*high, *low])).is_none(),
                (0x84, [_, ..]) if value.len() <= 16 => name.replace(value.to_vec()).is_none(),
                (0x85, [first, second]) => attributes.replace([*first, *second]).is_none(),
                (0x86, [first, second, third]) => access.replace([*first, *second, *third]).is_none(),
                (0x8A, [_]) => life_cycle.replace(()).is_none(),
                _ => false,
            };
            if !fresh {
                return Err(INVALID_DATA);
            }
        }
        let (Some((size_tag, size)), Some(kind), Some(id), Some(access)) = (size, kind, id, access) else {
            return Err(INVALID_DATA);
        };
        // 3F00 is the MF, 3FFF the current DF, FFFF is reserved (ISO 7816-4 7.4.1)
        let reserved = matches!(id, 0 | 0x3F00 | 0x3FFF | 0xFFFF);
        let named_ef = kind != Kind::Directory && name.is_some();
        let wrong_tag = kind == Kind::Directory && size_tag == 0x80;
        if reserved || named_ef || wrong_tag || size > 0x7FFF {
            return Err(INVALID_DATA);
        }
        let mut attributes = Attributes(attributes.unwrap_or_default());
        // the card itself says what is in the file
        attributes.0[0] &= 0xF0;
        Ok(Self { size, kind, id, access, attributes, name: name.unwrap_or_default() })
    }
}
