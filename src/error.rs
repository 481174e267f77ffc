//! The error of the upper floors, as Cryptoki names it, and its one mapping to `CK_RV`.
//!
//! Lower floors have errors of their own with the details; they turn into these where their meaning in
//! Cryptoki is known. The C boundary narrows a code to what the specification lists for the function.

use cryptoki_sys::*;
use thiserror::Error;

use crate::card::CardError;
use crate::channel::ChannelError;
use crate::channel::pin_pad::EntryError;
use crate::pcsc::LinkError;

macro_rules! errors {
    ($($(#[$doc:meta])* $name:ident = $code:ident,)*) => {
        /// A Cryptoki result other than CKR_OK (PKCS#11 3.2 section 5.1).
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
        pub enum Error {
            $($(#[$doc])* #[doc = concat!("`", stringify!($code), "`.")] #[error("{}", stringify!($code))] $name,)*
        }

        impl Error {
            /// The code for the caller.
            pub fn rv(self) -> CK_RV {
                match self {
                    $(Self::$name => $code,)*
                }
            }
        }
    };
}

errors! {
    ActionProhibited = CKR_ACTION_PROHIBITED,
    ArgumentsBad = CKR_ARGUMENTS_BAD,
    AttributeReadOnly = CKR_ATTRIBUTE_READ_ONLY,
    AttributeSensitive = CKR_ATTRIBUTE_SENSITIVE,
    AttributeTypeInvalid = CKR_ATTRIBUTE_TYPE_INVALID,
    AttributeValueInvalid = CKR_ATTRIBUTE_VALUE_INVALID,
    BufferTooSmall = CKR_BUFFER_TOO_SMALL,
    CantLock = CKR_CANT_LOCK,
    CryptokiAlreadyInitialized = CKR_CRYPTOKI_ALREADY_INITIALIZED,
    CryptokiNotInitialized = CKR_CRYPTOKI_NOT_INITIALIZED,
    CurveNotSupported = CKR_CURVE_NOT_SUPPORTED,
    DataInvalid = CKR_DATA_INVALID,
    DataLenRange = CKR_DATA_LEN_RANGE,
    DeviceError = CKR_DEVICE_ERROR,
    DeviceMemory = CKR_DEVICE_MEMORY,
    DeviceRemoved = CKR_DEVICE_REMOVED,
    DomainParamsInvalid = CKR_DOMAIN_PARAMS_INVALID,
    EncryptedDataInvalid = CKR_ENCRYPTED_DATA_INVALID,
    EncryptedDataLenRange = CKR_ENCRYPTED_DATA_LEN_RANGE,
    FunctionCanceled = CKR_FUNCTION_CANCELED,
    FunctionFailed = CKR_FUNCTION_FAILED,
    FunctionNotParallel = CKR_FUNCTION_NOT_PARALLEL,
    FunctionNotSupported = CKR_FUNCTION_NOT_SUPPORTED,
    FunctionRejected = CKR_FUNCTION_REJECTED,
    GeneralError = CKR_GENERAL_ERROR,
    HostMemory = CKR_HOST_MEMORY,
    KeyFunctionNotPermitted = CKR_KEY_FUNCTION_NOT_PERMITTED,
    KeyHandleInvalid = CKR_KEY_HANDLE_INVALID,
    KeyIndigestible = CKR_KEY_INDIGESTIBLE,
    KeyNotNeeded = CKR_KEY_NOT_NEEDED,
    KeyNotWrappable = CKR_KEY_NOT_WRAPPABLE,
    KeySizeRange = CKR_KEY_SIZE_RANGE,
    KeyUnextractable = CKR_KEY_UNEXTRACTABLE,
    KeyTypeInconsistent = CKR_KEY_TYPE_INCONSISTENT,
    MechanismInvalid = CKR_MECHANISM_INVALID,
    MechanismParamInvalid = CKR_MECHANISM_PARAM_INVALID,
    NeedToCreateThreads = CKR_NEED_TO_CREATE_THREADS,
    NoEvent = CKR_NO_EVENT,
    ObjectHandleInvalid = CKR_OBJECT_HANDLE_INVALID,
    OperationActive = CKR_OPERATION_ACTIVE,
    OperationCancelFailed = CKR_OPERATION_CANCEL_FAILED,
    OperationNotInitialized = CKR_OPERATION_NOT_INITIALIZED,
    PinExpired = CKR_PIN_EXPIRED,
    PinIncorrect = CKR_PIN_INCORRECT,
    PinInvalid = CKR_PIN_INVALID,
    PinLenRange = CKR_PIN_LEN_RANGE,
    PinLocked = CKR_PIN_LOCKED,
    RandomNoRng = CKR_RANDOM_NO_RNG,
    RandomSeedNotSupported = CKR_RANDOM_SEED_NOT_SUPPORTED,
    SavedStateInvalid = CKR_SAVED_STATE_INVALID,
    SessionClosed = CKR_SESSION_CLOSED,
    SessionCount = CKR_SESSION_COUNT,
    SessionExists = CKR_SESSION_EXISTS,
    SessionHandleInvalid = CKR_SESSION_HANDLE_INVALID,
    SessionParallelNotSupported = CKR_SESSION_PARALLEL_NOT_SUPPORTED,
    SessionReadOnly = CKR_SESSION_READ_ONLY,
    SessionReadOnlyExists = CKR_SESSION_READ_ONLY_EXISTS,
    SessionReadWriteSoExists = CKR_SESSION_READ_WRITE_SO_EXISTS,
    SignatureInvalid = CKR_SIGNATURE_INVALID,
    SignatureLenRange = CKR_SIGNATURE_LEN_RANGE,
    SlotIdInvalid = CKR_SLOT_ID_INVALID,
    StateUnsaveable = CKR_STATE_UNSAVEABLE,
    TemplateIncomplete = CKR_TEMPLATE_INCOMPLETE,
    TemplateInconsistent = CKR_TEMPLATE_INCONSISTENT,
    TokenNotPresent = CKR_TOKEN_NOT_PRESENT,
    TokenNotRecognized = CKR_TOKEN_NOT_RECOGNIZED,
    TokenWriteProtected = CKR_TOKEN_WRITE_PROTECTED,
    UnwrappingKeyHandleInvalid = CKR_UNWRAPPING_KEY_HANDLE_INVALID,
    UnwrappingKeyTypeInconsistent = CKR_UNWRAPPING_KEY_TYPE_INCONSISTENT,
    UserAlreadyLoggedIn = CKR_USER_ALREADY_LOGGED_IN,
    UserAnotherAlreadyLoggedIn = CKR_USER_ANOTHER_ALREADY_LOGGED_IN,
    UserNotLoggedIn = CKR_USER_NOT_LOGGED_IN,
    UserPinNotInitialized = CKR_USER_PIN_NOT_INITIALIZED,
    UserTypeInvalid = CKR_USER_TYPE_INVALID,
    WrappedKeyInvalid = CKR_WRAPPED_KEY_INVALID,
    WrappedKeyLenRange = CKR_WRAPPED_KEY_LEN_RANGE,
    WrappingKeyHandleInvalid = CKR_WRAPPING_KEY_HANDLE_INVALID,
    WrappingKeyTypeInconsistent = CKR_WRAPPING_KEY_TYPE_INCONSISTENT,
}

/// What the upper floors return.
pub type Result<T> = core::result::Result<T, Error>;

impl From<LinkError> for Error {
    fn from(error: LinkError) -> Self {
        match error {
            LinkError::NoReader | LinkError::NoCard | LinkError::Removed | LinkError::NoService => Self::DeviceRemoved,
            LinkError::Cancelled => Self::FunctionCanceled,
            _ => Self::DeviceError,
        }
    }
}

impl From<ChannelError> for Error {
    fn from(error: ChannelError) -> Self {
        match error {
            ChannelError::Link(link) => link.into(),
            ChannelError::Command | ChannelError::Malformed | ChannelError::Endless => Self::DeviceError,
        }
    }
}

/// A PIN entry that ended on the reader.
///
/// Cancel key and timeout are the device's ways to end an entry on the protected path, which is what
/// CKR_FUNCTION_CANCELED stands for (PKCS#11 3.2 section 5.1.1). New PINs that differ make a new PIN that is none,
/// CKR_PIN_INVALID; too few or too many digits have a code of their own. C_Login, C_SetPIN and C_InitPIN list what they
/// can meet of these.
impl From<EntryError> for Error {
    fn from(error: EntryError) -> Self {
        match error {
            EntryError::TimedOut | EntryError::Cancelled => Self::FunctionCanceled,
            EntryError::NewPinsDiffer => Self::PinInvalid,
            EntryError::Length => Self::PinLenRange,
            EntryError::Refused => Self::DeviceError,
        }
    }
}

impl From<CardError> for Error {
    fn from(error: CardError) -> Self {
        match error {
            CardError::Channel(channel) => channel.into(),
            CardError::NotInitialized => Self::UserPinNotInitialized,
            CardError::Status { .. } | CardError::Malformed { .. } => Self::DeviceError,
            CardError::NotSupported => Self::FunctionNotSupported,
            CardError::PinIncorrect { .. } | CardError::KeyRefused => Self::PinIncorrect,
            CardError::PinBlocked => Self::PinLocked,
            CardError::Entry(entry) => entry.into(),
            CardError::PinLength => Self::PinLenRange,
            CardError::PinInvalid => Self::PinInvalid,
            CardError::SecurityStatus => Self::UserNotLoggedIn,
            CardError::Memory => Self::DeviceMemory,
            CardError::Occupied => Self::AttributeValueInvalid,
            CardError::NotFound => Self::DeviceError,
            CardError::Input => Self::DataLenRange,
        }
    }
}
