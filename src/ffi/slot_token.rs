//! Slot and token management functions (PKCS#11 5.5).

use std::ffi::c_void;

use cryptoki_sys::*;

use super::pointer::{Out, OutList, Pointer, pin};
use super::text::{number, padded, ulong, version};
use super::{Result, in_session, in_slot};
use crate::error::Error;
use crate::library::Library;
use crate::slot::{SlotInfo, TokenInfo};

/// C_GetSlotList (5.5.1): asking for the number is what looks for new readers.
pub(super) fn slot_list(
    library: &Library,
    token_present: CK_BBOOL,
    list: Pointer<CK_SLOT_ID>,
    count: Pointer<CK_ULONG>,
) -> Result<()> {
    let out = OutList::new(list, count)?;
    let slots = library.slot_ids(token_present != CK_FALSE, out.is_query())?;
    out.write(slots.into_iter().map(ulong))
}

/// C_GetSlotInfo (5.5.2).
pub(super) fn slot_info(library: &Library, slot: CK_SLOT_ID, info: Pointer<CK_SLOT_INFO>) -> Result<()> {
    in_slot(
        library,
        slot,
        || Out::new(info),
        |slot, out| {
            let info = slot.info()?;
            out.fill(|place| slot_structure(&info, place));
            Ok(())
        },
    )
}

fn slot_structure(info: &SlotInfo, place: &mut CK_SLOT_INFO) {
    let flag = |set: bool, flag: CK_FLAGS| if set { flag } else { 0 };
    place.slotDescription = padded(&info.description);
    place.manufacturerID = padded(&info.manufacturer);
    place.flags = flag(info.token_present, CKF_TOKEN_PRESENT)
        | flag(info.removable, CKF_REMOVABLE_DEVICE)
        | flag(info.hardware, CKF_HW_SLOT);
    place.hardwareVersion = version(info.hardware_version);
    place.firmwareVersion = version(info.firmware_version);
}

/// C_GetTokenInfo (5.5.3).
pub(super) fn token_info(library: &Library, slot: CK_SLOT_ID, info: Pointer<CK_TOKEN_INFO>) -> Result<()> {
    in_slot(
        library,
        slot,
        || Out::new(info),
        |slot, out| {
            let info = slot.token_info()?;
            out.fill(|place| token_structure(&info, place));
            Ok(())
        },
    )
}

/// Sessions are limited by memory alone; memory on a card cannot be told by most cards; no card has a clock.
fn token_structure(info: &TokenInfo, place: &mut CK_TOKEN_INFO) {
    place.label = padded(&info.label);
    place.manufacturerID = padded(&info.manufacturer);
    place.model = padded(&info.model);
    place.serialNumber = padded(&info.serial);
    place.flags = ulong(info.flags);
    place.ulMaxSessionCount = CK_EFFECTIVELY_INFINITE;
    place.ulSessionCount = ulong(info.session_count);
    place.ulMaxRwSessionCount = CK_EFFECTIVELY_INFINITE;
    place.ulRwSessionCount = ulong(info.rw_session_count);
    place.ulMaxPinLen = ulong(info.max_pin);
    place.ulMinPinLen = ulong(info.min_pin);
    place.ulTotalPublicMemory = CK_UNAVAILABLE_INFORMATION;
    place.ulFreePublicMemory = CK_UNAVAILABLE_INFORMATION;
    place.ulTotalPrivateMemory = CK_UNAVAILABLE_INFORMATION;
    place.ulFreePrivateMemory = CK_UNAVAILABLE_INFORMATION;
    place.hardwareVersion = version(info.hardware);
    place.firmwareVersion = version(info.firmware);
    place.utcTime = padded("");
}

/// C_WaitForSlotEvent (5.5.4). C_Finalize in another thread ends the wait: CKR_CRYPTOKI_NOT_INITIALIZED.
pub(super) fn wait_for_slot_event(
    library: &Library,
    flags: CK_FLAGS,
    slot: Pointer<CK_SLOT_ID>,
    reserved: Pointer<c_void>,
) -> Result<()> {
    let out = Out::new(slot)?;
    reserved.reserved()?;
    let slot = library.wait_for_slot_event(flags & CKF_DONT_BLOCK == 0).map_err(|error| match error {
        Error::FunctionCanceled => Error::CryptokiNotInitialized,
        other => other,
    })?;
    out.write(ulong(slot));
    Ok(())
}

/// C_GetMechanismList (5.5.5).
pub(super) fn mechanism_list(
    library: &Library,
    slot: CK_SLOT_ID,
    list: Pointer<CK_MECHANISM_TYPE>,
    count: Pointer<CK_ULONG>,
) -> Result<()> {
    in_slot(
        library,
        slot,
        || OutList::new(list, count),
        |slot, out| out.write(slot.mechanisms()?.into_iter().map(ulong)),
    )
}

/// C_GetMechanismInfo (5.5.6).
pub(super) fn mechanism_info(
    library: &Library,
    slot: CK_SLOT_ID,
    mechanism: CK_MECHANISM_TYPE,
    info: Pointer<CK_MECHANISM_INFO>,
) -> Result<()> {
    in_slot(
        library,
        slot,
        || Out::new(info),
        |slot, out| {
            let info = slot.mechanism_info(number(mechanism))?;
            out.write(CK_MECHANISM_INFO {
                ulMinKeySize: ulong(info.min_key),
                ulMaxKeySize: ulong(info.max_key),
                flags: ulong(info.flags),
            });
            Ok(())
        },
    )
}

/// C_InitToken (5.5.7). The label is 32 bytes, padded by the caller.
pub(super) fn init_token(
    library: &Library,
    slot: CK_SLOT_ID,
    so_pin: Pointer<CK_UTF8CHAR>,
    so_pin_length: CK_ULONG,
    label: Pointer<CK_UTF8CHAR>,
) -> Result<()> {
    let arguments = || Ok((pin(so_pin, so_pin_length)?, label.cast::<[CK_UTF8CHAR; 32]>().read()?));
    in_slot(library, slot, arguments, |slot, (so_pin, label)| slot.init_token(so_pin.copy(), label))
}

/// C_InitPIN (5.5.8).
pub(super) fn init_pin(
    library: &Library,
    session: CK_SESSION_HANDLE,
    new: Pointer<CK_UTF8CHAR>,
    new_length: CK_ULONG,
) -> Result<()> {
    in_session(library, session, || pin(new, new_length), |session, new| session.init_pin(new.copy()))
}

/// C_SetPIN (5.5.9).
pub(super) fn set_pin(
    library: &Library,
    session: CK_SESSION_HANDLE,
    old: Pointer<CK_UTF8CHAR>,
    old_length: CK_ULONG,
    new: Pointer<CK_UTF8CHAR>,
    new_length: CK_ULONG,
) -> Result<()> {
    let arguments = || Ok((pin(old, old_length)?, pin(new, new_length)?));
    in_session(library, session, arguments, |session, (old, new)| session.set_pin(old.copy(), new.copy()))
}
