//! What the C interface has in version 3.0 alone: readers opened by name, and control codes.
#![allow(unsafe_code, non_snake_case)]

use std::ffi::{CStr, c_char, c_uchar};
use std::path::PathBuf;

use crate::ifd::{self, Dword, ResponseCode, ask, guard, input, output};
use crate::protocol::{IFD_COMMUNICATION_ERROR, IFD_NO_SUCH_DEVICE, IFD_SUCCESS, Request};

/// Opens the reader behind the socket that `DEVICENAME` names, with or without the prefix `unix:`.
///
/// The prefix keeps pcscd from insisting that the file exists while it reads its configuration.
///
/// # Safety
/// `device_name` is null or a C string.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn IFDHCreateChannelByName(lun: Dword, device_name: *const c_char) -> ResponseCode {
    guard(|| {
        if device_name.is_null() {
            return IFD_NO_SUCH_DEVICE;
        }
        // SAFETY: not null, and a C string as promised by pcscd.
        let name = unsafe { CStr::from_ptr(device_name) }.to_string_lossy().into_owned();
        ifd::open(lun, PathBuf::from(name.strip_prefix("unix:").unwrap_or(&name)))
    })
}

/// Refused: a channel number names no socket.
#[unsafe(no_mangle)]
pub extern "C" fn IFDHCreateChannel(_lun: Dword, _channel: Dword) -> ResponseCode {
    ResponseCode::from(IFD_NO_SUCH_DEVICE)
}

/// A command to the reader itself (PC/SC part 10).
///
/// # Safety
/// `data` points to `length` bytes, `answer` to `answer_capacity` bytes, `returned` is null or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn IFDHControl(
    lun: Dword,
    code: Dword,
    data: *const c_uchar,
    length: Dword,
    answer: *mut c_uchar,
    answer_capacity: Dword,
    returned: *mut Dword,
) -> ResponseCode {
    guard(|| {
        // SAFETY: `data` holds `length` bytes, as promised by pcscd.
        let data = unsafe { input(data, length) };
        let request = Request::Control {
            code: u32::try_from(code).unwrap_or(u32::MAX),
            capacity: u32::try_from(answer_capacity).unwrap_or(u32::MAX),
            data,
        };
        let response = ask(lun, &request, IFD_COMMUNICATION_ERROR);
        // SAFETY: `answer` holds `answer_capacity` bytes, as promised by pcscd.
        let copied = unsafe { output(&response.payload, answer, answer_capacity, returned) };
        if response.status == IFD_SUCCESS { copied } else { response.status }
    })
}
