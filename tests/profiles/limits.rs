//! For every descriptor: the limits that the module uses, with the driver's word and the profile, are right.

use std::collections::BTreeSet;

use cardea_apdu::{Capabilities, Command};
use cardea_pkcs11::channel::limits::Limits;
use cardea_pkcs11::profile::{Ability, Profiles};

use super::descriptor::{
    EXCHANGE_LEVEL, EXTENDED_APDU, Interface, PIN_MODIFY, PIN_VERIFY, SHORT_APDU, TPDU, interfaces,
};
use super::driver::{Driver, WITHOUT_PIN_PAD};

/// Header of a CCID message (CCID 1.1 6.1).
const MESSAGE_HEADER: u32 = 10;
/// Least dwMaxCCIDMessageLength at extended APDU level: header and a whole short command (CCID 1.1 5.1).
const LEAST_EXTENDED: u32 = MESSAGE_HEADER + 261;
/// What a whole T=1 block needs at TPDU level: header, prologue, 254 bytes of information, one check byte (ISO 7816-3 11.3).
const WHOLE_BLOCK: u32 = MESSAGE_HEADER + 3 + 254 + 1;
/// What SCM's firmware announces instead of 270; libccid sends longer messages all the same, and they arrive.
const SCM_LENGTH: u32 = 263;

/// Readers that get less than their descriptor promises, each for a fault that the descriptor does not show.
const LESS: &[(u16, u16, &str)] = &[
    (0x046A, 0x00A7, "another firmware of the same id announces short APDUs"),
    (0x04E6, 0x5291, "another firmware of the same id has messages of 262 bytes"),
    (0x04E6, 0x5410, "another firmware of the same id has messages of 263 bytes"),
    (0x076B, 0x3A21, "another firmware of the same id announces short APDUs"),
    (0x0A5C, 0x5800, "loses what is beyond 64 bytes"),
    (0x0A5C, 0x5805, "loses what is beyond 64 bytes"),
    (0x0D46, 0x3010, "extended APDUs fail although announced"),
];

fn may_be_extended(interface: &Interface, t1: bool) -> bool {
    match interface.features & EXCHANGE_LEVEL {
        EXTENDED_APDU => interface.message_length >= LEAST_EXTENDED,
        TPDU => t1 && interface.message_length >= WHOLE_BLOCK,
        _ => false,
    }
}

/// Data bytes of a short command for which there is room in one message, where the whole command travels in one.
fn room_for_short_data(interface: &Interface, t1: bool) -> Option<u32> {
    let level = interface.features & EXCHANGE_LEVEL;
    let in_one_message = level == SHORT_APDU || (!t1 && level != EXTENDED_APDU);
    if interface.protocol != 0 || !in_one_message || interface.message_length == SCM_LENGTH {
        return None;
    }
    // A short APDU has an Le byte beside its data, a T=0 header has not.
    let overhead = if level == SHORT_APDU { 6 } else { 5 };
    Some(interface.message_length - MESSAGE_HEADER - overhead)
}

/// A card that can do everything, in the reader.
fn limits(profiles: &Profiles, driver: Driver, interface: &Interface, t1: bool) -> Limits {
    let card = Capabilities { extended_length: true, command_chaining: true, ..Capabilities::default() };
    Limits::announced(&card, &driver.tells(interface).properties).within(profiles.find(Some(interface.id), ""), t1)
}

fn allows_extended(limits: &Limits) -> bool {
    limits.allow_extended(&Command::new(0x00, 0xDB, 0x3F, 0xFF).data(&[0; 256]))
}

/// Whether the reader can work with a card of this protocol at all.
fn speaks(interface: &Interface, t1: bool) -> bool {
    interface.card_protocols & if t1 { 2 } else { 1 } != 0
}

#[test]
fn extended_length_is_used_where_descriptor_and_protocol_carry_it_and_nowhere_else() {
    let Some(interfaces) = interfaces() else { return };
    let profiles = Profiles::default();
    let mut excused = BTreeSet::new();
    let (mut used, mut faults) = (0, Vec::new());
    for interface in &interfaces {
        for (driver, t1) in Driver::ALL.into_iter().flat_map(|driver| [(driver, false), (driver, true)]) {
            let promised = may_be_extended(interface, t1);
            let allowed = allows_extended(&limits(&profiles, driver, interface, t1));
            used += u32::from(allowed);
            // Without a profile, extended APDU level is not told from TPDU level, at which T=0 is for short commands.
            let level_known = profiles.find(Some(interface.id), "").is_some_and(|profile| profile.exchange.is_some());
            let pair = (interface.id.vendor, interface.id.product);
            let less = LESS.iter().find(|(vendor, product, _)| (*vendor, *product) == pair);
            let right = match (promised, allowed) {
                (true, false) if less.is_some() => {
                    excused.insert(pair);
                    true
                }
                (true, false) => !t1 && !level_known,
                (promised, allowed) => promised == allowed,
            };
            if !right {
                faults.push(format!(
                    "{} {} {driver:?} T={}: promised {promised}, used {allowed}",
                    interface.file,
                    interface.id,
                    u8::from(t1)
                ));
            }
        }
    }
    assert!(faults.is_empty(), "{faults:#?}");
    assert_eq!(excused, LESS.iter().map(|(vendor, product, _)| (*vendor, *product)).collect());
    assert!(used > 1000, "{used}");
}

#[test]
fn a_short_command_is_never_longer_than_one_message_where_it_travels_in_one() {
    let Some(interfaces) = interfaces() else { return };
    let profiles = Profiles::default();
    let mut narrow = 0;
    for interface in &interfaces {
        for (driver, t1) in Driver::ALL.into_iter().flat_map(|driver| [(driver, false), (driver, true)]) {
            if !speaks(interface, t1) {
                continue;
            }
            let used = limits(&profiles, driver, interface, t1).short_data() as u32;
            let room = room_for_short_data(interface, t1).unwrap_or(u32::MAX);
            assert!(used <= room, "{} T={}: {used} bytes where {room} fit", interface.file, u8::from(t1));
            if room < 255 {
                narrow += 1;
                assert!(used + 1 >= room, "{}: {used} bytes where {room} fit", interface.file);
            } else if profiles.find(Some(interface.id), "").is_none_or(|profile| profile.largest_command.is_none()) {
                assert_eq!(used, 255, "{}", interface.file);
            }
        }
    }
    assert!(narrow >= 8, "{narrow}");
}

#[test]
fn a_pin_pad_is_used_if_the_reader_has_one_and_no_fault_denies_it() {
    let Some(interfaces) = interfaces() else { return };
    let profiles = Profiles::default();
    let (mut pads, mut denied) = (BTreeSet::new(), BTreeSet::new());
    for interface in &interfaces {
        let pair = (interface.id.vendor, interface.id.product);
        let without = WITHOUT_PIN_PAD.contains(&pair);
        for driver in Driver::ALL {
            let told = driver.tells(interface).pin_support;
            let profile = profiles.find(Some(interface.id), "");
            let used = |bit, ability| told & bit != 0 && profile.is_none_or(|profile| profile.allows(ability));
            for (bit, ability) in [(PIN_VERIFY, Ability::PinVerify), (PIN_MODIFY, Ability::PinModify)] {
                let expected = interface.pin_support & bit != 0 && !without;
                assert_eq!(used(bit, ability), expected, "{} {driver:?} {ability:?}", interface.file);
            }
        }
        if interface.pin_support != 0 {
            if without {
                denied.insert(pair)
            } else {
                pads.insert(pair)
            };
        }
    }
    assert!(pads.len() > 70 && denied.len() >= 9, "{} pads, {} denied", pads.len(), denied.len());
}
