use cryptoki_sys::*;

use super::*;
use crate::card::key::{Curve, PublicKey};
use crate::card::{
    Abilities, Attestation, Authentication, Data, DataReference, KeyPolicy, KeyReference, PrivateKey, Storage, Usage,
};

/// The base point of P-256, compressed.
const POINT: &str = "036B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296";

fn key(id: u8) -> CardObject {
    let public = PublicKey::from_ec_point(Curve::P256, &hex::decode(POINT).unwrap()).unwrap();
    CardObject::PrivateKey(PrivateKey {
        reference: KeyReference(u16::from(id)),
        id: vec![id],
        label: "key".to_owned(),
        kind: crate::card::key::KeyKind::Ec(Curve::P256),
        public: Some(public),
        subject: Vec::new(),
        abilities: Abilities { sign: &[], decipher: &[], agree: false },
        usage: Usage::default(),
        authentication: Authentication::Once,
        local: None,
        storage: Storage::Token,
        policy: KeyPolicy::default(),
    })
}

fn data(label: &str) -> CardObject {
    CardObject::Data(Data {
        reference: DataReference(1),
        label: label.to_owned(),
        application: String::new(),
        object_id: Vec::new(),
        value: Some(Vec::new()),
        private: false,
    })
}

const WRITES: StoreAbilities = StoreAbilities {
    hides_keys: false,
    generate: &[],
    import: &[],
    secret: &[],
    generates_secret: false,
    volatile: false,
    deletes_keys: true,
    lists_keys: false,
    renames: true,
    certificates: true,
    data: true,
    officer_writes: false,
    initializes: false,
};

fn set(card: &[CardObject]) -> (ObjectSet, Handles) {
    let handles = Handles::new();
    (ObjectSet::new("0001", card, WRITES, &handles), handles)
}

fn handles_of(set: &ObjectSet) -> Vec<u64> {
    set.iter().map(|(handle, _)| handle).collect()
}

#[test]
fn an_attestation_is_the_same_certificate_before_and_after_it_was_asked_for() {
    let (set, handles) = set(&[attestation(1, None)]);
    let handle = handles_of(&set)[0];
    let before = set.find(handle).unwrap();
    assert!(before.is_made_by(CKA_VALUE) && before.is_made_by(CKA_SERIAL_NUMBER) && !before.is_made_by(CKA_LABEL));
    assert!(before.attributes().equals(CKA_ID, &[]), "no key's");
    let after = set.replaced(handle, attestation(1, Some(&[0x30, 0x00])), &handles);
    let after = after.find(handle).unwrap();
    assert!(!after.is_made_by(CKA_VALUE) && after.attributes().equals(CKA_VALUE, &[0x30, 0x00]));
    for same in [CKA_UNIQUE_ID, CKA_DESTROYABLE, CKA_LABEL, CKA_CERTIFICATE_TYPE] {
        assert_eq!(before.attributes().find(same), after.attributes().find(same), "{same:#x}");
    }
    let types = |object: &Object| object.attributes().iter().map(|(kind, _)| kind).collect::<Vec<_>>();
    assert_eq!(types(before), types(after));
}

fn attestation(key: u16, der: Option<&[u8]>) -> CardObject {
    let (reference, key) = (DataReference(7), KeyReference(key));
    let (label, der) = ("Attestation of a key".to_owned(), der.map(<[u8]>::to_vec));
    CardObject::Attestation(Attestation { reference, key, label, public: None, der })
}

#[test]
fn an_attestation_goes_with_its_key_or_when_the_key_is_moved() {
    let (set, handles) = set(&[key(1), key(2), attestation(1, None), attestation(2, Some(&[0x30, 0x00]))]);
    let count = |set: &ObjectSet| set.card_objects().filter(|card| matches!(card, CardObject::Attestation(_))).count();
    let own = |reference| set.private_key(|key| key.reference == KeyReference(reference)).unwrap();
    assert_eq!(count(&set.without(own(1))), 1);
    assert_eq!(count(&set.without(own(1)).without(own(2))), 0);
    assert_eq!(count(&set.replaced(own(2), key(2), &handles)), 2);
    let moved = set.replaced(own(2), key(3), &handles);
    let left: Vec<_> = moved.card_objects().filter(|card| matches!(card, CardObject::Attestation(_))).collect();
    assert_eq!(left, [&attestation(1, None)]);
}

#[test]
fn what_stays_keeps_its_handle_and_nothing_gets_that_of_another() {
    let (set, handles) = set(&[key(1), data("one")]);
    let before = handles_of(&set);
    let (more, added) = set.with(data("two"), &handles);
    assert!(before.iter().all(|handle| more.find(*handle).is_some()));
    assert!(!before.contains(&added.own));
    let less = more.without(added.own);
    assert_eq!(handles_of(&less), before);
    let (again, anew) = less.with(data("two"), &handles);
    assert_ne!(anew.own, added.own);
    assert_eq!(handles_of(&set), before, "a snapshot does not change");
    drop(again);
}

#[test]
fn a_changed_object_keeps_its_handle() {
    let (set, handles) = set(&[data("one")]);
    let handle = handles_of(&set)[0];
    let changed = set.replaced(handle, data("two"), &handles);
    assert_eq!(handles_of(&changed), handles_of(&set));
    assert!(changed.find(handle).unwrap().attributes().equals(CKA_LABEL, b"two"));
}

#[test]
fn a_public_half_goes_alone_or_with_its_private_key_and_comes_again() {
    let (set, handles) = set(&[key(1)]);
    let all = handles_of(&set);
    let [public, private, profiles @ ..] = all.as_slice() else { panic!() };
    let (public, private) = (*public, *private);
    let alone = set.without(public);
    assert_eq!(handles_of(&alone), [&[private], profiles].concat());
    let (again, handle) = alone.with_public_half(private, &handles).unwrap();
    assert!(again.find(handle).is_some());
    let gone = set.without(private);
    assert_eq!(handles_of(&gone), profiles);
    assert_eq!(gone.source(public), Some(Source::Parted), "its owner may destroy it still");
    assert_eq!(gone.without(public).source(public), None);
}

#[test]
fn what_a_token_cannot_do_its_objects_do_not_permit() {
    let handles = Handles::new();
    let set = ObjectSet::new("0001", &[key(1), data("one")], StoreAbilities::default(), &handles);
    for (_, object) in set.iter() {
        assert!(!object.permits(CKA_DESTROYABLE) && !object.permits(CKA_MODIFIABLE));
    }
}

#[test]
fn a_token_claims_the_profiles_that_it_has() {
    let claimed = |set: &ObjectSet| -> Vec<CK_ULONG> {
        set.iter().filter_map(|(_, object)| object.attributes().number(CKA_PROFILE_ID)).collect()
    };
    let always = [CKP_BASELINE_PROVIDER, CKP_EXTENDED_PROVIDER, CKP_PUBLIC_CERTIFICATES_TOKEN];
    let (empty, handles) = set(&[data("one")]);
    assert_eq!(claimed(&empty), always);
    let CardObject::PrivateKey(key) = key(1) else { panic!() };
    let signs = CardObject::PrivateKey(PrivateKey { usage: Usage { sign: true, ..Usage::default() }, ..key.clone() });
    let (deciphers, added) = empty.with(CardObject::PrivateKey(key), &handles);
    assert_eq!(claimed(&deciphers), always);
    let with_key = deciphers.replaced(added.own, signs, &handles);
    let with_authentication = [1, 2, 3, 4];
    assert_eq!(claimed(&with_key), with_authentication);
    let without_public_half = with_key.without(added.public.unwrap());
    assert_eq!(claimed(&without_public_half), always);
    let before = handles_of(&empty);
    assert!(before.iter().all(|handle| with_key.find(*handle).is_some()), "a profile keeps its handle");
}
