//! The part of the C interface (`ifdhandler.h` of PC/SC Lite) that versions 2.0 and 3.0 have in common.
//!
//! pcscd owns every buffer it passes and serialises the calls for one reader, except for the wait for a card movement,
//! which runs on that reader's polling thread beside them.
#![allow(unsafe_code, non_snake_case)]

use std::ffi::{c_int, c_long, c_uchar, c_ulong};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;

use crate::protocol::{
    IFD_COMMUNICATION_ERROR, IFD_ERROR_INSUFFICIENT_BUFFER, IFD_ERROR_TAG, IFD_ICC_NOT_PRESENT, IFD_NO_SUCH_DEVICE,
    IFD_NOT_SUPPORTED, IFD_SUCCESS, PowerAction, Request, Response, TAG_IFD_POLLING_THREAD_KILLABLE,
    TAG_IFD_POLLING_THREAD_WITH_TIMEOUT, TAG_IFD_SIMULTANEOUS_ACCESS, TAG_IFD_SLOT_THREAD_SAFE, TAG_IFD_SLOTS_NUMBER,
    TAG_IFD_STOP_POLLING_THREAD, TAG_IFD_THREAD_SAFE,
};
use crate::reader;

/// `IFD_POWER_UP`.
const IFD_POWER_UP: Dword = 500;
/// `IFD_POWER_DOWN`.
const IFD_POWER_DOWN: Dword = 501;
/// `IFD_RESET`.
const IFD_RESET: Dword = 502;
/// `MAX_ATR_SIZE`.
const MAX_ATR_SIZE: usize = 33;

/// `DWORD` of pcsclite on Linux.
pub type Dword = c_ulong;
/// `RESPONSECODE`.
pub type ResponseCode = c_long;

/// `SCARD_IO_HEADER`.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct IoHeader {
    /// 0 for T=0, 1 for T=1.
    pub protocol: Dword,
    /// Not used.
    pub length: Dword,
}

/// Runs `body`; a panic becomes a communication error instead of the end of the daemon.
pub(crate) fn guard(body: impl FnOnce() -> u32) -> ResponseCode {
    ResponseCode::from(catch_unwind(AssertUnwindSafe(body)).unwrap_or(IFD_COMMUNICATION_ERROR))
}

/// Opens the reader behind the socket at `path`.
pub(crate) fn open(lun: Dword, path: PathBuf) -> u32 {
    let name = path.display().to_string();
    match reader::open(lun, path) {
        Ok(()) => IFD_SUCCESS,
        Err(error) => {
            reader::log(&format!("no reader at {name}: {error}"));
            IFD_NO_SUCH_DEVICE
        }
    }
}

/// The answer of the reader behind `lun`; `vanished` stands in for one that cannot be reached.
pub(crate) fn ask(lun: Dword, request: &Request, vanished: u32) -> Response {
    let Some(reader) = reader::find(lun) else {
        return Response::failure(IFD_NO_SUCH_DEVICE);
    };
    reader.exchange(request).unwrap_or_else(|| Response::failure(vanished))
}

/// The caller's bytes; none for a null pointer.
///
/// # Safety
/// `data` is null or points to `length` readable bytes.
pub(crate) unsafe fn input(data: *const c_uchar, length: Dword) -> Vec<u8> {
    match usize::try_from(length) {
        Ok(length) if !data.is_null() => {
            // SAFETY: promised by the caller of this function.
            unsafe { std::slice::from_raw_parts(data, length) }.to_vec()
        }
        _ => Vec::new(),
    }
}

/// Copies `bytes` out and stores their number; stores 0 and fails when `capacity` is smaller.
///
/// # Safety
/// `buffer` is null or points to `capacity` writable bytes; `length` is null or points to a writable `Dword`.
pub(crate) unsafe fn output(bytes: &[u8], buffer: *mut c_uchar, capacity: Dword, length: *mut Dword) -> u32 {
    let fits = Dword::try_from(bytes.len()).is_ok_and(|needed| needed <= capacity);
    let written = if fits && !buffer.is_null() { bytes.len() } else { 0 };
    if written > 0 {
        // SAFETY: `written` is at most `capacity`, and the buffers are distinct: one is ours.
        unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), buffer, written) };
    }
    if !length.is_null() {
        // SAFETY: not null, and writable as promised by the caller of this function.
        unsafe { length.write(Dword::try_from(written).unwrap_or(0)) };
    }
    if written == bytes.len() { IFD_SUCCESS } else { IFD_ERROR_INSUFFICIENT_BUFFER }
}

/// The number behind a length pointer; 0 for a null pointer.
///
/// # Safety
/// `length` is null or points to a readable `Dword`.
pub(crate) unsafe fn capacity(length: *const Dword) -> Dword {
    if length.is_null() {
        return 0;
    }
    // SAFETY: not null, and readable as promised by the caller of this function.
    unsafe { length.read() }
}

/// Releases the reader.
#[unsafe(no_mangle)]
pub extern "C" fn IFDHCloseChannel(lun: Dword) -> ResponseCode {
    guard(|| if reader::close(lun) { IFD_SUCCESS } else { IFD_NO_SUCH_DEVICE })
}

/// Answers what concerns the driver, asks the reader for the rest.
///
/// Whether the reader announces card movements itself is the reader's answer to
/// `TAG_IFD_POLLING_THREAD_WITH_TIMEOUT`; the address of the function that waits for them is the driver's.
///
/// # Safety
/// `length` points to a `Dword` with the size of the buffer at `value`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn IFDHGetCapabilities(
    lun: Dword,
    tag: Dword,
    length: *mut Dword,
    value: *mut c_uchar,
) -> ResponseCode {
    guard(|| {
        let Ok(tag) = u32::try_from(tag) else {
            return IFD_ERROR_TAG;
        };
        let answer = match tag {
            TAG_IFD_SIMULTANEOUS_ACCESS => Response::success(vec![u8::MAX]),
            TAG_IFD_THREAD_SAFE | TAG_IFD_SLOT_THREAD_SAFE | TAG_IFD_SLOTS_NUMBER => Response::success(vec![1]),
            TAG_IFD_POLLING_THREAD_KILLABLE => Response::success(vec![0]),
            TAG_IFD_STOP_POLLING_THREAD => {
                let function: extern "C" fn(Dword) -> ResponseCode = stop_waiting;
                Response::success((function as usize).to_ne_bytes().to_vec())
            }
            _ => ask(lun, &Request::Capability { tag }, IFD_COMMUNICATION_ERROR),
        };
        if answer.status != IFD_SUCCESS {
            return answer.status;
        }
        let payload = if tag == TAG_IFD_POLLING_THREAD_WITH_TIMEOUT {
            let function: extern "C" fn(Dword, c_int) -> ResponseCode = await_movement;
            (function as usize).to_ne_bytes().to_vec()
        } else {
            answer.payload
        };
        // SAFETY: `length` is readable, as promised by pcscd.
        let capacity = unsafe { capacity(length) };
        // SAFETY: `value` holds as many bytes as `length` says, as promised by pcscd.
        unsafe { output(&payload, value, capacity, length) }
    })
}

/// Passes an attribute to the reader.
///
/// # Safety
/// `value` points to `length` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn IFDHSetCapabilities(
    lun: Dword,
    tag: Dword,
    length: Dword,
    value: *const c_uchar,
) -> ResponseCode {
    guard(|| {
        let Ok(tag) = u32::try_from(tag) else {
            return IFD_ERROR_TAG;
        };
        // SAFETY: `value` holds `length` bytes, as promised by pcscd.
        let value = unsafe { input(value, length) };
        ask(lun, &Request::SetCapability { tag, value }, IFD_COMMUNICATION_ERROR).status
    })
}

/// Passes the protocol choice to the reader.
#[unsafe(no_mangle)]
pub extern "C" fn IFDHSetProtocolParameters(
    lun: Dword,
    protocol: Dword,
    flags: c_uchar,
    pts1: c_uchar,
    pts2: c_uchar,
    pts3: c_uchar,
) -> ResponseCode {
    guard(|| {
        let Ok(protocol) = u8::try_from(protocol) else {
            return IFD_NOT_SUPPORTED;
        };
        let request = Request::SetProtocol { protocol, parameters: [flags, pts1, pts2, pts3] };
        ask(lun, &request, IFD_COMMUNICATION_ERROR).status
    })
}

/// Powers the card up or down, or resets it, and hands the ATR over.
///
/// # Safety
/// `atr` is null or points to `MAX_ATR_SIZE` bytes; `atr_length` is null or points to a `Dword`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn IFDHPowerICC(
    lun: Dword,
    action: Dword,
    atr: *mut c_uchar,
    atr_length: *mut Dword,
) -> ResponseCode {
    guard(|| {
        let action = match action {
            IFD_POWER_UP => PowerAction::Up,
            IFD_POWER_DOWN => PowerAction::Down,
            IFD_RESET => PowerAction::Reset,
            _ => return IFD_NOT_SUPPORTED,
        };
        let answer = ask(lun, &Request::Power(action), IFD_COMMUNICATION_ERROR);
        if answer.payload.len() > MAX_ATR_SIZE {
            return IFD_COMMUNICATION_ERROR;
        }
        // SAFETY: `atr` is null or holds MAX_ATR_SIZE bytes, and the payload is no longer.
        let copied = unsafe { output(&answer.payload, atr, MAX_ATR_SIZE as Dword, atr_length) };
        if answer.status == IFD_SUCCESS && !atr.is_null() { copied } else { answer.status }
    })
}

/// One command and its response.
///
/// # Safety
/// `command` points to `command_length` bytes; `response` to as many as `response_length` says; `received` is null or
/// writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn IFDHTransmitToICC(
    lun: Dword,
    send: IoHeader,
    command: *const c_uchar,
    command_length: Dword,
    response: *mut c_uchar,
    response_length: *mut Dword,
    received: *mut IoHeader,
) -> ResponseCode {
    guard(|| {
        // SAFETY: `command` holds `command_length` bytes, as promised by pcscd.
        let command = unsafe { input(command, command_length) };
        // SAFETY: `response_length` is readable, as promised by pcscd.
        let capacity = unsafe { capacity(response_length) };
        let protocol = u8::try_from(send.protocol).unwrap_or(u8::MAX);
        let answer = ask(lun, &Request::Transmit { protocol, command }, IFD_COMMUNICATION_ERROR);
        // SAFETY: `response` holds `capacity` bytes, as promised by pcscd.
        let copied = unsafe { output(&answer.payload, response, capacity, response_length) };
        if !received.is_null() {
            // SAFETY: not null, and writable as promised by pcscd.
            unsafe { received.write(IoHeader { protocol: send.protocol, length: 0 }) };
        }
        if answer.status == IFD_SUCCESS { copied } else { answer.status }
    })
}

/// Whether a card is in the reader; a reader that cannot be reached holds none.
#[unsafe(no_mangle)]
pub extern "C" fn IFDHICCPresence(lun: Dword) -> ResponseCode {
    guard(|| ask(lun, &Request::Presence, IFD_ICC_NOT_PRESENT).status)
}

/// pcscd's polling thread waits here, at most `timeout` milliseconds.
extern "C" fn await_movement(lun: Dword, timeout: c_int) -> ResponseCode {
    guard(|| match reader::find(lun) {
        Some(reader) => reader.await_movement(u32::try_from(timeout).unwrap_or(0)),
        None => IFD_NO_SUCH_DEVICE,
    })
}

/// Ends the wait of the polling thread, before pcscd joins it.
extern "C" fn stop_waiting(lun: Dword) -> ResponseCode {
    guard(|| match reader::find(lun) {
        Some(reader) => {
            reader.stop_waiting();
            IFD_SUCCESS
        }
        None => IFD_NO_SUCH_DEVICE,
    })
}
