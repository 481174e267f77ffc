//! A token at which a case looks: a private pcscd, one reader, one card, and the module through C_GetFunctionList.

use std::ops::Deref;
use std::ptr;

use cardea_harness::bench::Bench;
use cardea_harness::card::VirtualCard;
use cardea_harness::myeid::{MyEidCard, MyEidLayout, MyEidOptions, provision_myeid};
use cardea_harness::piv::{PivCard, PivOptions};
use cardea_harness::provision::{Authority, Layout, provision};
use cardea_harness::reader::VirtualReader;
use cryptoki_sys::*;
use libloading::{Library, Symbol};

use crate::module;

/// The name of the reader; PC/SC appends ` 00 00`.
pub const READER: &str = "Defects Reader";

/// The surroundings of a case. Dereferences to the module's 2.40 list.
pub struct Token {
    pub reader: VirtualReader,
    pub pin: String,
    _bench: Bench,
    list: *const CK_FUNCTION_LIST,
    _library: Library,
}

impl Token {
    /// A PIV card with a P-256 key in each place; C_Initialize was called.
    pub fn piv() -> Self {
        let mut card = PivCard::new(PivOptions::default());
        let pin = provision(&mut card, &Layout::elliptic(), &Authority::default()).pin;
        Self::with(card, pin)
    }

    /// A MyEID card with an AES-256 key, identifier 48, among others; C_Initialize was called.
    pub fn myeid() -> Self {
        let mut card = MyEidCard::new(MyEidOptions::default());
        let pin = provision_myeid(&mut card, &MyEidLayout::standard(), &Authority::default()).pin;
        Self::with(card, pin)
    }

    fn with(card: impl VirtualCard + 'static, pin: String) -> Self {
        let reader = VirtualReader::with_card(card);
        let bench = Bench::start(vec![(READER, reader.clone())]);
        // SAFETY: no thread of this process reads the environment at this time: the bench's only serve sockets.
        unsafe { std::env::set_var("PCSCLITE_CSOCK_NAME", bench.socket_path()) };
        // SAFETY: a Cryptoki module has no initializer that could do harm.
        let library = unsafe { Library::new(module::path()) }.unwrap();
        let mut list: *mut CK_FUNCTION_LIST = ptr::null_mut();
        {
            // SAFETY: the specification's type for the symbol.
            let function: Symbol<'_, unsafe extern "C" fn(*mut *mut CK_FUNCTION_LIST) -> CK_RV> =
                unsafe { library.get(b"C_GetFunctionList\0") }.unwrap();
            // SAFETY: a place for the list.
            assert_eq!(unsafe { function(&raw mut list) }, CKR_OK);
        }
        let token = Self { reader, pin, _bench: bench, list, _library: library };
        ok!(token, C_Initialize, ptr::null_mut());
        token
    }

    /// C_Finalize and C_Initialize: what is known from before is forgotten.
    pub fn start_again(&self) {
        ok!(self, C_Finalize, ptr::null_mut());
        ok!(self, C_Initialize, ptr::null_mut());
    }

    /// The slots that have a token.
    pub fn slots_with_token(&self) -> Vec<CK_SLOT_ID> {
        let (mut slots, mut count) = (vec![0; 8], 8);
        ok!(self, C_GetSlotList, CK_TRUE, slots.as_mut_ptr(), &raw mut count);
        slots.truncate(usize::try_from(count).unwrap());
        slots
    }

    /// The slot with the card.
    pub fn slot(&self) -> CK_SLOT_ID {
        *self.slots_with_token().first().expect("a token")
    }

    /// A read/write session.
    pub fn session(&self) -> CK_SESSION_HANDLE {
        let (slot, mut session) = (self.slot(), 0);
        let flags = CKF_SERIAL_SESSION | CKF_RW_SESSION;
        ok!(self, C_OpenSession, slot, flags, ptr::null_mut(), None, &raw mut session);
        session
    }

    /// C_Login with any PIN.
    pub fn login(&self, session: CK_SESSION_HANDLE, user: CK_USER_TYPE, pin: &str) -> CK_RV {
        call!(self, C_Login, session, user, pin.as_ptr().cast_mut(), pin.len() as CK_ULONG)
    }

    /// A read/write session with the user logged in.
    pub fn user_session(&self) -> CK_SESSION_HANDLE {
        let session = self.session();
        assert_eq!(self.login(session, CKU_USER, &self.pin), CKR_OK, "C_Login");
        session
    }

    /// State of a session, or why there is none.
    pub fn state(&self, session: CK_SESSION_HANDLE) -> Result<CK_STATE, CK_RV> {
        let mut info = CK_SESSION_INFO::default();
        match call!(self, C_GetSessionInfo, session, &raw mut info) {
            CKR_OK => Ok(info.state),
            code => Err(code),
        }
    }

    /// The objects that match a template.
    pub fn find(&self, session: CK_SESSION_HANDLE, template: &[CK_ATTRIBUTE]) -> Vec<CK_OBJECT_HANDLE> {
        let (mut found, mut count) = (vec![0; 100], 0);
        ok!(self, C_FindObjectsInit, session, template.as_ptr().cast_mut(), template.len() as CK_ULONG);
        ok!(self, C_FindObjects, session, found.as_mut_ptr(), 100, &raw mut count);
        ok!(self, C_FindObjectsFinal, session);
        found.truncate(usize::try_from(count).unwrap());
        found
    }

    /// Commands that reached the card since the log was cleared.
    pub fn commands(&self) -> usize {
        self.reader.commands().len()
    }
}

impl Deref for Token {
    type Target = CK_FUNCTION_LIST;

    fn deref(&self) -> &CK_FUNCTION_LIST {
        // SAFETY: a static of the module, which stays loaded as long as `_library`.
        unsafe { &*self.list }
    }
}
