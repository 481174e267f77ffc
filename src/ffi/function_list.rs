//! The table of Cryptoki: every function once, and from it the wrappers and the function lists.
//!
//! A row is `kind C_Name(arguments) = chapter::function, Results(…);`. The kinds are
//!
//! - `call`: needs the Library;
//! - `versioned`: needs the Library and the version of the list it was called through;
//! - `lifecycle`: makes or ends the Library;
//! - `exported`: works before C_Initialize and is a symbol of the shared library. There are exactly three.
//!
//! The compiler compares each row's arguments with the type of its place in the lists.
#![allow(unsafe_code, non_snake_case)]

use cryptoki_sys::*;

use super::pointer::Argument;
use super::results::*;
use super::{Function, call, lifecycle, stateless};

#[cfg(test)]
mod tests;

/// One wrapper: takes the arguments, and runs the chapter's function under the guard.
macro_rules! wrapper {
    (call $name:ident ($($argument:ident: $type:ty),*) $chapter:ident::$function:ident $results:expr) => {
        unsafe extern "C" fn $name($($argument: $type),*) -> CK_RV {
            const FUNCTION: Function = Function { name: stringify!($name), results: $results };
            $(
                // SAFETY: what the specification demands of the function's arguments is the caller's promise.
                let $argument = unsafe { $argument.of_call() };
            )*
            call(&FUNCTION, |library| super::$chapter::$function(library, $($argument),*))
        }
    };
    (versioned $name:ident ($($argument:ident: $type:ty),*) $chapter:ident::$function:ident $results:expr) => {
        unsafe extern "C" fn $name<const MAJOR: u8, const MINOR: u8>($($argument: $type),*) -> CK_RV {
            const FUNCTION: Function = Function { name: stringify!($name), results: $results };
            $(
                // SAFETY: as for `call`.
                let $argument = unsafe { $argument.of_call() };
            )*
            let version = CK_VERSION { major: MAJOR, minor: MINOR };
            call(&FUNCTION, |library| super::$chapter::$function(library, version, $($argument),*))
        }
    };
    (lifecycle $name:ident ($($argument:ident: $type:ty),*) $chapter:ident::$function:ident $results:expr) => {
        unsafe extern "C" fn $name($($argument: $type),*) -> CK_RV {
            const FUNCTION: Function = Function { name: stringify!($name), results: $results };
            $(
                // SAFETY: as for `call`.
                let $argument = unsafe { $argument.of_call() };
            )*
            lifecycle(&FUNCTION, || super::$chapter::$function($($argument),*))
        }
    };
    (exported $name:ident ($($argument:ident: $type:ty),*) $chapter:ident::$function:ident $results:expr) => {
        #[doc = concat!("`", stringify!($name), "` of PKCS#11 3.2 section 5.4.")]
        ///
        /// # Safety
        /// The pointers are null or as the specification demands.
        #[unsafe(no_mangle)]
        pub(crate) unsafe extern "C" fn $name($($argument: $type),*) -> CK_RV {
            const FUNCTION: Function = Function { name: stringify!($name), results: $results };
            $(
                // SAFETY: as for `call`.
                let $argument = unsafe { $argument.of_call() };
            )*
            stateless(&FUNCTION, || super::$chapter::$function($($argument),*))
        }
    };
}

/// The place of a function in a list.
macro_rules! place {
    (versioned $name:ident $major:literal $minor:literal) => {
        Some($name::<$major, $minor>)
    };
    ($kind:ident $name:ident $major:literal $minor:literal) => {
        Some($name)
    };
}

#[cfg(test)]
macro_rules! row {
    (versioned $name:ident $arguments:tt) => {
        row!(@ versioned $name $arguments $name::<3, 2>)
    };
    ($kind:ident $name:ident $arguments:tt) => {
        row!(@ $kind $name $arguments $name)
    };
    (@ $kind:ident $name:ident ($($argument:ident: $type:ty),*) $function:expr) => {
        (stringify!($kind), stringify!($name), || {
            $(
                // SAFETY: zero is a null pointer, an absent callback or a number.
                let $argument: $type = unsafe { std::mem::zeroed() };
            )*
            // SAFETY: every pointer is null.
            unsafe { $function($($argument),*) }
        })
    };
}

macro_rules! table {
    (
        v2_40 { $($kind:ident $name:ident $arguments:tt = $chapter:ident::$function:ident, $results:ident $lists:tt;)* }
        v3_0 {
            $($kind3:ident $name3:ident $arguments3:tt
                = $chapter3:ident::$function3:ident, $results3:ident $lists3:tt;)*
        }
        v3_2 {
            $($kind32:ident $name32:ident $arguments32:tt
                = $chapter32:ident::$function32:ident, $results32:ident $lists32:tt;)*
        }
    ) => {
        $(wrapper!($kind $name $arguments $chapter::$function results!($results $lists));)*
        $(wrapper!($kind3 $name3 $arguments3 $chapter3::$function3 results!($results3 $lists3));)*
        $(wrapper!($kind32 $name32 $arguments32 $chapter32::$function32 results!($results32 $lists32));)*

        /// The 68 functions of PKCS#11 2.40.
        pub(super) static LIST_2_40: CK_FUNCTION_LIST = CK_FUNCTION_LIST {
            version: CK_VERSION { major: 2, minor: 40 },
            $($name: place!($kind $name 2 40),)*
        };

        /// The 92 functions of PKCS#11 3.0.
        pub(super) static LIST_3_0: CK_FUNCTION_LIST_3_0 = CK_FUNCTION_LIST_3_0 {
            version: CK_VERSION { major: 3, minor: 0 },
            $($name: place!($kind $name 3 0),)*
            $($name3: place!($kind3 $name3 3 0),)*
        };

        /// PKCS#11 3.1, which added no function.
        pub(super) static LIST_3_1: CK_FUNCTION_LIST_3_0 = CK_FUNCTION_LIST_3_0 {
            version: CK_VERSION { major: 3, minor: 1 },
            $($name: place!($kind $name 3 1),)*
            $($name3: place!($kind3 $name3 3 1),)*
        };

        /// The 104 functions of PKCS#11 3.2.
        pub(super) static LIST_3_2: CK_FUNCTION_LIST_3_2 = CK_FUNCTION_LIST_3_2 {
            version: CK_VERSION { major: 3, minor: 2 },
            $($name: place!($kind $name 3 2),)*
            $($name3: place!($kind3 $name3 3 2),)*
            $($name32: place!($kind32 $name32 3 2),)*
        };

        /// Kind and name of every row, and a call of it with every pointer null and every number 0.
        #[cfg(test)]
        pub(super) const ROWS: &[(&str, &str, fn() -> CK_RV)] = &[
            $(row!($kind $name $arguments),)*
            $(row!($kind3 $name3 $arguments3),)*
            $(row!($kind32 $name32 $arguments32),)*
        ];
    };
}

/// The results of a row.
macro_rules! results {
    ($class:ident ($($list:expr),*)) => {
        Results::$class(&[$($list),*])
    };
}

table! {
    v2_40 {
        lifecycle C_Initialize(arguments: CK_VOID_PTR)
            = general::initialize, Library(&[CKR_CANT_LOCK, CKR_CRYPTOKI_ALREADY_INITIALIZED,
                CKR_NEED_TO_CREATE_THREADS]);
        lifecycle C_Finalize(reserved: CK_VOID_PTR) = general::finalize, Library();
        versioned C_GetInfo(info: CK_INFO_PTR) = general::info, Library();
        exported C_GetFunctionList(list: CK_FUNCTION_LIST_PTR_PTR) = interface::function_list, Library();
        call C_GetSlotList(token_present: CK_BBOOL, list: CK_SLOT_ID_PTR, count: CK_ULONG_PTR)
            = slot_token::slot_list, Library(OUTPUT);
        call C_GetSlotInfo(slot: CK_SLOT_ID, info: CK_SLOT_INFO_PTR)
            = slot_token::slot_info, Library(&[CKR_DEVICE_ERROR, CKR_SLOT_ID_INVALID]);
        call C_GetTokenInfo(slot: CK_SLOT_ID, info: CK_TOKEN_INFO_PTR) = slot_token::token_info, Token(PRESENT);
        call C_GetMechanismList(slot: CK_SLOT_ID, list: CK_MECHANISM_TYPE_PTR, count: CK_ULONG_PTR)
            = slot_token::mechanism_list, Token(PRESENT, OUTPUT);
        call C_GetMechanismInfo(slot: CK_SLOT_ID, mechanism: CK_MECHANISM_TYPE, info: CK_MECHANISM_INFO_PTR)
            = slot_token::mechanism_info, Token(PRESENT, &[CKR_MECHANISM_INVALID]);
        call C_InitToken(slot: CK_SLOT_ID, so_pin: CK_UTF8CHAR_PTR, so_pin_length: CK_ULONG, label: CK_UTF8CHAR_PTR)
            = slot_token::init_token, Token(PRESENT, &[CKR_FUNCTION_CANCELED, CKR_PIN_INCORRECT, CKR_PIN_LOCKED,
                CKR_SESSION_EXISTS, CKR_TOKEN_WRITE_PROTECTED]);
        call C_InitPIN(session: CK_SESSION_HANDLE, new: CK_UTF8CHAR_PTR, new_length: CK_ULONG)
            = slot_token::init_pin, Session(&[CKR_FUNCTION_CANCELED, CKR_PIN_INVALID, CKR_PIN_LEN_RANGE,
                CKR_SESSION_READ_ONLY, CKR_TOKEN_WRITE_PROTECTED, CKR_USER_NOT_LOGGED_IN]);
        call C_SetPIN(session: CK_SESSION_HANDLE, old: CK_UTF8CHAR_PTR, old_length: CK_ULONG, new: CK_UTF8CHAR_PTR,
            new_length: CK_ULONG)
            = slot_token::set_pin, Session(&[CKR_FUNCTION_CANCELED, CKR_PIN_INCORRECT, CKR_PIN_INVALID,
                CKR_PIN_LEN_RANGE, CKR_PIN_LOCKED, CKR_SESSION_READ_ONLY, CKR_TOKEN_WRITE_PROTECTED]);
        call C_OpenSession(slot: CK_SLOT_ID, flags: CK_FLAGS, application: CK_VOID_PTR, notify: CK_NOTIFY,
            session: CK_SESSION_HANDLE_PTR)
            = session::open, Token(PRESENT, &[CKR_SESSION_ASYNC_NOT_SUPPORTED, CKR_SESSION_COUNT,
                CKR_SESSION_PARALLEL_NOT_SUPPORTED, CKR_SESSION_READ_WRITE_SO_EXISTS, CKR_TOKEN_WRITE_PROTECTED]);
        call C_CloseSession(session: CK_SESSION_HANDLE)
            = session::close, Exactly(&[CKR_CRYPTOKI_NOT_INITIALIZED, CKR_DEVICE_ERROR, CKR_DEVICE_MEMORY,
                CKR_DEVICE_REMOVED, CKR_FUNCTION_FAILED, CKR_GENERAL_ERROR, CKR_HOST_MEMORY, CKR_OK,
                CKR_SESSION_CLOSED, CKR_SESSION_HANDLE_INVALID]);
        call C_CloseAllSessions(slot: CK_SLOT_ID)
            = session::close_all, Token(&[CKR_SLOT_ID_INVALID, CKR_TOKEN_NOT_PRESENT]);
        call C_GetSessionInfo(session: CK_SESSION_HANDLE, info: CK_SESSION_INFO_PTR) = session::info, Session();
        call C_GetOperationState(session: CK_SESSION_HANDLE, state: CK_BYTE_PTR, state_length: CK_ULONG_PTR)
            = session::operation_state, Session(OUTPUT, &[CKR_OPERATION_NOT_INITIALIZED, CKR_STATE_UNSAVEABLE]);
        call C_SetOperationState(session: CK_SESSION_HANDLE, state: CK_BYTE_PTR, state_length: CK_ULONG,
            encryption_key: CK_OBJECT_HANDLE, authentication_key: CK_OBJECT_HANDLE)
            = session::set_operation_state, Session(&[CKR_KEY_CHANGED, CKR_KEY_NEEDED, CKR_KEY_NOT_NEEDED,
                CKR_SAVED_STATE_INVALID]);
        call C_Login(session: CK_SESSION_HANDLE, user: CK_USER_TYPE, pin_value: CK_UTF8CHAR_PTR,
            pin_length: CK_ULONG)
            = session::login, Session(LOGIN);
        call C_Logout(session: CK_SESSION_HANDLE) = session::logout, Session(&[CKR_USER_NOT_LOGGED_IN]);
        call C_CreateObject(session: CK_SESSION_HANDLE, template: CK_ATTRIBUTE_PTR, count: CK_ULONG,
            object: CK_OBJECT_HANDLE_PTR)
            = object::create, Session(TEMPLATE, CREATE, DOMAIN);
        call C_CopyObject(session: CK_SESSION_HANDLE, object: CK_OBJECT_HANDLE, template: CK_ATTRIBUTE_PTR,
            count: CK_ULONG, new_object: CK_OBJECT_HANDLE_PTR)
            = object::copy, Session(TEMPLATE, &[CKR_ACTION_PROHIBITED, CKR_OBJECT_HANDLE_INVALID, CKR_PIN_EXPIRED]);
        call C_DestroyObject(session: CK_SESSION_HANDLE, object: CK_OBJECT_HANDLE)
            = object::destroy, Session(&[CKR_ACTION_PROHIBITED, CKR_OBJECT_HANDLE_INVALID, CKR_PIN_EXPIRED,
                CKR_SESSION_READ_ONLY, CKR_TOKEN_WRITE_PROTECTED]);
        call C_GetObjectSize(session: CK_SESSION_HANDLE, object: CK_OBJECT_HANDLE, size: CK_ULONG_PTR)
            = object::size, Session(&[CKR_INFORMATION_SENSITIVE, CKR_OBJECT_HANDLE_INVALID]);
        call C_GetAttributeValue(session: CK_SESSION_HANDLE, object: CK_OBJECT_HANDLE, template: CK_ATTRIBUTE_PTR,
            count: CK_ULONG)
            = object::attribute_values, Session(OUTPUT, &[CKR_ATTRIBUTE_SENSITIVE, CKR_ATTRIBUTE_TYPE_INVALID,
                CKR_OBJECT_HANDLE_INVALID]);
        call C_SetAttributeValue(session: CK_SESSION_HANDLE, object: CK_OBJECT_HANDLE, template: CK_ATTRIBUTE_PTR,
            count: CK_ULONG)
            = object::set_attributes, Session(TEMPLATE, &[CKR_ACTION_PROHIBITED, CKR_OBJECT_HANDLE_INVALID]);
        call C_FindObjectsInit(session: CK_SESSION_HANDLE, template: CK_ATTRIBUTE_PTR, count: CK_ULONG)
            = object::find_init, Session(&[CKR_ATTRIBUTE_TYPE_INVALID, CKR_ATTRIBUTE_VALUE_INVALID,
                CKR_PIN_EXPIRED]);
        call C_FindObjects(session: CK_SESSION_HANDLE, objects: CK_OBJECT_HANDLE_PTR, capacity: CK_ULONG,
            count: CK_ULONG_PTR)
            = object::find, Session(&[CKR_OPERATION_NOT_INITIALIZED]);
        call C_FindObjectsFinal(session: CK_SESSION_HANDLE)
            = object::find_final, Session(&[CKR_OPERATION_NOT_INITIALIZED]);
        call C_EncryptInit(session: CK_SESSION_HANDLE, mechanism: CK_MECHANISM_PTR, key: CK_OBJECT_HANDLE)
            = encrypt::init, Session(INIT, KEY);
        call C_Encrypt(session: CK_SESSION_HANDLE, input: CK_BYTE_PTR, input_length: CK_ULONG, output: CK_BYTE_PTR,
            output_length: CK_ULONG_PTR)
            = encrypt::encrypt, Session(STEP, OUTPUT, DATA);
        call C_EncryptUpdate(session: CK_SESSION_HANDLE, part: CK_BYTE_PTR, part_length: CK_ULONG,
            output: CK_BYTE_PTR, output_length: CK_ULONG_PTR)
            = encrypt::update, Session(STEP, OUTPUT, &[CKR_DATA_LEN_RANGE]);
        call C_EncryptFinal(session: CK_SESSION_HANDLE, output: CK_BYTE_PTR, output_length: CK_ULONG_PTR)
            = encrypt::finish, Session(STEP, OUTPUT, &[CKR_DATA_LEN_RANGE]);
        call C_DecryptInit(session: CK_SESSION_HANDLE, mechanism: CK_MECHANISM_PTR, key: CK_OBJECT_HANDLE)
            = decrypt::init, Session(INIT, KEY);
        call C_Decrypt(session: CK_SESSION_HANDLE, input: CK_BYTE_PTR, input_length: CK_ULONG, output: CK_BYTE_PTR,
            output_length: CK_ULONG_PTR)
            = decrypt::decrypt, Session(STEP, OUTPUT, CIPHERTEXT);
        call C_DecryptUpdate(session: CK_SESSION_HANDLE, part: CK_BYTE_PTR, part_length: CK_ULONG,
            output: CK_BYTE_PTR, output_length: CK_ULONG_PTR)
            = decrypt::update, Session(STEP, OUTPUT, CIPHERTEXT);
        call C_DecryptFinal(session: CK_SESSION_HANDLE, output: CK_BYTE_PTR, output_length: CK_ULONG_PTR)
            = decrypt::finish, Session(STEP, OUTPUT, CIPHERTEXT);
        call C_DigestInit(session: CK_SESSION_HANDLE, mechanism: CK_MECHANISM_PTR) = digest::init, Session(INIT);
        call C_Digest(session: CK_SESSION_HANDLE, data: CK_BYTE_PTR, data_length: CK_ULONG, digest: CK_BYTE_PTR,
            digest_length: CK_ULONG_PTR)
            = digest::digest, Session(STEP, OUTPUT);
        call C_DigestUpdate(session: CK_SESSION_HANDLE, part: CK_BYTE_PTR, part_length: CK_ULONG)
            = digest::update, Session(STEP);
        call C_DigestKey(session: CK_SESSION_HANDLE, key: CK_OBJECT_HANDLE)
            = digest::key, Session(STEP, &[CKR_KEY_HANDLE_INVALID, CKR_KEY_INDIGESTIBLE, CKR_KEY_SIZE_RANGE]);
        call C_DigestFinal(session: CK_SESSION_HANDLE, digest: CK_BYTE_PTR, digest_length: CK_ULONG_PTR)
            = digest::finish, Session(STEP, OUTPUT);
        call C_SignInit(session: CK_SESSION_HANDLE, mechanism: CK_MECHANISM_PTR, key: CK_OBJECT_HANDLE)
            = sign::init, Session(INIT, KEY);
        call C_Sign(session: CK_SESSION_HANDLE, data: CK_BYTE_PTR, data_length: CK_ULONG, signature: CK_BYTE_PTR,
            signature_length: CK_ULONG_PTR)
            = sign::sign, Session(STEP, OUTPUT, DATA, SIGN, &[CKR_FUNCTION_REJECTED]);
        call C_SignUpdate(session: CK_SESSION_HANDLE, part: CK_BYTE_PTR, part_length: CK_ULONG)
            = sign::update, Session(STEP, SIGN, &[CKR_DATA_LEN_RANGE]);
        call C_SignFinal(session: CK_SESSION_HANDLE, signature: CK_BYTE_PTR, signature_length: CK_ULONG_PTR)
            = sign::finish, Session(STEP, OUTPUT, SIGN, &[CKR_DATA_LEN_RANGE, CKR_FUNCTION_REJECTED]);
        call C_SignRecoverInit(session: CK_SESSION_HANDLE, mechanism: CK_MECHANISM_PTR, key: CK_OBJECT_HANDLE)
            = sign::recover_init, Session(INIT, KEY);
        call C_SignRecover(session: CK_SESSION_HANDLE, data: CK_BYTE_PTR, data_length: CK_ULONG,
            signature: CK_BYTE_PTR, signature_length: CK_ULONG_PTR)
            = sign::recover, Session(STEP, OUTPUT, DATA, SIGN);
        call C_VerifyInit(session: CK_SESSION_HANDLE, mechanism: CK_MECHANISM_PTR, key: CK_OBJECT_HANDLE)
            = verify::init, Session(INIT, KEY);
        call C_Verify(session: CK_SESSION_HANDLE, data: CK_BYTE_PTR, data_length: CK_ULONG, signature: CK_BYTE_PTR,
            signature_length: CK_ULONG)
            = verify::verify, Session(STEP, DATA, SIGNATURE);
        call C_VerifyUpdate(session: CK_SESSION_HANDLE, part: CK_BYTE_PTR, part_length: CK_ULONG)
            = verify::update, Session(STEP, &[CKR_DATA_LEN_RANGE, CKR_TOKEN_RESOURCE_EXCEEDED]);
        call C_VerifyFinal(session: CK_SESSION_HANDLE, signature: CK_BYTE_PTR, signature_length: CK_ULONG)
            = verify::finish, Session(STEP, SIGNATURE, &[CKR_DATA_LEN_RANGE]);
        call C_VerifyRecoverInit(session: CK_SESSION_HANDLE, mechanism: CK_MECHANISM_PTR, key: CK_OBJECT_HANDLE)
            = verify::recover_init, Session(INIT, KEY);
        call C_VerifyRecover(session: CK_SESSION_HANDLE, signature: CK_BYTE_PTR, signature_length: CK_ULONG,
            data: CK_BYTE_PTR, data_length: CK_ULONG_PTR)
            = verify::recover, Session(STEP, OUTPUT, DATA, SIGNATURE);
        call C_DigestEncryptUpdate(session: CK_SESSION_HANDLE, part: CK_BYTE_PTR, part_length: CK_ULONG,
            output: CK_BYTE_PTR, output_length: CK_ULONG_PTR)
            = dual::digest_encrypt, Session(STEP, OUTPUT, &[CKR_DATA_LEN_RANGE]);
        call C_DecryptDigestUpdate(session: CK_SESSION_HANDLE, part: CK_BYTE_PTR, part_length: CK_ULONG,
            output: CK_BYTE_PTR, output_length: CK_ULONG_PTR)
            = dual::decrypt_digest, Session(STEP, OUTPUT, CIPHERTEXT);
        call C_SignEncryptUpdate(session: CK_SESSION_HANDLE, part: CK_BYTE_PTR, part_length: CK_ULONG,
            output: CK_BYTE_PTR, output_length: CK_ULONG_PTR)
            = dual::sign_encrypt, Session(STEP, OUTPUT, SIGN, &[CKR_DATA_LEN_RANGE]);
        call C_DecryptVerifyUpdate(session: CK_SESSION_HANDLE, part: CK_BYTE_PTR, part_length: CK_ULONG,
            output: CK_BYTE_PTR, output_length: CK_ULONG_PTR)
            = dual::decrypt_verify, Session(STEP, OUTPUT, CIPHERTEXT, &[CKR_DATA_LEN_RANGE]);
        call C_GenerateKey(session: CK_SESSION_HANDLE, mechanism: CK_MECHANISM_PTR, template: CK_ATTRIBUTE_PTR,
            count: CK_ULONG, key: CK_OBJECT_HANDLE_PTR)
            = key::generate, Session(MECHANISM, TEMPLATE, CREATE, &[CKR_FUNCTION_CANCELED]);
        call C_GenerateKeyPair(session: CK_SESSION_HANDLE, mechanism: CK_MECHANISM_PTR,
            public_template: CK_ATTRIBUTE_PTR, public_count: CK_ULONG, private_template: CK_ATTRIBUTE_PTR,
            private_count: CK_ULONG, public_key: CK_OBJECT_HANDLE_PTR, private_key: CK_OBJECT_HANDLE_PTR)
            = key::generate_pair, Session(MECHANISM, TEMPLATE, CREATE, DOMAIN, &[CKR_FUNCTION_CANCELED]);
        call C_WrapKey(session: CK_SESSION_HANDLE, mechanism: CK_MECHANISM_PTR, wrapping_key: CK_OBJECT_HANDLE,
            key: CK_OBJECT_HANDLE, wrapped: CK_BYTE_PTR, wrapped_length: CK_ULONG_PTR)
            = key::wrap, Session(MECHANISM, OUTPUT, WRAP);
        call C_UnwrapKey(session: CK_SESSION_HANDLE, mechanism: CK_MECHANISM_PTR, unwrapping_key: CK_OBJECT_HANDLE,
            wrapped: CK_BYTE_PTR, wrapped_length: CK_ULONG, template: CK_ATTRIBUTE_PTR, count: CK_ULONG,
            key: CK_OBJECT_HANDLE_PTR)
            = key::unwrap, Session(MECHANISM, TEMPLATE, CREATE, DOMAIN, UNWRAP);
        call C_DeriveKey(session: CK_SESSION_HANDLE, mechanism: CK_MECHANISM_PTR, base_key: CK_OBJECT_HANDLE,
            template: CK_ATTRIBUTE_PTR, count: CK_ULONG, key: CK_OBJECT_HANDLE_PTR)
            = key::derive, Session(MECHANISM, TEMPLATE, CREATE, DERIVE, &[CKR_DATA_LEN_RANGE, CKR_DOMAIN_PARAMS_INVALID]);
        call C_SeedRandom(session: CK_SESSION_HANDLE, seed: CK_BYTE_PTR, seed_length: CK_ULONG)
            = random::seed, Session(&[CKR_FUNCTION_CANCELED, CKR_RANDOM_NO_RNG, CKR_RANDOM_SEED_NOT_SUPPORTED,
                CKR_USER_NOT_LOGGED_IN]);
        call C_GenerateRandom(session: CK_SESSION_HANDLE, bytes: CK_BYTE_PTR, length: CK_ULONG)
            = random::generate, Session(&[CKR_FUNCTION_CANCELED, CKR_RANDOM_NO_RNG, CKR_SEED_RANDOM_REQUIRED,
                CKR_USER_NOT_LOGGED_IN]);
        call C_GetFunctionStatus(session: CK_SESSION_HANDLE) = parallel::legacy, Exactly(LEGACY);
        call C_CancelFunction(session: CK_SESSION_HANDLE) = parallel::legacy, Exactly(LEGACY);
        call C_WaitForSlotEvent(flags: CK_FLAGS, slot: CK_SLOT_ID_PTR, reserved: CK_VOID_PTR)
            = slot_token::wait_for_slot_event, Library(&[CKR_NO_EVENT]);
    }
    v3_0 {
        exported C_GetInterfaceList(list: CK_INTERFACE_PTR, count: CK_ULONG_PTR)
            = interface::interface_list, Library(OUTPUT);
        exported C_GetInterface(name: CK_UTF8CHAR_PTR, version: CK_VERSION_PTR, interface: CK_INTERFACE_PTR_PTR,
            flags: CK_FLAGS)
            = interface::interface, Library(OUTPUT);
        call C_LoginUser(session: CK_SESSION_HANDLE, user: CK_USER_TYPE, pin_value: CK_UTF8CHAR_PTR,
            pin_length: CK_ULONG, name: CK_UTF8CHAR_PTR, name_length: CK_ULONG)
            = session::login_user, Session(LOGIN);
        call C_SessionCancel(session: CK_SESSION_HANDLE, flags: CK_FLAGS)
            = session::cancel, Session(&[CKR_OPERATION_CANCEL_FAILED, CKR_TOKEN_NOT_PRESENT]);
        call C_MessageEncryptInit(session: CK_SESSION_HANDLE, mechanism: CK_MECHANISM_PTR, key: CK_OBJECT_HANDLE)
            = message::init, Session(INIT, KEY);
        call C_EncryptMessage(session: CK_SESSION_HANDLE, parameter: CK_VOID_PTR, parameter_length: CK_ULONG,
            associated: CK_BYTE_PTR, associated_length: CK_ULONG, input: CK_BYTE_PTR, input_length: CK_ULONG,
            output: CK_BYTE_PTR, output_length: CK_ULONG_PTR)
            = message::cipher, Session(STEP, OUTPUT, DATA);
        call C_EncryptMessageBegin(session: CK_SESSION_HANDLE, parameter: CK_VOID_PTR, parameter_length: CK_ULONG,
            associated: CK_BYTE_PTR, associated_length: CK_ULONG)
            = message::cipher_begin, Session(STEP, INIT);
        call C_EncryptMessageNext(session: CK_SESSION_HANDLE, parameter: CK_VOID_PTR, parameter_length: CK_ULONG,
            part: CK_BYTE_PTR, part_length: CK_ULONG, output: CK_BYTE_PTR, output_length: CK_ULONG_PTR,
            flags: CK_FLAGS)
            = message::cipher_next, Session(STEP, OUTPUT, DATA);
        call C_MessageEncryptFinal(session: CK_SESSION_HANDLE) = message::finish, Session(STEP);
        call C_MessageDecryptInit(session: CK_SESSION_HANDLE, mechanism: CK_MECHANISM_PTR, key: CK_OBJECT_HANDLE)
            = message::init, Session(INIT, KEY);
        call C_DecryptMessage(session: CK_SESSION_HANDLE, parameter: CK_VOID_PTR, parameter_length: CK_ULONG,
            associated: CK_BYTE_PTR, associated_length: CK_ULONG, input: CK_BYTE_PTR, input_length: CK_ULONG,
            output: CK_BYTE_PTR, output_length: CK_ULONG_PTR)
            = message::cipher, Session(STEP, OUTPUT, CIPHERTEXT, &[CKR_AEAD_DECRYPT_FAILED]);
        call C_DecryptMessageBegin(session: CK_SESSION_HANDLE, parameter: CK_VOID_PTR, parameter_length: CK_ULONG,
            associated: CK_BYTE_PTR, associated_length: CK_ULONG)
            = message::cipher_begin, Session(STEP, INIT);
        call C_DecryptMessageNext(session: CK_SESSION_HANDLE, parameter: CK_VOID_PTR, parameter_length: CK_ULONG,
            part: CK_BYTE_PTR, part_length: CK_ULONG, output: CK_BYTE_PTR, output_length: CK_ULONG_PTR,
            flags: CK_FLAGS)
            = message::cipher_next, Session(STEP, OUTPUT, CIPHERTEXT, &[CKR_AEAD_DECRYPT_FAILED]);
        call C_MessageDecryptFinal(session: CK_SESSION_HANDLE) = message::finish, Session(STEP);
        call C_MessageSignInit(session: CK_SESSION_HANDLE, mechanism: CK_MECHANISM_PTR, key: CK_OBJECT_HANDLE)
            = message::init, Session(INIT, KEY);
        call C_SignMessage(session: CK_SESSION_HANDLE, parameter: CK_VOID_PTR, parameter_length: CK_ULONG,
            data: CK_BYTE_PTR, data_length: CK_ULONG, signature: CK_BYTE_PTR, signature_length: CK_ULONG_PTR)
            = message::sign, Session(STEP, OUTPUT, DATA, SIGN, &[CKR_FUNCTION_REJECTED,
                CKR_MECHANISM_PARAM_INVALID]);
        call C_SignMessageBegin(session: CK_SESSION_HANDLE, parameter: CK_VOID_PTR, parameter_length: CK_ULONG)
            = message::begin, Session(STEP, SIGN, &[CKR_MECHANISM_PARAM_INVALID, CKR_PIN_EXPIRED]);
        call C_SignMessageNext(session: CK_SESSION_HANDLE, parameter: CK_VOID_PTR, parameter_length: CK_ULONG,
            part: CK_BYTE_PTR, part_length: CK_ULONG, signature: CK_BYTE_PTR, signature_length: CK_ULONG_PTR)
            = message::sign_next, Session(STEP, OUTPUT, SIGN, &[CKR_DATA_LEN_RANGE, CKR_FUNCTION_REJECTED,
                CKR_MECHANISM_PARAM_INVALID]);
        call C_MessageSignFinal(session: CK_SESSION_HANDLE)
            = message::finish, Session(STEP, SIGN, &[CKR_FUNCTION_REJECTED]);
        call C_MessageVerifyInit(session: CK_SESSION_HANDLE, mechanism: CK_MECHANISM_PTR, key: CK_OBJECT_HANDLE)
            = message::init, Session(INIT, KEY);
        call C_VerifyMessage(session: CK_SESSION_HANDLE, parameter: CK_VOID_PTR, parameter_length: CK_ULONG,
            data: CK_BYTE_PTR, data_length: CK_ULONG, signature: CK_BYTE_PTR, signature_length: CK_ULONG)
            = message::verify, Session(STEP, DATA, SIGNATURE, &[CKR_MECHANISM_PARAM_INVALID]);
        call C_VerifyMessageBegin(session: CK_SESSION_HANDLE, parameter: CK_VOID_PTR, parameter_length: CK_ULONG)
            = message::begin, Session(STEP, &[CKR_MECHANISM_PARAM_INVALID, CKR_PIN_EXPIRED,
                CKR_TOKEN_RESOURCE_EXCEEDED]);
        call C_VerifyMessageNext(session: CK_SESSION_HANDLE, parameter: CK_VOID_PTR, parameter_length: CK_ULONG,
            data: CK_BYTE_PTR, data_length: CK_ULONG, signature: CK_BYTE_PTR, signature_length: CK_ULONG)
            = message::verify, Session(STEP, SIGNATURE, &[CKR_DATA_LEN_RANGE, CKR_MECHANISM_PARAM_INVALID]);
        call C_MessageVerifyFinal(session: CK_SESSION_HANDLE)
            = message::finish, Session(STEP, &[CKR_TOKEN_RESOURCE_EXCEEDED]);
    }
    v3_2 {
        call C_EncapsulateKey(session: CK_SESSION_HANDLE, mechanism: CK_MECHANISM_PTR, public_key: CK_OBJECT_HANDLE,
            template: CK_ATTRIBUTE_PTR, count: CK_ULONG, ciphertext: CK_BYTE_PTR, ciphertext_length: CK_ULONG_PTR,
            key: CK_OBJECT_HANDLE_PTR)
            = key::encapsulate, Session(MECHANISM, OUTPUT, TEMPLATE, CREATE, DERIVE, DOMAIN);
        call C_DecapsulateKey(session: CK_SESSION_HANDLE, mechanism: CK_MECHANISM_PTR,
            private_key: CK_OBJECT_HANDLE, template: CK_ATTRIBUTE_PTR, count: CK_ULONG, ciphertext: CK_BYTE_PTR,
            ciphertext_length: CK_ULONG, key: CK_OBJECT_HANDLE_PTR)
            = key::decapsulate, Session(MECHANISM, TEMPLATE, CREATE, DERIVE, DOMAIN, &[CKR_WRAPPED_KEY_INVALID,
                CKR_WRAPPED_KEY_LEN_RANGE]);
        call C_VerifySignatureInit(session: CK_SESSION_HANDLE, mechanism: CK_MECHANISM_PTR, key: CK_OBJECT_HANDLE,
            signature: CK_BYTE_PTR, signature_length: CK_ULONG)
            = verify::signature_init, Session(INIT, KEY, &[CKR_SIGNATURE_LEN_RANGE]);
        call C_VerifySignature(session: CK_SESSION_HANDLE, data: CK_BYTE_PTR, data_length: CK_ULONG)
            = verify::signature, Session(STEP, DATA, SIGNATURE);
        call C_VerifySignatureUpdate(session: CK_SESSION_HANDLE, part: CK_BYTE_PTR, part_length: CK_ULONG)
            = verify::signature_update, Session(STEP, &[CKR_DATA_LEN_RANGE, CKR_TOKEN_RESOURCE_EXCEEDED]);
        call C_VerifySignatureFinal(session: CK_SESSION_HANDLE)
            = verify::signature_finish, Session(STEP, SIGNATURE, &[CKR_DATA_LEN_RANGE]);
        call C_GetSessionValidationFlags(session: CK_SESSION_HANDLE, kind: CK_SESSION_VALIDATION_FLAGS_TYPE,
            flags: CK_FLAGS_PTR)
            = session::validation_flags, Session();
        call C_AsyncComplete(session: CK_SESSION_HANDLE, function: CK_UTF8CHAR_PTR, result: CK_ASYNC_DATA_PTR)
            = parallel::complete, Session();
        call C_AsyncGetID(session: CK_SESSION_HANDLE, function: CK_UTF8CHAR_PTR, id: CK_ULONG_PTR)
            = parallel::id, Session();
        call C_AsyncJoin(session: CK_SESSION_HANDLE, function: CK_UTF8CHAR_PTR, id: CK_ULONG, data: CK_BYTE_PTR,
            data_length: CK_ULONG)
            = parallel::join, Session();
        call C_WrapKeyAuthenticated(session: CK_SESSION_HANDLE, mechanism: CK_MECHANISM_PTR,
            wrapping_key: CK_OBJECT_HANDLE, key: CK_OBJECT_HANDLE, associated: CK_BYTE_PTR,
            associated_length: CK_ULONG, wrapped: CK_BYTE_PTR, wrapped_length: CK_ULONG_PTR)
            = key::wrap_authenticated, Session(MECHANISM, OUTPUT, WRAP);
        call C_UnwrapKeyAuthenticated(session: CK_SESSION_HANDLE, mechanism: CK_MECHANISM_PTR,
            unwrapping_key: CK_OBJECT_HANDLE, wrapped: CK_BYTE_PTR, wrapped_length: CK_ULONG,
            template: CK_ATTRIBUTE_PTR, count: CK_ULONG, associated: CK_BYTE_PTR, associated_length: CK_ULONG,
            key: CK_OBJECT_HANDLE_PTR)
            = key::unwrap_authenticated, Session(MECHANISM, TEMPLATE, CREATE, DOMAIN, UNWRAP);
    }
}
