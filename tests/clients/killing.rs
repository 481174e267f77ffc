//! Programs that are killed in the middle of making keys on MyEID cards, over the real pcscd: whoever uses the card
//! next leaves no key that nobody was told of.

use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use cardea_harness::bench::Bench;
use cardea_harness::myeid::{MyEidCard, MyEidLayout, MyEidOptions, MyEidProbe, PIN, provision_myeid};
use cardea_harness::provision::Authority;
use cardea_harness::reader::VirtualReader;
use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::mechanism::Mechanism;
use cryptoki::object::{Attribute, KeyType, ObjectClass};
use cryptoki::session::{Session, UserType};
use cryptoki::types::AuthPin;

use super::child::is_child;
use crate::module;

const CASE: &str = "clients::killing::two_hundred_killed_processes_leave_no_key_longer_than_until_the_next_use";
pub const READER: &str = "Cardea Virtual Reader";
/// Processes that are killed, on all cards together.
const KILLED: usize = 200;
/// Cards, each with a pcscd of its own.
const CARDS: usize = 4;
/// One in so many is killed before it says that it is ready.
const EARLY: u64 = 8;
/// Within so many microseconds a process is killed: the time of a few keys.
const LONGEST: u64 = 60_000;
/// What the keys are called.
const LABEL: &str = "made to be killed";
/// What a process says when it has used the card and makes no key yet.
const READY: &str = "ready to be killed";
/// DER OBJECT IDENTIFIER of P-256.
const P256: [u8; 10] = [0x06, 0x08, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x03, 0x01, 0x07];

/// Uses the card, and then makes keys of all kinds until it is killed.
fn make_keys() {
    let pkcs11 = Pkcs11::new(module::path()).unwrap();
    pkcs11.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK)).unwrap();
    let slot = pkcs11.get_slots_with_token().unwrap()[0];
    let keeper = pkcs11.open_rw_session(slot).unwrap();
    keeper.login(UserType::User, Some(&AuthPin::new(PIN.into()))).unwrap();
    destroy_lasting(&keeper);
    println!("\n{READY}");
    assert!(std::io::stdin().read_line(&mut String::new()).unwrap() > 0);
    // Half of them begin with lasting keys.
    for turn in std::process::id().. {
        let session = pkcs11.open_rw_session(slot).unwrap();
        let lasting = turn % 2 == 1;
        make_pair(&session, lasting);
        make_secret(&session, lasting);
        bring(&session, lasting);
        session.close().unwrap();
        if lasting {
            destroy_lasting(&keeper);
        }
    }
}

/// A private key with a value from outside.
fn bring(session: &Session, lasting: bool) {
    let wish = [
        Attribute::Class(ObjectClass::PRIVATE_KEY),
        Attribute::KeyType(KeyType::EC),
        Attribute::EcParams(P256.to_vec()),
        Attribute::Value(vec![0x11; 32]),
        Attribute::Token(lasting),
        Attribute::Label(LABEL.into()),
    ];
    session.create_object(&wish).unwrap();
}

pub fn make_pair(session: &Session, lasting: bool) {
    let public = [Attribute::EcParams(P256.to_vec()), Attribute::Token(lasting), Attribute::Label(LABEL.into())];
    let private = [Attribute::Token(lasting), Attribute::Label(LABEL.into())];
    session.generate_key_pair(&Mechanism::EccKeyPairGen, &public, &private).unwrap();
}

pub fn make_secret(session: &Session, lasting: bool) {
    let wish = [
        Attribute::ValueLen(16.into()),
        Attribute::Sensitive(true),
        Attribute::Extractable(false),
        Attribute::Token(lasting),
        Attribute::Label(LABEL.into()),
    ];
    session.generate_key(&Mechanism::AesKeyGen, &wish).unwrap();
}

/// Destroys what an earlier process was told that it had made, and what the card lists.
fn destroy_lasting(session: &Session) {
    for class in [ObjectClass::PRIVATE_KEY, ObjectClass::SECRET_KEY] {
        let wanted = [Attribute::Token(true), Attribute::Class(class), Attribute::Label(LABEL.into())];
        for key in session.find_objects(&wanted).unwrap() {
            session.destroy_object(key).unwrap();
        }
    }
}

/// A process, which does not outlive the test.
pub struct Victim {
    child: Child,
    answers: BufReader<ChildStdout>,
}

impl Victim {
    pub fn start(bench: &Bench, case: &str) -> Self {
        let mut command: Command = bench.command(std::env::current_exe().unwrap());
        let home = bench.directory();
        command.current_dir(home).env("HOME", home).env("XDG_CONFIG_HOME", home).env("XDG_STATE_HOME", home);
        command.args([case, "--exact", "--nocapture", "--test-threads=1"]).env("CARDEA_TEST_CHILD", "1");
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let answers = BufReader::new(child.stdout.take().unwrap());
        Self { child, answers }
    }

    /// Waits until it says this.
    pub fn await_line(&mut self, wanted: &str) {
        let mut line = String::new();
        while line.trim_end() != wanted {
            line.clear();
            assert!(self.answers.read_line(&mut line).unwrap() > 0, "it ended by itself");
        }
    }

    pub fn go_on(&mut self) {
        self.child.stdin.as_mut().unwrap().write_all(b"\n").unwrap();
    }
}

impl Drop for Victim {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// SplitMix64.
struct Random(u64);

impl Random {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (bits ^ (bits >> 31)) % end
    }
}

/// What there was at the moment of death, by the number of processes.
#[derive(Default)]
struct Met {
    starting: AtomicUsize,
    volatile: AtomicUsize,
    lasting: AtomicUsize,
    line: AtomicUsize,
}

/// A card and its journal.
pub struct Place {
    pub bench: Bench,
    pub chip: MyEidProbe,
    journal: PathBuf,
}

impl Place {
    pub fn new() -> Self {
        let mut card = MyEidCard::new(MyEidOptions::default());
        provision_myeid(&mut card, &MyEidLayout::standard(), &Authority::default());
        let chip = card.probe();
        let bench = Bench::start(vec![(READER, VirtualReader::with_card(card))]);
        let journal = bench.directory().join("cardea/volatile-objects");
        Self { bench, chip, journal }
    }

    pub fn journal(&self) -> String {
        std::fs::read_to_string(&self.journal).unwrap_or_default()
    }
}

/// Kills so many processes, one after the other; each finds the card clean of what the one before has left.
fn kill_in_turn(killed: usize, seed: u64, met: &Met) {
    let place = Place::new();
    let before = place.chip.key_files();
    let mut random = Random(seed);
    let judge = |victim: &mut Victim, round| {
        victim.await_line(READY);
        let context = || format!("round {round} of seed {seed:#018x}");
        assert_eq!(place.chip.volatile_files(), [0; 0], "{}", context());
        assert_eq!(place.chip.key_files(), before, "{}", context());
        assert_eq!(place.journal(), "", "{}", context());
    };
    for round in 0..killed {
        let mut victim = Victim::start(&place.bench, CASE);
        let early = random.below(EARLY) == 0;
        let moment = Duration::from_micros(random.below(LONGEST));
        if !early {
            judge(&mut victim, round);
            victim.go_on();
        }
        let moment = Instant::now() + moment;
        while Instant::now() < moment {
            std::thread::sleep(Duration::from_micros(100));
        }
        victim.child.kill().unwrap();
        let (volatile, all) = (place.chip.volatile_files().len(), place.chip.key_files().len());
        for (counter, is_met) in [
            (&met.starting, early),
            (&met.volatile, volatile > 0),
            (&met.lasting, all - volatile > before.len()),
            (&met.line, !place.journal().is_empty()),
        ] {
            counter.fetch_add(usize::from(is_met), Ordering::Relaxed);
        }
        victim.child.wait().unwrap();
    }
    judge(&mut Victim::start(&place.bench, CASE), killed);
}

#[test]
fn two_hundred_killed_processes_leave_no_key_longer_than_until_the_next_use() {
    if is_child() {
        return make_keys();
    }
    let seed = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_nanos() as u64;
    println!("seed {seed:#018x}");
    let met = Met::default();
    std::thread::scope(|scope| {
        for card in 0..CARDS as u64 {
            let met = &met;
            scope.spawn(move || kill_in_turn(KILLED / CARDS, seed.wrapping_add(card), met));
        }
    });
    let Met { starting, volatile, lasting, line } = met;
    println!(
        "of {KILLED} processes {starting:?} were starting, {volatile:?} had keys of a session on the card, {lasting:?} \
         lasting ones, and {line:?} lines in the journal"
    );
}
