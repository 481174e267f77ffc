//! What pkcs11-tool lists, and its own `--test`.

use super::super::keys::{self, Algorithm, Purpose};
use super::super::station::{CARDS, Card, Station};
use super::{tool, tool_with_pin};

#[test]
fn the_self_test_passes_on_every_card_and_skips_only_what_a_key_is_not_for() {
    for card in CARDS {
        let station = Station::new(card);
        let run = tool_with_pin(&station, &["-L", "-M", "-O", "-t"]).succeeded().says("No errors");
        let run = run.omits("ERR").omits("error: ").omits("failed");
        let rsa = |purpose| {
            let keys = keys::on(card).iter().filter(move |key| key.purpose == purpose);
            keys.filter(|key| matches!(key.algorithm, Algorithm::Rsa(_))).count()
        };
        // It signs by four mechanisms with the first key, by one with the others; three of four are verified.
        for (mechanism, times) in [("SHA1-RSA-PKCS: OK", 2), ("SHA256-RSA-PKCS: OK", 1)] {
            let seen = run.lines_with(mechanism).len();
            assert!(
                seen >= usize::from(rsa(Purpose::Sign) > 0),
                "{card:?}: {seen} of {times} {mechanism}\n{}",
                run.text
            );
        }
        let all = run.lines_with("all 4 signature functions seem to work").len();
        assert_eq!(all, 1, "{card:?}:\n{}", run.text);
        let deciphered = run.lines_with("    RSA-PKCS-OAEP: ").len();
        assert_eq!(deciphered, 2 * rsa(Purpose::KeyManagement), "{card:?}:\n{}", run.text);
        let judged = run.lines_with("skipping").into_iter().filter(|line| {
            !line.contains("non-RSA")
                && !line.contains("can't be used to sign/verify")
                && !line.contains("can't be used to decrypt")
        });
        assert_eq!(judged.collect::<Vec<_>>(), Vec::<&str>::new(), "{card:?}:\n{}", run.text);
    }
}

#[test]
fn every_key_is_listed_with_certificate_and_public_key() {
    for card in CARDS.into_iter().chain([Card::OpenPgp, Card::OpenPgpShort]) {
        let station = Station::new(card);
        let run = tool_with_pin(&station, &["-O"]).succeeded();
        for key in keys::on(card) {
            let id = format!("  ID:         {:02}", key.id);
            assert_eq!(run.lines_with(&id).len(), 3, "{card:?} {key:?}:\n{}", run.text);
        }
        let always = run.lines_with("always authenticate").len();
        assert_eq!(always, 1, "{card:?}: one alone\n{}", run.text);
    }
}

#[test]
fn certificates_and_public_keys_are_there_without_login_and_private_keys_are_not() {
    let station = Station::new(Card::Standard);
    let run = tool(&station, &["-O"]).succeeded();
    assert_eq!(run.lines_with("Certificate Object").len(), 4, "{}", run.text);
    assert_eq!(run.lines_with("Public Key Object").len(), 4, "{}", run.text);
    // 9E never wants a PIN (SP 800-73-4 part 1 table 4b).
    assert_eq!(run.lines_with("Private Key Object").len(), 1, "{}", run.text);
    assert_eq!(station.pin_tries(), 3);
}

#[test]
fn a_certificate_read_from_the_card_is_the_one_that_was_issued() {
    for card in [Card::Standard, Card::Varied, Card::Short, Card::OpenPgp, Card::OpenPgpShort] {
        let station = Station::new(card);
        for (key, (reference, issued)) in keys::on(card).iter().zip(&station.provisioned.certificates) {
            let output = station.directory().join("certificate");
            let id = format!("{:02x}", key.id);
            tool(&station, &["--read-object", "--type", "cert", "--id", &id, "-o", output.to_str().unwrap()])
                .succeeded();
            assert_eq!(&std::fs::read(&output).unwrap(), issued, "{card:?} {reference:02X}");
        }
    }
}

#[test]
fn what_the_card_computes_is_marked_as_hardware() {
    let station = Station::new(Card::Standard);
    let run = tool(&station, &["-M"]).succeeded();
    for mechanism in
        ["RSA-PKCS,", "RSA-X-509,", "SHA256-RSA-PKCS,", "RSA-PKCS-PSS,", "RSA-PKCS-OAEP,", "ECDSA,", "ECDSA-SHA256,"]
    {
        let lines = run.lines_with(&format!("  {mechanism}"));
        assert_eq!(lines.len(), 1, "{mechanism}\n{}", run.text);
        assert!(lines[0].contains("hw"), "{}", lines[0]);
    }
    for digest in ["SHA-1,", "SHA256,", "SHA384,", "SHA512,"] {
        let lines = run.lines_with(&format!("  {digest}"));
        assert!(lines.len() == 1 && lines[0].contains("digest") && !lines[0].contains("hw"), "{digest}\n{}", run.text);
    }
}

#[test]
fn a_data_object_is_read_by_its_label() {
    let station = Station::new(Card::Standard);
    let output = station.directory().join("chuid");
    let label = "Card Holder Unique Identifier";
    let read = ["--read-object", "--type", "data", "--label", label, "-o", output.to_str().unwrap()];
    tool(&station, &read).succeeded();
    let issued = station.provisioned.chuid.to_bytes();
    let read = std::fs::read(&output).unwrap();
    assert!(read == issued || read.ends_with(&issued), "{read:02X?}\n{issued:02X?}");
}
