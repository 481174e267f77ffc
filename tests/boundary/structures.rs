//! Outputs of a fixed size, and outputs that lie where the input is: at any address, and never past their ends.

use std::ptr;

use cryptoki_sys::*;

use super::canary::Guarded;
use super::cryptoki::{assert_rv, plain};
use super::desk::Desk;

/// Calls `function` with places for a `T` at every address around a multiple of 16; what it wrote.
fn written<T: Copy>(name: &str, function: &dyn Fn(*mut T) -> CK_RV) -> Vec<Vec<u8>> {
    let written = (0..16).map(|shift| {
        let mut place = Guarded::shifted(size_of::<T>(), shift);
        assert_rv(function(place.pointer()), CKR_OK, &format!("{name}, {shift} off"));
        place.assert_untouched_behind(size_of::<T>(), name);
        place.bytes().to_vec()
    });
    written.collect()
}

/// The same, where every call gives the same.
fn same<T: Copy>(name: &str, function: &dyn Fn(*mut T) -> CK_RV) {
    let written = written(name, function);
    assert!(written.windows(2).all(|pair| pair[0] == pair[1]), "{name}: {written:02x?}");
}

cases! {
    fn information_is_written_at_any_address_and_not_past_its_size() {
        let desk = Desk::elliptic();
        let (session, module) = (desk.logged_in(), &desk.module);
        let (slot, object) = (desk.slot(), desk.object(session, CKO_CERTIFICATE, 1));
        same::<CK_INFO>("C_GetInfo", &|place| call!(module, C_GetInfo, place));
        same::<CK_SLOT_INFO>("C_GetSlotInfo", &|place| call!(module, C_GetSlotInfo, slot, place));
        same::<CK_TOKEN_INFO>("C_GetTokenInfo", &|place| call!(module, C_GetTokenInfo, slot, place));
        same::<CK_MECHANISM_INFO>("C_GetMechanismInfo", &|place| call!(module, C_GetMechanismInfo, slot, CKM_ECDSA, place));
        same::<CK_SESSION_INFO>("C_GetSessionInfo", &|place| call!(module, C_GetSessionInfo, session, place));
        same::<CK_ULONG>("C_GetObjectSize", &|place| call!(module, C_GetObjectSize, session, object, place));
        same::<*mut CK_FUNCTION_LIST>("C_GetFunctionList", &|place| call!(module, C_GetFunctionList, place));
        same::<*mut CK_INTERFACE>("C_GetInterface", &|place| call!(module, C_GetInterface, ptr::null_mut(), ptr::null_mut(), place, 0));
        let sessions = written::<CK_SESSION_HANDLE>("C_OpenSession", &|place| {
            call!(module, C_OpenSession, slot, CKF_SERIAL_SESSION, ptr::null_mut(), None, place)
        });
        let handles: std::collections::BTreeSet<_> = sessions.iter().collect();
        assert_eq!(handles.len(), sessions.len(), "a handle was given twice");
    }

    fn random_bytes_fill_what_is_asked_for_on_a_card_that_has_none_too() {
        let desk = Desk::elliptic();
        let (session, module) = (desk.logged_in(), &desk.module);
        let mut info = CK_TOKEN_INFO::default();
        ok!(module, C_GetTokenInfo, desk.slot(), &raw mut info);
        assert!(info.flags & CKF_RNG != 0);
        for length in (1..70).chain([4095, 4096, 4097, 10_000]) {
            let what = format!("{length} random bytes");
            let mut output = Guarded::shifted(length + 8, length % 16);
            let rv = call!(module, C_GenerateRandom, session, output.pointer(), length as CK_ULONG);
            assert_rv(rv, CKR_OK, &what);
            output.assert_untouched_behind(length, &what);
        }
        ok!(module, C_GenerateRandom, session, ptr::null_mut(), 0);
    }

    fn output_may_lie_where_the_input_is() {
        let desk = Desk::standard();
        let (session, module) = (desk.logged_in(), &desk.module);
        let (private, public) = (desk.object(session, CKO_PRIVATE_KEY, 3), desk.object(session, CKO_PUBLIC_KEY, 3));
        let message = b"in place";
        let mut buffer = [0; 256];
        buffer[..message.len()].copy_from_slice(message);
        let (place, mut length) = (buffer.as_mut_ptr(), 256);
        ok!(module, C_EncryptInit, session, &mut plain(CKM_RSA_PKCS), public);
        ok!(module, C_Encrypt, session, place, message.len() as CK_ULONG, place, &raw mut length);
        assert_eq!(length, 256);
        ok!(module, C_DecryptInit, session, &mut plain(CKM_RSA_PKCS), private);
        ok!(module, C_Decrypt, session, place, 256, place, &raw mut length);
        assert_eq!(&buffer[..length as usize], message);
        let (place, mut length) = (buffer.as_mut_ptr(), 32);
        ok!(module, C_DigestInit, session, &mut plain(CKM_SHA256));
        ok!(module, C_Digest, session, place, 8, place, &raw mut length);
        let mut again = [0; 32];
        ok!(module, C_DigestInit, session, &mut plain(CKM_SHA256));
        ok!(module, C_Digest, session, message.as_ptr().cast_mut(), 8, again.as_mut_ptr(), &raw mut length);
        assert_eq!(buffer[..32], again);
    }

    fn a_refused_call_writes_nothing() {
        let desk = Desk::standard();
        let (session, module) = (desk.logged_in(), &desk.module);
        let private = desk.object(session, CKO_PRIVATE_KEY, 1);
        let (mut output, mut place) = (Guarded::new(256), Guarded::new(size_of::<CK_ULONG>()));
        let (pointer, length) = (output.pointer::<u8>(), place.pointer::<CK_ULONG>());
        let data = [0_u8; 300].as_mut_ptr();
        // SAFETY: the guarded memory, aligned.
        unsafe { length.write(256) };
        let rv = call!(module, C_Sign, session, data, 32, pointer, length);
        assert_rv(rv, CKR_OPERATION_NOT_INITIALIZED, "without an operation");
        ok!(module, C_SignInit, session, &mut plain(CKM_RSA_PKCS), private);
        desk.reader.clear_log();
        assert_rv(call!(module, C_Sign, session, data, 246, pointer, length), CKR_DATA_LEN_RANGE, "too much data");
        assert_eq!(desk.private_key_commands(), 0);
        let rv = call!(module, C_Sign, session, data, 32, pointer, length);
        assert_rv(rv, CKR_OPERATION_NOT_INITIALIZED, "after the error");
        output.assert_untouched("a refused signature");
        assert_eq!(place.bytes(), (256 as CK_ULONG).to_ne_bytes());
    }
}
