//! `cardea list`, `info` and `readers`, and the URIs that they print.

use cardea_harness::bench::Bench;
use cardea_harness::reader::{Properties, VirtualReader};
use serde_json::Value;

use super::desk::{Desk, code};
use crate::clients::program::installed;
use crate::clients::station::{Card, Station};

fn objects(answer: &Value) -> Vec<Value> {
    answer["slots"][0]["token"]["objects"].as_array().unwrap().clone()
}

#[test]
fn every_object_is_listed_with_a_uri_that_finds_it_again() {
    let station = Station::new(Card::Elliptic);
    let answer = station.json(&["list"]);
    let token = &answer["slots"][0]["token"];
    assert_eq!(token["label"], format!("PIV Card #{}", token["serial"].as_str().unwrap()));
    let of_class = |class: &str| objects(&answer).iter().filter(|object| object["type"] == class).count();
    assert_eq!((of_class("private"), of_class("public"), of_class("cert")), (4, 4, 4));
    for certificate in objects(&answer).iter().filter(|object| object["type"] == "cert") {
        let uri = certificate["uri"].as_str().unwrap();
        let read = station.json(&["certificate", "read", "--uri", uri]);
        assert_eq!(read["uri"], uri);
        assert_eq!(read["subject"], certificate["subject"]);
    }
}

#[test]
fn p11tool_understands_the_uris() {
    if !installed("p11tool", "gnutls-bin") {
        return;
    }
    let station = Station::new(Card::Elliptic);
    let answer = station.json(&["list"]);
    for certificate in objects(&answer).iter().filter(|object| object["type"] == "cert") {
        let module = crate::module::path().to_str().unwrap();
        let exported = station
            .run("p11tool", ["--provider", module, "--export", certificate["uri"].as_str().unwrap()])
            .succeeded();
        let id = certificate["id"].as_str().unwrap();
        let ours = station.cardea(["certificate", "read", "--id", id]).succeeded();
        assert_eq!(exported.stdout.trim_ascii_end(), ours.stdout.trim_ascii_end(), "{id}");
    }
}

#[test]
fn text_has_no_colours_where_it_is_no_terminal() {
    let station = Station::new(Card::Elliptic);
    for arguments in [&["list"][..], &["info"], &["readers"], &["doctor"]] {
        station.cardea(arguments).says("Cardea Virtual Reader").omits("\x1B");
    }
}

#[test]
fn a_reader_is_described_with_its_card_and_its_measured_limits() {
    let station = Station::new(Card::Standard);
    let answer = station.json(&["readers"]);
    let reader = &answer["readers"][0];
    assert_eq!((&reader["usb"], &reader["name"]), (&"1209:0001".into(), &"Cardea Virtual Reader 00 00".into()));
    let card = &reader["card"];
    assert_eq!(card["applications"], serde_json::json!(["PIV"]));
    assert_eq!(card["extended_length"], "proven");
    assert!(card["atr"].as_str().unwrap().starts_with("3B"), "{card}");
    assert!(card["longest_data"].as_u64().unwrap() > 255, "{card}");

    let short = Station::new(Card::Short);
    let card = &short.json(&["readers"])["readers"][0]["card"];
    assert_eq!((&card["extended_length"], &card["longest_data"]), (&"no".into(), &255.into()));
}

#[test]
fn a_reader_without_a_card_tells_its_ids_all_the_same() {
    let bench = Bench::start(vec![("Empty Reader", VirtualReader::new(Properties::default()))]);
    let reader = &bench.json(&["readers"])["readers"][0];
    assert_eq!((&reader["usb"], &reader["card"]), (&"1209:0001".into(), &Value::Null));
    assert_eq!(code(&bench.cardea(["info"])), 5);
    assert_eq!(bench.json(&["list"])["slots"][0]["token"], Value::Null);
}

#[test]
fn of_two_tokens_one_has_to_be_chosen() {
    use cardea_harness::piv::{PivCard, PivOptions};
    use cardea_harness::provision::{Authority, Layout, provision};
    let reader = || {
        let mut card = PivCard::new(PivOptions::extended());
        provision(&mut card, &Layout::elliptic(), &Authority::default());
        VirtualReader::with_card(card)
    };
    let bench = Bench::start(vec![("First", reader()), ("Second", reader())]);
    let undecided = bench.cardea(["info"]);
    assert_eq!(code(&undecided), 2);
    let answer = bench.json(&["list"]);
    for slot in answer["slots"].as_array().unwrap() {
        let uri = slot["token"]["uri"].as_str().unwrap();
        undecided.text.lines().find(|line| line.contains(uri)).unwrap_or_else(|| panic!("{}", undecided.text));
        assert_eq!(bench.json(&["info", "--uri", uri])["reader"], slot["reader"]);
        assert_eq!(bench.json(&["info", "--reader", slot["reader"].as_str().unwrap()])["uri"], uri);
    }
    assert_eq!(code(&bench.cardea(["info", "--reader", "Third"])), 4);
    assert_eq!(code(&bench.cardea(["info", "--uri", "pkcs11:serial=none"])), 10);
}
