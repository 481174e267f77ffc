//! Curves beyond NIST's, which the virtual card does not compute: a card that announces them, its answers written down
//! here; keys and signatures are OpenSSL's.

use cardea_pkcs11::card::key::{Curve, KeyKind, PublicKey};
use cardea_pkcs11::card::new_key::PrivateValue;
use cardea_pkcs11::card::{CardError, CardObject, SignatureScheme};
use cardea_pkcs11::mechanism::ec::verify_ecdsa;

use super::bench::Bench;
use super::writing::{DERIVE, SIGN, generate, import, new_key, reserve};

/// Curve, algorithm attributes, point, signature of 32 bytes 5A.
const KEYS: [(Curve, &str, &str, &str); 4] = [
    (
        Curve::Secp256k1,
        "132B8104000A",
        "0439199a89e9e787ccd2e6c25115e4de6c66fd9feca28cc5c9be775c734bacd5f75a7065f51b5f8282b1a7135b9a4ad15c97dcabba44ed62ed0c3ce0404006dcb1",
        "f9c56adb213595cb4f9fb41a2335b290bce501dc2cd73028b4e3d6b2eb7c760cd1654dad0dbc6777b1e30fdaff6f945819772f18aaa6c61efd990e924625e33e",
    ),
    (
        Curve::BrainpoolP256,
        "132B2403030208010107FF",
        "04192a42a9ef507282d12ae8360e11ce898a33d0476ba21da44207a710df37a71f78231f2dc13b38909b5fa6a01b716495fc657c33f1a1a75c70ae7acf34f15f3a",
        "a62821f9f1d3a857bc101e14c17118837be10541c1c23ab627c17d767a065b6a31a83a621fdd1112b056b6aa35de26217eaf60b22d924fe35c4aed6e7ce661cd",
    ),
    (
        Curve::BrainpoolP384,
        "132B240303020801010B",
        "048294e6ab60c9040fc1447959c1a0d430a01ff9ad9e7452df7e629763a889eae4d834ca6a9121b2e5041b7e44cff24ace7187ebf805b53bc64e69519a81ca78691bf6e25dc3bac3f1b9de59f4338205cb74d112809c751cefe268876c460d67ed",
        "1acc44a79adb96fe58b2e80d5545282636b394df55ce3b1dbb726a57dfda54428a6e77d7f22c219daa0c340226644d5d49eaee95b9d3be31da69bc48e83d27d527e83d76c8b9cc04a3964de105fa590c2e3129d3bfe39bedb80d7d2c410001d5",
    ),
    (
        Curve::BrainpoolP512,
        "132B240303020801010D",
        "04182c50be531be89b19d503f8043a8434a2e1e9fa5e6dbe2033a0b12ee0aa97332b704557a4ce65fcd96e853ab35906f8cfc3dcdcc584e1595e9cda9c56a7acab3531946373fd11c8546dfca53a5baf9c07e6405eb289500ff12ad38b30669f89e783a9b69849b1eae127d20dde42a2d6f0db77451427517e750f4c12aa0c2526",
        "018587e7f54d8d2bce2a17b67cc5388bd333868f7d20e88b113997922c692f3fe56bdccd01b4c1a878df99a19240bfb9d44336db1174f4902ee058baf5c006470934a36d68fa2645931700499b947324279b7d6d4634373075a02d3554b3971d6f200f38434978985c0d2523a685da80e8cebfdb758804c22dc026c40863640b",
    ),
];

/// brainpoolP512r1: A's private key, the public keys of A and B, and what they agree upon (RFC 7027 A.3).
const SCALAR: &str = "16302ff0dbbb5a8d733dab7141c1b45acbc8715939677f6a56850a38bd87bd59b09e80279609ff333eb9d4c061231fb26f92eeb04982a5f1d1764cad57665422";
const OWN: &str = "040a420517e406aac0acdce90fcd71487718d3b953efd7fbec5f7f27e28c6149999397e91e029e06457db2d3e640668b392c2a7e737a7f0bf04436d11640fd09fd72e6882e8db28aad36237cd25d580db23783961c8dc52dfa2ec138ad472a0fcef3887cf62b623b2a87de5c588301ea3e5fc269b373b60724f5e82a6ad147fde7";
const PEER: &str = "049d45f66de5d67e2e6db6e93a59ce0bb48106097ff78a081de781cdb31fce8ccbaaea8dd4320c4119f1e9cd437a2eab3731fa9668ab268d871deda55a5473199f2fdc313095bcdd5fb3a91636f07a959c8e86b5636a1e930e8396049cb481961d365cc11453a06c719835475b12cb52fc3c383bce35e27ef194512b71876285fa";
const SHARED: &str = "a7927098655f1f9976fa50a9d566865dc530331846381c87256baf3226244b76d36403c024d7bbf0aa0803eaff405d3d24f11a9b5c0bef679fe1454b21c4cd1f";

const PUT_ATTRIBUTES: [u8; 4] = [0x00, 0xDA, 0x00, 0xC2];
const GENERATE: [u8; 4] = [0x00, 0x47, 0x80, 0x00];
const PUT_KEY: [u8; 4] = [0x00, 0xDB, 0x3F, 0xFF];
/// Brainpool's longest for decryption and nothing else beside RSA, as DO FA lists it.
const INFORMATION: &str = "FA1CC106010800001100C20A122B240303020801010DC306010800001100";

fn object(tag: &str, content: &[u8]) -> Vec<u8> {
    let length: &[u8] = &match content.len() {
        length @ 0..=0x7F => vec![length as u8],
        length => vec![0x81, length as u8],
    };
    [&hex::decode(tag).unwrap(), length, content].concat()
}

fn answer(content: &[u8]) -> Vec<u8> {
    [content, &[0x90, 0x00]].concat()
}

/// A card with one key, the first or second, of these attributes; the others would be RSA.
fn card(number: u8, attributes: &str, point: &[u8]) -> Bench {
    let mut bench = Bench::blank();
    let of = |key: u8| if key == number { attributes } else { "010800002000" };
    let states = [1, u8::from(number == 1), 2, u8::from(number == 2), 3, 0];
    let discretionary = [
        hex::decode("C00A7F000FFF0FFF0FFF0001").unwrap(),
        object("C1", &hex::decode(of(1)).unwrap()),
        object("C2", &hex::decode(of(2)).unwrap()),
        object("C3", &hex::decode(of(3)).unwrap()),
        hex::decode("C407017F7F7F030003").unwrap(),
        object("DE", &states),
    ]
    .concat();
    let data = [hex::decode("4F10D2760001240103040006123456780000").unwrap(), object("73", &discretionary)].concat();
    let public = object("7F49", &object("86", point));
    bench.link.answers = vec![
        ([0x00, 0xCA, 0x00, 0x6E], answer(&data)),
        ([0x00, 0x47, 0x81, 0x00], answer(&public)),
        ([0x00, 0xA5, 0x02, 0x04], vec![0x6A, 0x88]),
        ([0x00, 0xA5, 0x01, 0x04], vec![0x6A, 0x88]),
        ([0x00, 0xA5, 0x00, 0x04], vec![0x6A, 0x88]),
    ];
    bench.probed_again()
}

#[test]
fn keys_on_other_curves_are_listed_and_sign_what_the_host_verifies() {
    for (curve, attributes, point, signature) in KEYS {
        let (point, signature) = (hex::decode(point).unwrap(), hex::decode(signature).unwrap());
        let mut bench = card(1, attributes, &point);
        let objects = bench.objects();
        let [CardObject::PrivateKey(key)] = &objects[..] else { panic!("{curve:?}: {objects:?}") };
        assert_eq!(key.kind, KeyKind::Ec(curve));
        assert_eq!(key.public, Some(PublicKey::Ec { curve, point: point.clone() }));
        bench.link.answers.push(([0x00, 0x2A, 0x9E, 0x9A], answer(&signature)));
        let hash = [0x5A; 32];
        let framed = [&vec![0; curve.field_len() - 32][..], &hash].concat();
        let signed = bench.run(|application, channel| application.sign(channel, key, SignatureScheme::Ecdsa, &framed));
        assert!(verify_ecdsa(curve, &point, &hash, &signed.unwrap()), "{curve:?}");
        let sent = bench.link.commands.iter().rfind(|command| command[1] == 0x2A).unwrap();
        assert!(sent.windows(framed.len()).any(|window| window == framed), "{sent:02X?}");
        // A point of another curve is no key.
        assert!(PublicKey::from_ec_point(Curve::P256, &point).is_err());
    }
}

#[test]
fn the_longest_of_brainpool_agrees_as_rfc_7027_does() {
    let (own, peer, shared) = (hex::decode(OWN).unwrap(), hex::decode(PEER).unwrap(), hex::decode(SHARED).unwrap());
    let mut bench = card(2, "122B240303020801010D", &own);
    let key = bench.private_key(2);
    assert_eq!(key.public, Some(PublicKey::Ec { curve: Curve::BrainpoolP512, point: own }));
    bench.link.answers.push(([0x00, 0x2A, 0x80, 0x86], answer(&shared)));
    let other = PublicKey::from_ec_point(Curve::BrainpoolP512, &peer).unwrap();
    let agreed = bench.run(|application, channel| application.agree(channel, &key, &other)).unwrap();
    assert_eq!(agreed.as_slice(), shared);
    // OpenPGP card 7.2.11: A6 { 7F49 { 86 point } }.
    let sent = bench.link.commands.iter().rfind(|command| command[1] == 0x2A).unwrap();
    let cipher = object("A6", &object("7F49", &object("86", &peer)));
    assert!(sent.windows(cipher.len()).any(|window| window == cipher), "{sent:02X?}");
}

/// A card without keys that lists this curve for decryption.
fn willing() -> Bench {
    let mut bench = Bench::blank().with_officer();
    let information = answer(&hex::decode(INFORMATION).unwrap());
    bench.link.answers =
        vec![([0x00, 0xCA, 0x00, 0xFA], information), (PUT_ATTRIBUTES, answer(&[])), (PUT_KEY, answer(&[]))];
    bench
}

fn sent(bench: &Bench, header: [u8; 4]) -> &[u8] {
    bench.link.commands.iter().find(|command| command.starts_with(&header)).unwrap()
}

#[test]
fn a_key_is_made_where_the_card_lists_the_curve() {
    let kind = KeyKind::Ec(Curve::BrainpoolP512);
    let mut bench = willing();
    assert_eq!(reserve(&mut bench, &new_key(kind, &[1], SIGN)), Err(CardError::NotSupported));
    let other = new_key(KeyKind::Ec(Curve::BrainpoolP384), &[2], DERIVE);
    assert_eq!(reserve(&mut bench, &other), Err(CardError::NotSupported));
    bench.link.answers.push((GENERATE, answer(&object("7F49", &object("86", &hex::decode(OWN).unwrap())))));
    let key = generate(&mut bench, &new_key(kind, b"", DERIVE)).unwrap();
    assert_eq!((key.kind, &key.id[..]), (kind, &[2][..]));
    assert_eq!(key.public, Some(PublicKey::of_scalar(Curve::BrainpoolP512, &hex::decode(SCALAR).unwrap()).unwrap()));
    assert!(sent(&bench, PUT_ATTRIBUTES).ends_with(&hex::decode("122B240303020801010D").unwrap()));
}

#[test]
fn a_key_is_brought_with_a_scalar_as_long_as_the_field() {
    for zeros in [0, 2] {
        let mut bench = willing();
        let mut scalar = hex::decode(SCALAR).unwrap();
        scalar[..zeros].fill(0);
        let public = PublicKey::of_scalar(Curve::BrainpoolP512, &scalar).unwrap();
        let PublicKey::Ec { curve, point } = public.clone() else { panic!() };
        let value = PrivateValue::Ec { curve, scalar: scalar[zeros..].to_vec().into(), point };
        let key = import(&mut bench, &new_key(KeyKind::Ec(curve), &[2], DERIVE), &value).unwrap();
        assert_eq!(key.public, Some(public));
        // OpenPGP card 4.4.3.12: 4D { B8 {} 7F48 { 92: 64 bytes } 5F48 }.
        let header = [&hex::decode("4D4AB8007F480292405F4840").unwrap(), &scalar[..]].concat();
        assert!(sent(&bench, PUT_KEY).windows(header.len()).any(|window| window == header));
    }
}
