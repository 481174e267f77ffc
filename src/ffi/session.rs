//! Session management functions (PKCS#11 5.6).

use std::ffi::c_void;

use cryptoki_sys::*;

use super::pointer::{InBuffer, Out, OutBuffer, Pointer, pin};
use super::results::Failure;
use super::text::{number, ulong};
use super::{Result, in_session};
use crate::error::Error;
use crate::library::Library;
use crate::session::state;

/// C_OpenSession (5.6.1). Nothing here takes long enough to surrender, so the callback is never called.
pub(super) fn open(
    library: &Library,
    slot: CK_SLOT_ID,
    flags: CK_FLAGS,
    _application: Pointer<c_void>,
    _notify: CK_NOTIFY,
    session: Pointer<CK_SESSION_HANDLE>,
) -> Result<(), Failure> {
    let out = Out::new(session)?;
    library.slot(number(slot))?;
    if flags & CKF_SERIAL_SESSION == 0 {
        return Err(Error::SessionParallelNotSupported.into());
    }
    if flags & CKF_ASYNC_SESSION != 0 {
        return Err(Failure::AsyncNotSupported);
    }
    out.write(ulong(library.open_session(number(slot), flags & CKF_RW_SESSION != 0)?));
    Ok(())
}

/// C_CloseSession (5.6.2).
pub(super) fn close(library: &Library, session: CK_SESSION_HANDLE) -> Result<()> {
    library.close_session(number(session))
}

/// C_CloseAllSessions (5.6.3).
pub(super) fn close_all(library: &Library, slot: CK_SLOT_ID) -> Result<()> {
    library.close_all_sessions(number(slot))
}

/// C_GetSessionInfo (5.6.4).
pub(super) fn info(library: &Library, session: CK_SESSION_HANDLE, info: Pointer<CK_SESSION_INFO>) -> Result<()> {
    in_session(
        library,
        session,
        || Out::new(info),
        |session, out| {
            let info = session.info()?;
            let read_write = if info.read_write { CKF_RW_SESSION } else { 0 };
            out.write(CK_SESSION_INFO {
                slotID: ulong(info.slot),
                state: ulong(info.state),
                flags: CKF_SERIAL_SESSION | read_write,
                ulDeviceError: ulong(info.device_error),
            });
            Ok(())
        },
    )
}

/// C_SessionCancel (3.0 5.6.5).
pub(super) fn cancel(library: &Library, session: CK_SESSION_HANDLE, flags: CK_FLAGS) -> Result<()> {
    in_session(library, session, || Ok(()), |session, ()| session.cancel_all(number(flags)))
}

/// C_GetOperationState (5.6.6).
pub(super) fn operation_state(
    library: &Library,
    session: CK_SESSION_HANDLE,
    state: Pointer<CK_BYTE>,
    state_length: Pointer<CK_ULONG>,
) -> Result<()> {
    let arguments = || OutBuffer::new(state, state_length);
    in_session(library, session, arguments, |session, out| out.answer(state::save(session, out.capacity())?))
}

/// C_SetOperationState (5.6.7).
pub(super) fn set_operation_state(
    library: &Library,
    session: CK_SESSION_HANDLE,
    state: Pointer<CK_BYTE>,
    state_length: CK_ULONG,
    encryption_key: CK_OBJECT_HANDLE,
    authentication_key: CK_OBJECT_HANDLE,
) -> Result<()> {
    in_session(
        library,
        session,
        || InBuffer::new(state, state_length),
        |session, saved| state::restore(session, saved.as_slice(), number(encryption_key), number(authentication_key)),
    )
}

/// C_Login (5.6.8). A null PIN is entered on the reader.
pub(super) fn login(
    library: &Library,
    session: CK_SESSION_HANDLE,
    user: CK_USER_TYPE,
    pin_value: Pointer<CK_UTF8CHAR>,
    pin_length: CK_ULONG,
) -> Result<()> {
    let arguments = || pin(pin_value, pin_length);
    in_session(library, session, arguments, |session, pin| session.login(number(user), pin.copy()))
}

/// C_LoginUser (3.0 5.6.9).
pub(super) fn login_user(
    library: &Library,
    session: CK_SESSION_HANDLE,
    user: CK_USER_TYPE,
    pin_value: Pointer<CK_UTF8CHAR>,
    pin_length: CK_ULONG,
    name: Pointer<CK_UTF8CHAR>,
    name_length: CK_ULONG,
) -> Result<()> {
    let arguments = || Ok((pin(pin_value, pin_length)?, InBuffer::new(name, name_length)?));
    in_session(library, session, arguments, |session, (pin, name)| {
        session.login_user(number(user), pin.copy(), name.as_slice())
    })
}

/// C_Logout (5.6.10).
pub(super) fn logout(library: &Library, session: CK_SESSION_HANDLE) -> Result<()> {
    in_session(library, session, || Ok(()), |session, ()| session.logout())
}

/// C_GetSessionValidationFlags (3.2 5.6.11). No token here has validation objects, so that the last operation of a session was
/// never made as one of them says.
pub(super) fn validation_flags(
    library: &Library,
    session: CK_SESSION_HANDLE,
    kind: CK_SESSION_VALIDATION_FLAGS_TYPE,
    flags: Pointer<CK_FLAGS>,
) -> Result<()> {
    let arguments = || match kind {
        CKS_LAST_VALIDATION_OK => Out::new(flags),
        _ => Err(Error::ArgumentsBad),
    };
    in_session(library, session, arguments, |_, flags| {
        flags.write(0);
        Ok(())
    })
}
