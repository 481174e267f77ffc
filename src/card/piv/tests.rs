//! The application over a card in memory: what is found, at how many commands, and what is sent.

mod card;
mod hostile;
mod reference_data;

use super::*;
use crate::card::key::{Curve, KeyKind, PublicKey};
use crate::card::{Attestation, Authentication, CardObject, Data, DecipherScheme, KeyReference, Role, SignatureScheme};
use crate::secret::Pin;
use card::Card;

/// The ATR of a card that names no maker.
const PLAIN: &str = "3BDB960080B1FE451F830031C064C30801000F90009B";
/// A YubiKey 5 over USB.
const YUBIKEY: &str = "3BFD1300008131FE158073C021C057597562694B657940";

fn atr(text: &str) -> Atr {
    Atr::parse(&hex::decode(text).unwrap()).unwrap()
}

fn found(card: &mut Card, text: &str) -> Box<dyn CardApplication> {
    card.with(|channel| probe(channel, &atr(text))).unwrap().unwrap()
}

/// The application on a card that is not a YubiKey, described.
fn plain(card: &mut Card) -> Box<dyn CardApplication> {
    let mut piv = found(card, PLAIN);
    card.with(|channel| piv.describe(channel)).unwrap();
    piv
}

fn objects(card: &mut Card, text: &str) -> Vec<CardObject> {
    let mut piv = found(card, text);
    card.with(|channel| piv.describe(channel)).unwrap();
    card.with(|channel| piv.objects(channel)).unwrap()
}

fn private_keys(objects: &[CardObject]) -> Vec<&PrivateKey> {
    objects
        .iter()
        .filter_map(|object| if let CardObject::PrivateKey(key) = object { Some(key) } else { None })
        .collect()
}

fn data(objects: &[CardObject]) -> Vec<&Data> {
    objects.iter().filter_map(|object| if let CardObject::Data(data) = object { Some(data) } else { None }).collect()
}

fn certificate_ids(objects: &[CardObject]) -> Vec<&[u8]> {
    objects
        .iter()
        .filter_map(|object| {
            if let CardObject::Certificate(certificate) = object { Some(certificate.id.as_slice()) } else { None }
        })
        .collect()
}

fn count(card: &Card, instruction: u8) -> usize {
    card.commands.iter().filter(|command| command[1] == instruction).count()
}

/// A YubiKey 5.4.3 with keys in 9A (generated), 9C (imported, PIN always) and 9E, and no certificate.
fn yubikey() -> Card {
    let mut card = Card::new();
    card.objects.retain(|tag, _| *tag == 0x7E);
    (card.version, card.serial, card.logs_out) = (Some([5, 4, 3]), Some(12_345_678), false);
    card.certify(0x5FFF01, include_str!("vectors/p256-cert-sign.hex"));
    let point = "8641046B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C2964FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5";
    let key = |policy: &str, origin: &str| hex::decode(format!("0101110202{policy}010301{origin}0443{point}")).unwrap();
    card.metadata = Some(
        [
            (0x80, hex::decode("0101FF0501010602050A").unwrap()),
            (0x81, hex::decode("0101FF05010106020302").unwrap()),
            (0x9A, key("02", "01")),
            (0x9C, key("03", "02")),
            (0x9E, key("01", "02")),
        ]
        .into(),
    );
    card
}

#[test]
fn an_unselected_card_is_described_by_six_commands() {
    let mut card = Card::new();
    let mut piv = found(&mut card, PLAIN);
    let description = card.with(|channel| piv.describe(channel)).unwrap();
    let instructions: Vec<_> = card.commands.iter().map(|command| command[1]).collect();
    assert_eq!(instructions, [0xCB, 0xA4, 0xCB, 0xFD, 0xCB, 0x20]);
    assert_eq!(description.serial, "0032000109244601");
    assert_eq!(description.label, "PIV Card #0032000109244601");
    assert_eq!((description.manufacturer.as_str(), description.model.as_str()), ("NIST PIV", "PIV Card"));
    assert_eq!(description.user_pin.retries, Some(3));
    assert_eq!(description.so_pin.map(|pin| (pin.min_length, pin.max_length)), Some((6, 64)));
}

#[test]
fn the_objects_of_a_card_with_four_certificates_cost_fourteen_commands_with_the_start() {
    let mut card = Card::new();
    let objects = objects(&mut card, PLAIN);
    assert!(card.commands.len() <= 14, "{} commands", card.commands.len());
    assert_eq!(count(&card, 0xFD), 1);
    assert_eq!(certificate_ids(&objects), [[1], [2], [3], [4]]);
    let keys: Vec<_> =
        private_keys(&objects).iter().map(|key| (key.reference, key.id[0], key.kind, key.authentication)).collect();
    let rsa = KeyKind::Rsa { bits: 2048 };
    assert_eq!(
        keys,
        [
            (KeyReference(0x9A), 1, KeyKind::Ec(Curve::P256), Authentication::Once),
            (KeyReference(0x9C), 2, rsa, Authentication::Always),
            (KeyReference(0x9D), 3, rsa, Authentication::Once),
            (KeyReference(0x9E), 4, KeyKind::Ec(Curve::P384), Authentication::Never),
        ]
    );
}

#[test]
fn an_application_that_is_current_is_not_selected_again() {
    let mut card = Card::new();
    (card.selected, card.verified) = (true, true);
    let mut piv = found(&mut card, PLAIN);
    let warm = card.with(|channel| piv.describe(channel)).unwrap();
    assert_eq!(count(&card, 0xA4), 0);
    assert!(card.verified);
    let mut cold = Card::new();
    let mut piv = found(&mut cold, PLAIN);
    let cold = cold.with(|channel| piv.describe(channel)).unwrap();
    assert_eq!((warm.label, warm.serial), (cold.label, cold.serial), "names do not depend on how the card was found");
}

#[test]
fn a_discovery_object_that_answers_in_another_application_is_not_believed() {
    struct OtherApplication(Card);
    impl crate::pcsc::Transaction for OtherApplication {
        fn transmit(&mut self, command: &[u8]) -> Result<zeroize::Zeroizing<Vec<u8>>, crate::pcsc::LinkError> {
            if !self.0.selected && command.get(5..8) == Some(&[0x5C, 0x01, 0x7E]) {
                let answer = format!("{}9000", card::DISCOVERY);
                return Ok(zeroize::Zeroizing::new(hex::decode(answer).unwrap()));
            }
            self.0.transmit(command)
        }
        fn control(&mut self, _: u32, _: &[u8]) -> Result<Vec<u8>, crate::pcsc::LinkError> {
            Err(crate::pcsc::LinkError::Unsupported)
        }
        fn end(self: Box<Self>, _: crate::pcsc::Disposition) -> Result<(), crate::pcsc::LinkError> {
            Ok(())
        }
    }
    let mut card = OtherApplication(Card::new());
    assert!(card::with(&mut card, |channel| probe(channel, &atr(PLAIN))).unwrap().is_some());
    assert!(card.0.selected);
}

#[test]
fn a_card_that_answers_only_to_the_long_name_is_found_and_selected_by_it_again() {
    let mut card = Card::new();
    card.shortest_name = 11;
    let mut piv = found(&mut card, PLAIN);
    assert_eq!(count(&card, 0xA4), 2);
    card.selected = false;
    card.with(|channel| piv.select(channel)).unwrap();
    assert!(card.selected);
    assert_eq!(count(&card, 0xA4), 3);
}

#[test]
fn a_card_without_piv_costs_three_commands() {
    let mut card = Card::new();
    card.shortest_name = 12;
    assert!(card.with(|channel| probe(channel, &atr(PLAIN))).unwrap().is_none());
    assert_eq!(card.commands.len(), 3);
    let mut card = Card::new();
    card.refusals.insert(0xA4, 0x6D00);
    assert!(card.with(|channel| probe(channel, &atr(PLAIN))).unwrap().is_none());
    assert_eq!(card.commands.len(), 2);
}

#[test]
fn what_answers_to_the_name_but_shows_nothing_of_piv_is_not_piv() {
    for properties in ["", "6F00", "61094F07A0000001160300", "61084F06000010000200"] {
        let mut card = Card::new();
        card.properties = hex::decode(properties).unwrap();
        card.objects.remove(&0x7E);
        assert!(card.with(|channel| probe(channel, &atr(PLAIN))).unwrap().is_none(), "{properties}");
    }
}

#[test]
fn the_current_application_is_known_by_the_discovery_object_alone() {
    let mut card = Card::new();
    let mut piv = found(&mut card, PLAIN);
    assert_eq!(card.with(|channel| piv.is_selected(channel)), Ok(true));
    card.selected = false;
    assert_eq!(card.with(|channel| piv.is_selected(channel)), Ok(false));
    let mut card = Card::new();
    card.objects.remove(&0x7E);
    let mut piv = found(&mut card, PLAIN);
    let before = card.commands.len();
    assert_eq!(card.with(|channel| piv.is_selected(channel)), Ok(false));
    assert_eq!(card.commands.len(), before);
}

#[test]
fn a_yubikey_is_named_by_its_serial_number_and_generation() {
    let mut card = yubikey();
    let mut piv = found(&mut card, YUBIKEY);
    let description = card.with(|channel| piv.describe(channel)).unwrap();
    assert!(card.commands.len() <= 8);
    assert_eq!(description.label, "YubiKey PIV #12345678");
    assert_eq!((description.manufacturer.as_str(), description.model.as_str()), ("Yubico", "YubiKey 5"));
    assert_eq!((description.serial.as_str(), description.firmware), ("12345678", (5, 4)));
    assert_eq!((description.user_pin.retries, description.user_pin.max_retries), (Some(10), Some(5)));
    assert_eq!(card.with(|channel| piv.retries(channel, Role::SecurityOfficer)), Ok(Some(2)));
}

#[test]
fn keys_of_a_yubikey_are_listed_without_certificates_and_with_their_own_policies() {
    let mut card = yubikey();
    let objects = objects(&mut card, YUBIKEY);
    assert!(card.commands.len() <= 19, "{} commands", card.commands.len());
    let keys: Vec<_> = private_keys(&objects).iter().map(|key| (key.id[0], key.authentication, key.local)).collect();
    assert_eq!(
        keys,
        [
            (1, Authentication::Once, Some(true)),
            (2, Authentication::Always, Some(false)),
            (4, Authentication::Never, Some(false)),
        ]
    );
    assert_eq!(certificate_ids(&objects), [[0x19]]);
}

#[test]
fn attestations_are_certificates_of_generated_keys_and_are_made_when_read() {
    let mut card = yubikey();
    let mut piv = found(&mut card, YUBIKEY);
    let objects = card.with(|channel| piv.objects(channel)).unwrap();
    assert_eq!(count(&card, 0xF9), 0);
    let attestations = attested(&objects);
    assert_eq!(attestations.len(), 1);
    assert_eq!(attestations[0].label, "Attestation of PIV Authentication");
    let content = card.with(|channel| piv.read(channel, attestations[0].reference)).unwrap();
    assert_eq!(*content, [0x30, 0x01, 0x9A]);
    card.objects.remove(&0x5FFF01);
    let objects = card.with(|channel| piv.objects(channel)).unwrap();
    assert!(attested(&objects).is_empty(), "nothing is there to attest with");
}

fn attested(objects: &[CardObject]) -> Vec<&Attestation> {
    let found = objects.iter().map(|object| match object {
        CardObject::Attestation(found) => Some(found),
        _ => None,
    });
    found.flatten().collect()
}

#[test]
fn a_certificate_for_another_key_than_the_cards_does_not_get_its_id() {
    let mut card = yubikey();
    card.certify(0x5FC105, include_str!("vectors/p256-digital-signature.hex"));
    let objects = objects(&mut card, YUBIKEY);
    assert_eq!(certificate_ids(&objects), [&[] as &[u8], &[0x19]]);
    let key = private_keys(&objects)[0];
    assert!(key.subject.is_empty());
    assert!(key.usage.sign && key.usage.derive, "the certificate's key usage is not this key's");
}

#[test]
fn a_certificate_under_a_reference_without_a_key_stands_alone() {
    let mut card = yubikey();
    card.metadata.as_mut().unwrap().clear();
    card.certify(0x5FC105, include_str!("vectors/p256-digital-signature.hex"));
    let objects = objects(&mut card, YUBIKEY);
    assert_eq!(certificate_ids(&objects), [[1]]);
    assert!(private_keys(&objects).is_empty());
}

#[test]
fn a_foreign_card_with_yubicos_version_but_empty_metadata_is_asked_for_it_once() {
    let mut card = Card::new();
    (card.version, card.serial) = (Some([6, 6, 6]), Some(0x0052_F743));
    card.metadata = Some((0..=0xFF).map(|reference| (reference, Vec::new())).collect());
    let mut piv = found(&mut card, PLAIN);
    let description = card.with(|channel| piv.describe(channel)).unwrap();
    assert_eq!(description.serial, "0032000109244601", "a serial that all such cards share is none");
    let objects = card.with(|channel| piv.objects(channel)).unwrap();
    assert_eq!(count(&card, 0xF7), 1);
    assert_eq!(private_keys(&objects).len(), 4);
}

#[test]
fn the_key_history_says_how_many_retired_certificates_are_read() {
    let certificate = include_str!("vectors/p384-key-agreement.hex");
    let mut card = Card::new();
    card.put(0x5FC10C, "C10102C20100FE00");
    for tag in [0x5FC10D, 0x5FC10E, 0x5FC10F] {
        card.certify(tag, certificate);
    }
    assert_eq!(certificate_ids(&objects(&mut card, PLAIN)), [[1], [2], [3], [4], [5], [6]]);
}

#[test]
fn retired_keys_without_certificates_are_found_by_metadata_if_the_key_history_counts_them() {
    let mut card = yubikey();
    let metadata = card.metadata.as_mut().unwrap();
    let retired = metadata[&0x9A].clone();
    metadata.extend([(0x84, retired.clone()), (0x95, retired)]);
    card.put(0x5FC10C, "C10100C20101FE00");
    let ids: Vec<_> = private_keys(&objects(&mut card, YUBIKEY)).iter().map(|key| key.id[0]).collect();
    assert_eq!(ids, [1, 2, 4, 7]);
}

#[test]
fn a_key_history_that_counts_too_many_ends_at_twenty() {
    let mut card = Card::new();
    card.put(0x5FC10C, "C101FFC201FFFE00");
    objects(&mut card, PLAIN);
    assert_eq!(card.commands.len(), 13 + 20);
}

#[test]
fn without_a_key_history_retired_certificates_are_read_up_to_the_first_gap() {
    let certificate = include_str!("vectors/p384-key-agreement.hex");
    let mut card = Card::new();
    card.objects.remove(&0x5FC10C);
    for tag in [0x5FC10D, 0x5FC10E, 0x5FC110] {
        card.certify(tag, certificate);
    }
    assert_eq!(certificate_ids(&objects(&mut card, PLAIN)), [[1], [2], [3], [4], [5], [6]]);
}

#[test]
fn a_broken_certificate_hides_only_itself() {
    let mut card = Card::new();
    card.put(0x5FC105, "7003040100710100FE00");
    let objects = objects(&mut card, PLAIN);
    assert_eq!(certificate_ids(&objects), [[2], [3], [4]]);
    assert_eq!(private_keys(&objects).len(), 3);
}

#[test]
fn data_objects_behind_the_pin_are_listed_only_if_the_security_object_names_them() {
    let mut card = Card::new();
    let labels = |objects: &[CardObject]| data(objects).iter().map(|data| data.label.clone()).collect::<Vec<_>>();
    let listed = labels(&objects(&mut card, PLAIN));
    assert_eq!(
        listed,
        [
            "Discovery Object",
            "Card Holder Unique Identifier",
            "Key History Object",
            "Card Capability Container",
            "Security Object"
        ]
    );
    let mut card = Card::new();
    card.put(0x5FC106, "BA0901300002DB00033001BB00FE00");
    card.put(0x5FC109, "0105416C696365FE00");
    let mut piv = found(&mut card, PLAIN);
    let objects = card.with(|channel| piv.objects(channel)).unwrap();
    let printed = *data(&objects).last().unwrap();
    assert_eq!((printed.label.as_str(), printed.private, &printed.value), ("Printed Information", true, &None));
    let content = card.with(|channel| piv.read(channel, printed.reference)).unwrap();
    assert_eq!(hex::encode_upper(&*content), "0105416C696365FE00");
    card.objects.remove(&0x5FC109);
    assert_eq!(card.with(|channel| piv.read(channel, printed.reference)), Err(CardError::NotFound));
}

fn key(kind: KeyKind, reference: u16) -> PrivateKey {
    PrivateKey {
        reference: KeyReference(reference),
        id: vec![1],
        label: String::new(),
        kind,
        public: None,
        subject: Vec::new(),
        abilities: general_authenticate::abilities(kind),
        usage: Default::default(),
        authentication: Authentication::Once,
        local: None,
        storage: crate::card::Storage::Token,
        policy: crate::card::KeyPolicy::default(),
    }
}

#[test]
fn an_rsa_signature_is_one_command_with_the_whole_block() {
    let mut card = Card::new();
    let mut piv = plain(&mut card);
    let (block, signature) = ([0x55; 256], vec![0x77; 256]);
    card.responses.push_back(signature.clone());
    let before = card.commands.len();
    let rsa = key(KeyKind::Rsa { bits: 2048 }, 0x9A);
    assert_eq!(card.with(|channel| piv.sign(channel, &rsa, SignatureScheme::RsaRaw, &block)), Ok(signature));
    assert_eq!(card.commands.len(), before + 1);
    let template = format!("7C820106820081820100{}", "55".repeat(256));
    assert_eq!(card.asked, [(0x07, 0x9A, hex::decode(template).unwrap())]);
}

#[test]
fn dropped_zeros_come_back_and_longer_answers_are_malformed() {
    let mut card = Card::new();
    let mut piv = plain(&mut card);
    let rsa = key(KeyKind::Rsa { bits: 1024 }, 0x9D);
    card.responses.extend([vec![0x02; 127], vec![0x02; 129], Vec::new()]);
    let mut decipher = || card.with(|channel| piv.decipher(channel, &rsa, DecipherScheme::RsaRaw, &[1; 128]));
    let block = decipher().unwrap();
    assert_eq!((block.len(), block[0], block[1]), (128, 0, 2));
    let malformed = Err(CardError::Malformed { what: "answer to GENERAL AUTHENTICATE" });
    assert_eq!(decipher(), malformed);
    assert_eq!(decipher(), malformed);
}

#[test]
fn an_ecdsa_signature_becomes_r_and_s_of_the_fields_length() {
    let mut card = Card::new();
    let mut piv = plain(&mut card);
    let p256 = key(KeyKind::Ec(Curve::P256), 0x9C);
    card.responses.extend([hex::decode("3007020200AA020155").unwrap(), hex::decode("3003020101").unwrap()]);
    let mut sign = || card.with(|channel| piv.sign(channel, &p256, SignatureScheme::Ecdsa, &[3; 32]));
    let signature = sign().unwrap();
    assert_eq!((signature.len(), signature[31], signature[63]), (64, 0xAA, 0x55));
    assert!(matches!(sign(), Err(CardError::Malformed { .. })));
    assert_eq!(card.asked[0].2[..6], [0x7C, 0x24, 0x82, 0x00, 0x81, 0x20]);
}

#[test]
fn key_agreement_sends_the_point_and_takes_exactly_the_field() {
    let mut card = Card::new();
    let mut piv = plain(&mut card);
    let point = hex::decode("046B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C2964FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5").unwrap();
    let peer = PublicKey::Ec { curve: Curve::P256, point: point.clone() };
    let p256 = key(KeyKind::Ec(Curve::P256), 0x9D);
    card.responses.extend([vec![9; 32], vec![9; 31]]);
    let mut agree = |peer: &PublicKey| card.with(|channel| piv.agree(channel, &p256, peer));
    assert_eq!(*agree(&peer).unwrap(), [9; 32]);
    assert!(matches!(agree(&peer), Err(CardError::Malformed { .. })));
    assert_eq!(agree(&PublicKey::X25519([9; 32])), Err(CardError::Input));
    let (algorithm, reference, template) = &card.asked[0];
    assert_eq!((*algorithm, *reference), (0x11, 0x9D));
    assert!(template.starts_with(&[0x7C, 0x45, 0x82, 0x00, 0x85, 0x41]) && template.ends_with(&point));
}

#[test]
fn edwards_and_montgomery_keys_have_yubicos_algorithms() {
    let mut card = yubikey();
    let mut piv = found(&mut card, YUBIKEY);
    card.responses.extend([vec![1; 64], vec![2; 32]]);
    let (ed, x) = (key(KeyKind::Ed25519, 0x9A), key(KeyKind::X25519, 0x9D));
    let signature = card.with(|channel| piv.sign(channel, &ed, SignatureScheme::Eddsa, b"a message of any length"));
    assert_eq!(signature, Ok(vec![1; 64]));
    let shared = card.with(|channel| piv.agree(channel, &x, &PublicKey::X25519([9; 32]))).unwrap();
    assert_eq!(*shared, [2; 32]);
    let algorithms: Vec<_> = card.asked.iter().map(|(algorithm, ..)| *algorithm).collect();
    assert_eq!(algorithms, [0xE0, 0xE1]);
}

#[test]
fn input_of_another_length_never_reaches_the_card() {
    let mut card = Card::new();
    let mut piv = plain(&mut card);
    let before = card.commands.len();
    let (rsa, p256) = (key(KeyKind::Rsa { bits: 2048 }, 0x9A), key(KeyKind::Ec(Curve::P256), 0x9A));
    card.with(|channel| {
        assert_eq!(piv.sign(channel, &rsa, SignatureScheme::RsaRaw, &[1; 255]), Err(CardError::Input));
        assert_eq!(piv.sign(channel, &p256, SignatureScheme::Ecdsa, &[1; 20]), Err(CardError::Input));
        assert_eq!(piv.decipher(channel, &rsa, DecipherScheme::RsaRaw, &[1; 257]), Err(CardError::Input));
        assert_eq!(piv.sign(channel, &p256, SignatureScheme::RsaRaw, &[1; 32]), Err(CardError::NotSupported));
    });
    assert_eq!(card.commands.len(), before);
}

#[test]
fn a_key_that_wants_the_pin_says_so() {
    let mut card = Card::new();
    let mut piv = plain(&mut card);
    let p256 = key(KeyKind::Ec(Curve::P256), 0x9C);
    let refused = card.with(|channel| piv.sign(channel, &p256, SignatureScheme::Ecdsa, &[3; 32]));
    assert_eq!(refused, Err(CardError::SecurityStatus));
}
