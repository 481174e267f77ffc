//! A Library before the card, what an application does with it, and what must hold whatever the order.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use cardea_pkcs11::configuration::Configuration;
use cardea_pkcs11::error::Error;
use cardea_pkcs11::journal::Journal;
use cardea_pkcs11::library::Library;
use cardea_pkcs11::log::Log;
use cardea_pkcs11::mechanism::symmetric::SecretKind;
use cardea_pkcs11::mechanism::{AesMode, Mechanism};
use cardea_pkcs11::object::template::Template;
use cardea_pkcs11::profile::Profiles;
use cardea_pkcs11::secret::Pin;
use cardea_pkcs11::session::{Session, encrypt, generate, search, sign};
use cryptoki_sys::*;
use shuttle::scheduler::{PctScheduler, RandomScheduler};
use shuttle::thread::JoinHandle;
use shuttle::{Config, Runner};
use zeroize::Zeroizing;

use super::chip::Chip;
use super::driver::DRIVERS;

/// Orders of each kind for each test.
const SCHEDULES: usize = 200;
const SEED: u64 = 0x0C4A_2DEA;
/// Changes of priority that a probabilistic concurrency test tries at once.
const DEPTH: usize = 4;
/// CKU_USER.
const USER: u64 = 1;
/// CKS_RW_PUBLIC_SESSION.
pub const PUBLIC: u64 = 2;

/// Runs `body` in many orders: some drawn step by step, some with a few changes between long stretches.
pub fn in_many_orders(body: impl Fn() + Send + Sync + 'static) {
    let number = std::env::var("SCHEDULES").ok().and_then(|number| number.parse().ok()).unwrap_or(SCHEDULES);
    let body = Arc::new(body);
    let config = || {
        let mut config = Config::new();
        config.stack_size = 0x10_0000;
        config
    };
    let run = Arc::clone(&body);
    Runner::new(RandomScheduler::new_from_seed(SEED, number), config()).run(move || run());
    Runner::new(PctScheduler::new_from_seed(SEED, DEPTH, number), config()).run(move || body());
}

/// A Library, its card, and its journal, shared by the threads of one order.
pub struct Setting {
    pub library: Library,
    pub chip: Chip,
    journal: PathBuf,
}

impl Setting {
    pub fn new() -> Arc<Self> {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let name = format!("cardea-schedules-{}-{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
        // In memory where there is such a place: the journal is written through.
        let folder =
            Some(PathBuf::from("/dev/shm")).filter(|memory| memory.is_dir()).unwrap_or_else(std::env::temp_dir);
        let (chip, journal) = (Chip::new(), folder.join(name));
        let library = Library::with_profiles(
            Box::new(chip.clone()),
            Configuration::default(),
            Log::default(),
            DRIVERS,
            Profiles::default(),
            Journal::at(journal.clone()),
        );
        Arc::new(Self { library: library.unwrap(), chip, journal })
    }

    pub fn open(&self) -> Result<Arc<Session>, Error> {
        self.library.session(self.library.open_session(0, true)?)
    }

    pub fn logged_in(&self) -> Arc<Session> {
        let session = self.open().unwrap();
        log_in(&session).unwrap();
        session
    }

    pub fn close(&self, session: &Session) -> Result<(), Error> {
        self.library.close_session(session.handle())
    }

    pub fn count(&self) -> u64 {
        self.library.slot(0).unwrap().token_info().unwrap().session_count
    }

    /// Lines of the journal.
    pub fn lines(&self) -> usize {
        std::fs::read_to_string(&self.journal).map_or(0, |text| text.lines().count())
    }

    /// Runs what one thread does beside others.
    pub fn spawn<R: Send + 'static>(self: &Arc<Self>, work: impl FnOnce(&Self) -> R + Send + 'static) -> JoinHandle<R> {
        let setting = Arc::clone(self);
        shuttle::thread::spawn(move || work(&setting))
    }

    /// Each key in the card's volatile memory has its line in the journal, and each line its key.
    pub fn keeps_books(&self) {
        let keys = self.chip.held().keys.len();
        assert_eq!(self.lines(), keys, "lines in the journal, keys on the card");
    }

    /// Without a session nothing of ours is on the card, and nobody is kept from it.
    pub fn has_left(&self) {
        let held = self.chip.held();
        assert!(!held.verified, "a PIN is verified and no session open");
        assert_eq!(held.connections, 0, "a connection stays");
        assert!(held.keys.is_empty(), "keys stay: {:?}", held.keys);
        drop(held);
        assert_eq!(self.lines(), 0, "lines in the journal");
    }

    /// A fresh session is public, works, and leaves nothing.
    pub fn works_again(&self) {
        let before = self.count();
        let session = self.open().unwrap();
        if before == 0 {
            assert_eq!(session.info().unwrap().state, PUBLIC, "a session after all others is public");
        }
        match log_in(&session) {
            Ok(()) | Err(Error::UserAlreadyLoggedIn) => {}
            Err(error) => panic!("the next login: {error}"),
        }
        assert_eq!(sign(&session), Ok(()), "the next signature");
        self.library.close_all_sessions(0).unwrap();
        assert_eq!(self.count(), 0);
        self.has_left();
    }
}

impl Drop for Setting {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.journal);
    }
}

pub fn log_in(session: &Session) -> Result<(), Error> {
    session.login(USER, Some(Pin::new(b"123456")))
}

fn template(attributes: &[(CK_ATTRIBUTE_TYPE, &[u8])]) -> Template {
    Template::new(attributes.iter().map(|(attribute, value)| (*attribute, Zeroizing::new(value.to_vec()))).collect())
}

/// The handle of the card's private key.
pub fn private(session: &Session) -> Result<u64, Error> {
    search::find_init(session, template(&[(CKA_CLASS, &CKO_PRIVATE_KEY.to_ne_bytes())]))?;
    let found = search::find(session, 1);
    search::find_final(session)?;
    found?.first().copied().ok_or(Error::KeyHandleInvalid)
}

/// A signature by the card's private key.
pub fn sign(session: &Session) -> Result<(), Error> {
    let key = private(session)?;
    sign_with(session, key)
}

pub fn sign_with(session: &Session, key: u64) -> Result<(), Error> {
    sign::init(session, Mechanism::Ecdsa, key)?;
    sign::sign(session, &[7; 32], Some(64)).map(drop)
}

/// A key in the card's volatile memory.
pub fn make_key(session: &Session) -> Result<u64, Error> {
    let wish = template(&[
        (CKA_VALUE_LEN, &16_u64.to_ne_bytes()),
        (CKA_SENSITIVE, &[1]),
        (CKA_EXTRACTABLE, &[0]),
        (CKA_TOKEN, &[0]),
    ]);
    generate::key(session, Mechanism::Generate(SecretKind::Aes), wish)
}

/// A use of such a key.
pub fn encipher(session: &Session, key: u64) -> Result<(), Error> {
    encrypt::init(session, Mechanism::Aes(AesMode::Ecb), key)?;
    encrypt::encrypt(session, &[7; 16], Some(16)).map(drop)
}

/// Whether a call that raced came to one of these.
#[track_caller]
pub fn one_of(result: Result<(), Error>, listed: &[Error]) {
    if let Err(error) = result {
        assert!(listed.contains(&error), "{error:?} is not listed");
    }
}
