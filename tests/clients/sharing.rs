//! One card with PIV and OpenPGP, and three programs at once: we with a session that stays open, OpenSC's pkcs11-tool and
//! GnuPG's scdaemon. The card drops a verified PIN when another application is selected, as most do.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Stdio};
use std::time::{Duration, Instant};

use cryptoki::context::{CInitializeArgs, CInitializeFlags};
use cryptoki::error::{Error, RvError};
use cryptoki::mechanism::Mechanism;
use cryptoki::object::{Attribute, ObjectClass, ObjectHandle};
use cryptoki::session::{Session, UserType};

use super::child;
use super::program::installed;
use super::station::Station;
use crate::budgets::OPENSC;
use crate::budgets::steps::{MODULE, load, pin};
use crate::module;

const SCDAEMON: &str = "/usr/lib/gnupg/scdaemon";
/// For how many seconds the card is shared; the variable asks for more.
const SECONDS: u64 = 20;
const ASKED: &str = "CARDEA_SHARING_SECONDS";
/// How long one of ours waits before it signs again: scdaemon loses its application to whoever comes in between two of its
/// commands, and gives up.
const PAUSE: Duration = Duration::from_millis(20);
/// How much longer a program may take for its first signature, and to start and end.
const PATIENCE: Duration = Duration::from_secs(120);
/// Identifiers of 9A and 9E.
const AUTHENTICATION: u8 = 1;
const CARD_AUTHENTICATION: u8 = 4;
/// A log line of the command by which PIV's PIN is logged out (SP 800-73-4 part 2 3.2.1), and of a selection of OpenPGP.
const LOGGED_OUT: &str = " 0020FF80";
const OPENPGP_SELECTED: &str = "D27600012401";
/// Log lines that mean that the card has forgotten everything.
const RESETS: [&str; 2] = [" reset", " power o"];
/// The configuration's `restore_login`.
const RESTORE_LOGIN: &str = "CARDEA_RESTORE_LOGIN";

fn duration() -> Duration {
    Duration::from_secs(std::env::var(ASKED).map_or(SECONDS, |seconds| seconds.parse().unwrap()))
}

#[test]
fn a_card_shared_with_opensc_and_scdaemon_serves_all_and_wants_the_pin_only_where_they_took_it() {
    if child::is_child() {
        return share();
    }
    if !installed(OPENSC, "opensc") || !installed(SCDAEMON, "scdaemon") {
        return;
    }
    let station = &Station::with_piv_and_openpgp();
    let end = Instant::now() + duration();
    let (ours, opensc, gnupg) = std::thread::scope(|scope| {
        let case = a_card_shared_with_opensc_and_scdaemon_serves_all_and_wants_the_pin_only_where_they_took_it;
        let ours = ["no", "yes"].map(|restores| {
            let variables = [(MODULE, module::path().to_str().unwrap()), (RESTORE_LOGIN, restores)];
            scope.spawn(move || child::spawn_within(duration() + PATIENCE, case, station, &variables))
        });
        let opensc = scope.spawn(|| repeat(end, || opensc_signs(station)));
        let gnupg = scope.spawn(|| repeat(end, || scdaemon_signs(station)));
        (ours.map(|ours| ours.join().unwrap()), opensc.join().unwrap(), gnupg.join().unwrap())
    });
    for ours in ours {
        println!("{}", ours.succeeded().lines_with("signatures").concat());
    }
    println!("OpenSC: {opensc}\nscdaemon: {gnupg}");
    assert!(opensc.signatures > 0 && gnupg.signatures > 0, "OpenSC: {opensc}, scdaemon: {gnupg}");
    assert_eq!(station.pin_tries(), 3);
}

/// What a program that others wrote got done.
#[derive(Default)]
struct Tally {
    signatures: u32,
    failures: BTreeMap<String, u32>,
}

impl std::fmt::Display for Tally {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{} right signatures, failures {:?}", self.signatures, self.failures)
    }
}

/// Signs until the end, and as much longer as it takes to have signed at all.
fn repeat(end: Instant, mut sign: impl FnMut() -> Result<(), String>) -> Tally {
    let mut tally = Tally::default();
    while Instant::now() < end || (tally.signatures == 0 && Instant::now() < end + PATIENCE) {
        match sign() {
            Ok(()) => tally.signatures += 1,
            Err(failure) => *tally.failures.entry(failure).or_default() += 1,
        }
    }
    tally
}

/// We, for as long as it lasts: each signature is right, or the PIN is wanted again because somebody took it. With
/// `restore_login` nobody but a reset takes it.
fn share() {
    let pkcs11 = load();
    pkcs11.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK)).unwrap();
    let slots = pkcs11.get_slots_with_token().unwrap();
    assert_eq!(slots.len(), 2, "PIV and OpenPGP");
    let sessions = slots.iter().map(|slot| pkcs11.open_ro_session(*slot).unwrap());
    let session = sessions
        .into_iter()
        .find(|session| key(session, ObjectClass::PUBLIC_KEY, CARD_AUTHENTICATION).is_some())
        .expect("the PIV token");
    let mut seen = log().len();
    session.login(UserType::User, Some(&pin())).unwrap();
    let private = [AUTHENTICATION, CARD_AUTHENTICATION].map(|id| key(&session, ObjectClass::PRIVATE_KEY, id).unwrap());
    let public = [AUTHENTICATION, CARD_AUTHENTICATION].map(|id| key(&session, ObjectClass::PUBLIC_KEY, id).unwrap());
    let restores = std::env::var(RESTORE_LOGIN).unwrap() == "yes";
    let (mut signatures, mut prompts) = (0_u32, 0_u32);
    let end = Instant::now() + duration();
    while Instant::now() < end {
        std::thread::sleep(PAUSE);
        // Every other signature is by 9E, which wants no PIN and is never refused.
        let number = (signatures % 2) as usize;
        let mut digest = [number as u8; 32];
        digest[..4].copy_from_slice(&signatures.to_be_bytes());
        match session.sign(&Mechanism::Ecdsa, private[number], &digest) {
            Ok(signature) => {
                session.verify(&Mechanism::Ecdsa, public[number], &digest, &signature).unwrap();
                signatures += 1;
            }
            Err(Error::Pkcs11(RvError::UserNotLoggedIn, _)) if number == 0 => {
                let log = log();
                let taken = if restores { was_reset(&log[seen..]) } else { was_taken(&log[seen..]) };
                assert!(taken, "the PIN is wanted again, and nobody took it:\n{}", &log[seen..]);
                prompts += 1;
                seen = log.len();
                session.login(UserType::User, Some(&pin())).unwrap();
            }
            Err(error) => panic!("signature {signatures}: {error}"),
        }
    }
    assert!(signatures > 0);
    let name = if restores { "ours with restore_login" } else { "ours" };
    println!("\n{name}: {signatures} right signatures, {prompts} prompts after the others took the PIN");
}

/// What has reached the card so far.
fn log() -> String {
    std::fs::read_to_string(std::env::var_os("CARDEA_APDU_LOG").unwrap()).unwrap()
}

/// Whether others made the card forget PIV's PIN.
fn was_taken(log: &str) -> bool {
    was_reset(log) || [LOGGED_OUT, OPENPGP_SELECTED].iter().any(|cause| log.contains(cause))
}

fn was_reset(log: &str) -> bool {
    RESETS.iter().any(|cause| log.contains(cause))
}

fn key(session: &Session, class: ObjectClass, id: u8) -> Option<ObjectHandle> {
    session.find_objects(&[Attribute::Class(class), Attribute::Id(vec![id])]).unwrap().first().copied()
}

/// OpenSC's program with OpenSC's module, from login to logout. What fails there is OpenSC's; a wrong signature is not to be.
fn opensc_signs(station: &Station) -> Result<(), String> {
    let digest = station.file("opensc-digest", [0xC5; 32]);
    let signature = station.directory().join("opensc-signature");
    let _ = std::fs::remove_file(&signature);
    let login = ["--module", OPENSC, "--login", "--pin", &station.provisioned.pin];
    let sign = ["--sign", "--id", "01", "-m", "ECDSA", "--signature-format", "openssl"];
    let files = ["-i", digest.to_str().unwrap(), "-o", signature.to_str().unwrap()];
    let run = station.run("pkcs11-tool", login.iter().chain(&sign).chain(&files));
    if !run.status.success() || !signature.exists() {
        return Err(run.lines_with("error").join("; "));
    }
    verified(station, "9a.pub.pem", &digest, &signature, &[]);
    Ok(())
}

/// scdaemon from its start to its end, with one signature by the OpenPGP key.
fn scdaemon_signs(station: &Station) -> Result<(), String> {
    let data = [0x5C; 32];
    let mut daemon = Scdaemon::start(station);
    daemon.say("SERIALNO")?;
    daemon.say(&format!("SETDATA {}", hex::encode(data)))?;
    let signature = daemon.say("PKSIGN --hash=sha512 OPENPGP.1")?;
    let (message, file) = (station.file("gnupg-data", data), station.file("gnupg-signature", signature));
    verified(station, "01.pub.pem", &message, &file, &["-rawin"]);
    Ok(())
}

/// Has openssl verify a signature.
#[track_caller]
fn verified(station: &Station, key: &str, data: &Path, signature: &Path, more: &[&str]) {
    let arguments = ["pkeyutl", "-verify", "-pubin", "-inkey", key, "-in", data.to_str().unwrap()];
    let arguments = [&arguments[..], &["-sigfile", signature.to_str().unwrap()], more].concat();
    station.run("openssl", arguments).succeeded();
}

/// scdaemon without an agent, spoken to in its own language (Assuan).
struct Scdaemon {
    process: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    pin: String,
}

impl Scdaemon {
    fn start(station: &Station) -> Self {
        let mut command = station.command(SCDAEMON);
        command.args([
            "--server",
            "--homedir",
            station.directory().to_str().unwrap(),
            "--disable-ccid",
            "--pcsc-shared",
        ]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut process = command.spawn().unwrap();
        let (input, output) = (process.stdin.take().unwrap(), BufReader::new(process.stdout.take().unwrap()));
        let mut daemon = Self { process, input, output, pin: station.provisioned.pin.clone() };
        daemon.answer().unwrap();
        daemon
    }

    /// Says a line, and the PIN where that is asked for; the data of the answer.
    fn say(&mut self, line: &str) -> Result<Vec<u8>, String> {
        writeln!(self.input, "{line}").unwrap();
        self.answer()
    }

    fn answer(&mut self) -> Result<Vec<u8>, String> {
        let mut data = Vec::new();
        loop {
            let mut line = Vec::new();
            self.output.read_until(b'\n', &mut line).unwrap();
            match line.trim_ascii_end() {
                [b'O', b'K', ..] => return Ok(data),
                [b'D', b' ', ..] => data.extend(unescaped(&line[2..line.len() - 1])),
                [b'S', b' ', ..] | [b'#', ..] => {}
                line if line.starts_with(b"INQUIRE NEEDPIN") => {
                    // The PIN ends with a zero byte.
                    writeln!(self.input, "D {}%00\nEND", self.pin).unwrap();
                }
                other => return Err(String::from_utf8_lossy(other).into_owned()),
            }
        }
    }
}

impl Drop for Scdaemon {
    fn drop(&mut self) {
        let _ = writeln!(self.input, "BYE");
        let _ = self.process.wait();
    }
}

/// Data of an Assuan line, in which some bytes are `%` and two digits.
fn unescaped(mut line: &[u8]) -> Vec<u8> {
    let mut data = Vec::new();
    while let Some((first, rest)) = line.split_first() {
        let (byte, rest) = match (first, rest) {
            (b'%', [high, low, rest @ ..]) => (hex::decode([*high, *low]).unwrap()[0], rest),
            _ => (*first, rest),
        };
        data.push(byte);
        line = rest;
    }
    data
}
