//! Key agreement by pkcs11-tool and by `openssl`, from both sides. Other points than those of ECDSA's curves it cannot read.

use super::super::keys::{self, Purpose};
use super::super::openssl::OpenSsl;
use super::super::station::{Card, Station};
use super::tool_with_pin;

#[test]
fn both_sides_of_a_key_agreement_come_to_the_same_secret() {
    for card in [Card::Elliptic, Card::Varied, Card::OpenPgpVaried] {
        let station = Station::new(card);
        let openssl = OpenSsl::new(station.directory());
        let keys = keys::on(card).iter().filter(|key| key.purpose == Purpose::KeyManagement);
        for (key, curve) in keys.filter_map(|key| Some((key, key.curve()?))) {
            let (private, public) = openssl.key_pair(curve);
            let peer = station.file("peer", &public);
            let output = station.directory().join("secret");
            let id = format!("{:02x}", key.id);
            let shared = openssl.derive(&private, &key.public());
            for mechanism in ["ECDH1-DERIVE", "ECDH1-COFACTOR-DERIVE"] {
                let derive = ["--derive", "-m", mechanism, "--id", &id];
                let files = ["-i", peer.to_str().unwrap(), "-o", output.to_str().unwrap()];
                tool_with_pin(&station, &[&derive[..], &files].concat()).succeeded();
                assert_eq!(std::fs::read(&output).unwrap(), shared, "{card:?} {key:?} {mechanism}");
            }
        }
    }
}
