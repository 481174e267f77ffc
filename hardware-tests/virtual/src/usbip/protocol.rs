//! The bytes of USB/IP, all big-endian.

use crate::usb::Descriptors;

/// Protocol version 1.1.1.
pub const VERSION: u16 = 0x0111;
/// The one device's bus id.
pub const BUS_ID: &str = "1-1";
/// `OP_REQ_DEVLIST`.
pub const REQUEST_LIST: u16 = 0x8005;
/// `OP_REP_DEVLIST`.
pub const REPLY_LIST: u16 = 0x0005;
/// `OP_REQ_IMPORT`.
pub const REQUEST_IMPORT: u16 = 0x8003;
/// `OP_REP_IMPORT`.
pub const REPLY_IMPORT: u16 = 0x0003;
/// `USBIP_CMD_SUBMIT`.
pub const SUBMIT: u32 = 1;
/// `USBIP_CMD_UNLINK`.
pub const UNLINK: u32 = 2;
/// `USBIP_RET_SUBMIT`.
pub const SUBMITTED: u32 = 3;
/// `USBIP_RET_UNLINK`.
pub const UNLINKED: u32 = 4;
/// -EPIPE: the endpoint stalled.
pub const STALLED: i32 = -32;
/// -ECONNRESET: the transfer was taken back.
pub const TAKEN_BACK: i32 = -104;

/// `USB_SPEED_FULL`.
const FULL_SPEED: u32 = 2;
/// Direction of a transfer: to the host.
const IN: u32 = 1;

/// A request of the first phase, in which devices are listed and one is taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Operation {
    /// Which devices are there?
    List,
    /// The device with this bus id, please.
    Import(String),
}

impl Operation {
    /// How many bytes follow the eight of the header; `None` for no operation of ours.
    #[must_use]
    pub fn rest(header: [u8; 8]) -> Option<usize> {
        match u16::from_be_bytes([header[2], header[3]]) {
            REQUEST_LIST => Some(0),
            REQUEST_IMPORT => Some(32),
            _ => None,
        }
    }

    /// Reads an operation whose header was accepted by [`Self::rest`].
    #[must_use]
    pub fn parse(rest: &[u8]) -> Self {
        if rest.is_empty() {
            return Self::List;
        }
        let name = rest.split(|byte| *byte == 0).next().unwrap_or_default();
        Self::Import(String::from_utf8_lossy(name).into_owned())
    }
}

/// The reply to a list: no device, or the one there is.
#[must_use]
pub fn list_reply(device: Option<&Descriptors>) -> Vec<u8> {
    let mut reply = header(REPLY_LIST, 0);
    reply.extend(u32::from(device.is_some()).to_be_bytes());
    if let Some(device) = device {
        reply.extend(device_record(device));
        for interface in &device.interfaces {
            reply.extend([interface[0], interface[1], interface[2], 0]);
        }
    }
    reply
}

/// The reply to an import: refused, or the device.
#[must_use]
pub fn import_reply(device: Option<&Descriptors>) -> Vec<u8> {
    match device {
        Some(device) => [header(REPLY_IMPORT, 0), device_record(device)].concat(),
        None => header(REPLY_IMPORT, 1),
    }
}

fn header(code: u16, status: u32) -> Vec<u8> {
    [&VERSION.to_be_bytes()[..], &code.to_be_bytes(), &status.to_be_bytes()].concat()
}

/// The 312 bytes of a device.
fn device_record(descriptors: &Descriptors) -> Vec<u8> {
    let field = |text: &str, length: usize| {
        let mut bytes = text.as_bytes().to_vec();
        bytes.resize(length, 0);
        bytes
    };
    let device = &descriptors.device;
    let word = |at: usize| [device[at + 1], device[at]];
    let mut record = field("/cardea/1-1", 256);
    record.extend(field(BUS_ID, 32));
    for number in [1, 1, FULL_SPEED] {
        record.extend(number.to_be_bytes());
    }
    // idVendor, idProduct, bcdDevice
    record.extend([word(8), word(10), word(12)].concat());
    record.extend(&device[4..7]);
    record.extend([1, device[17], descriptors.interfaces.len() as u8]);
    record
}

/// A transfer that the host wants carried out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Submit {
    /// The transfer's number, unique in the connection.
    pub number: u32,
    /// To the host.
    pub is_in: bool,
    /// Endpoint number without direction.
    pub endpoint: u8,
    /// Most bytes that may come back; bytes that follow, if it is OUT.
    pub length: usize,
    /// The setup packet; zeros unless the endpoint is 0.
    pub setup: [u8; 8],
}

/// A request of the second phase.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request {
    /// Carry out a transfer.
    Submit(Submit),
    /// Take the transfer `target` back.
    Unlink {
        /// The request's own number.
        number: u32,
        /// The transfer's.
        target: u32,
    },
}

impl Request {
    /// Reads the 48 bytes of a request.
    #[must_use]
    pub fn parse(bytes: &[u8; 48]) -> Option<Self> {
        let word = |at: usize| u32::from_be_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
        let number = word(4);
        match word(0) {
            SUBMIT => Some(Self::Submit(Submit {
                number,
                is_in: word(12) == IN,
                endpoint: u8::try_from(word(16)).ok().filter(|endpoint| *endpoint < 16)?,
                length: usize::try_from(word(24)).ok().filter(|length| *length <= MOST)?,
                setup: *bytes[40..].first_chunk()?,
            })),
            UNLINK => Some(Self::Unlink { number, target: word(20) }),
            _ => None,
        }
    }
}

/// Longest transfer that is believed.
const MOST: usize = 1 << 20;

/// What became of a transfer; `sent` is how much of an OUT transfer was taken.
#[must_use]
pub fn submit_reply(number: u32, outcome: Result<&[u8], i32>, sent: usize) -> Vec<u8> {
    let (status, data) = match outcome {
        Ok(data) => (0, data),
        Err(status) => (status, &[][..]),
    };
    let length = if data.is_empty() { sent } else { data.len() };
    let mut reply = Vec::with_capacity(48 + data.len());
    for word in [SUBMITTED, number, 0, 0, 0, status as u32, length as u32, 0, 0, 0, 0, 0] {
        reply.extend(word.to_be_bytes());
    }
    reply.extend(data);
    reply
}

/// What became of a request to take a transfer back: [`TAKEN_BACK`], or 0 when it was over already.
#[must_use]
pub fn unlink_reply(number: u32, status: i32) -> Vec<u8> {
    let mut reply = Vec::with_capacity(48);
    for word in [UNLINKED, number, 0, 0, 0, status as u32, 0, 0, 0, 0, 0, 0] {
        reply.extend(word.to_be_bytes());
    }
    reply
}
