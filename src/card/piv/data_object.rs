//! The data objects of the PIV card application and how they are read (SP 800-73-4 part 1 table 3, part 2 3.1.2).

use cardea_apdu::Tag;
use cardea_apdu::tlv::{Builder, Reader, write};

use crate::card::command::data_object::{get_data, get_secret_data, put_data};
use crate::card::{CardError, Data, DataReference};
use crate::channel::Channel;
use crate::secret::SecretBytes;

/// The wrapping of most data objects.
const CONTENT: Tag = Tag::new(0x53);
/// Value bytes of the arc 2.16.840.1.101.3.7, under which all PIV objects are (SP 800-73-4 part 1 4.1).
const PIV_ARC: [u8; 7] = [0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x07];
/// OBJECT IDENTIFIER.
const OBJECT_IDENTIFIER: Tag = Tag::new(0x06);
/// Longest list of containers in a security object that is looked at: more than there are objects.
const MOST_CONTAINERS: usize = 64;

/// One data object of SP 800-73-4 part 1 table 3 that is not a certificate.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct DataObject {
    /// BER-TLV tag.
    pub(super) tag: Tag,
    /// ContainerID of part 1 table 8, by which the security object names it.
    container: u16,
    /// Arcs of the object identifier after 2.16.840.1.101.3.7.
    arcs: [u8; 3],
    /// `CKA_LABEL`.
    label: &'static str,
    /// Readable only after the PIN.
    private: bool,
}

const fn object(tag: u32, container: u16, arcs: [u8; 3], label: &'static str, private: bool) -> DataObject {
    DataObject { tag: Tag::new(tag), container, arcs, label, private }
}

/// Card Capability Container.
pub(super) static CARD_CAPABILITY_CONTAINER: DataObject =
    object(0x005F_C107, 0xDB00, [1, 219, 0], "Card Capability Container", false);
/// Card Holder Unique Identifier.
pub(super) static CHUID: DataObject = object(0x005F_C102, 0x3000, [2, 48, 0], "Card Holder Unique Identifier", false);
/// Discovery Object.
pub(super) static DISCOVERY: DataObject = object(0x7E, 0x6050, [2, 96, 80], "Discovery Object", false);
/// Key History Object.
pub(super) static KEY_HISTORY: DataObject = object(0x005F_C10C, 0x6060, [2, 96, 96], "Key History Object", false);
/// Security Object.
pub(super) static SECURITY_OBJECT: DataObject = object(0x005F_C106, 0x9000, [2, 144, 0], "Security Object", false);
/// Objects that are listed only where the security object names them.
static NAMED_BY_SECURITY_OBJECT: [DataObject; 7] = [
    object(0x005F_C103, 0x6010, [2, 96, 16], "Cardholder Fingerprints", true),
    object(0x005F_C109, 0x3001, [2, 48, 1], "Printed Information", true),
    object(0x005F_C108, 0x6030, [2, 96, 48], "Cardholder Facial Image", true),
    object(0x005F_C121, 0x1015, [2, 16, 21], "Cardholder Iris Images", true),
    object(0x7F61, 0x1016, [2, 16, 22], "Biometric Information Templates Group Template", false),
    object(0x005F_C122, 0x1017, [2, 16, 23], "Secure Messaging Certificate Signer", false),
    object(0x005F_C123, 0x1018, [2, 16, 24], "Pairing Code Reference Data Container", true),
];

impl DataObject {
    /// The object that a caller means: by its object identifier, or by its label where he gives none.
    ///
    /// `NotSupported` for one that cannot be written by PUT DATA with a tag list (part 2 table 10).
    pub(super) fn named(object_id: &[u8], label: &str) -> Result<&'static Self, CardError> {
        let others = [&CARD_CAPABILITY_CONTAINER, &CHUID, &DISCOVERY, &KEY_HISTORY, &SECURITY_OBJECT];
        let mut all = others.into_iter().chain(&NAMED_BY_SECURITY_OBJECT);
        let named = |object: &&Self| {
            if object_id.is_empty() { object.label == label } else { object.object_id() == object_id }
        };
        let object = all.find(named).ok_or(CardError::Input)?;
        if object.tag.byte_count() == 3 { Ok(object) } else { Err(CardError::NotSupported) }
    }

    /// The object with this reference.
    pub(super) fn referenced(reference: DataReference) -> Option<&'static Self> {
        let others = [&CARD_CAPABILITY_CONTAINER, &CHUID, &KEY_HISTORY, &SECURITY_OBJECT];
        let mut all = others.into_iter().chain(&NAMED_BY_SECURITY_OBJECT);
        all.find(|object| object.tag.number() == reference.0 && object.tag.byte_count() == 3)
    }

    /// Readable only after the PIN.
    pub(super) fn is_private(&self) -> bool {
        self.private
    }

    /// This object as Cryptoki sees it; `value` is its content without the wrapping.
    pub(super) fn data(&self, value: Option<Vec<u8>>) -> Data {
        Data {
            reference: DataReference(self.tag.number()),
            label: self.label.to_owned(),
            application: "PIV".to_owned(),
            object_id: self.object_id(),
            value,
            private: self.private,
        }
    }

    /// DER OBJECT IDENTIFIER.
    fn object_id(&self) -> Vec<u8> {
        let mut value = PIV_ARC.to_vec();
        for arc in self.arcs {
            if arc >= 0x80 {
                value.push(0x81);
            }
            value.push(arc & 0x7F);
        }
        write(OBJECT_IDENTIFIER, &value)
    }
}

/// The objects that the content of a security object names and that are not read at start.
///
/// Its element BA maps data group numbers to containers, three bytes each (SP 800-73-4 part 1 3.1.7). A card
/// answers 6982 for an object behind the PIN whether or not it exists, so this is how existence is known
/// without a PIN; a card without a security object lists none of them.
pub(super) fn named_by_security_object(content: &[u8]) -> Vec<Data> {
    let Ok(Some(mapping)) = Reader::new(content).find(Tag::new(0xBA)) else {
        return Vec::new();
    };
    let (entries, _) = mapping.as_chunks::<3>();
    let containers: Vec<u16> =
        entries.iter().take(MOST_CONTAINERS).map(|[_, high, low]| u16::from_be_bytes([*high, *low])).collect();
    NAMED_BY_SECURITY_OBJECT
        .iter()
        .filter(|object| containers.contains(&object.container))
        .map(|object| object.data(None))
        .collect()
}

/// Content of the data object `tag` without its wrapping; `NotFound` also for an empty one.
pub(super) fn read(channel: &mut Channel<'_>, tag: Tag) -> Result<SecretBytes, CardError> {
    let answer = get_data(channel, tag)?;
    let content = content(tag, &answer)?;
    if content.is_empty() { Err(CardError::NotFound) } else { Ok(content.to_vec().into()) }
}

/// Content of the data object `tag`, or `None` where the card does not have it, does not show it without a PIN or
/// over this interface, does not know its tag, or answers something else than a data object.
///
/// All that the card refuses with 69xx, 6Axx or 6Bxx, which say "not this one"; execution errors are errors.
pub(super) fn read_if_present(channel: &mut Channel<'_>, tag: Tag) -> Result<Option<Vec<u8>>, CardError> {
    use CardError as E;
    match read(channel, tag) {
        Ok(content) => Ok(Some(content.to_vec())),
        Err(E::NotFound | E::SecurityStatus | E::NotSupported | E::Malformed { .. }) => Ok(None),
        Err(E::Status { status, .. }) if matches!(status.sw1(), 0x69..=0x6B) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Content of the data object `tag` that is about to be replaced, or `None` where the card says that it has none. What
/// the card only does not show may be there.
pub(super) fn read_before_write(channel: &mut Channel<'_>, tag: Tag) -> Result<Option<Vec<u8>>, CardError> {
    use CardError as E;
    match read(channel, tag) {
        Ok(content) => Ok(Some(content.to_vec())),
        Err(E::NotFound | E::NotSupported | E::Malformed { .. }) => Ok(None),
        Err(E::Status { status, .. }) if matches!(status.sw1(), 0x6A..=0x6B) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Content of a data object that holds a secret; `NotFound` also for an empty one.
pub(super) fn read_secret(channel: &mut Channel<'_>, tag: Tag) -> Result<SecretBytes, CardError> {
    let answer = get_secret_data(channel, tag)?;
    let content = content(tag, &answer)?;
    if content.is_empty() { Err(CardError::NotFound) } else { Ok(content.to_vec().into()) }
}

/// PUT DATA (SP 800-73-4 part 2 3.3.2) of an object with a tag of three bytes; empty content deletes it.
///
/// `Memory` for all the words with which cards say that an object does not fit: 6A84, 6700 of YubiKeys for one that is
/// longer than they take, 6581 and 6400 of flash memory that is full.
pub(super) fn write_content(channel: &mut Channel<'_>, tag: Tag, content: &[u8]) -> Result<(), CardError> {
    put_data(channel, tag, Builder::new().push(CONTENT, content)).map_err(|error| match error {
        CardError::Status { status, .. } if matches!(status.0, 0x6400 | 0x6581 | 0x6700) => CardError::Memory,
        error => error,
    })
}

/// The value in the wrapping: 53, or the object's own tag for 7E and 7F61. Bytes after it are ignored, because
/// cards with files of fixed size pad them.
fn content(tag: Tag, answer: &[u8]) -> Result<&[u8], CardError> {
    let wrapping = if tag.byte_count() == 3 { CONTENT } else { tag };
    let object = Reader::new(answer).expect_next(wrapping).map_err(|_| CardError::Malformed { what: "data object" })?;
    Ok(object.value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn object_identifiers_are_those_of_the_standard() {
        // 2.16.840.1.101.3.7.2.48.0 and 2.16.840.1.101.3.7.1.219.0.
        assert_eq!(hex::encode_upper(CHUID.object_id()), "060A60864801650307023000");
        assert_eq!(hex::encode_upper(CARD_CAPABILITY_CONTAINER.object_id()), "060B6086480165030701815B00");
        assert_eq!(hex::encode_upper(SECURITY_OBJECT.object_id()), "060B6086480165030702811000");
    }

    #[test]
    fn only_objects_that_the_security_object_names_are_listed() {
        let content = hex::decode("BA0F01DB0002300004300105601006DEAD").unwrap_or_default();
        let labels: Vec<_> =
            named_by_security_object(&content).into_iter().map(|data| (data.label, data.private)).collect();
        assert_eq!(labels, [("Cardholder Fingerprints".to_owned(), true), ("Printed Information".to_owned(), true)]);
    }

    #[test]
    fn a_security_object_without_a_mapping_names_nothing() {
        for content in ["", "BB020000", "BA01", "BA00", "BA0101", "BAFF"] {
            assert!(named_by_security_object(&hex::decode(content).unwrap_or_default()).is_empty(), "{content}");
        }
    }

    #[test]
    fn the_wrapping_is_53_except_for_objects_that_are_templates_themselves() {
        assert_eq!(content(Tag::new(0x5FC102), &[0x53, 0x01, 0xAA, 0xFF]), Ok(&[0xAA][..]));
        assert_eq!(content(DISCOVERY.tag, &[0x7E, 0x01, 0xAA]), Ok(&[0xAA][..]));
        let malformed = Err(CardError::Malformed { what: "data object" });
        assert_eq!(content(Tag::new(0x5FC102), &[0x7E, 0x01, 0xAA]), malformed);
        assert_eq!(content(DISCOVERY.tag, &[0x53, 0x01, 0xAA]), malformed);
        assert_eq!(content(CHUID.tag, &[0x53, 0x02, 0xAA]), malformed);
        assert_eq!(content(CHUID.tag, &[]), malformed);
    }
}
