//! The response APDU (ISO 7816-4 5.1).

use core::fmt;

use zeroize::Zeroizing;

use crate::status::StatusWord;

/// Why bytes are not a response APDU.
#[derive(Copy, Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ResponseError {
    /// Fewer than the two bytes of a status word.
    #[error("a response of {length} bytes has no status word")]
    TooShort {
        /// Bytes received: 0 or 1.
        length: usize,
    },
}

/// Response data and status word. The data is wiped on drop; `Debug` shows its length only.
pub struct Response {
    data: Zeroizing<Vec<u8>>,
    sw: StatusWord,
}

impl Response {
    /// A response of these parts, such as one put together from several GET RESPONSE.
    pub fn new(data: Zeroizing<Vec<u8>>, sw: StatusWord) -> Self {
        Self { data, sw }
    }

    /// Splits the last two bytes off as the status word.
    pub fn parse(bytes: &[u8]) -> Result<Self, ResponseError> {
        let (data, sw) = bytes.split_last_chunk::<2>().ok_or(ResponseError::TooShort { length: bytes.len() })?;
        Ok(Self { data: Zeroizing::new(data.to_vec()), sw: StatusWord(u16::from_be_bytes(*sw)) })
    }

    /// The data before the status word.
    pub fn data(&self) -> &[u8] {
        &self.data
    }

    /// The data, not copied.
    pub fn into_data(self) -> Zeroizing<Vec<u8>> {
        self.data
    }

    /// The status word.
    pub fn sw(&self) -> StatusWord {
        self.sw
    }
}

impl fmt::Debug for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Response({} bytes of data, {:04X})", self.data.len(), self.sw.0)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_last_two_bytes_are_the_status_word() {
        let response = Response::parse(&[0x01, 0x02, 0x90, 0x00]).unwrap();
        assert_eq!(response.data(), [0x01, 0x02]);
        assert_eq!(response.sw(), StatusWord::SUCCESS);
        assert_eq!(*response.into_data(), [0x01, 0x02]);
    }

    #[test]
    fn a_status_word_alone_is_a_response_without_data() {
        let response = Response::parse(&[0x69, 0x82]).unwrap();
        assert!(response.data().is_empty());
        assert_eq!(response.sw(), StatusWord::SECURITY_STATUS_NOT_SATISFIED);
    }

    #[test]
    fn less_than_a_status_word_is_an_error() {
        assert_eq!(Response::parse(&[]).unwrap_err(), ResponseError::TooShort { length: 0 });
        assert_eq!(Response::parse(&[0x90]).unwrap_err(), ResponseError::TooShort { length: 1 });
    }

    #[test]
    fn debug_shows_no_data() {
        let response = Response::parse(&[0xDE, 0xAD, 0x90, 0x00]).unwrap();
        assert_eq!(format!("{response:?}"), "Response(2 bytes of data, 9000)");
    }

    proptest! {
        #[test]
        fn parsing_never_panics_and_loses_no_byte(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
            match Response::parse(&bytes) {
                Ok(response) => {
                    let mut joined = response.data().to_vec();
                    joined.extend_from_slice(&response.sw().0.to_be_bytes());
                    prop_assert_eq!(joined, bytes);
                }
                Err(ResponseError::TooShort { length }) => prop_assert!(length == bytes.len() && length < 2),
            }
        }
    }
}
