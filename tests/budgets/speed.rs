//! Warm signatures per second, as ratios: to the same GENERAL AUTHENTICATE by bare SCardTransmit on the same bench, and to
//! OpenSC. Nothing is asserted about time: `make bench` prints it.

use std::path::Path;
use std::time::Instant;

use cryptoki::context::{CInitializeArgs, CInitializeFlags};
use cryptoki::mechanism::Mechanism;
use cryptoki::session::{Session, UserType};
use pcsc::{Context, Disposition, Protocols, Scope, ShareMode};

use super::OPENSC;
use super::steps::{MODULE, load, pin, private};
use crate::clients::child;
use crate::clients::keys::{self, Algorithm, Key, Purpose};
use crate::clients::station::{Card, Station};
use crate::module;

/// Measured signatures; as many again go before to warm up.
const ROUNDS: u32 = 100;
/// The module's name for a child that uses none.
const BARE: &str = "bare";
/// What a line with a rate begins with.
const MARK: &str = "rate\t";

#[test]
#[ignore = "a measurement, for make bench"]
fn warm_signatures_are_compared_with_bare_commands_and_with_opensc() {
    if child::is_child() {
        return match std::env::var(MODULE).unwrap().as_str() {
            BARE => bare(),
            _ => through_module(),
        };
    }
    let measure = |module: &str| {
        let station = Station::new(Card::Standard);
        let run = child::spawn(
            warm_signatures_are_compared_with_bare_commands_and_with_opensc,
            &station,
            &[(MODULE, module)],
        )
        .succeeded();
        rates(&run.text)
    };
    let (bare, ours) = (measure(BARE), measure(module::path().to_str().unwrap()));
    let opensc = if Path::new(OPENSC).is_file() { measure(OPENSC) } else { Vec::new() };
    println!("\n{:<24} {:>14} {:>18} {:>16}", "warm signatures", "Cardea per s", "to bare commands", "to OpenSC 0.23");
    for (name, rate) in ours {
        let ratio = |others: &[(String, f64)]| {
            others
                .iter()
                .find(|(other, _)| *other == name)
                .map_or("-".to_owned(), |(_, other)| format!("{:.2}", rate / other))
        };
        println!("{name:<24} {rate:>14.0} {:>18} {:>16}", ratio(&bare), ratio(&opensc));
    }
}

fn rates(text: &str) -> Vec<(String, f64)> {
    let lines = text.lines().filter_map(|line| line.split_once(MARK));
    lines
        .filter_map(|(_, rest)| rest.split_once('\t'))
        .map(|(name, rate)| (name.to_owned(), rate.parse().unwrap()))
        .collect()
}

/// Runs `sign` until it is warm, then measures it.
fn rate(name: &str, mut sign: impl FnMut()) {
    (0..ROUNDS).for_each(|_| sign());
    let start = Instant::now();
    (0..ROUNDS).for_each(|_| sign());
    println!("\n{MARK}{name}\t{}", f64::from(ROUNDS) / start.elapsed().as_secs_f64());
}

/// 9A and 9E, which sign without asking for a PIN each time.
fn signers() -> impl Iterator<Item = (&'static Key, &'static str)> {
    let keys = keys::on(Card::Standard).iter().filter(|key| key.purpose == Purpose::Sign && !key.each_time);
    keys.map(|key| (key, if matches!(key.algorithm, Algorithm::Rsa(_)) { "RSA-2048" } else { "P-256" }))
}

fn through_module() {
    let pkcs11 = load();
    pkcs11.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK)).unwrap();
    let slot = pkcs11.get_slots_with_token().unwrap()[0];
    let session: Session = pkcs11.open_ro_session(slot).unwrap();
    session.login(UserType::User, Some(&pin())).unwrap();
    for (key, name) in signers() {
        let handle = private(&session, key);
        let (mechanism, data) =
            if name == "P-256" { (Mechanism::Ecdsa, vec![7; 32]) } else { (Mechanism::RsaPkcs, vec![7; 51]) };
        rate(name, || drop(session.sign(&mechanism, handle, &data).unwrap()));
    }
}

fn bare() {
    let context = Context::establish(Scope::System).unwrap();
    let reader = context.list_readers_owned().unwrap().remove(0);
    let card = context.connect(&reader, ShareMode::Shared, Protocols::ANY).unwrap();
    let mut buffer = vec![0; 66_000];
    let mut transmit = |command: &[u8]| {
        let answer = card.transmit(command, &mut buffer).unwrap();
        assert!(answer.ends_with(&[0x90, 0x00]), "{answer:02X?}");
    };
    transmit(&[0x00, 0xA4, 0x04, 0x00, 0x05, 0xA0, 0x00, 0x00, 0x03, 0x08, 0x00]);
    transmit(&[&[0x00, 0x20, 0x00, 0x80, 0x08][..], b"123456\xFF\xFF"].concat());
    for (_, name) in signers() {
        let command = general_authenticate(name);
        rate(name, || transmit(&command));
    }
    card.disconnect(Disposition::LeaveCard).map_err(|(_, error)| error).unwrap();
}

/// GENERAL AUTHENTICATE of an extended length (SP 800-73-4 part 2 3.2.4): 7C { 82 empty, 81 input }.
fn general_authenticate(name: &str) -> Vec<u8> {
    let (algorithm, reference, input) = match name {
        "P-256" => (0x11, 0x9E, vec![7; 32]),
        // PKCS#1 v1.5 of 51 bytes
        _ => (0x07, 0x9A, [&[0, 1][..], &[0xFF; 202], &[0], &[7; 51]].concat()),
    };
    let length = u16::try_from(input.len()).unwrap().to_be_bytes();
    let inner = [&[0x82, 0x00, 0x81, 0x82][..], &length, &input].concat();
    let data = [&[0x7C, 0x82][..], &u16::try_from(inner.len()).unwrap().to_be_bytes(), &inner].concat();
    let lc = u16::try_from(data.len()).unwrap().to_be_bytes();
    [&[0x00, 0x87, algorithm, reference, 0x00][..], &lc, &data, &[0x00, 0x00]].concat()
}
