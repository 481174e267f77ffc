//! Closing while the card is pulled, reset, silent, out of memory or out of reach at each command of the deletion, alone
//! and in the middle of another thread's operation: listed codes, a session that is closed, and no key left on the card
//! after the next use.

use std::sync::Arc;
use std::sync::mpsc::channel;
use std::time::Duration;

use cardea_harness::myeid::PIN;
use cardea_harness::reader::{Action, Fault};
use cardea_pkcs11::error::Error;
use cardea_pkcs11::library::Library;
use cardea_pkcs11::mechanism::{AesMode, Mechanism};
use cardea_pkcs11::pcsc::LinkError;
use cardea_pkcs11::session::{Session, encrypt, objects};

use super::keys::{find_all, private, signature};
use super::setting::{USER, pin};
use super::writing::{Setting, elliptic_pair, volatile_key};

/// CKA_ID of the card's RSA key.
const RSA: u8 = 0x45;
/// More commands than any deletion has.
const MOST: u32 = 60;
/// A case that takes longer hangs.
const LONGEST: Duration = Duration::from_secs(300);

/// How session objects end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Destroy,
    Close,
    CloseAll,
    Logout,
    Finalize,
}

const WAYS: [Way; 5] = [Way::Destroy, Way::Close, Way::CloseAll, Way::Logout, Way::Finalize];

/// What goes wrong meanwhile.
#[derive(Debug, Clone)]
enum Trouble {
    Card(Action),
    Link(LinkError),
}

fn troubles() -> Vec<Trouble> {
    let refused = |status: u16| Action::Respond(status.to_be_bytes().to_vec());
    let card = [
        Action::RemoveCard,
        Action::RemoveCardAfter,
        Action::ResetCard,
        Action::Mute,
        Action::LoseResponse,
        refused(0x6F00),
        refused(0x6A84),
        refused(0x6982),
        Action::Garbage { length: 7, seed: 1 },
    ];
    let link = [LinkError::Communication, LinkError::Reset, LinkError::NoService];
    card.into_iter().map(Trouble::Card).chain(link.into_iter().map(Trouble::Link)).collect()
}

impl Trouble {
    /// Strikes at the `nth` command from now.
    fn arm(&self, setting: &Setting, nth: u32) {
        match self {
            Self::Card(action) => setting.reader.virtual_reader().fault(Fault::at(nth, action.clone())),
            Self::Link(error) => setting.reader.fail_link(nth, *error),
        }
    }

    /// Whether it struck; it does so no more.
    fn disarm(&self, setting: &Setting) -> bool {
        match self {
            Self::Card(_) => {
                let met = setting.reader.virtual_reader().pending_faults() == 0;
                setting.reader.virtual_reader().clear_faults();
                met
            }
            Self::Link(_) => !setting.reader.has_trouble(),
        }
    }
}

/// The codes of PKCS#11 3.2 sections 5.6.2, 5.6.3, 5.6.11, 5.7.3 that a fault may come to.
fn listed(way: Way, error: Error) -> bool {
    let of_all = [Error::DeviceError, Error::DeviceMemory, Error::DeviceRemoved, Error::FunctionFailed];
    of_all.contains(&error)
        || match way {
            Way::Close => [Error::SessionClosed, Error::SessionHandleInvalid].contains(&error),
            Way::CloseAll => error == Error::TokenNotPresent,
            Way::Logout => [Error::UserNotLoggedIn, Error::SessionClosed, Error::SessionHandleInvalid].contains(&error),
            Way::Destroy => {
                [Error::ObjectHandleInvalid, Error::SessionClosed, Error::SessionHandleInvalid].contains(&error)
            }
            Way::Finalize => false,
        }
}

/// A program with one card: another session that uses the token, and one with two keys in the volatile memory.
struct Program {
    library: Library,
    keeper: Arc<Session>,
    session: Arc<Session>,
    secret: u64,
}

impl Program {
    fn start(setting: &Setting) -> Self {
        let library = setting.afresh();
        let open = || library.session(library.open_session(0, true).unwrap()).unwrap();
        let (keeper, session) = (open(), open());
        keeper.login(USER, pin(PIN)).unwrap();
        find_all(&keeper, &[]).unwrap();
        let secret = volatile_key(&session, 16).unwrap();
        elliptic_pair(&session, &[]).unwrap();
        assert_eq!(setting.left(), (2, 2));
        Self { library, keeper, session, secret }
    }

    fn end(&self, way: Way) -> Result<(), Error> {
        match way {
            Way::Destroy => objects::destroy(&self.session, self.secret),
            Way::Close => self.library.close_session(self.session.handle()),
            Way::CloseAll => self.library.close_all_sessions(0),
            Way::Logout => self.session.logout(),
            Way::Finalize => {
                self.library.finalize();
                Ok(())
            }
        }
    }

    /// What holds at once, whatever went wrong.
    fn has_ended(&self, way: Way, result: Result<(), Error>, name: &str) {
        if let Err(error) = result {
            assert!(listed(way, error), "{name}: {error}");
        }
        if way != Way::Destroy && way != Way::Logout {
            let after = self.library.session(self.session.handle()).err();
            assert_eq!(after, Some(Error::SessionHandleInvalid), "{name}: the session is open");
        }
        let step = encrypt::init(&self.session, Mechanism::Aes(AesMode::Ecb), self.secret);
        assert!(step.is_err(), "{name}: the key is still there");
        if way == Way::Logout
            && let Ok(info) = self.keeper.info()
        {
            assert_eq!(info.state, 2, "{name}: logged in");
        }
    }

    /// The next use, here and by a process that comes after this one: nothing is left on the card and in the journal.
    fn leaves_nothing(self, setting: &Setting, way: Way, name: &str) {
        setting.reader.reinsert();
        if way != Way::Finalize {
            let again = self.library.session(self.library.open_session(0, true).unwrap()).unwrap();
            let _ = again.login(USER, pin(PIN));
            self.library.close_all_sessions(0).unwrap_or_else(|error| panic!("{name}: the next use: {error}"));
        } else {
            let next = setting.afresh();
            let again = next.session(next.open_session(0, true).unwrap()).unwrap();
            again.login(USER, pin(PIN)).unwrap_or_else(|error| panic!("{name}: the next login: {error}"));
            next.close_all_sessions(0).unwrap_or_else(|error| panic!("{name}: the next use: {error}"));
        }
        assert_eq!(setting.left(), (0, 0), "{name}: keys on the card and in the journal");
    }
}

/// Runs a case in a thread of its own, which must come to an end.
fn within_reason(case: impl FnOnce() + Send + 'static) {
    let (done, ended) = channel();
    let thread = std::thread::spawn(move || {
        case();
        done.send(()).unwrap();
    });
    match ended.recv_timeout(LONGEST) {
        Err(std::sync::mpsc::RecvTimeoutError::Timeout) => panic!("it hangs"),
        _ => thread.join().unwrap_or_else(|cause| std::panic::resume_unwind(cause)),
    }
}

fn at_each_command(name: &str, way: Way, alone: bool) {
    let setting = Setting::new(name);
    within_reason(move || {
        // Without the service nobody else has the card either.
        let real = |trouble: &Trouble| alone || !matches!(trouble, Trouble::Link(LinkError::NoService));
        for trouble in troubles().into_iter().filter(real) {
            for nth in 1..=MOST {
                let name = format!("{way:?} with {trouble:?} at command {nth}, alone: {alone}");
                let program = Program::start(&setting);
                let another = (!alone).then(|| setting.reader.connect_another());
                trouble.arm(&setting, nth);
                let result = program.end(way);
                let met = trouble.disarm(&setting);
                program.has_ended(way, result, &name);
                program.leaves_nothing(&setting, way, &name);
                drop(another);
                assert!(met || result.is_ok(), "{name}: {result:?} without a fault");
                assert!(nth < MOST, "{name}: there is no end of commands");
                if !met {
                    break;
                }
            }
        }
    });
}

#[test]
fn a_fault_at_any_command_of_a_destruction_leaves_no_key() {
    at_each_command("fault-destroy", Way::Destroy, true);
    at_each_command("fault-destroy-shared", Way::Destroy, false);
}

#[test]
fn a_fault_at_any_command_of_closing_leaves_no_key_and_no_session() {
    at_each_command("fault-close", Way::Close, true);
    at_each_command("fault-close-shared", Way::Close, false);
}

#[test]
fn a_fault_at_any_command_of_closing_all_leaves_no_key_and_no_session() {
    at_each_command("fault-all", Way::CloseAll, true);
    at_each_command("fault-all-shared", Way::CloseAll, false);
}

#[test]
fn a_fault_at_any_command_of_a_logout_leaves_no_key_and_no_login() {
    at_each_command("fault-logout", Way::Logout, true);
    at_each_command("fault-logout-shared", Way::Logout, false);
}

#[test]
fn a_fault_at_any_command_of_the_end_of_the_library_leaves_no_key() {
    at_each_command("fault-finalize", Way::Finalize, true);
    at_each_command("fault-finalize-shared", Way::Finalize, false);
}

/// What the other thread is doing; codes are judged by [`step_may_say`].
type Step = (&'static str, fn(&Program) -> Result<(), Error>);

const STEPS: &[Step] = &[
    ("signs", |program| {
        let key = private(&program.keeper, RSA).ok_or(Error::KeyHandleInvalid)?;
        signature(&program.keeper, Mechanism::RsaPkcs, key, b"message").map(drop)
    }),
    ("encrypts with the key", |program| {
        encrypt::init(&program.keeper, Mechanism::Aes(AesMode::Cbc { iv: [3; 16] }), program.secret)?;
        encrypt::update(&program.keeper, &[7; 32], Some(32))?;
        encrypt::update(&program.keeper, &[7; 32], Some(32)).map(drop)
    }),
    ("encrypts in the session itself", |program| {
        encrypt::init(&program.session, Mechanism::Aes(AesMode::Cbc { iv: [3; 16] }), program.secret)?;
        encrypt::update(&program.session, &[7; 32], Some(32)).map(drop)
    }),
    ("generates a key in the session itself", |program| volatile_key(&program.session, 16).map(drop)),
    ("generates a pair", |program| elliptic_pair(&program.keeper, &[]).map(drop)),
    ("logs in again", |program| {
        let _ = program.keeper.logout();
        program.keeper.login(USER, pin(PIN))
    }),
];

fn step_may_say(error: Error) -> bool {
    [
        Error::DeviceError,
        Error::DeviceMemory,
        Error::DeviceRemoved,
        Error::FunctionFailed,
        Error::KeyHandleInvalid,
        Error::OperationNotInitialized,
        Error::SessionClosed,
        Error::SessionHandleInvalid,
        Error::UserNotLoggedIn,
        Error::UserAlreadyLoggedIn,
    ]
    .contains(&error)
}

#[test]
fn closing_in_the_middle_of_another_threads_operation_with_a_fault_leaves_no_key() {
    let setting = Setting::new("fault-middle");
    within_reason(move || {
        let troubles = troubles();
        for (turn, (name, step)) in STEPS.iter().enumerate() {
            for (number, way) in WAYS.into_iter().enumerate() {
                // The step stands at its command `at`; the fault comes so many commands later.
                for at in 1..=4 {
                    for later in 0..4 {
                        let trouble =
                            &troubles[(turn + 5 * number + 3 * at as usize + later as usize) % troubles.len()];
                        let name = format!("{way:?} while another {name}, at {at}, {trouble:?} {later} later");
                        in_the_middle(&setting, *step, way, (at, at + 1 + later), trouble, &name);
                    }
                }
            }
        }
    });
}

fn in_the_middle(
    setting: &Setting,
    step: fn(&Program) -> Result<(), Error>,
    way: Way,
    (at, then): (u32, u32),
    trouble: &Trouble,
    name: &str,
) {
    let program = Program::start(setting);
    let reader = setting.reader.virtual_reader();
    reader.clear_log();
    reader.fault(Fault::at(at, Action::Delay(Duration::from_millis(4))));
    trouble.arm(setting, then);
    let result = std::thread::scope(|scope| {
        let running = scope.spawn(|| step(&program));
        while reader.commands().len() < at as usize && !running.is_finished() {
            std::thread::yield_now();
        }
        let result = program.end(way);
        if let Err(error) = running.join().unwrap() {
            assert!(step_may_say(error), "{name}: the other says {error}");
        }
        result
    });
    reader.clear_faults();
    setting.reader.has_trouble();
    if let Err(error) = result {
        assert!(listed(way, error), "{name}: {error}");
    }
    if way == Way::Logout || way == Way::Destroy {
        let _ = program.library.close_session(program.session.handle());
    }
    assert!(program.library.session(program.session.handle()).is_err(), "{name}: the session is open");
    program.leaves_nothing(setting, way, name);
}

#[test]
fn an_operation_that_runs_when_its_key_goes_finishes_its_step_and_has_no_next() {
    let setting = Setting::new("fault-tidy");
    let program = Program::start(&setting);
    let reader = setting.reader.virtual_reader();
    let update = || encrypt::update(&program.keeper, &[7; 32], Some(32));
    encrypt::init(&program.keeper, Mechanism::Aes(AesMode::Cbc { iv: [3; 16] }), program.secret).unwrap();
    reader.fault(Fault::at(1, Action::Delay(Duration::from_millis(100))));
    std::thread::scope(|scope| {
        let running = scope.spawn(|| update().map(drop));
        while reader.pending_faults() > 0 {
            std::thread::yield_now();
        }
        program.library.close_session(program.session.handle()).unwrap();
        assert_eq!(running.join().unwrap(), Ok(()), "the card had the command");
    });
    reader.clear_log();
    assert_eq!(update().err(), Some(Error::OperationNotInitialized));
    assert_eq!(reader.commands().len(), 0, "a key that is gone costs no command");
    // And the next operation of the same kind is not in the way of anything.
    let next = volatile_key(&program.keeper, 16).unwrap();
    encrypt::init(&program.keeper, Mechanism::Aes(AesMode::Ecb), next).unwrap();
}

#[test]
fn a_deletion_that_the_card_refused_is_made_up_for_after_the_next_login() {
    let setting = Setting::new("fault-next-login");
    let program = Program::start(&setting);
    // The logout is the card's: nobody but the user may delete there.
    setting.reader.virtual_reader().fault(Fault::on(0xE4, Action::Respond(vec![0x69, 0x82])).times(9));
    assert_eq!(program.session.logout(), Err(Error::DeviceError));
    setting.reader.virtual_reader().clear_faults();
    assert_eq!(setting.left(), (2, 2));
    program.session.login(USER, pin(PIN)).unwrap();
    assert_eq!(setting.left(), (0, 0));
}

/// Two programs with one card: the first loses its key in a reset that nobody has told it of, and the second makes its
/// own in the same place.
fn displaced(name: &str, check: fn(&Program, &Program)) {
    let setting = Setting::new(name);
    let first = Program::start(&setting);
    setting.reader.reset_by_another();
    std::fs::remove_file(&setting.journal).unwrap();
    let second = Program::start(&setting);
    check(&first, &second);
    let made = encrypt::init(&second.keeper, Mechanism::Aes(AesMode::Ecb), second.secret);
    assert_eq!(made, Ok(()));
    assert!(encrypt::encrypt(&second.keeper, &[7; 16], Some(16)).is_ok(), "the other's key is untouched");
    assert_eq!(setting.chip.volatile_files().len(), 2);
}

#[test]
fn closing_after_a_reset_deletes_nothing_of_another_program() {
    displaced("displaced-close", |first, _| first.library.close_session(first.session.handle()).unwrap());
    displaced("displaced-destroy", |first, _| {
        let _ = objects::destroy(&first.session, first.secret);
    });
}

#[test]
fn a_key_that_a_reset_took_is_not_another_programs_in_its_place() {
    displaced("displaced-use", |first, _| {
        encrypt::init(&first.keeper, Mechanism::Aes(AesMode::Ecb), first.secret).unwrap();
        assert_eq!(encrypt::encrypt(&first.keeper, &[7; 16], Some(16)).err(), Some(Error::UserNotLoggedIn));
        let next = encrypt::init(&first.keeper, Mechanism::Aes(AesMode::Ecb), first.secret);
        assert_eq!(next, Err(Error::KeyHandleInvalid));
    });
}
