//! A desk: a private pcscd, one reader with a provisioned card, and the module loaded into this process.

use std::ptr;
use std::sync::{Mutex, MutexGuard};

use cardea_harness::bench::Bench;
use cardea_harness::piv::{PivCard, PivOptions};
use cardea_harness::provision::{Authority, Layout, PIN, provision};
use cardea_harness::reader::VirtualReader;
use cryptoki_sys::*;

use super::cryptoki::{Module, attribute};

/// What the reader is called.
const READER: &str = "Boundary Reader";
/// GENERAL AUTHENTICATE: the command that uses a private key (SP 800-73-4 part 2 3.2.4).
pub const GENERAL_AUTHENTICATE: u8 = 0x87;
/// Class bit of a command that is not the last of its chain (ISO 7816-4 5.4.1).
const CHAINED: u8 = 0x10;

/// The surroundings of a case.
pub struct Desk {
    pub module: Module,
    pub reader: VirtualReader,
    bench: Mutex<Bench>,
}

impl Desk {
    /// 9A RSA-2048, 9C P-256, 9D RSA-2048, 9E P-256; the module is not initialized.
    pub fn standard() -> Self {
        Self::with(&Layout::standard())
    }

    /// P-256 everywhere.
    pub fn elliptic() -> Self {
        Self::with(&Layout::elliptic())
    }

    /// A card of the case's choice. May be called once in a process.
    pub fn with(layout: &Layout) -> Self {
        let reader = VirtualReader::with_card(card(layout));
        Self::beside(Bench::start(vec![(READER, reader.clone())]), reader)
    }

    /// The module beside a bench.
    pub fn beside(bench: Bench, reader: VirtualReader) -> Self {
        // SAFETY: no thread of this process reads the environment at this time: the bench's only serve sockets.
        unsafe { std::env::set_var("PCSCLITE_CSOCK_NAME", bench.socket_path()) };
        Self { module: Module::load(), reader, bench: Mutex::new(bench) }
    }

    /// The private pcscd.
    pub fn bench(&self) -> MutexGuard<'_, Bench> {
        self.bench.lock().unwrap()
    }

    /// A card with P-256 everywhere.
    pub fn card() -> PivCard {
        card(&Layout::elliptic())
    }

    /// C_Initialize.
    pub fn initialize(&self) {
        ok!(self.module, C_Initialize, ptr::null_mut());
    }

    /// C_Finalize.
    pub fn finalize(&self) {
        ok!(self.module, C_Finalize, ptr::null_mut());
    }

    /// The slot with the card.
    pub fn slot(&self) -> CK_SLOT_ID {
        let (mut slots, mut count) = ([0; 1], 1);
        ok!(self.module, C_GetSlotList, CK_TRUE, slots.as_mut_ptr(), &raw mut count);
        assert_eq!(count, 1);
        slots[0]
    }

    /// A read-write session.
    pub fn session(&self) -> CK_SESSION_HANDLE {
        let (slot, mut session) = (self.slot(), 0);
        let flags = CKF_SERIAL_SESSION | CKF_RW_SESSION;
        ok!(self.module, C_OpenSession, slot, flags, ptr::null_mut(), None, &raw mut session);
        session
    }

    /// Logs the user in.
    pub fn log_in(&self, session: CK_SESSION_HANDLE) {
        ok!(self.module, C_Login, session, CKU_USER, PIN.as_ptr().cast_mut(), PIN.len() as CK_ULONG);
    }

    /// C_Initialize, a session, the user logged in.
    pub fn logged_in(&self) -> CK_SESSION_HANDLE {
        self.initialize();
        let session = self.session();
        self.log_in(session);
        session
    }

    /// The objects that match a template.
    pub fn find(&self, session: CK_SESSION_HANDLE, template: &[CK_ATTRIBUTE]) -> Vec<CK_OBJECT_HANDLE> {
        let (mut found, mut count) = (vec![0; 100], 0);
        ok!(self.module, C_FindObjectsInit, session, template.as_ptr().cast_mut(), template.len() as CK_ULONG);
        ok!(self.module, C_FindObjects, session, found.as_mut_ptr(), 100, &raw mut count);
        ok!(self.module, C_FindObjectsFinal, session);
        found.truncate(count as usize);
        found
    }

    /// The object of a class that belongs to a PIV key: 1 for 9A, 2 for 9C, 3 for 9D, 4 for 9E.
    pub fn object(&self, session: CK_SESSION_HANDLE, class: CK_OBJECT_CLASS, id: u8) -> CK_OBJECT_HANDLE {
        let (class, id) = (class.to_ne_bytes(), [id]);
        let found = self.find(session, &[attribute(CKA_CLASS, &class), attribute(CKA_ID, &id)]);
        assert_eq!(found.len(), 1, "objects of class {class:?} with identifier {id:?}");
        found[0]
    }

    /// An attribute of an object.
    pub fn value(&self, session: CK_SESSION_HANDLE, object: CK_OBJECT_HANDLE, kind: CK_ATTRIBUTE_TYPE) -> Vec<u8> {
        let mut asked = CK_ATTRIBUTE { type_: kind, pValue: ptr::null_mut(), ulValueLen: 0 };
        ok!(self.module, C_GetAttributeValue, session, object, &raw mut asked, 1);
        let mut value = vec![0; asked.ulValueLen as usize];
        asked.pValue = value.as_mut_ptr().cast();
        ok!(self.module, C_GetAttributeValue, session, object, &raw mut asked, 1);
        value
    }

    /// How often a private key was used since the log was cleared.
    pub fn private_key_commands(&self) -> usize {
        let commands = self.reader.commands();
        commands.iter().filter(|command| command[1] == GENERAL_AUTHENTICATE && command[0] & CHAINED == 0).count()
    }
}

fn card(layout: &Layout) -> PivCard {
    let mut card = PivCard::new(PivOptions::extended());
    provision(&mut card, layout, &Authority::default());
    card
}
