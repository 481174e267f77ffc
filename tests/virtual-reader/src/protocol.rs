//! What goes over the socket: one length-prefixed request, one length-prefixed response, in turn.
//!
//! A frame is a big-endian `u32` length and that many bytes. A request begins with its operation byte, a response
//! with the IFD handler return code (`ifdhandler.h`) as `u32`; what follows is the payload. Numbers are big-endian.

use std::io::{self, Read, Write};

/// No error.
pub const IFD_SUCCESS: u32 = 0;
/// Tag unknown.
pub const IFD_ERROR_TAG: u32 = 600;
/// The value could not be set.
pub const IFD_ERROR_SET_FAILURE: u32 = 601;
/// The card does not speak the requested protocol.
pub const IFD_PROTOCOL_NOT_SUPPORTED: u32 = 607;
/// Power up or reset failed.
pub const IFD_ERROR_POWER_ACTION: u32 = 608;
/// The exchange failed.
pub const IFD_COMMUNICATION_ERROR: u32 = 612;
/// The card did not answer in time.
pub const IFD_RESPONSE_TIMEOUT: u32 = 613;
/// The reader does not do that.
pub const IFD_NOT_SUPPORTED: u32 = 614;
/// No card in the reader.
pub const IFD_ICC_NOT_PRESENT: u32 = 616;
/// The reader itself is gone.
pub const IFD_NO_SUCH_DEVICE: u32 = 617;
/// The caller's buffer is too small.
pub const IFD_ERROR_INSUFFICIENT_BUFFER: u32 = 618;

/// `TAG_IFD_ATR`, equal to `SCARD_ATTR_ATR_STRING` without its class.
pub const TAG_IFD_ATR: u32 = 0x0303;
/// Whether several slots of one reader may be used at once.
pub const TAG_IFD_SLOT_THREAD_SAFE: u32 = 0x0FAC;
/// Whether several readers may be used at once.
pub const TAG_IFD_THREAD_SAFE: u32 = 0x0FAD;
/// How many slots the reader has.
pub const TAG_IFD_SLOTS_NUMBER: u32 = 0x0FAE;
/// How many readers the driver serves.
pub const TAG_IFD_SIMULTANEOUS_ACCESS: u32 = 0x0FAF;
/// Whether the polling thread may be cancelled.
pub const TAG_IFD_POLLING_THREAD_KILLABLE: u32 = 0x0FB1;
/// Address of the function that ends [`TAG_IFD_POLLING_THREAD_WITH_TIMEOUT`]'s wait.
pub const TAG_IFD_STOP_POLLING_THREAD: u32 = 0x0FB2;
/// Address of the function that waits for a card movement.
pub const TAG_IFD_POLLING_THREAD_WITH_TIMEOUT: u32 = 0x0FB3;

/// Longer frames are a broken peer: an extended APDU is at most 65,546 bytes.
const MAX_FRAME: u32 = 1 << 17;

/// What `IFDHPowerICC` asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PowerAction {
    /// `IFD_POWER_UP`: cold start.
    Up,
    /// `IFD_POWER_DOWN`.
    Down,
    /// `IFD_RESET`: warm reset, or power up when unpowered.
    Reset,
}

/// One question of pcscd.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request {
    /// `IFDHPowerICC`; the answer's payload is the ATR.
    Power(PowerAction),
    /// `IFDHTransmitToICC`; the payload is the response APDU.
    Transmit {
        /// 0 for T=0, 1 for T=1.
        protocol: u8,
        /// The command APDU.
        command: Vec<u8>,
    },
    /// `IFDHICCPresence`; no payload.
    Presence,
    /// `IFDHControl`; the payload is the reader's answer.
    Control {
        /// `dwControlCode`.
        code: u32,
        /// Size of the caller's buffer.
        capacity: u32,
        /// Bytes for the reader.
        data: Vec<u8>,
    },
    /// `IFDHGetCapabilities`; the payload is the value.
    Capability {
        /// The tag asked for.
        tag: u32,
    },
    /// `IFDHSetCapabilities`.
    SetCapability {
        /// The tag to set.
        tag: u32,
        /// Its value.
        value: Vec<u8>,
    },
    /// `IFDHSetProtocolParameters`: the five bytes after the Lun.
    SetProtocol {
        /// 1 for T=0, 2 for T=1 (`SCARD_PROTOCOL_T0`, `SCARD_PROTOCOL_T1`).
        protocol: u8,
        /// `IFD_NEGOTIATE_PTS…` flags and PTS1 to PTS3.
        parameters: [u8; 4],
    },
    /// `IFDHCloseChannel`: the reader is released.
    Close,
    /// `IFDHControl` of version 2.0: a CT-BCS command to the terminal; the payload is its response.
    Terminal {
        /// The command.
        command: Vec<u8>,
    },
    /// Answer when the count of card movements differs from `seen`, or after `timeout` milliseconds; the payload is
    /// the count. Sent on a connection of its own, so that it delays nothing else.
    AwaitMovement {
        /// The count last seen.
        seen: u32,
        /// Milliseconds.
        timeout: u32,
    },
}

/// One answer of the reader.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    /// An `IFD_…` code.
    pub status: u32,
    /// Depends on the request; empty unless `status` is [`IFD_SUCCESS`].
    pub payload: Vec<u8>,
}

impl Request {
    /// Whether sending it twice is the same as sending it once.
    #[must_use]
    pub fn is_repeatable(&self) -> bool {
        !matches!(
            self,
            Self::Transmit { .. } | Self::Control { .. } | Self::SetCapability { .. } | Self::Terminal { .. }
        )
    }

    /// The frame's content.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        match self {
            Self::Power(action) => vec![1, *action as u8],
            Self::Transmit { protocol, command } => [&[2, *protocol], command.as_slice()].concat(),
            Self::Presence => vec![3],
            Self::Control { code, capacity, data } => {
                [&[4], code.to_be_bytes().as_slice(), &capacity.to_be_bytes(), data].concat()
            }
            Self::Capability { tag } => [&[5], tag.to_be_bytes().as_slice()].concat(),
            Self::SetCapability { tag, value } => [&[6], tag.to_be_bytes().as_slice(), value].concat(),
            Self::SetProtocol { protocol, parameters } => [&[7, *protocol], parameters.as_slice()].concat(),
            Self::Close => vec![8],
            Self::AwaitMovement { seen, timeout } => {
                [&[9], seen.to_be_bytes().as_slice(), &timeout.to_be_bytes()].concat()
            }
            Self::Terminal { command } => [&[10], command.as_slice()].concat(),
        }
    }

    /// The request in a frame, or nothing when it is malformed.
    #[must_use]
    pub fn decode(frame: &[u8]) -> Option<Self> {
        let (operation, rest) = frame.split_first()?;
        Some(match operation {
            1 => Self::Power(match rest {
                [0] => PowerAction::Up,
                [1] => PowerAction::Down,
                [2] => PowerAction::Reset,
                _ => return None,
            }),
            2 => {
                let (protocol, command) = rest.split_first()?;
                Self::Transmit { protocol: *protocol, command: command.to_vec() }
            }
            3 => Self::Presence,
            4 => {
                let (code, rest) = number(rest)?;
                let (capacity, data) = number(rest)?;
                Self::Control { code, capacity, data: data.to_vec() }
            }
            5 => Self::Capability { tag: number(rest)?.0 },
            6 => {
                let (tag, value) = number(rest)?;
                Self::SetCapability { tag, value: value.to_vec() }
            }
            7 => {
                let (protocol, parameters) = rest.split_first()?;
                Self::SetProtocol { protocol: *protocol, parameters: parameters.try_into().ok()? }
            }
            8 => Self::Close,
            9 => {
                let (seen, rest) = number(rest)?;
                Self::AwaitMovement { seen, timeout: number(rest)?.0 }
            }
            10 => Self::Terminal { command: rest.to_vec() },
            _ => return None,
        })
    }
}

impl Response {
    /// Success with `payload`.
    #[must_use]
    pub fn success(payload: Vec<u8>) -> Self {
        Self { status: IFD_SUCCESS, payload }
    }

    /// Failure with an `IFD_…` code.
    #[must_use]
    pub fn failure(status: u32) -> Self {
        Self { status, payload: Vec::new() }
    }

    /// The frame's content.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        [self.status.to_be_bytes().as_slice(), &self.payload].concat()
    }

    /// The response in a frame, or nothing when it is malformed.
    #[must_use]
    pub fn decode(frame: &[u8]) -> Option<Self> {
        let (status, payload) = number(frame)?;
        Some(Self { status, payload: payload.to_vec() })
    }
}

/// A leading big-endian `u32` and what follows it.
fn number(bytes: &[u8]) -> Option<(u32, &[u8])> {
    let (head, rest) = bytes.split_first_chunk::<4>()?;
    Some((u32::from_be_bytes(*head), rest))
}

/// Writes one frame in one system call.
///
/// # Errors
/// Those of the stream, and `InvalidInput` for content that no frame can hold.
pub fn write_frame(stream: &mut impl Write, content: &[u8]) -> io::Result<()> {
    let length = u32::try_from(content.len()).ok().filter(|length| *length <= MAX_FRAME);
    let length = length.ok_or(io::ErrorKind::InvalidInput)?;
    stream.write_all(&[length.to_be_bytes().as_slice(), content].concat())
}

/// Reads one frame.
///
/// # Errors
/// Those of the stream, `UnexpectedEof` when the peer is gone, `InvalidData` for a length that no frame has.
pub fn read_frame(stream: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut length = [0; 4];
    stream.read_exact(&mut length)?;
    let length = u32::from_be_bytes(length);
    if length > MAX_FRAME {
        return Err(io::ErrorKind::InvalidData.into());
    }
    let mut content = vec![0; usize::try_from(length).map_err(|_| io::ErrorKind::InvalidData)?];
    stream.read_exact(&mut content)?;
    Ok(content)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_request_survives_encoding() {
        let requests = [
            Request::Power(PowerAction::Up),
            Request::Power(PowerAction::Down),
            Request::Power(PowerAction::Reset),
            Request::Transmit { protocol: 1, command: vec![0, 0xA4, 4, 0] },
            Request::Presence,
            Request::Control { code: 0x4200_0D48, capacity: 264, data: vec![7, 8] },
            Request::Capability { tag: TAG_IFD_ATR },
            Request::SetCapability { tag: 0x0180, value: vec![1] },
            Request::SetProtocol { protocol: 2, parameters: [1, 0x94, 0, 0] },
            Request::Close,
            Request::AwaitMovement { seen: 3, timeout: 5000 },
            Request::Terminal { command: vec![0x20, 0x15, 0x01, 0x00, 0x00] },
        ];
        for request in requests {
            assert_eq!(Request::decode(&request.encode()), Some(request));
        }
    }

    #[test]
    fn malformed_requests_are_refused() {
        for frame in [&[][..], &[0], &[1, 3], &[2], &[4, 0, 0], &[7, 1, 2, 3], &[9, 0, 0, 0, 1]] {
            assert_eq!(Request::decode(frame), None, "{frame:?}");
        }
    }

    #[test]
    fn a_frame_of_impossible_length_is_refused_before_it_is_read() {
        let error = read_frame(&mut &[0xFF; 8][..]).map_err(|error| error.kind());
        assert_eq!(error, Err(io::ErrorKind::InvalidData));
    }
}
