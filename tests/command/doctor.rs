//! What `cardea doctor` finds, and that it says what to do.

use std::ffi::CString;
use std::path::Path;

use cardea_harness::bench::Bench;
use cardea_harness::card::{Atr, VirtualCard};
use cardea_harness::provision::PIN;
use cardea_harness::reader::{Properties, VirtualReader};
use pcsc::{Context, Disposition, Protocols, Scope, ShareMode};
use serde_json::Value;

use super::desk::{CARDEA, Desk, code};
use crate::clients::child;
use crate::clients::program::{Run, run};
use crate::clients::station::{Card, Station};

const READER: &str = "Cardea Virtual Reader";

/// The finding with this id, which has advice; the doctor's exit code says that there is a problem.
#[track_caller]
fn problem(desk: &impl Desk, id: &str) -> String {
    let run = desk.cardea(["--json", "doctor"]);
    assert_eq!(code(&run), 1, "{}", run.text);
    let what = finding(&run, id).unwrap_or_else(|| panic!("{id} is not found:\n{}", run.text));
    assert_eq!(what["level"], "problem");
    let advice = what["advice"].as_str().unwrap();
    let text = desk.cardea(["doctor"]).says(what["what"].as_str().unwrap()).says(advice);
    assert_eq!(code(&text), 1);
    what["what"].as_str().unwrap().to_owned()
}

fn finding(run: &Run, id: &str) -> Option<Value> {
    let answer: Value = serde_json::from_slice(&run.stdout).unwrap();
    answer["findings"].as_array().unwrap().iter().find(|finding| finding["id"] == id).cloned()
}

/// A card that answers every command alike.
struct Stranger;

impl VirtualCard for Stranger {
    fn atr(&self) -> Vec<u8> {
        Atr::t1(b"Stranger").to_bytes()
    }
    fn power_on(&mut self) {}
    fn reset(&mut self) {}
    fn power_off(&mut self) {}
    fn transmit(&mut self, _command: &[u8]) -> Vec<u8> {
        vec![0x6A, 0x82]
    }
}

#[test]
fn a_card_that_is_well_has_no_problem_but_that_nobody_knows_the_module() {
    let station = Station::new(Card::Elliptic);
    let run = station.cardea(["--json", "doctor"]);
    let answer: Value = serde_json::from_slice(&run.stdout).unwrap();
    let levels = answer["findings"].as_array().unwrap().iter();
    let problems: Vec<&Value> = levels.filter(|finding| finding["level"] == "problem").collect();
    assert!(problems.iter().all(|finding| finding["id"] == "module-unregistered"), "{problems:#?}");
    for id in ["versions", "service", "reader", "token", "objects", "pin", "extended-length"] {
        assert!(finding(&run, id).is_some(), "{id} is missing in:\n{}", run.text);
    }
}

#[test]
fn a_stopped_pcscd_is_found() {
    let mut station = Station::new(Card::Elliptic);
    station.bench.stop_pcscd();
    assert!(problem(&station, "service-stopped").contains("pcscd"));
}

#[test]
fn a_missing_reader_is_found() {
    let bench = Bench::start(Vec::<(&str, VirtualReader)>::new());
    problem(&bench, "no-reader");
}

#[test]
fn a_missing_card_is_found() {
    let bench = Bench::start(vec![(READER, VirtualReader::new(Properties::default()))]);
    assert!(problem(&bench, "no-card").contains(READER));
}

#[test]
fn an_unknown_card_is_found_with_its_answer_to_reset() {
    let bench = Bench::start(vec![(READER, VirtualReader::with_card(Stranger))]);
    let atr: String = Stranger.atr().iter().map(|byte| format!("{byte:02X}")).collect();
    assert!(problem(&bench, "card-unknown").contains(&atr));
}

#[test]
fn a_card_that_another_program_holds_is_found_with_that_program() {
    if !child::is_child() {
        let station = Station::new(Card::Elliptic);
        child::spawn(a_card_that_another_program_holds_is_found_with_that_program, &station, &[]).succeeded();
        return;
    }
    let context = Context::establish(Scope::User).unwrap();
    let name = CString::new(format!("{READER} 00 00")).unwrap();
    let card = context.connect(&name, ShareMode::Exclusive, Protocols::ANY).unwrap();
    let mut command = std::process::Command::new(CARDEA);
    command.args(["--json", "doctor"]);
    let doctor = run(command);
    let held = finding(&doctor, "card-held").unwrap_or_else(|| panic!("{}", doctor.text));
    assert_eq!((code(&doctor), &held["level"]), (1, &Value::from("problem")));
    let holder = format!("(process {})", std::process::id());
    assert!(held["advice"].as_str().unwrap().contains(&holder), "{held}");

    let mut command = std::process::Command::new(CARDEA);
    command.args(["info"]);
    assert_eq!(code(&run(command)), 7);
    card.disconnect(Disposition::LeaveCard).map_err(|(_, error)| error).unwrap();
}

#[test]
fn a_module_that_no_program_knows_is_found_until_it_is_registered() {
    if ["/etc/pkcs11/modules", "/usr/share/p11-kit/modules"].iter().any(|f| Path::new(f).join("cardea.module").exists())
    {
        return eprintln!("skipped: the module is registered for all users of this machine");
    }
    let station = Station::new(Card::Elliptic);
    problem(&station, "module-unregistered");
    let module = station.file("libcardea_pkcs11.so", "");
    station.cardea(["register", "--module", module.to_str().unwrap()]).succeeded();
    let run = station.cardea(["--json", "doctor"]).succeeded();
    assert!(finding(&run, "module-registered").is_some(), "{}", run.text);

    std::fs::remove_file(module).unwrap();
    problem(&station, "module-gone");
}

#[test]
fn a_blocked_pin_is_found_and_the_last_try_before_it() {
    let station = Station::new(Card::Elliptic);
    let content = station.file("content", "content");
    let content = content.to_str().unwrap();
    for wrong in ["111111", "222222"] {
        station.with_pins(&[wrong], &["sign", "--id", "01", content]).failed();
    }
    let run = station.cardea(["--json", "doctor"]);
    assert_eq!(finding(&run, "pin-last-try").unwrap()["level"], "note", "{}", run.text);
    station.with_pins(&["333333"], &["sign", "--id", "01", content]).failed();
    assert!(problem(&station, "pin-blocked").contains("blocked"));
    assert_eq!(code(&station.with_pins(&[PIN], &["sign", "--id", "01", content])), 9);
}
