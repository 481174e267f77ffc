//! The historical bytes and what a card says in them about itself (ISO 7816-4 12.1.1).
//!
//! The same bytes are in the data object `5F52` of EF.ATR and of OpenPGP cards.

use core::fmt;

/// Category indicator: COMPACT-TLV, then a status indicator of three bytes.
const WITH_STATUS: u8 = 0x00;
/// Category indicator: one byte that refers to EF.DIR.
const DIR_REFERENCE: u8 = 0x10;
/// Category indicator: COMPACT-TLV, a status indicator perhaps among it.
const COMPACT_TLV: u8 = 0x80;

/// COMPACT-TLV tag number of the card service data.
const CARD_SERVICE_DATA: u8 = 3;
/// COMPACT-TLV tag number of the card capabilities.
const CARD_CAPABILITIES: u8 = 7;
/// COMPACT-TLV tag number of the status indicator.
const STATUS_INDICATOR: u8 = 8;

/// Historical bytes by their category indicator (ISO 7816-4 12.1.1.2).
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum HistoricalBytes<'a> {
    /// `00`: data objects, then a mandatory status indicator.
    WithStatus {
        /// The data objects.
        objects: CompactTlv<'a>,
        /// Life cycle status, SW1, SW2.
        status: [u8; 3],
    },
    /// `80`: data objects only.
    CompactTlv(CompactTlv<'a>),
    /// `10`: a reference to EF.DIR.
    DirReference(u8),
}

impl<'a> HistoricalBytes<'a> {
    /// Reads the category; `None` for none, a proprietary one, or data objects that do not end where they must.
    pub fn parse(bytes: &'a [u8]) -> Option<Self> {
        let (&category, rest) = bytes.split_first()?;
        match category {
            WITH_STATUS => {
                let (objects, status) = rest.split_last_chunk::<3>()?;
                Some(Self::WithStatus { objects: CompactTlv::parse(objects)?, status: *status })
            }
            COMPACT_TLV => Some(Self::CompactTlv(CompactTlv::parse(rest)?)),
            DIR_REFERENCE => match rest {
                [reference] => Some(Self::DirReference(*reference)),
                _ => None,
            },
            _ => None,
        }
    }

    /// The data objects, where the category has them.
    pub fn objects(&self) -> Option<CompactTlv<'a>> {
        match self {
            Self::WithStatus { objects, .. } | Self::CompactTlv(objects) => Some(*objects),
            Self::DirReference(_) => None,
        }
    }

    /// The card service data byte (tag `31`).
    pub fn card_service_data(&self) -> Option<CardServiceData> {
        match self.objects()?.find(CARD_SERVICE_DATA)? {
            [byte] => Some(CardServiceData(*byte)),
            _ => None,
        }
    }

    /// The life cycle status byte, from the status indicator (ISO 7816-4 12.1.1.10).
    pub fn life_cycle_status(&self) -> Option<u8> {
        if let Self::WithStatus { status: [life_cycle, ..], .. } = self {
            return Some(*life_cycle);
        }
        match self.objects()?.find(STATUS_INDICATOR)? {
            [life_cycle] | [life_cycle, _, _] => Some(*life_cycle),
            _ => None,
        }
    }
}

/// Well-formed COMPACT-TLV data objects: the halves of the first byte are tag number and length (ISO 7816-4 12.1.1.3).
#[derive(Copy, Clone, PartialEq, Eq)]
pub struct CompactTlv<'a>(&'a [u8]);

impl<'a> CompactTlv<'a> {
    /// `None` if the last data object does not end with the bytes.
    fn parse(bytes: &'a [u8]) -> Option<Self> {
        let mut rest = bytes;
        while !rest.is_empty() {
            (_, _, rest) = split_object(rest)?;
        }
        Some(Self(bytes))
    }

    /// The tag numbers (`7` for the BER tag `47`) and values, in order.
    pub fn iter(&self) -> impl Iterator<Item = (u8, &'a [u8])> + use<'a> {
        let mut rest = self.0;
        core::iter::from_fn(move || {
            let (tag, value, after) = split_object(rest)?;
            rest = after;
            Some((tag, value))
        })
    }

    /// The value of the first data object with this tag number.
    pub fn find(&self, tag: u8) -> Option<&'a [u8]> {
        self.iter().find_map(|(found, value)| (found == tag).then_some(value))
    }
}

impl fmt::Debug for CompactTlv<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CompactTlv({:02X?})", self.0)
    }
}

/// Tag number, value and rest.
fn split_object(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&header, rest) = bytes.split_first()?;
    let (value, rest) = rest.split_at_checked(usize::from(header & 0x0F))?;
    Some((header >> 4, value, rest))
}

/// The card service data byte (ISO 7816-4 12.1.1.7).
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct CardServiceData(pub u8);

impl CardServiceData {
    /// There are BER-TLV data objects in EF.ATR/INFO.
    pub const fn has_ef_atr(self) -> bool {
        self.0 & 0x10 != 0
    }
}

/// What a card says about commands it takes (ISO 7816-4 12.1.1.9, tables 117–119). Nothing said is nothing promised.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Default)]
pub struct Capabilities {
    /// Extended Lc and Le fields.
    pub extended_length: bool,
    /// Command chaining.
    pub command_chaining: bool,
    /// How many logical channels there are with the basic one: 1 to 7, 8 for "8 or more", 0 for unknown.
    pub logical_channels: u8,
    /// The card chooses the number of a channel that is opened (b5 of the third software function table).
    pub channels_by_card: bool,
    /// The interface device may choose it (b4).
    pub channels_by_interface_device: bool,
}

impl Capabilities {
    /// From whole historical bytes; proprietary or malformed ones say nothing.
    pub fn from_historical(bytes: &[u8]) -> Self {
        HistoricalBytes::parse(bytes)
            .and_then(|historical| historical.objects())
            .and_then(|objects| objects.find(CARD_CAPABILITIES))
            .map(Self::from_object)
            .unwrap_or_default()
    }

    /// From the value of a card capabilities object (`7x` in historical bytes, `47` in EF.ATR/INFO), 1 to 3 bytes.
    pub fn from_object(value: &[u8]) -> Self {
        let &[_, _, third] = value else {
            return Self::default();
        };
        Self {
            command_chaining: third & 0x80 != 0,
            extended_length: third & 0x40 != 0,
            logical_channels: logical_channels(third),
            channels_by_card: third & 0x10 != 0,
            channels_by_interface_device: third & 0x08 != 0,
        }
    }
}

/// The maximum number of logical channels in b5–b1 of the third software function table.
///
/// Without a party to assign them (b5, b4) there is the basic channel only.
fn logical_channels(third: u8) -> u8 {
    if third & 0x18 == 0 { 1 } else { 1 + (third & 0x07) }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn bytes(text: &str) -> Vec<u8> {
        hex::decode(text.replace(' ', "")).unwrap()
    }

    #[test]
    fn category_00_has_data_objects_and_a_status() {
        let input = bytes("00 31F5 73C00160 05 9000");
        let historical = HistoricalBytes::parse(&input).unwrap();
        let objects: Vec<_> = historical.objects().unwrap().iter().collect();
        assert_eq!(objects, [(3, &[0xF5][..]), (7, &[0xC0, 0x01, 0x60])]);
        assert_eq!(historical.life_cycle_status(), Some(0x05));
        assert_eq!(historical.card_service_data(), Some(CardServiceData(0xF5)));
        assert!(CardServiceData(0xF5).has_ef_atr() && !CardServiceData(0xE5).has_ef_atr());
    }

    #[test]
    fn category_80_may_have_the_status_among_its_objects() {
        let with = bytes("80 3181 5448534D31 73802140 8107");
        let historical = HistoricalBytes::parse(&with).unwrap();
        assert_eq!(historical.life_cycle_status(), Some(0x07));
        assert_eq!(historical.card_service_data(), Some(CardServiceData(0x81)));
        let without = bytes("80 73C021C0");
        assert_eq!(HistoricalBytes::parse(&without).unwrap().life_cycle_status(), None);
        let three = bytes("80 83 05 9000");
        assert_eq!(HistoricalBytes::parse(&three).unwrap().life_cycle_status(), Some(0x05));
    }

    #[test]
    fn category_10_is_a_dir_reference_and_others_are_proprietary() {
        assert_eq!(HistoricalBytes::parse(&[0x10, 0x81]), Some(HistoricalBytes::DirReference(0x81)));
        assert_eq!(HistoricalBytes::parse(&[0x10]), None);
        assert_eq!(HistoricalBytes::parse(b"JCOPv241"), None);
        assert_eq!(HistoricalBytes::parse(&[]), None);
    }

    #[test]
    fn malformed_historical_bytes_have_no_capabilities() {
        for text in ["80 73C021", "80 73C021C0 57 41", "00 73C021C0 00", "00", "00 9000", "80 7F", "8F 73C021C0"] {
            assert_eq!(Capabilities::from_historical(&bytes(text)), Capabilities::default(), "{text}");
        }
    }

    #[test]
    fn a_capabilities_object_without_its_third_byte_says_nothing() {
        assert_eq!(Capabilities::from_historical(&bytes("80 72C021")), Capabilities::default());
        assert_eq!(Capabilities::from_historical(&bytes("80 71C0")), Capabilities::default());
    }

    #[test]
    fn each_bit_of_the_third_table_is_one_capability() {
        let of = |third| Capabilities::from_object(&[0x00, 0x00, third]);
        let none = Capabilities { logical_channels: 1, ..Default::default() };
        assert_eq!(of(0x00), none);
        assert_eq!(of(0x80), Capabilities { command_chaining: true, ..none });
        assert_eq!(of(0x40), Capabilities { extended_length: true, ..none });
    }

    #[test]
    fn logical_channels_count_only_where_somebody_assigns_them() {
        let of = |third| Capabilities::from_object(&[0x00, 0x00, third]).logical_channels;
        assert_eq!(of(0x07), 1);
        assert_eq!(of(0x10), 1);
        assert_eq!(of(0x13), 4);
        assert_eq!(of(0x0B), 4);
        assert_eq!(of(0x16), 7);
        assert_eq!(of(0x17), 8);
    }

    #[test]
    fn each_party_that_assigns_channels_has_its_bit() {
        let of = |third| {
            let capabilities = Capabilities::from_object(&[0x00, 0x00, third]);
            (capabilities.channels_by_card, capabilities.channels_by_interface_device)
        };
        assert_eq!(
            [of(0x03), of(0x0B), of(0x13), of(0x1B)],
            [(false, false), (false, true), (true, false), (true, true)]
        );
    }

    proptest! {
        #[test]
        fn parsing_never_panics(input in proptest::collection::vec(any::<u8>(), 0..20), category in 0usize..4) {
            let mut input = input;
            if let (Some(first), Some(known)) = (input.first_mut(), [0x00, 0x10, 0x80].get(category)) {
                *first = *known;
            }
            let capabilities = Capabilities::from_historical(&input);
            prop_assert!(capabilities.logical_channels <= 20);
            if let Some(historical) = HistoricalBytes::parse(&input) {
                let _ = (historical.card_service_data(), historical.life_cycle_status());
            }
        }
    }
}
