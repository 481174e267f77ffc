//! What the C interface has in version 2.0 alone: readers opened by number, and commands to the terminal.
#![allow(unsafe_code, non_snake_case)]

use std::ffi::c_uchar;
use std::path::Path;

use crate::ifd::{self, Dword, ResponseCode, ask, capacity, guard, input, output};
use crate::protocol::{IFD_COMMUNICATION_ERROR, IFD_NO_SUCH_DEVICE, IFD_SUCCESS, Request};

/// Names the directory of the sockets.
const DIRECTORY: &str = "CARDEA_VIRTUAL_READERS";

/// Opens reader number `channel`.
#[unsafe(no_mangle)]
pub extern "C" fn IFDHCreateChannel(lun: Dword, channel: Dword) -> ResponseCode {
    guard(|| match std::env::var_os(DIRECTORY) {
        Some(directory) => ifd::open(lun, Path::new(&directory).join(format!("reader-{channel}"))),
        None => IFD_NO_SUCH_DEVICE,
    })
}

/// A CT-BCS command to the terminal.
///
/// # Safety
/// `command` points to `length` bytes, `response` to as many as `response_length` says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn IFDHControl(
    lun: Dword,
    command: *const c_uchar,
    length: Dword,
    response: *mut c_uchar,
    response_length: *mut Dword,
) -> ResponseCode {
    guard(|| {
        // SAFETY: `command` holds `length` bytes, as promised by pcscd.
        let command = unsafe { input(command, length) };
        // SAFETY: `response_length` is readable, as promised by pcscd.
        let capacity = unsafe { capacity(response_length) };
        let answer = ask(lun, &Request::Terminal { command }, IFD_COMMUNICATION_ERROR);
        // SAFETY: `response` holds `capacity` bytes, as promised by pcscd.
        let copied = unsafe { output(&answer.payload, response, capacity, response_length) };
        if answer.status == IFD_SUCCESS { copied } else { answer.status }
    })
}
