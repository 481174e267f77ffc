//! What the profiles say is what the descriptors say, and every fault has evidence that can be looked at.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use cardea_pkcs11::profile::{Exchange, Mechanics, PinPad, Profiles, ReaderProfile, UsbId};

use super::descriptor::{
    EXCHANGE_LEVEL, EXTENDED_APDU, Interface, PIN_MODIFY, PIN_VERIFY, SHORT_APDU, TPDU, folder, interfaces,
};

fn exchange(interface: &Interface) -> Exchange {
    match interface.features & EXCHANGE_LEVEL {
        0 => Exchange::Character,
        TPDU => Exchange::Tpdu,
        SHORT_APDU => Exchange::Short,
        EXTENDED_APDU => Exchange::Extended,
        other => panic!("{}: exchange level {other:08X}", interface.file),
    }
}

/// dwMechanical (CCID 1.1 5.1). Bits above are reserved; one old descriptor has them set.
fn mechanics(interface: &Interface) -> Mechanics {
    let bit = |mask| interface.mechanical & mask != 0;
    Mechanics { accept: bit(1), eject: bit(2), capture: bit(4), lock: bit(8) }
}

/// The value that all interfaces share.
fn shared<T: PartialEq>(interfaces: &[&Interface], value: impl Fn(&Interface) -> T) -> Option<T> {
    let first = value(interfaces.first()?);
    interfaces.iter().all(|interface| value(interface) == first).then_some(first)
}

fn check(profile: &ReaderProfile, all: &[Interface]) {
    let family = &profile.family;
    for id in profile.ids.iter() {
        assert!(all.iter().any(|interface| interface.id == *id), "{family}: no descriptor has {id}");
    }
    let interfaces: Vec<&Interface> = all.iter().filter(|interface| profile.ids.contains(&interface.id)).collect();
    assert_eq!(profile.exchange, shared(&interfaces, exchange), "{family}");
    assert_eq!(profile.mechanics, shared(&interfaces, mechanics).unwrap_or_default(), "{family}");
    let pin = shared(&interfaces, |interface| interface.pin_support).filter(|support| *support != 0);
    let abilities = pin.map(|support| (support & PIN_VERIFY != 0, support & PIN_MODIFY != 0));
    assert_eq!(profile.pin_pad.map(|PinPad { verify, modify, .. }| (verify, modify)), abilities, "{family}");
}

#[test]
fn profiles_repeat_their_descriptors() {
    let Some(interfaces) = interfaces() else { return };
    for profile in Profiles::default().iter() {
        check(profile, &interfaces);
    }
}

#[test]
fn no_reader_has_two_profiles_and_every_profile_has_a_name_of_its_own() {
    let (mut ids, mut families) = (BTreeMap::<UsbId, String>::new(), BTreeMap::new());
    for profile in Profiles::default().iter() {
        assert!(families.insert(profile.family.to_string(), ()).is_none(), "{}", profile.family);
        for id in profile.ids.iter() {
            let other = ids.insert(*id, profile.family.to_string());
            assert_eq!(other, None, "{id} is also in {}", profile.family);
        }
    }
    assert!((15..=40).contains(&families.len()), "{} families", families.len());
}

#[test]
fn every_profile_file_is_in_the_table() {
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("reader-profiles");
    let files = fs::read_dir(sources)
        .unwrap()
        .filter(|entry| entry.as_ref().unwrap().path().extension().is_some_and(|end| end == "toml"));
    assert_eq!(files.count(), Profiles::default().iter().count());
}

#[test]
fn every_fault_has_evidence_and_what_it_quotes_is_there() {
    let folder = folder();
    for profile in Profiles::default().iter() {
        for fault in profile.faults.iter() {
            assert!(!fault.what.is_empty() && !fault.evidence.is_empty(), "{}", profile.family);
            for evidence in fault.evidence.iter() {
                match (evidence.split_once(".txt: "), &folder) {
                    (Some((name, line)), Some(folder)) => {
                        let text = fs::read(folder.join(format!("{name}.txt"))).unwrap();
                        let text = String::from_utf8_lossy(&text);
                        assert!(text.lines().any(|found| found.trim() == line), "{}: {evidence}", profile.family);
                    }
                    (Some(_), None) => {}
                    (None, _) => {
                        let public = ["https://", "http://", "libccid, ", "OpenSC, ", "OpenSCDP, "];
                        assert!(
                            public.iter().any(|start| evidence.starts_with(start)),
                            "{}: {evidence}",
                            profile.family
                        );
                    }
                }
            }
        }
    }
}
