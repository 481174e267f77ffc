//! C_Login, C_LoginUser, C_Logout, C_SetPIN, C_InitPIN, C_SessionCancel (PKCS#11 3.2 section 5.5 and 5.6).

use super::Session;
use crate::card::Role;
use crate::error::Error;
use crate::secret::Pin;

/// CKU_SO.
const SECURITY_OFFICER: u64 = 0;
/// CKU_USER.
const USER: u64 = 1;
/// CKU_CONTEXT_SPECIFIC.
const CONTEXT_SPECIFIC: u64 = 2;

impl Session {
    /// C_Login. `None` stands for a PIN entered at the reader, which no reader here offers yet.
    pub fn login(&self, user_type: u64, pin: Option<Pin>) -> Result<(), Error> {
        let pin = pin.ok_or(Error::ArgumentsBad)?;
        match user_type {
            USER => self.slot().log_in(self.generation(), Role::User, pin),
            SECURITY_OFFICER => self.slot().log_in(self.generation(), Role::SecurityOfficer, pin),
            CONTEXT_SPECIFIC => self.login_for_operation(pin),
            _ => Err(Error::UserTypeInvalid),
        }
    }

    /// C_LoginUser: tokens here have no user names, so only the empty name is the user's.
    pub fn login_user(&self, user_type: u64, pin: Option<Pin>, username: &[u8]) -> Result<(), Error> {
        if username.is_empty() { self.login(user_type, pin) } else { Err(Error::UserTypeInvalid) }
    }

    /// C_Logout.
    pub fn logout(&self) -> Result<(), Error> {
        self.slot().log_out(self.generation())
    }

    /// C_SetPIN.
    pub fn set_pin(&self, old: Option<Pin>, new: Option<Pin>) -> Result<(), Error> {
        let (old, new) = old.zip(new).ok_or(Error::ArgumentsBad)?;
        if !self.is_read_write() {
            return Err(Error::SessionReadOnly);
        }
        self.slot().change_pin(self.generation(), &old, &new)
    }

    /// C_InitPIN.
    pub fn init_pin(&self, new: Option<Pin>) -> Result<(), Error> {
        let new = new.ok_or(Error::ArgumentsBad)?;
        if !self.is_read_write() {
            return Err(Error::SessionReadOnly);
        }
        self.slot().init_pin(self.generation(), &new)
    }

    /// C_SessionCancel: ends the operations that `flags` names; whether any of them was active.
    pub fn cancel(&self, flags: u64) -> Result<bool, Error> {
        self.with_operations(|operations| Ok(operations.cancel(flags)))
    }

    /// Proves the PIN for the active operation whose key wants it each time.
    fn login_for_operation(&self, pin: Pin) -> Result<(), Error> {
        self.with_operations(|operations| {
            let key = operations.waiting_for_context().ok_or(Error::OperationNotInitialized)?;
            self.slot().prove(self.generation(), &pin)?;
            key.context = Some(pin);
            Ok(())
        })
    }
}
