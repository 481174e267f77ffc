//! The C ABI of Cryptoki, PKCS#11 2.40, 3.0, 3.1 and 3.2: one file per chapter of the specification.
//!
//! Every function of the table in `function_list` is judged in one order, which `call`, `in_session` and `in_slot`
//! give by construction:
//!
//! 1. `CKR_CRYPTOKI_NOT_INITIALIZED`, compared by process before any lock is taken;
//! 2. the session — `CKR_SESSION_HANDLE_INVALID`, which has precedence over what 5.1.6 lists (5.1.7);
//! 3. the arguments themselves — null pointers, lengths, reserved pointers — `CKR_ARGUMENTS_BAD`;
//! 4. the slot — `CKR_SLOT_ID_INVALID`;
//! 5. everything else: what mechanisms and templates say, then the call itself. A function that the module does not
//!    have yet answers `CKR_FUNCTION_NOT_SUPPORTED` here and no earlier.
//!
//! A chapter copies in, calls the floor below, and copies out. No panic crosses into C, and a result is one that the
//! specification lists for the function (`results`). The panic hook is the host's: it prints messages, which hold
//! indices and lengths and never a caller's bytes.

mod cell;
mod decrypt;
mod digest;
mod dual;
mod encrypt;
mod function_list;
mod general;
mod interface;
mod key;
mod mechanism;
mod message;
mod object;
mod parallel;
mod pointer;
mod random;
mod results;
mod session;
mod sign;
mod slot_token;
mod template;
mod text;
mod verify;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use cryptoki_sys::*;

use crate::error::Error;
use crate::library::Library;
use crate::log::Level;
use crate::mechanism::Mechanism;
use crate::session::Session;
use crate::slot::Slot;
use mechanism::MechanismArgument;
use pointer::Pointer;
use results::{Failure, Results};
use text::number;

/// What the chapters return.
type Result<T, E = Error> = std::result::Result<T, E>;

/// What the table knows of a function.
struct Function {
    name: &'static str,
    results: Results,
}

impl Function {
    /// The code for the caller, and the line of the trace.
    fn finish(&self, library: &Library, outcome: Result<(), Failure>) -> CK_RV {
        let full = outcome.as_ref().map_or_else(Failure::rv, |()| CKR_OK);
        let rv = self.results.narrow(full);
        let name = self.name;
        if rv == full {
            library.log().line(Level::Calls, format_args!("{name} = {rv:#010x}"));
        } else {
            library.log().line(Level::Calls, format_args!("{name} = {rv:#010x} (for {full:#010x})"));
        }
        rv
    }
}

/// Runs a function of the table that needs the Library.
fn call<E: Into<Failure>>(function: &Function, body: impl FnOnce(&Library) -> Result<(), E>) -> CK_RV {
    guarded(|| {
        let library = cell::library().map_err(|error| error.rv())?;
        // A panic of the body is a result like any other here, so that the trace has its line.
        let outcome = catch_unwind(AssertUnwindSafe(|| body(&library).map_err(Into::into)));
        Ok(function.finish(&library, outcome.unwrap_or(Err(Error::GeneralError.into()))))
    })
}

/// Runs a function that makes or ends a Library, and is traced by the one that `body` gives.
fn lifecycle(function: &Function, body: impl FnOnce() -> Result<Arc<Library>>) -> CK_RV {
    guarded(|| {
        let library = body().map_err(|error| function.results.narrow(error.rv()))?;
        Ok(function.finish(&library, Ok(())))
    })
}

/// Runs a function that works before C_Initialize.
fn stateless(function: &Function, body: impl FnOnce() -> Result<()>) -> CK_RV {
    guarded(|| body().map(|()| CKR_OK).map_err(|error| function.results.narrow(error.rv())))
}

/// No panic unwinds into C.
fn guarded(body: impl FnOnce() -> Result<CK_RV, CK_RV>) -> CK_RV {
    catch_unwind(AssertUnwindSafe(body)).map_or(CKR_GENERAL_ERROR, |result| result.unwrap_or_else(|rv| rv))
}

/// Judges the session, then the arguments, then runs `body`.
fn in_session<T>(
    library: &Library,
    session: CK_SESSION_HANDLE,
    arguments: impl FnOnce() -> Result<T>,
    body: impl FnOnce(&Session, T) -> Result<()>,
) -> Result<()> {
    let session = library.session(number(session))?;
    body(&session, arguments()?)
}

/// `in_session` for a step of the operation `kind`: bad arguments end it, as every outcome does but an answer to a
/// length query and CKR_BUFFER_TOO_SMALL (PKCS#11 5.2).
fn in_operation<T>(
    library: &Library,
    session: CK_SESSION_HANDLE,
    kind: CK_FLAGS,
    arguments: impl FnOnce() -> Result<T>,
    body: impl FnOnce(&Session, T) -> Result<()>,
) -> Result<()> {
    let session = library.session(number(session))?;
    let arguments = arguments().inspect_err(|_| {
        // What is wrong with the arguments is reported, whatever becomes of the operation.
        let _ = session.cancel(number(kind));
    })?;
    body(&session, arguments)
}

/// Judges the arguments, then the slot, then runs `body`.
fn in_slot<T>(
    library: &Library,
    slot: CK_SLOT_ID,
    arguments: impl FnOnce() -> Result<T>,
    body: impl FnOnce(&Slot, T) -> Result<()>,
) -> Result<()> {
    let arguments = arguments()?;
    let slot = library.slot(number(slot))?;
    body(&slot, arguments)
}

/// A function that the module does not have: arguments and session are judged all the same.
fn not_supported<T>(
    library: &Library,
    session: CK_SESSION_HANDLE,
    arguments: impl FnOnce() -> Result<T>,
) -> Result<()> {
    in_session(library, session, arguments, |_, _| Err(Error::FunctionNotSupported))
}

/// C_…Init: a mechanism starts the operation, a null mechanism ends the one of that kind (PKCS#11 3.0 5.8.1).
fn init(
    library: &Library,
    session: CK_SESSION_HANDLE,
    mechanism: Pointer<CK_MECHANISM>,
    kind: CK_FLAGS,
    start: impl FnOnce(&Session, Mechanism) -> Result<()>,
) -> Result<()> {
    let arguments = || MechanismArgument::optional(mechanism);
    in_session(library, session, arguments, |session, mechanism| match mechanism {
        Some(mechanism) => start(session, mechanism.read()?),
        None if session.cancel(number(kind))? => Ok(()),
        None => Err(Error::ArgumentsBad),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[allow(clippy::panic)]
    fn a_panic_ends_the_call_and_not_the_program() {
        assert_eq!(guarded(|| panic!("on purpose")), CKR_GENERAL_ERROR);
        let function = Function { name: "C_Test", results: Results::Library(&[]) };
        assert_eq!(stateless(&function, || panic!("on purpose")), CKR_GENERAL_ERROR);
    }
}
