//! Certificates that are written, replaced, moved and deleted.

use cardea_harness::piv::PivOptions;
use cardea_pkcs11::card::new_object::Change;
use cardea_pkcs11::card::{CardError, CardObject, PrivateKey};

use super::bench::{Bench, KEY, P256, certificate, wish};

fn with_key(options: PivOptions, id: u8) -> (Bench, PrivateKey) {
    let mut bench = Bench::with(options).administered();
    let key = bench.generate(&wish(P256, &[id])).unwrap();
    (bench, key)
}

fn change(bench: &mut Bench, object: CardObject, change: Change) -> Result<CardObject, CardError> {
    bench.run(|application, channel| application.change(channel, &object, &change))
}

#[test]
fn a_certificate_is_written_and_found_again_by_the_next_process() {
    for options in [PivOptions::default(), PivOptions::plain(), PivOptions::short()] {
        let (mut bench, key) = with_key(options, 1);
        let der = certificate(key.public.as_ref().unwrap(), 1_500);
        let written = bench.certify(&[1], &der, key.public.clone()).unwrap();
        assert_eq!((written.id.as_slice(), &written.der), (&[1][..], &der));
        let mut bench = bench.reinserted();
        assert_eq!(bench.certificates(), [written]);
        assert_eq!(bench.keys().len(), 1);
        assert!(bench.signs(&key));
    }
}

#[test]
fn a_certificate_without_an_id_goes_to_its_key() {
    let (mut bench, key) = with_key(PivOptions::default(), 3);
    let other = bench.generate(&wish(P256, &[1])).unwrap();
    let der = certificate(key.public.as_ref().unwrap(), 0);
    assert_eq!(bench.certify(&[], &der, key.public.clone()).unwrap().id, [3]);
    bench.destroy(&other).unwrap();
    let stray = certificate(other.public.as_ref().unwrap(), 0);
    assert_eq!(bench.certify(&[], &stray, other.public.clone()).err(), Some(CardError::Input));
    assert_eq!(bench.certify(&[3, 3], &stray, other.public.clone()).err(), Some(CardError::Input));
}

#[test]
fn a_certificate_for_another_key_is_refused() {
    let (mut bench, key) = with_key(PivOptions::default(), 1);
    let other = bench.generate(&wish(P256, &[2])).unwrap();
    let der = certificate(other.public.as_ref().unwrap(), 0);
    assert_eq!(bench.certify(&key.id, &der, other.public).err(), Some(CardError::Input));
    assert_eq!(bench.certificates(), []);
}

#[test]
fn an_occupied_place_keeps_its_certificate() {
    let (mut bench, key) = with_key(PivOptions::default(), 1);
    let first = certificate(key.public.as_ref().unwrap(), 0);
    bench.certify(&[1], &first, key.public.clone()).unwrap();
    let second = certificate(key.public.as_ref().unwrap(), 10);
    assert_eq!(bench.certify(&[1], &second, key.public.clone()).err(), Some(CardError::Occupied));
    let stored = bench.certificates();
    assert_eq!(stored[0].der, first);
    bench.run(|application, channel| application.delete_certificate(channel, &stored[0])).unwrap();
    assert_eq!(bench.certificates(), []);
    let again = bench.run(|application, channel| application.delete_certificate(channel, &stored[0]));
    assert_eq!(again, Err(CardError::NotFound));
    bench.certify(&[1], &second, key.public.clone()).unwrap();
    assert_eq!(bench.reinserted().certificates()[0].der, second);
}

#[test]
fn a_certificate_that_does_not_fit_leaves_the_old_one() {
    let (mut bench, key) = with_key(PivOptions::default(), 1);
    let first = certificate(key.public.as_ref().unwrap(), 0);
    let stored = bench.certify(&[1], &first, key.public.clone()).unwrap();
    let filler = 40_000;
    let large = certificate(key.public.as_ref().unwrap(), filler);
    let value = Change { value: Some(large.clone()), ..Change::default() };
    assert_eq!(change(&mut bench, CardObject::Certificate(stored), value).err(), Some(CardError::Memory));
    assert_eq!(bench.certificates()[0].der, first);
    bench.generate(&wish(P256, &[2])).unwrap();
    let other = bench.keys().into_iter().find(|key| key.id == [2]).unwrap();
    let large = certificate(other.public.as_ref().unwrap(), filler);
    assert_eq!(bench.certify(&[2], &large, other.public.clone()).err(), Some(CardError::Memory));
    assert_eq!(bench.certificates().len(), 1);
    let fits = certificate(other.public.as_ref().unwrap(), 0);
    bench.certify(&[2], &fits, other.public.clone()).unwrap();
}

#[test]
fn each_word_for_a_full_memory_is_understood() {
    let (mut bench, key) = with_key(PivOptions::default(), 1);
    let der = certificate(key.public.as_ref().unwrap(), 0);
    for status in [0x6A84, 0x6581, 0x6400] {
        bench.link.fail_once = Some((0xDB, 0, status));
        assert_eq!(bench.certify(&[1], &der, key.public.clone()).err(), Some(CardError::Memory), "{status:04X}");
        assert_eq!(bench.certificates(), []);
    }
}

#[test]
fn a_write_that_the_card_loses_half_way_is_taken_back() {
    let (mut bench, key) = with_key(PivOptions::default(), 1);
    let first = certificate(key.public.as_ref().unwrap(), 0);
    let stored = bench.certify(&[1], &first, key.public.clone()).unwrap();
    let second = certificate(key.public.as_ref().unwrap(), 10);
    bench.link.fail_once = Some((0xDB, 0, 0x6F00));
    let value = Change { value: Some(second), ..Change::default() };
    assert!(change(&mut bench, CardObject::Certificate(stored), value).is_err());
    bench.link.commands.clear();
    assert_eq!(bench.certificates()[0].der, first);
}

#[test]
fn retired_certificates_are_found_wherever_they_are() {
    for options in
        [PivOptions::default(), PivOptions::plain(), PivOptions { key_history: false, ..PivOptions::default() }]
    {
        let mut bench = Bench::with(options).administered();
        for id in [7, 0x18, 5] {
            let key = bench.generate(&wish(P256, &[id])).unwrap();
            let der = certificate(key.public.as_ref().unwrap(), 0);
            bench.certify(&[id], &der, key.public).unwrap();
        }
        let mut bench = bench.reinserted();
        let ids: Vec<_> = bench.certificates().into_iter().map(|found| found.id).collect();
        assert_eq!(ids, [[5], [7], [0x18]]);
        bench.officer(KEY).unwrap();
        let last = bench.certificates().pop().unwrap();
        bench.run(|application, channel| application.delete_certificate(channel, &last)).unwrap();
        let ids: Vec<_> = bench.reinserted().certificates().into_iter().map(|found| found.id).collect();
        assert_eq!(ids, [[5], [7]]);
    }
}

#[test]
fn a_new_id_moves_a_certificate_and_a_new_label_is_refused() {
    let (mut bench, key) = with_key(PivOptions::plain(), 1);
    let der = certificate(key.public.as_ref().unwrap(), 0);
    let stored = bench.certify(&[1], &der, key.public.clone()).unwrap();
    let label = Change { label: Some("mine".to_owned()), ..Change::default() };
    let renamed = change(&mut bench, CardObject::Certificate(stored.clone()), label);
    assert_eq!(renamed.err(), Some(CardError::NotSupported));
    let id = Change { id: Some(vec![9]), ..Change::default() };
    let moved = change(&mut bench, CardObject::Certificate(stored), id).unwrap();
    let CardObject::Certificate(moved) = moved else { panic!("a certificate") };
    assert_eq!((moved.id.as_slice(), moved.label.as_str()), (&[9][..], "Retired Key Management 5"));
    assert_eq!(bench.certificates(), [moved]);
}

#[test]
fn without_the_management_key_nothing_is_written() {
    let (mut bench, key) = with_key(PivOptions::default(), 1);
    bench.another_selects();
    let der = certificate(key.public.as_ref().unwrap(), 0);
    assert_eq!(bench.certify(&[1], &der, key.public.clone()).err(), Some(CardError::SecurityStatus));
    bench.officer(KEY).unwrap();
    bench.certify(&[1], &der, key.public.clone()).unwrap();
}
