//! Curves beyond NIST's, which the virtual card does not compute: a card that announces them, its answers written down
//! here; keys and signatures are OpenSSL's.

use cardea_pkcs11::card::key::{Curve, KeyKind, PublicKey};
use cardea_pkcs11::card::{CardObject, SignatureScheme};
use cardea_pkcs11::mechanism::ec::verify_ecdsa;

use super::bench::Bench;

/// Curve, algorithm attributes, point, signature of 32 bytes 5A.
const KEYS: [(Curve, &str, &str, &str); 3] = [
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
];

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

/// A card with one key, for signatures, of these attributes.
fn card(attributes: &str, point: &[u8]) -> Bench {
    let mut bench = Bench::blank();
    let discretionary = [
        hex::decode("C00A7F000FFF0FFF0FFF0001").unwrap(),
        object("C1", &hex::decode(attributes).unwrap()),
        hex::decode("C206010800002000C306010800002000C407017F7F7F030003DE06010102000300").unwrap(),
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
        let mut bench = card(attributes, &point);
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
