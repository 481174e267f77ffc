//! A panic in a driver ends the call and the binding of that card, and nothing else.

use std::sync::atomic::{AtomicU32, Ordering};

use cardea_apdu::Atr;
use cardea_harness::piv::PivOptions;
use cardea_harness::provision::{Layout, PIN};
use cardea_harness::reader::VirtualReader;
use cardea_pkcs11::card::driver::{Driver, Probed};
use cardea_pkcs11::card::key::PublicKey;
use cardea_pkcs11::card::{
    CardApplication, CardError, CardObject, DataReference, Description, PrivateKey, Role, SignatureScheme, piv,
};
use cardea_pkcs11::channel::Channel;
use cardea_pkcs11::configuration::Configuration;
use cardea_pkcs11::error::Error;
use cardea_pkcs11::secret::{Pin, SecretBytes};

use super::keys::{AUTHENTICATION, ecdsa, find_all};
use super::link::LocalReader;
use super::setting::{Setting, USER, VERIFY, card, library, pin};

/// Which method of the driver panics next; one test at a time owns one of the drivers below.
struct Trap(AtomicU32);

const NOWHERE: u32 = 0;
const PROBE: u32 = 1;
const DESCRIBE: u32 = 2;
const OBJECTS: u32 = 3;
const VERIFIES: u32 = 4;
const SIGN: u32 = 5;
const LOG_OUT: u32 = 6;

impl Trap {
    const fn new() -> Self {
        Self(AtomicU32::new(NOWHERE))
    }

    fn set(&self, place: u32) {
        self.0.store(place, Ordering::SeqCst);
    }

    fn step(&self, place: u32) {
        if self.0.compare_exchange(place, NOWHERE, Ordering::SeqCst, Ordering::SeqCst).is_ok() {
            panic!("the driver fell into the trap at {place}");
        }
    }
}

static EVERY_METHOD: Trap = Trap::new();
static ONE_READER: Trap = Trap::new();

static EVERY_METHOD_DRIVERS: [Driver; 1] =
    [Driver { name: "trapped PIV", hint: |_| false, probe: |c, a| probe(&EVERY_METHOD, c, a) }];
static ONE_READER_DRIVERS: [Driver; 1] =
    [Driver { name: "trapped PIV", hint: |_| false, probe: |c, a| probe(&ONE_READER, c, a) }];

fn probe(trap: &'static Trap, channel: &mut Channel<'_>, atr: &Atr) -> Probed {
    trap.step(PROBE);
    let found = piv::probe(channel, atr)?;
    Ok(found.map(|inner| Box::new(Trapped { inner, trap }) as Box<dyn CardApplication>))
}

/// The real PIV application with traps in it.
struct Trapped {
    inner: Box<dyn CardApplication>,
    trap: &'static Trap,
}

impl CardApplication for Trapped {
    fn select(&mut self, channel: &mut Channel<'_>) -> Result<(), CardError> {
        self.inner.select(channel)
    }

    fn is_selected(&mut self, channel: &mut Channel<'_>) -> Result<bool, CardError> {
        self.inner.is_selected(channel)
    }

    fn describe(&mut self, channel: &mut Channel<'_>) -> Result<Description, CardError> {
        self.trap.step(DESCRIBE);
        self.inner.describe(channel)
    }

    fn objects(&mut self, channel: &mut Channel<'_>) -> Result<Vec<CardObject>, CardError> {
        self.trap.step(OBJECTS);
        self.inner.objects(channel)
    }

    fn verify(&mut self, channel: &mut Channel<'_>, role: Role, pin: &Pin) -> Result<(), CardError> {
        let verified = self.inner.verify(channel, role, pin);
        self.trap.step(VERIFIES);
        verified
    }

    fn retries(&mut self, channel: &mut Channel<'_>, role: Role) -> Result<Option<u8>, CardError> {
        self.inner.retries(channel, role)
    }

    fn read(&mut self, channel: &mut Channel<'_>, reference: DataReference) -> Result<SecretBytes, CardError> {
        self.inner.read(channel, reference)
    }

    fn log_out(&mut self, channel: &mut Channel<'_>) -> Result<(), CardError> {
        self.trap.step(LOG_OUT);
        self.inner.log_out(channel)
    }

    fn sign(
        &mut self,
        channel: &mut Channel<'_>,
        key: &PrivateKey,
        scheme: SignatureScheme,
        input: &[u8],
    ) -> Result<Vec<u8>, CardError> {
        self.trap.step(SIGN);
        self.inner.sign(channel, key, scheme, input)
    }

    fn agree(
        &mut self,
        channel: &mut Channel<'_>,
        key: &PrivateKey,
        peer: &PublicKey,
    ) -> Result<SecretBytes, CardError> {
        self.inner.agree(channel, key, peer)
    }
}

fn logs_in_and_signs(setting: &Setting) {
    let session = setting.open();
    match session.login(USER, pin(PIN)) {
        Ok(()) | Err(Error::UserAlreadyLoggedIn) => {}
        Err(error) => panic!("{error}"),
    }
    assert!(ecdsa(&session, AUTHENTICATION).is_ok());
}

#[test]
fn a_panic_anywhere_in_the_driver_is_a_general_error_and_all_works_afterwards() {
    let setting =
        Setting::with(PivOptions::default(), &Layout::elliptic(), Configuration::default(), &EVERY_METHOD_DRIVERS);
    type Call = fn(&Setting) -> Result<(), Error>;
    let calls: [(u32, Call); 6] = [
        (PROBE, |setting| setting.token_info().map(drop)),
        (DESCRIBE, |setting| setting.library.open_session(0, true).map(drop)),
        (OBJECTS, |setting| find_all(&setting.open(), &[]).map(drop)),
        (VERIFIES, |setting| setting.open().login(USER, pin(PIN))),
        (SIGN, |setting| ecdsa(&setting.logged_in(), AUTHENTICATION).map(drop)),
        (LOG_OUT, |setting| setting.logged_in().logout()),
    ];
    for (place, call) in calls {
        setting.reader.remove();
        setting.reader.reinsert();
        EVERY_METHOD.set(place);
        assert_eq!(call(&setting), Err(Error::GeneralError), "trap {place}");
        assert_ne!(setting.pin_status(), 0x9000, "trap {place} leaves a verified PIN");
        logs_in_and_signs(&setting);
    }
}

#[test]
fn a_panic_costs_only_the_card_it_happened_with() {
    let readers: Vec<_> = (0..2)
        .map(|number| {
            let (card, _) = card(PivOptions::default(), &Layout::elliptic());
            LocalReader::new(&format!("Reader {number}"), VirtualReader::with_card(card))
        })
        .collect();
    let library = library(&readers, Configuration::default(), &ONE_READER_DRIVERS);
    let slots = library.slot_ids(true, true).unwrap();
    let sessions = [0, 1].map(|number: usize| {
        let session = library.session(library.open_session(slots[number], true).unwrap()).unwrap();
        session.login(USER, pin(PIN)).unwrap();
        assert!(ecdsa(&session, AUTHENTICATION).is_ok());
        session
    });
    readers[1].virtual_reader().clear_log();
    ONE_READER.set(SIGN);
    assert_eq!(ecdsa(&sessions[0], AUTHENTICATION), Err(Error::GeneralError));
    assert_eq!(sessions[0].info().unwrap().state, 2, "the login went with the card's binding");
    assert_eq!(sessions[1].info().unwrap().state, 3);
    assert!(ecdsa(&sessions[1], AUTHENTICATION).is_ok());
    assert_eq!(readers[1].virtual_reader().commands().len(), 1, "the other card was not asked anything anew");
    assert_ne!(readers[0].transmit_by_another(&[0, VERIFY, 0, 0x80]), [0x90, 0x00]);
    sessions[0].login(USER, pin(PIN)).unwrap();
    assert!(ecdsa(&sessions[0], AUTHENTICATION).is_ok());
    assert_eq!(library.session(sessions[0].handle()).unwrap().info().unwrap().state, 3, "the session lives on");
}
