//! Data objects that are written and deleted.

use cardea_pkcs11::card::new_object::{Change, NewData};
use cardea_pkcs11::card::{CardError, CardObject, Data};

use super::bench::{Bench, KEY};

fn new(label: &str, object_id: &str, value: &[u8]) -> NewData {
    NewData {
        label: label.to_owned(),
        application: String::new(),
        object_id: hex::decode(object_id).unwrap(),
        value: value.to_vec(),
        private: false,
    }
}

fn write(bench: &mut Bench, new: &NewData) -> Result<Data, CardError> {
    bench.run(|application, channel| application.write_data(channel, new))
}

fn delete(bench: &mut Bench, data: &Data) -> Result<(), CardError> {
    bench.run(|application, channel| application.delete_data(channel, data))
}

fn named(bench: &mut Bench, label: &str) -> Option<Data> {
    bench.objects().into_iter().find_map(|object| match object {
        CardObject::Data(data) if data.label == label => Some(data),
        _ => None,
    })
}

#[test]
fn an_object_is_named_by_its_identifier_or_its_label() {
    let mut bench = Bench::new().administered();
    // 2.16.840.1.101.3.7.2.144.0 is the security object.
    let written = write(&mut bench, &new("anything", "060B6086480165030702811000", b"\xBA\x00")).unwrap();
    assert_eq!((written.label.as_str(), written.value.as_deref()), ("Security Object", Some(&b"\xBA\x00"[..])));
    delete(&mut bench, &written).unwrap();
    let written = write(&mut bench, &new("Security Object", "", b"\xBA\x03\x01\x30\x01")).unwrap();
    assert_eq!(named(&mut bench, "Security Object"), Some(written));
    for (label, id) in [("anything", ""), ("", ""), ("Security Object", "0603550403")] {
        assert_eq!(write(&mut bench, &new(label, id, b"x")).err(), Some(CardError::Input), "{label}");
    }
}

#[test]
fn an_object_that_is_there_is_deleted_first() {
    let mut bench = Bench::new().administered();
    let present = named(&mut bench, "Card Capability Container").unwrap();
    let other = new("Card Capability Container", "", b"\xF0\x01\x07");
    assert_eq!(write(&mut bench, &other).err(), Some(CardError::Occupied));
    assert_eq!(named(&mut bench, "Card Capability Container"), Some(present.clone()));
    delete(&mut bench, &present).unwrap();
    assert_eq!(named(&mut bench, "Card Capability Container"), None);
    assert_eq!(delete(&mut bench, &present), Err(CardError::NotFound));
    write(&mut bench, &other).unwrap();
    assert_eq!(named(&mut bench.reinserted(), "Card Capability Container").unwrap().value.unwrap(), b"\xF0\x01\x07");
}

#[test]
fn a_new_value_replaces_the_old_one_or_leaves_it() {
    let mut bench = Bench::new().administered();
    let present = named(&mut bench, "Card Capability Container").unwrap();
    let change = |bench: &mut Bench, value: &[u8]| {
        let change = Change { value: Some(value.to_vec()), ..Change::default() };
        let object = CardObject::Data(present.clone());
        bench.run(|application, channel| application.change(channel, &object, &change))
    };
    bench.link.fail_once = Some((0xDB, 0, 0x6A84));
    assert_eq!(change(&mut bench, b"\xF0\x00").err(), Some(CardError::Memory));
    assert_eq!(named(&mut bench, "Card Capability Container"), Some(present.clone()));
    change(&mut bench, b"\xF0\x00").unwrap();
    assert_eq!(named(&mut bench, "Card Capability Container").unwrap().value.unwrap(), b"\xF0\x00");
}

#[test]
fn the_printed_information_that_holds_the_management_key_is_not_overwritten() {
    let mut bench = Bench::yubikey([5, 4, 3]).administered();
    bench.protect_key(KEY);
    let mut bench = bench.reinserted().administered();
    assert_eq!(write(&mut bench, &new("Printed Information", "", b"\x01\x01A")).err(), Some(CardError::Occupied));
}

#[test]
fn nobody_but_the_officer_writes() {
    let mut bench = Bench::new();
    bench.user(cardea_harness::provision::PIN).unwrap();
    let object = new("Security Object", "", b"\xBA\x00");
    assert_eq!(write(&mut bench, &object).err(), Some(CardError::SecurityStatus));
    bench.officer(cardea_harness::provision::PUK).unwrap();
    assert_eq!(write(&mut bench, &object).err(), Some(CardError::SecurityStatus));
    bench.officer(KEY).unwrap();
    write(&mut bench, &object).unwrap();
}
