//! The status word of a response (ISO 7816-4 5.6).

use core::fmt;

/// SW1 SW2 as one number, SW1 first.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Hash)]
pub struct StatusWord(pub u16);

/// Declares the constants and their meanings from one table.
macro_rules! status_words {
    ($($name:ident = $value:literal, $meaning:literal;)*) => {
        impl StatusWord {
            $(
                #[doc = concat!("`", stringify!($value), "`: ", $meaning, ".")]
                pub const $name: StatusWord = StatusWord($value);
            )*

            /// The standard's meaning of an exact value listed here.
            fn exact_meaning(self) -> Option<&'static str> {
                match self.0 {
                    $($value => Some($meaning),)*
                    _ => None,
                }
            }
        }
    };
}

status_words! {
    SUCCESS = 0x9000, "normal processing";
    NON_VOLATILE_MEMORY_UNCHANGED = 0x6200, "warning, memory unchanged, no information given";
    DATA_MAY_BE_CORRUPTED = 0x6281, "part of the returned data may be corrupted";
    END_OF_FILE = 0x6282, "end of file or record reached before reading Le bytes";
    FILE_DEACTIVATED = 0x6283, "selected file deactivated";
    FILE_CONTROL_NOT_FORMATTED = 0x6284, "file control information not formatted as specified";
    FILE_TERMINATED = 0x6285, "selected file in termination state";
    NO_SENSOR_INPUT = 0x6286, "no input data available from a sensor on the card";
    NON_VOLATILE_MEMORY_CHANGED = 0x6300, "warning, memory changed, no information given";
    FILE_FILLED = 0x6381, "file filled up by the last write";
    EXECUTION_ERROR = 0x6400, "execution error, memory unchanged";
    RESPONSE_REQUIRED = 0x6401, "immediate response required by the card";
    MEMORY_CHANGED_ERROR = 0x6500, "execution error, memory changed";
    MEMORY_FAILURE = 0x6581, "memory failure";
    SECURITY_ISSUE = 0x6600, "security-related issue";
    WRONG_LENGTH = 0x6700, "wrong length";
    CLA_FUNCTION_NOT_SUPPORTED = 0x6800, "function in CLA not supported";
    LOGICAL_CHANNEL_NOT_SUPPORTED = 0x6881, "logical channel not supported";
    SECURE_MESSAGING_NOT_SUPPORTED = 0x6882, "secure messaging not supported";
    LAST_COMMAND_EXPECTED = 0x6883, "last command of the chain expected";
    CHAINING_NOT_SUPPORTED = 0x6884, "command chaining not supported";
    COMMAND_NOT_ALLOWED_NO_INFORMATION = 0x6900, "command not allowed, no information given";
    COMMAND_INCOMPATIBLE_WITH_FILE = 0x6981, "command incompatible with file structure";
    SECURITY_STATUS_NOT_SATISFIED = 0x6982, "security status not satisfied";
    AUTHENTICATION_METHOD_BLOCKED = 0x6983, "authentication method blocked";
    REFERENCE_DATA_NOT_USABLE = 0x6984, "reference data not usable";
    CONDITIONS_NOT_SATISFIED = 0x6985, "conditions of use not satisfied";
    COMMAND_NOT_ALLOWED = 0x6986, "command not allowed, no current EF";
    SECURE_MESSAGING_DATA_MISSING = 0x6987, "expected secure messaging data objects missing";
    SECURE_MESSAGING_DATA_INCORRECT = 0x6988, "incorrect secure messaging data objects";
    WRONG_PARAMETERS = 0x6A00, "wrong parameters, no information given";
    WRONG_DATA = 0x6A80, "incorrect parameters in the command data";
    FUNCTION_NOT_SUPPORTED = 0x6A81, "function not supported";
    FILE_NOT_FOUND = 0x6A82, "file or application not found";
    RECORD_NOT_FOUND = 0x6A83, "record not found";
    NOT_ENOUGH_MEMORY = 0x6A84, "not enough memory space in the file";
    LC_INCONSISTENT_WITH_TLV = 0x6A85, "Lc inconsistent with TLV structure";
    INCORRECT_P1_P2 = 0x6A86, "incorrect parameters P1-P2";
    LC_INCONSISTENT_WITH_P1_P2 = 0x6A87, "Lc inconsistent with P1-P2";
    REFERENCED_DATA_NOT_FOUND = 0x6A88, "referenced data not found";
    FILE_ALREADY_EXISTS = 0x6A89, "file already exists";
    DF_NAME_ALREADY_EXISTS = 0x6A8A, "DF name already exists";
    WRONG_P1_P2 = 0x6B00, "wrong parameters P1-P2";
    INS_NOT_SUPPORTED = 0x6D00, "instruction not supported or invalid";
    CLA_NOT_SUPPORTED = 0x6E00, "class not supported";
    UNKNOWN = 0x6F00, "no precise diagnosis";
}

impl StatusWord {
    /// SW1.
    pub const fn sw1(self) -> u8 {
        self.0.to_be_bytes()[0]
    }

    /// SW2.
    pub const fn sw2(self) -> u8 {
        self.0.to_be_bytes()[1]
    }

    /// `9000` only: neither a warning nor `61xx`.
    pub const fn is_success(self) -> bool {
        self.0 == Self::SUCCESS.0
    }

    /// `62xx` and `63xx`: the command was processed, with a warning.
    pub const fn is_warning(self) -> bool {
        matches!(self.sw1(), 0x62 | 0x63)
    }

    /// `61xx`: response bytes that wait for GET RESPONSE, 256 for `6100` (which may mean more).
    pub const fn more_data(self) -> Option<u16> {
        self.length_after(0x61)
    }

    /// `6Cxx`: the Le to repeat the command with, 256 for `6C00`.
    pub const fn correct_le(self) -> Option<u16> {
        self.length_after(0x6C)
    }

    /// `63Cx`: x further attempts are allowed; `6983`: none is (ISO 7816-4 11.6.2).
    pub const fn retries_left(self) -> Option<u8> {
        match self.0 {
            0x63C0..=0x63CF => Some(self.sw2() & 0x0F),
            0x6983 => Some(0),
            _ => None,
        }
    }

    /// SW2 as a length where SW1 is this, 0 counting as 256.
    const fn length_after(self, sw1: u8) -> Option<u16> {
        if self.sw1() != sw1 {
            return None;
        }
        Some(match self.sw2() {
            0 => 0x100,
            length => length as u16,
        })
    }

    /// The standard's meaning of the first byte, where the value is not listed.
    fn general_meaning(self) -> &'static str {
        match self.sw1() {
            0x61 => "more response data available",
            0x62 => "warning, memory unchanged",
            0x63 if self.retries_left().is_some() => "verification failed",
            0x63 => "warning, memory changed",
            0x64 => "execution error, memory unchanged",
            0x65 => "execution error, memory changed",
            0x66 => "security-related issue",
            0x67 => "wrong length",
            0x68 => "function in CLA not supported",
            0x69 => "command not allowed",
            0x6A => "wrong parameters",
            0x6B => "wrong parameters P1-P2",
            0x6C => "wrong Le",
            0x6D => "instruction not supported or invalid",
            0x6E => "class not supported",
            0x6F => "no precise diagnosis",
            _ => "proprietary status",
        }
    }
}

impl From<u16> for StatusWord {
    fn from(value: u16) -> Self {
        Self(value)
    }
}

impl fmt::Display for StatusWord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let meaning = self.exact_meaning().unwrap_or_else(|| self.general_meaning());
        write!(f, "{:04X} ({meaning}", self.0)?;
        if let Some(length) = self.more_data().or(self.correct_le()) {
            write!(f, ", {length} bytes")?;
        } else if let Some(retries) = self.retries_left().filter(|_| self.sw1() == 0x63) {
            write!(f, ", {retries} attempts left")?;
        }
        f.write_str(")")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_9000_is_success() {
        let successes: Vec<u16> = (0..=u16::MAX).filter(|&sw| StatusWord(sw).is_success()).collect();
        assert_eq!(successes, [0x9000]);
    }

    #[test]
    fn more_data_and_correct_le_count_00_as_256() {
        assert_eq!(StatusWord(0x6100).more_data(), Some(256));
        assert_eq!(StatusWord(0x61FF).more_data(), Some(255));
        assert_eq!(StatusWord(0x6C00).correct_le(), Some(256));
        assert_eq!(StatusWord(0x6C10).correct_le(), Some(16));
        assert_eq!(StatusWord(0x6C10).more_data(), None);
        assert_eq!(StatusWord(0x6110).correct_le(), None);
        assert_eq!(StatusWord::SUCCESS.more_data(), None);
    }

    #[test]
    fn retries_are_read_from_63cx_and_6983() {
        assert_eq!(StatusWord(0x63C0).retries_left(), Some(0));
        assert_eq!(StatusWord(0x63CF).retries_left(), Some(15));
        assert_eq!(StatusWord::AUTHENTICATION_METHOD_BLOCKED.retries_left(), Some(0));
        assert_eq!(StatusWord(0x6300).retries_left(), None);
        assert_eq!(StatusWord(0x63D0).retries_left(), None);
        assert_eq!(StatusWord(0x6984).retries_left(), None);
    }

    #[test]
    fn warnings_are_62_and_63() {
        assert!(StatusWord::END_OF_FILE.is_warning());
        assert!(StatusWord(0x63C2).is_warning());
        assert!(!StatusWord::SUCCESS.is_warning());
        assert!(!StatusWord(0x6400).is_warning());
    }

    #[test]
    fn display_gives_hex_and_meaning() {
        assert_eq!(StatusWord(0x6982).to_string(), "6982 (security status not satisfied)");
        assert_eq!(StatusWord(0x6983).to_string(), "6983 (authentication method blocked)");
        assert_eq!(StatusWord(0x63C2).to_string(), "63C2 (verification failed, 2 attempts left)");
        assert_eq!(StatusWord(0x6100).to_string(), "6100 (more response data available, 256 bytes)");
        assert_eq!(StatusWord(0x6C08).to_string(), "6C08 (wrong Le, 8 bytes)");
        assert_eq!(StatusWord(0x6A99).to_string(), "6A99 (wrong parameters)");
        assert_eq!(StatusWord(0x9484).to_string(), "9484 (proprietary status)");
    }
}
