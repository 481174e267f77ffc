//! `cardea watch`.

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use serde_json::Value;

use super::desk::{CARDEA, Desk};
use crate::clients::station::{Card, Station};

#[test]
fn a_card_that_goes_and_comes_is_told_line_by_line() {
    let station = Station::new(Card::Elliptic);
    let mut command = station.command_for(CARDEA);
    command.args(["--json", "watch", "--count", "2"]).stdout(Stdio::piped());
    // It says that it watches where it speaks to people.
    let mut talking = station.command_for(CARDEA);
    talking.args(["watch", "--count", "1"]).stderr(Stdio::piped()).stdout(Stdio::piped());
    let mut talking = talking.spawn().unwrap();
    let mut said = String::new();
    BufReader::new(talking.stderr.take().unwrap()).read_line(&mut said).unwrap();
    assert!(said.contains("watching"), "{said}");
    station.reader.remove();
    let mut lines = BufReader::new(talking.stdout.take().unwrap()).lines();
    assert_eq!(lines.next().unwrap().unwrap(), "card out    Cardea Virtual Reader 00 00");
    assert!(talking.wait().unwrap().success());

    let mut watching = command.spawn().unwrap();
    let mut lines = BufReader::new(watching.stdout.take().unwrap()).lines();
    let mut next = || serde_json::from_str::<Value>(&lines.next().unwrap().unwrap()).unwrap();
    let mut events = Vec::new();
    // Whatever was seen before it began to watch, of two changes it tells at least the last.
    station.reader.reinsert();
    events.push(next());
    station.reader.remove();
    events.push(next());
    assert!(watching.wait().unwrap().success());
    assert_eq!((&events[0]["event"], &events[1]["event"]), (&"card in".into(), &"card out".into()), "{events:?}");
    assert!(events[0]["token"].as_str().unwrap().starts_with("PIV Card"), "{events:?}");
}
