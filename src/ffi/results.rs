//! Which results a function may have: what the specification lists for it, and what becomes of any other.
//!
//! The lists are PKCS#11 3.2's, which contain those of 2.40 and 3.0. CKR_ARGUMENTS_BAD, CKR_CRYPTOKI_NOT_INITIALIZED
//! and CKR_FUNCTION_NOT_SUPPORTED count as listed everywhere (some lists forgot them; 5.1.6 restricts them to none)
//! but for [`Results::Exactly`]. CKR_TOKEN_NOT_PRESENT does not: to a session a token that is gone is
//! CKR_DEVICE_REMOVED.

use cryptoki_sys::*;

use crate::error::Error;

/// The results of one function.
#[derive(Clone, Copy)]
pub(super) enum Results {
    /// A function that uses no token, and these.
    Library(Listed),
    /// A function that names a slot, and these.
    Token(Listed),
    /// A function that names a session, and these.
    Session(Listed),
    /// These and no others.
    Exactly(Listed),
}

/// Lists of results, joined.
pub(super) type Listed = &'static [&'static [CK_RV]];

const LIBRARY: &[CK_RV] = &[
    CKR_OK,
    CKR_HOST_MEMORY,
    CKR_GENERAL_ERROR,
    CKR_FUNCTION_FAILED,
    CKR_ARGUMENTS_BAD,
    CKR_FUNCTION_NOT_SUPPORTED,
    CKR_CRYPTOKI_NOT_INITIALIZED,
];
const TOKEN: &[CK_RV] = &[CKR_DEVICE_ERROR, CKR_DEVICE_MEMORY, CKR_DEVICE_REMOVED];
const SESSION: &[CK_RV] = &[CKR_SESSION_HANDLE_INVALID, CKR_SESSION_CLOSED, CKR_OPERATION_ACTIVE];

/// A slot whose token must be there.
pub(super) const PRESENT: &[CK_RV] = &[CKR_SLOT_ID_INVALID, CKR_TOKEN_NOT_PRESENT, CKR_TOKEN_NOT_RECOGNIZED];
/// A mechanism argument.
pub(super) const MECHANISM: &[CK_RV] = &[CKR_MECHANISM_INVALID, CKR_MECHANISM_PARAM_INVALID];
/// The beginning of an operation.
pub(super) const INIT: &[CK_RV] = &[
    CKR_MECHANISM_INVALID,
    CKR_MECHANISM_PARAM_INVALID,
    CKR_FUNCTION_CANCELED,
    CKR_PIN_EXPIRED,
    CKR_USER_NOT_LOGGED_IN,
    CKR_OPERATION_CANCEL_FAILED,
];
/// The key of an operation.
pub(super) const KEY: &[CK_RV] =
    &[CKR_KEY_FUNCTION_NOT_PERMITTED, CKR_KEY_HANDLE_INVALID, CKR_KEY_SIZE_RANGE, CKR_KEY_TYPE_INCONSISTENT];
/// A step of an operation.
pub(super) const STEP: &[CK_RV] = &[CKR_FUNCTION_CANCELED, CKR_OPERATION_NOT_INITIALIZED];
/// Output by the two-call rule.
pub(super) const OUTPUT: &[CK_RV] = &[CKR_BUFFER_TOO_SMALL];
/// Plaintext of any form.
pub(super) const DATA: &[CK_RV] = &[CKR_DATA_INVALID, CKR_DATA_LEN_RANGE];
/// Ciphertext, and the login that decryption may need.
pub(super) const CIPHERTEXT: &[CK_RV] =
    &[CKR_ENCRYPTED_DATA_INVALID, CKR_ENCRYPTED_DATA_LEN_RANGE, CKR_USER_NOT_LOGGED_IN];
/// A step of a signature.
pub(super) const SIGN: &[CK_RV] = &[CKR_USER_NOT_LOGGED_IN, CKR_TOKEN_RESOURCE_EXCEEDED];
/// A signature that is verified.
pub(super) const SIGNATURE: &[CK_RV] = &[CKR_SIGNATURE_INVALID, CKR_SIGNATURE_LEN_RANGE, CKR_TOKEN_RESOURCE_EXCEEDED];
/// A template that changes an object.
pub(super) const TEMPLATE: &[CK_RV] = &[
    CKR_ATTRIBUTE_READ_ONLY,
    CKR_ATTRIBUTE_TYPE_INVALID,
    CKR_ATTRIBUTE_VALUE_INVALID,
    CKR_SESSION_READ_ONLY,
    CKR_TEMPLATE_INCONSISTENT,
    CKR_TOKEN_WRITE_PROTECTED,
    CKR_USER_NOT_LOGGED_IN,
];
/// An object that is created.
pub(super) const CREATE: &[CK_RV] = &[CKR_CURVE_NOT_SUPPORTED, CKR_PIN_EXPIRED, CKR_TEMPLATE_INCOMPLETE];
/// Key parameters that are supplied.
pub(super) const DOMAIN: &[CK_RV] = &[CKR_DOMAIN_PARAMS_INVALID, CKR_PARAMETER_SET_NOT_SUPPORTED];
/// A login.
pub(super) const LOGIN: &[CK_RV] = &[
    // Not listed for C_Login, and still the honest answer to a PIN that never reached the card.
    CKR_PIN_LEN_RANGE,
    CKR_FUNCTION_CANCELED,
    CKR_OPERATION_NOT_INITIALIZED,
    CKR_PIN_INCORRECT,
    CKR_PIN_LOCKED,
    CKR_SESSION_READ_ONLY_EXISTS,
    CKR_USER_ALREADY_LOGGED_IN,
    CKR_USER_ANOTHER_ALREADY_LOGGED_IN,
    CKR_USER_PIN_NOT_INITIALIZED,
    CKR_USER_TOO_MANY_TYPES,
    CKR_USER_TYPE_INVALID,
];
/// A key that wraps.
pub(super) const WRAP: &[CK_RV] = &[
    CKR_FUNCTION_CANCELED,
    CKR_KEY_HANDLE_INVALID,
    CKR_KEY_NOT_WRAPPABLE,
    CKR_KEY_SIZE_RANGE,
    CKR_KEY_UNEXTRACTABLE,
    CKR_PIN_EXPIRED,
    CKR_USER_NOT_LOGGED_IN,
    CKR_WRAPPING_KEY_HANDLE_INVALID,
    CKR_WRAPPING_KEY_SIZE_RANGE,
    CKR_WRAPPING_KEY_TYPE_INCONSISTENT,
];
/// A key that unwraps.
pub(super) const UNWRAP: &[CK_RV] = &[
    CKR_BUFFER_TOO_SMALL,
    CKR_FUNCTION_CANCELED,
    CKR_UNWRAPPING_KEY_HANDLE_INVALID,
    CKR_UNWRAPPING_KEY_SIZE_RANGE,
    CKR_UNWRAPPING_KEY_TYPE_INCONSISTENT,
    CKR_WRAPPED_KEY_INVALID,
    CKR_WRAPPED_KEY_LEN_RANGE,
];
/// A base key, or one half of a KEM.
pub(super) const DERIVE: &[CK_RV] =
    &[CKR_FUNCTION_CANCELED, CKR_KEY_HANDLE_INVALID, CKR_KEY_SIZE_RANGE, CKR_KEY_TYPE_INCONSISTENT];

/// All that the legacy functions of 5.20 return.
pub(super) const LEGACY: &[CK_RV] = &[
    CKR_CRYPTOKI_NOT_INITIALIZED,
    CKR_FUNCTION_FAILED,
    CKR_FUNCTION_NOT_PARALLEL,
    CKR_GENERAL_ERROR,
    CKR_HOST_MEMORY,
    CKR_SESSION_CLOSED,
    CKR_SESSION_HANDLE_INVALID,
];

impl Results {
    /// Whether the specification lists `code` for the function.
    pub(super) fn list(self, code: CK_RV) -> bool {
        let (common, listed): (Listed, Listed) = match self {
            Self::Library(listed) => (&[LIBRARY], listed),
            Self::Token(listed) => (&[LIBRARY, TOKEN], listed),
            Self::Session(listed) => (&[LIBRARY, TOKEN, SESSION], listed),
            Self::Exactly(listed) => (&[], listed),
        };
        common.iter().chain(listed).any(|list| list.contains(&code))
    }

    /// `code` if it is listed, else the listed code that says most of the same, else CKR_FUNCTION_FAILED.
    pub(super) fn narrow(self, code: CK_RV) -> CK_RV {
        if self.list(code) {
            return code;
        }
        nearest(code).iter().copied().find(|near| self.list(*near)).unwrap_or(CKR_FUNCTION_FAILED)
    }
}

/// What says most of the same as `code`, best first.
fn nearest(code: CK_RV) -> &'static [CK_RV] {
    match code {
        CKR_DEVICE_REMOVED => &[CKR_TOKEN_NOT_PRESENT, CKR_DEVICE_ERROR],
        CKR_TOKEN_NOT_PRESENT => &[CKR_DEVICE_REMOVED, CKR_DEVICE_ERROR],
        CKR_TOKEN_NOT_RECOGNIZED => &[CKR_TOKEN_NOT_PRESENT, CKR_DEVICE_ERROR],
        CKR_DEVICE_MEMORY => &[CKR_DEVICE_ERROR],
        CKR_SLOT_ID_INVALID => &[CKR_SESSION_HANDLE_INVALID],
        CKR_SESSION_CLOSED => &[CKR_SESSION_HANDLE_INVALID],
        CKR_FUNCTION_REJECTED => &[CKR_FUNCTION_CANCELED],
        // A PIN that cannot be right is not right; the finer codes are for functions that set one.
        CKR_PIN_LEN_RANGE => &[CKR_PIN_INVALID, CKR_PIN_INCORRECT],
        CKR_PIN_INVALID => &[CKR_PIN_INCORRECT, CKR_PIN_LEN_RANGE],
        CKR_USER_NOT_LOGGED_IN => &[CKR_ACTION_PROHIBITED],
        CKR_SESSION_READ_ONLY => &[CKR_TOKEN_WRITE_PROTECTED, CKR_ACTION_PROHIBITED],
        CKR_TOKEN_WRITE_PROTECTED => &[CKR_SESSION_READ_ONLY, CKR_ACTION_PROHIBITED],
        CKR_ACTION_PROHIBITED => &[CKR_TOKEN_WRITE_PROTECTED, CKR_ATTRIBUTE_READ_ONLY],
        CKR_OBJECT_HANDLE_INVALID => &[CKR_KEY_HANDLE_INVALID, CKR_UNWRAPPING_KEY_HANDLE_INVALID],
        CKR_KEY_HANDLE_INVALID => &[CKR_UNWRAPPING_KEY_HANDLE_INVALID, CKR_OBJECT_HANDLE_INVALID],
        CKR_KEY_SIZE_RANGE => &[CKR_UNWRAPPING_KEY_SIZE_RANGE, CKR_TEMPLATE_INCONSISTENT],
        CKR_KEY_TYPE_INCONSISTENT | CKR_KEY_FUNCTION_NOT_PERMITTED => &[
            CKR_KEY_TYPE_INCONSISTENT,
            CKR_WRAPPING_KEY_TYPE_INCONSISTENT,
            CKR_UNWRAPPING_KEY_TYPE_INCONSISTENT,
            CKR_TEMPLATE_INCONSISTENT,
        ],
        CKR_DATA_LEN_RANGE => {
            &[CKR_DATA_INVALID, CKR_ENCRYPTED_DATA_LEN_RANGE, CKR_WRAPPED_KEY_LEN_RANGE, CKR_KEY_SIZE_RANGE]
        }
        CKR_DATA_INVALID => &[CKR_DATA_LEN_RANGE, CKR_ENCRYPTED_DATA_INVALID, CKR_WRAPPED_KEY_INVALID],
        CKR_ENCRYPTED_DATA_LEN_RANGE => &[CKR_WRAPPED_KEY_LEN_RANGE, CKR_DATA_LEN_RANGE],
        CKR_ENCRYPTED_DATA_INVALID => &[CKR_WRAPPED_KEY_INVALID, CKR_DATA_INVALID],
        CKR_SIGNATURE_INVALID | CKR_SIGNATURE_LEN_RANGE => &[CKR_SIGNATURE_INVALID, CKR_DATA_INVALID],
        CKR_CURVE_NOT_SUPPORTED => &[CKR_DOMAIN_PARAMS_INVALID, CKR_TEMPLATE_INCONSISTENT],
        CKR_DOMAIN_PARAMS_INVALID => &[CKR_CURVE_NOT_SUPPORTED, CKR_TEMPLATE_INCONSISTENT, CKR_MECHANISM_PARAM_INVALID],
        CKR_TEMPLATE_INCOMPLETE => &[CKR_TEMPLATE_INCONSISTENT],
        CKR_ATTRIBUTE_TYPE_INVALID | CKR_ATTRIBUTE_VALUE_INVALID | CKR_ATTRIBUTE_READ_ONLY => {
            &[CKR_ATTRIBUTE_VALUE_INVALID, CKR_TEMPLATE_INCONSISTENT]
        }
        _ => &[],
    }
}

/// Why a call failed: an error of the floors below, or a code that only the boundary gives.
pub(super) enum Failure {
    /// From below.
    Error(Error),
    /// CKR_SESSION_ASYNC_NOT_SUPPORTED.
    AsyncNotSupported,
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Error(error)
    }
}

impl Failure {
    /// The code before it is narrowed.
    pub(super) fn rv(&self) -> CK_RV {
        match self {
            Self::Error(error) => error.rv(),
            Self::AsyncNotSupported => CKR_SESSION_ASYNC_NOT_SUPPORTED,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLOSE: Results = Results::Exactly(&[&[CKR_OK, CKR_DEVICE_REMOVED, CKR_FUNCTION_FAILED]]);
    const LOG_IN: Results = Results::Session(&[LOGIN]);

    #[test]
    fn a_listed_code_passes() {
        assert_eq!(LOG_IN.narrow(CKR_PIN_LOCKED), CKR_PIN_LOCKED);
        assert_eq!(LOG_IN.narrow(CKR_OK), CKR_OK);
        assert_eq!(LOG_IN.narrow(CKR_SESSION_CLOSED), CKR_SESSION_CLOSED);
    }

    #[test]
    fn a_code_that_is_not_listed_becomes_the_nearest() {
        assert_eq!(LOG_IN.narrow(CKR_PIN_INVALID), CKR_PIN_INCORRECT);
        assert_eq!(LOG_IN.narrow(CKR_TOKEN_NOT_PRESENT), CKR_DEVICE_REMOVED);
        assert_eq!(Results::Token(&[PRESENT]).narrow(CKR_TOKEN_NOT_PRESENT), CKR_TOKEN_NOT_PRESENT);
        assert_eq!(Results::Session(&[UNWRAP]).narrow(CKR_KEY_HANDLE_INVALID), CKR_UNWRAPPING_KEY_HANDLE_INVALID);
    }

    #[test]
    fn a_code_without_a_near_one_is_a_failure_of_the_function() {
        assert_eq!(LOG_IN.narrow(CKR_MECHANISM_INVALID), CKR_FUNCTION_FAILED);
        assert_eq!(CLOSE.narrow(CKR_ARGUMENTS_BAD), CKR_FUNCTION_FAILED);
        assert_eq!(CLOSE.narrow(CKR_TOKEN_NOT_PRESENT), CKR_DEVICE_REMOVED);
    }
}
