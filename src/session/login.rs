//! C_Login, C_LoginUser, C_Logout, C_SetPIN, C_InitPIN, C_SessionCancel (PKCS#11 3.2 section 5.5 and 5.6).

use std::sync::Arc;

use super::Session;
use crate::card::Role;
use crate::error::Error;
use crate::secret::Pin;
use crate::slot::pin_pad::Interruption;
use crate::sync::Ordering;
use crate::token::login::Proof;

/// CKU_SO.
const SECURITY_OFFICER: u64 = 0;
/// CKU_USER.
const USER: u64 = 1;
/// CKU_CONTEXT_SPECIFIC.
const CONTEXT_SPECIFIC: u64 = 2;

impl Session {
    /// C_Login. `None` stands for a PIN that is typed on the reader: CKR_ARGUMENTS_BAD where it cannot be.
    pub fn login(&self, user_type: u64, pin: Option<Pin>) -> Result<(), Error> {
        let Some(pin) = pin else { return self.login_on_pad(user_type) };
        match user_type {
            USER => self.slot().log_in(self.generation(), self.handle(), Role::User, pin),
            SECURITY_OFFICER => self.slot().log_in(self.generation(), self.handle(), Role::SecurityOfficer, pin),
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

    /// C_SetPIN. Both PINs are given, or both typed on the reader.
    pub fn set_pin(&self, old: Option<Pin>, new: Option<Pin>) -> Result<(), Error> {
        match (old, new) {
            (Some(old), Some(new)) => {
                self.judge_read_write()?;
                self.slot().change_pin(self.generation(), &old, &new)
            }
            (None, None) => {
                self.judge_protected_path()?;
                self.judge_read_write()?;
                self.on_pad(|interruption| self.slot().change_pin_on_pad(self.generation(), interruption))
            }
            _ => Err(Error::ArgumentsBad),
        }
    }

    /// C_InitPIN. `None` stands for a PIN that is typed on the reader.
    pub fn init_pin(&self, new: Option<Pin>) -> Result<(), Error> {
        let Some(new) = new else {
            self.judge_protected_path()?;
            self.judge_read_write()?;
            return self.on_pad(|interruption| self.slot().init_pin_on_pad(self.generation(), interruption));
        };
        self.judge_read_write()?;
        self.slot().init_pin(self.generation(), &new)
    }

    fn judge_read_write(&self) -> Result<(), Error> {
        if self.is_read_write() { Ok(()) } else { Err(Error::SessionReadOnly) }
    }

    fn judge_protected_path(&self) -> Result<(), Error> {
        if self.slot().pin_path(self.generation())?.protected { Ok(()) } else { Err(Error::ArgumentsBad) }
    }

    /// C_SessionCancel: ends the operations that `flags` names, and any PIN entry that was begun in this session.
    pub fn cancel_all(&self, flags: u64) -> Result<(), Error> {
        self.cancellations.fetch_add(1, Ordering::AcqRel);
        self.cancel(flags).map(drop)
    }

    /// Ends the operations that `flags` names; whether any of them was active.
    pub fn cancel(&self, flags: u64) -> Result<bool, Error> {
        self.with_operations(|operations| Ok(operations.cancel(flags)))
    }

    /// Proves the PIN for the active operation whose key wants it each time.
    fn login_for_operation(&self, pin: Pin) -> Result<(), Error> {
        self.with_operations(|operations| {
            let key = operations.waiting_for_context().ok_or(Error::OperationNotInitialized)?;
            self.slot().prove(self.generation(), key.key()?, &pin)?;
            key.context = Some(Proof::Pin(pin));
            Ok(())
        })
    }

    fn login_on_pad(&self, user_type: u64) -> Result<(), Error> {
        self.judge_protected_path()?;
        let log_in = |role| {
            self.on_pad(|interruption| {
                self.slot().log_in_on_pad(self.generation(), (self.handle(), role), interruption)
            })
        };
        match user_type {
            USER => log_in(Role::User),
            SECURITY_OFFICER => log_in(Role::SecurityOfficer),
            CONTEXT_SPECIFIC => self.login_for_operation_on_pad(),
            _ => Err(Error::UserTypeInvalid),
        }
    }

    /// Other threads may use the session while its user types, so that the operation may be another by then.
    fn login_for_operation_on_pad(&self) -> Result<(), Error> {
        let (before, reference) = self.with_operations(|operations| {
            let key = operations.waiting_for_context().ok_or(Error::OperationNotInitialized)?;
            Ok::<_, Error>((key.identity(), key.key()?.reference))
        })?;
        self.on_pad(|interruption| self.slot().prove_on_pad(self.generation(), reference, interruption))?;
        self.with_operations(|operations| {
            let key = operations.waiting_for_context().filter(|key| Arc::ptr_eq(&key.identity(), &before));
            key.ok_or(Error::OperationNotInitialized)?.context = Some(Proof::Entered);
            Ok(())
        })
    }

    /// Lets `work` use the pad, with the reasons for which its result is not wanted any more.
    fn on_pad(&self, work: impl FnOnce(Interruption<'_>) -> Result<(), Error>) -> Result<(), Error> {
        let before = self.cancellations.load(Ordering::Acquire);
        work(&|| {
            if self.is_closed() || !self.slot().has_session(self.generation(), self.handle()) {
                Some(Error::SessionClosed)
            } else if self.cancellations.load(Ordering::Acquire) != before {
                Some(Error::FunctionCanceled)
            } else {
                None
            }
        })
    }
}
