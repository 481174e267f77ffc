//! The class byte: logical channel, chaining and secure messaging indications (ISO 7816-4 5.4.1).

/// The chaining bit, in first and further interindustry classes alike (ISO 7816-4 5.4.1 tables 2 and 3).
pub const CHAINING: u8 = 0x10;

/// The secure messaging bits b4 b3 of a first interindustry class.
const FIRST_SM: u8 = 0x0C;
/// b4 b3 = 10: ISO secure messaging, the command header is not processed.
const FIRST_SM_ISO: u8 = 0x08;
/// b4 b3 = 01: a proprietary secure messaging format.
const FIRST_SM_PROPRIETARY: u8 = 0x04;
/// The secure messaging bit b6 of a further interindustry class.
const FURTHER_SM: u8 = 0x20;
/// The marker of a further interindustry class.
const FURTHER: u8 = 0x40;
/// The lowest channel number that needs a further interindustry class.
const FIRST_FURTHER_CHANNEL: u8 = 4;

/// The highest logical channel number (ISO 7816-4 5.4.2).
pub const MAX_CHANNEL: u8 = 19;

/// The same class on another logical channel, chaining and secure messaging kept (ISO 7816-4 5.4.1).
///
/// Interindustry classes reach channels 0–19. Proprietary classes `8x` and `9x` are read as first interindustry
/// ones with b8 set, as GlobalPlatform and most cards do, and reach channels 0–3. Other classes have no known
/// channel bits and are returned unchanged for channel 0 only. `None` where the class cannot express the channel:
/// reserved classes (`20`–`3F`, `FF`), channels above 19, and proprietary secure messaging on channels 4–19.
pub fn for_channel(cla: u8, channel: u8) -> Option<u8> {
    match cla {
        0x00..=0x1F if channel < FIRST_FURTHER_CHANNEL => Some((cla & !0x03) | channel),
        0x00..=0x1F => {
            let sm = match cla & FIRST_SM {
                0 => 0,
                FIRST_SM_PROPRIETARY => return None,
                _ => FURTHER_SM,
            };
            further(sm | (cla & CHAINING), channel)
        }
        0x40..=0x7F if channel < FIRST_FURTHER_CHANNEL => {
            let sm = if cla & FURTHER_SM == 0 { 0 } else { FIRST_SM_ISO };
            Some((cla & CHAINING) | sm | channel)
        }
        0x40..=0x7F => further(cla & (FURTHER_SM | CHAINING), channel),
        0x80..=0x9F if channel < FIRST_FURTHER_CHANNEL => Some((cla & !0x03) | channel),
        0xA0..=0xFE if channel == 0 => Some(cla),
        _ => None,
    }
}

/// A further interindustry class with these indications, for channels 4–19.
fn further(indications: u8, channel: u8) -> Option<u8> {
    let number = channel.checked_sub(FIRST_FURTHER_CHANNEL)?;
    (channel <= MAX_CHANNEL).then_some(FURTHER | indications | number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn channels_up_to_three_use_the_low_bits_of_the_first_interindustry_class() {
        for channel in 0..=3 {
            assert_eq!(for_channel(0x00, channel), Some(channel));
            assert_eq!(for_channel(0x0C, channel), Some(0x0C | channel));
            assert_eq!(for_channel(0x10, channel), Some(0x10 | channel));
            assert_eq!(for_channel(0x80, channel), Some(0x80 | channel));
            assert_eq!(for_channel(0x94, channel), Some(0x94 | channel));
        }
    }

    #[test]
    fn channels_four_to_nineteen_use_the_further_interindustry_class() {
        assert_eq!(for_channel(0x00, 4), Some(0x40));
        assert_eq!(for_channel(0x00, 19), Some(0x4F));
        assert_eq!(for_channel(0x10, 5), Some(0x51));
        assert_eq!(for_channel(0x0C, 4), Some(0x60));
        assert_eq!(for_channel(0x18, 19), Some(0x7F));
    }

    #[test]
    fn a_class_already_on_a_channel_moves_to_the_asked_one() {
        assert_eq!(for_channel(0x03, 1), Some(0x01));
        assert_eq!(for_channel(0x4F, 4), Some(0x40));
        assert_eq!(for_channel(0x51, 2), Some(0x12));
        assert_eq!(for_channel(0x60, 0), Some(0x08));
        assert_eq!(for_channel(0x83, 0), Some(0x80));
    }

    #[test]
    fn what_a_class_cannot_express_is_refused() {
        assert_eq!(for_channel(0x00, 20), None);
        assert_eq!(for_channel(0x40, 20), None);
        assert_eq!(for_channel(0x80, 4), None);
        assert_eq!(for_channel(0x04, 4), None);
        assert_eq!(for_channel(0x20, 0), None);
        assert_eq!(for_channel(0xFF, 0), None);
        assert_eq!(for_channel(0xA0, 1), None);
        assert_eq!(for_channel(0xA0, 0), Some(0xA0));
    }

    #[test]
    fn no_channel_is_ever_encoded_as_a_reserved_class() {
        for cla in 0..=u8::MAX {
            for channel in 0..=u8::MAX {
                if let Some(encoded) = for_channel(cla, channel) {
                    assert!(!(0x20..=0x3F).contains(&encoded) && encoded != 0xFF);
                    assert_eq!(encoded & CHAINING, cla & CHAINING);
                    assert_eq!(for_channel(encoded, channel), Some(encoded));
                }
            }
        }
    }
}
