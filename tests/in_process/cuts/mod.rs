//! Every operation that writes, interrupted at each of its commands in each way that there is: a clear code, no try
//! lost, a list that says what the card has, nothing half-made in it, and the same operation done again works.
//!
//! What is written stands in [`operations`], on which cards in [`cards`], what goes wrong in [`interruption`].

mod cards;
mod interruption;
mod operations;
mod view;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use cardea_harness::reader::Event;
use cardea_pkcs11::card::driver::DRIVERS;
use cardea_pkcs11::configuration::Configuration;
use cardea_pkcs11::error::Error;
use cardea_pkcs11::journal::Journal;
use cardea_pkcs11::library::Library;
use cardea_pkcs11::log::Log;
use cardea_pkcs11::profile::Profiles;
use cardea_pkcs11::session::{Session, objects};

use super::link::{Desk, LocalReader};
use super::setting::{USER, pin};
use cards::{Card, Chip};
use interruption::{INTERRUPTIONS, Interruption};
use operations::Operation;
use view::{Shown, view};

/// A card in its reader.
pub struct Bench {
    card: &'static Card,
    chip: Chip,
    reader: Arc<LocalReader>,
    journal: PathBuf,
    /// What the token shows before anything is made.
    base: Vec<Shown>,
    /// What is in the card then.
    inside: Vec<Vec<u8>>,
}

impl Bench {
    fn new(card: &'static Card) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let journal = std::env::temp_dir().join(format!("cardea-cuts-{}-{number}", std::process::id()));
        let (reader, chip) = (card.make)();
        let reader = LocalReader::new("Virtual Reader 00 00", reader);
        let mut bench = Self { card, chip, reader, journal, base: Vec::new(), inside: Vec::new() };
        let program = Program::start(&bench);
        let session = program.session().unwrap();
        if let Ok(there) = operations::labelled(&session, operations::STANDARD_LABEL) {
            objects::destroy(&session, there).unwrap();
        }
        let base = view(&session).unwrap();
        program.end();
        bench.base = base;
        bench.inside = bench.look_inside();
        bench
    }

    /// What another program finds in the card, by commands that are not the driver's.
    fn look_inside(&self) -> Vec<Vec<u8>> {
        (self.card.inside)(&self.reader)
    }

    /// Keys in volatile memory, and lines in the journal.
    fn left(&self) -> (usize, usize) {
        let noted = std::fs::read_to_string(&self.journal).map_or(0, |text| text.lines().count());
        (self.chip.as_ref().map_or(0, |chip| chip.volatile_files().len()), noted)
    }

    /// PINs that were sent to the card and refused by it.
    fn refused_pins(&self) -> usize {
        let log = self.reader.virtual_reader().log();
        let refused = |event: &Event| match event {
            Event::Command { command, outcome: Ok(answer) } => {
                matches!(command[..], [_, 0x20, _, _, _, _, ..]) && !answer.ends_with(&[0x90, 0x00])
            }
            _ => false,
        };
        log.iter().filter(|entry| refused(&entry.event)).count()
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.journal);
    }
}

/// A process that writes to the card.
struct Program<'b> {
    bench: &'b Bench,
    library: Library,
}

impl<'b> Program<'b> {
    fn start(bench: &'b Bench) -> Self {
        let desk = Box::new(Desk::new(vec![Arc::clone(&bench.reader)]));
        let journal = Journal::at(bench.journal.clone());
        let (configuration, profiles) = (Configuration::default(), Profiles::default());
        let library = Library::with_profiles(desk, configuration, Log::default(), DRIVERS, profiles, journal).unwrap();
        Self { bench, library }
    }

    /// A session of whoever writes to this card.
    fn session(&self) -> Result<Arc<Session>, Error> {
        self.session_of(self.bench.card.writer)
    }

    fn session_of(&self, (role, secret): (u64, &str)) -> Result<Arc<Session>, Error> {
        let session = self.library.session(self.library.open_session(0, true)?)?;
        match session.login(role, pin(secret)) {
            Ok(()) | Err(Error::UserAlreadyLoggedIn) => Ok(session),
            Err(Error::UserAnotherAlreadyLoggedIn) => {
                session.logout()?;
                session.login(role, pin(secret)).map(|()| session)
            }
            Err(error) => Err(error),
        }
    }

    /// The same after another program has used the card, and perhaps taken the login with it.
    fn session_again(&self) -> Result<Arc<Session>, Error> {
        let session = self.session()?;
        session.logout()?;
        session.login(self.bench.card.writer.0, pin(self.bench.card.writer.1)).map(|()| session)
    }

    fn user(&self) -> Result<Arc<Session>, Error> {
        self.session_of((USER, self.bench.card.user))
    }

    /// Destroys all that was not there from the beginning.
    fn clean(&self) -> Result<(), Error> {
        let session = if self.bench.card.finds_as_user { self.user()? } else { self.session()? };
        let shown = view(&session)?;
        let session = self.session()?;
        for made in shown.iter().filter(|shown| !shown.is_public_half() && !self.bench.base.contains(shown)) {
            match objects::destroy(&session, made.handle) {
                Ok(()) | Err(Error::ObjectHandleInvalid) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn end(self) {
        let _ = self.library.close_all_sessions(0);
        self.library.finalize();
    }
}

/// What an operation does when nothing goes wrong.
struct Clean {
    commands: u32,
    result: Result<(), Error>,
    after: Vec<Shown>,
}

type Finding = String;

fn held(holds: bool, finding: impl FnOnce() -> Finding) -> Result<(), Finding> {
    if holds { Ok(()) } else { Err(finding()) }
}

/// A call of the test's own, with nothing in its way.
fn freely<T>(what: &str, result: Result<T, Error>) -> Result<T, Finding> {
    result.map_err(|error| format!("{what}: {error}"))
}

fn undisturbed(bench: &Bench, operation: &Operation) -> Result<Clean, Finding> {
    let program = Program::start(bench);
    let session = freely("login", program.session())?;
    freely("prepare", (operation.prepare)(bench.card, &session))?;
    bench.reader.virtual_reader().clear_log();
    let result = (operation.run)(bench.card, &session);
    let commands = u32::try_from(bench.reader.virtual_reader().commands().len()).unwrap();
    held(result == operation.outcome, || format!("undisturbed: {result:?}"))?;
    let after = freely("view", view(&session))?;
    freely("clean", program.clean())?;
    program.end();
    Ok(Clean { commands, result, after })
}

/// One operation with one interruption at its `nth` command; whether it was met.
fn interrupted(
    bench: &Bench,
    operation: &Operation,
    clean: &Clean,
    interruption: Interruption,
    nth: u32,
) -> Result<bool, Finding> {
    bench.reader.virtual_reader().clear_log();
    let program = Program::start(bench);
    let session = freely("login", program.session())?;
    freely("prepare", (operation.prepare)(bench.card, &session))?;
    let before = freely("view before", view(&session))?;
    interruption.arm(&bench.reader, nth);
    let result = (operation.run)(bench.card, &session);
    let met = interruption.disarm(&bench.reader);
    held(bench.refused_pins() == 0, || "a PIN try was lost".to_owned())?;
    if !met {
        held(result == clean.result, || format!("not met: {result:?}"))?;
        freely("clean", program.clean())?;
        program.end();
        return Ok(false);
    }
    if let Err(error) = result {
        let expected = clean.result == Err(error) || interruption.may_be_told_as(error);
        held(expected, || format!("told as {error}"))?;
    }
    // What this process shows, and what one finds that knows nothing of it.
    let lost = [Interruption::Reset, Interruption::SilentReset].contains(&interruption);
    let session = if lost { program.session_again() } else { program.session() };
    let session = freely("login after", session)?;
    let same = match view(&session) {
        // The card has lost the login, as shows now.
        Err(Error::UserNotLoggedIn | Error::ObjectHandleInvalid) => {
            program.session_again().and_then(|session| view(&session))
        }
        seen => seen,
    };
    let same = freely("view after", same)?;
    let other = Program::start(bench);
    let there = freely("other's view", other.session().and_then(|session| view(&session)))?;
    if !operation.is_secret {
        held(Shown::same(&same, &there), || format!("lists differ:\n    here {same:?}\n    there {there:?}"))?;
    }
    let undone = Shown::same(&there, &before);
    let done = Shown::alike(&there, &clean.after);
    match result {
        Ok(()) => held(done || operation.is_secret, || format!("OK, and not done: {there:?}"))?,
        Err(_) => {
            held(undone || done || (operation.between)(bench.card, &there), || {
                format!("half done: {there:?}\n    before {before:?}")
            })?;
            held(undone || interruption.is_lossy() || operation.is_in_steps || operation.is_secret, || {
                format!("{result:?}, and done: {there:?}")
            })?;
        }
    }
    let user = freely("user's login", other.user())?;
    for key in there.iter().filter(|shown| !before.contains(shown)) {
        freely("a key that is shown", key.serves(&user))?;
    }
    other.end();
    // The same again.
    let session = freely("login again", program.session_again())?;
    if result.is_err() {
        if !undone {
            freely("clean half", program.clean())?;
            let session = freely("login again", program.session())?;
            freely("prepare again", (operation.prepare)(bench.card, &session))?;
        }
        let session = freely("login again", program.session())?;
        let again = (operation.run)(bench.card, &session);
        held(again == clean.result, || format!("again: {again:?}"))?;
        let now = freely("view again", view(&session))?;
        held(Shown::alike(&now, &clean.after), || format!("again: {now:?}"))?;
    }
    drop(session);
    freely("clean", program.clean())?;
    let last = freely("last view", program.session().and_then(|session| view(&session)))?;
    held(Shown::same(&last, &bench.base), || format!("cleaned, and left: {last:?}"))?;
    program.end();
    held(bench.left() == (0, 0), || format!("volatile keys and lines of the journal: {:?}", bench.left()))?;
    let inside = bench.look_inside();
    held(inside == bench.inside, || format!("left in the card: {inside:02X?}\n    before {:02X?}", bench.inside))?;
    Ok(true)
}

/// Interruptions at the commands of every operation on this card: all of them where the environment variable
/// `CARDEA_CUTS` is `all`, otherwise one of `card.share`, so that each way and each command has its turn.
fn interrupt_everywhere(card: &'static Card) {
    let all = std::env::var("CARDEA_CUTS").is_ok_and(|wish| wish == "all");
    let share = if all { 1 } else { card.share };
    let mut findings = Vec::new();
    let mut bench = Bench::new(card);
    for (turn, operation) in (0..).zip(card.operations) {
        let mut clean =
            undisturbed(&bench, operation).unwrap_or_else(|finding| panic!("{}: {finding}", operation.name));
        for (way, interruption) in (0..).zip(INTERRUPTIONS) {
            for nth in (1..=clean.commands).filter(|nth| (nth + way + turn) % share == 0) {
                if let Err(finding) = interrupted(&bench, operation, &clean, interruption, nth) {
                    findings.push(format!("{}, {interruption:?} at {nth}: {finding}", operation.name));
                    bench = Bench::new(card);
                    clean = undisturbed(&bench, operation).unwrap();
                }
            }
        }
    }
    assert!(findings.is_empty(), "{}: {} findings\n{}", card.name, findings.len(), findings.join("\n"));
}

#[test]
fn a_myeid_keeps_its_order_whatever_interrupts_a_write() {
    interrupt_everywhere(&cards::MYEID);
}

#[test]
fn an_openpgp_card_keeps_its_order_whatever_interrupts_a_write() {
    interrupt_everywhere(&cards::OPENPGP);
}

#[test]
fn a_yubikey_keeps_its_order_whatever_interrupts_a_write() {
    interrupt_everywhere(&cards::YUBIKEY);
}

#[test]
fn a_piv_card_keeps_its_order_whatever_interrupts_a_write() {
    interrupt_everywhere(&cards::PIV);
}
