//! The cases. A name is what has to hold; D1 to D12 is the order in which OpenSC's defects were found.

use std::collections::HashSet;
use std::ptr;
use std::sync::mpsc;
use std::time::Duration;

use cardea_harness::reader::{Action, Fault};
use cryptoki_sys::*;

use super::token::{READER, Token};
use crate::boundary::cryptoki::attribute;

/// Longest time that another program may be kept from the card, or a call may take that has nothing to wait for.
const PATIENCE: Duration = Duration::from_secs(5);
/// INS of VERIFY.
const VERIFY: u8 = 0x20;
/// Most commands before the first VERIFY.
const MOST_BEFORE_VERIFY: usize = 16;

/// A case for each module: `ours` passes, `opensc` does not.
macro_rules! defects {
    ($($(#[doc = $text:expr])* fn $name:ident() $body:block)*) => {
        $(
            $(#[doc = $text])*
            mod $name {
                use super::*;

                fn body() $body

                #[test]
                fn ours() {
                    crate::defects::on_ours(concat!(module_path!(), "::ours"), body);
                }

                #[test]
                fn opensc() {
                    crate::defects::on_opensc(concat!(module_path!(), "::opensc"), body);
                }
            }
        )*
    };
}

defects! {
    /// D1.
    fn closing_all_sessions_closes_every_one_and_logs_out() {
        let token = Token::piv();
        let sessions: Vec<_> = (0..5).map(|_| token.session()).collect();
        assert_eq!(token.login(sessions[0], CKU_USER, &token.pin), CKR_OK);
        ok!(token, C_CloseAllSessions, token.slot());
        for session in sessions {
            hold!(token.state(session) == Err(CKR_SESSION_HANDLE_INVALID), "session {session} is closed");
        }
        hold!(token.state(token.session()) == Ok(CKS_RW_PUBLIC_SESSION), "nobody is logged in");
    }

    /// D2.
    fn session_objects_go_with_their_session() {
        let token = Token::myeid();
        let (mine, other) = (token.user_session(), token.session());
        let label = *b"of a session";
        create_aes_key(&token, mine, &label);
        let template = [attribute(CKA_LABEL, &label)];
        assert_eq!(token.find(other, &template).len(), 1);
        ok!(token, C_CloseSession, mine);
        hold!(token.find(other, &template).is_empty(), "a key outlives the session that made it");
        create_aes_key(&token, other, &label);
        ok!(token, C_CloseAllSessions, token.slot());
        let fresh = token.user_session();
        hold!(token.find(fresh, &template).is_empty(), "a key outlives C_CloseAllSessions");
    }

    /// D3.
    fn a_buffer_that_is_too_short_is_not_written_past_its_end() {
        let token = Token::myeid();
        let session = token.user_session();
        encrypt_init(&token, session, lasting_aes_key(&token, session));
        let (mut output, mut length) = ([0xA5_u8; 64], 4);
        let rv = call!(token, C_Encrypt, session, [7_u8; 32].as_mut_ptr(), 32, output.as_mut_ptr(), &raw mut length);
        hold!(output[4..] == [0xA5; 60], "nothing is written behind the declared length");
        hold!(rv == CKR_BUFFER_TOO_SMALL && length == 32, "CKR_BUFFER_TOO_SMALL and 32, not {rv:#x} and {length}");
        ok!(token, C_Encrypt, session, [7_u8; 32].as_mut_ptr(), 32, output.as_mut_ptr(), &raw mut length);
    }

    /// D4.
    fn a_key_destroyed_during_an_operation_is_an_error_and_no_memory_access() {
        let token = Token::myeid();
        let session = token.user_session();
        let key = create_aes_key(&token, session, b"for one moment");
        encrypt_init(&token, session, key);
        ok!(token, C_DestroyObject, session, key);
        let (mut output, mut length) = ([0_u8; 64], 64);
        let rv = call!(token, C_Encrypt, session, [7_u8; 32].as_mut_ptr(), 32, output.as_mut_ptr(), &raw mut length);
        hold!(rv != CKR_OK, "the operation has no key any more");
    }

    /// D5.
    fn a_destroyed_key_is_gone_from_the_card_or_its_destruction_is_refused() {
        let token = Token::myeid();
        let session = token.user_session();
        let key = lasting_aes_key(&token, session);
        let rv = call!(token, C_DestroyObject, session, key);
        token.start_again();
        let session = token.user_session();
        let left = token.find(session, &[attribute(CKA_CLASS, &CKO_SECRET_KEY.to_ne_bytes())]).len();
        hold!(left == usize::from(rv != CKR_OK), "C_DestroyObject said {rv:#x}, and {left} keys are there");
    }

    /// D7.
    fn after_the_last_session_the_card_has_forgotten_the_pin() {
        let token = Token::piv();
        let session = token.user_session();
        ok!(token, C_Logout, session);
        hold!(!is_verified(&token), "the PIN is still verified after C_Logout");
        assert_eq!(token.login(session, CKU_USER, &token.pin), CKR_OK);
        ok!(token, C_CloseSession, session);
        hold!(!is_verified(&token), "the PIN is still verified after C_CloseSession");
        let _session = token.user_session();
        ok!(token, C_Finalize, ptr::null_mut());
        hold!(!is_verified(&token), "the PIN is still verified after C_Finalize");
    }

    /// D8.
    fn a_handful_of_commands_come_before_the_first_verify_and_none_answer_questions_of_state() {
        let token = Token::piv();
        let session = token.session();
        let before = token.commands();
        hold!(before <= MOST_BEFORE_VERIFY, "{before} commands before the first VERIFY");
        assert_eq!(token.login(session, CKU_USER, &token.pin), CKR_OK);
        token.reader.clear_log();
        let slot = token.slot();
        let mut info = CK_TOKEN_INFO::default();
        for _ in 0..3 {
            token.state(session).unwrap();
            ok!(token, C_GetTokenInfo, slot, &raw mut info);
        }
        let asked = token.commands();
        hold!(asked == 0, "{asked} commands for C_GetSessionInfo and C_GetTokenInfo");
    }

    /// D10.
    fn a_handle_never_comes_back() {
        let token = Token::piv();
        let mut seen = HashSet::new();
        for _ in 0..200 {
            let session = token.session();
            hold!(seen.insert(session), "session handle {session} came back");
            ok!(token, C_CloseSession, session);
        }
    }

    /// D11.
    fn no_log_shows_a_pin() {
        let log = std::env::temp_dir().join(format!("cardea-no-pin-{}", std::process::id()));
        for (name, value) in
            [("CARDEA_LOG", "trace".as_ref()), ("CARDEA_LOG_FILE", log.as_os_str()), ("OPENSC_DEBUG", "9".as_ref())]
        {
            // SAFETY: no other thread was started yet.
            unsafe { std::env::set_var(name, value) };
        }
        let configuration = log.with_extension("conf");
        std::fs::write(&configuration, format!("app default {{ debug = 9; debug_file = {}; }}\n", log.display())).unwrap();
        // SAFETY: as above.
        unsafe { std::env::set_var("OPENSC_CONF", &configuration) };
        let token = Token::piv();
        token.user_session();
        let text = std::fs::read_to_string(&log).unwrap_or_default();
        std::fs::remove_file(&configuration).unwrap();
        let _ = std::fs::remove_file(&log);
        assert!(text.lines().count() > 10, "there is no log: {text}");
        for shape in [token.pin.clone(), bytes_of(&token.pin, " "), bytes_of(&token.pin, "")] {
            hold!(!text.contains(&shape), "the PIN is in the log as {shape:?}");
        }
    }
}

/// D6. OpenSC kept the card with `lock_login`; Debian's lets go of it.
#[test]
fn after_logout_the_card_is_free_for_others() {
    fn body() {
        let token = Token::piv();
        let session = token.user_session();
        ok!(token, C_Logout, session);
        hold!(another_program_gets_the_card(), "another program is kept from the card");
        ok!(token, C_CloseSession, session);
        hold!(another_program_gets_the_card(), "another program is kept from the card");
    }
    super::on_ours(concat!(module_path!(), "::after_logout_the_card_is_free_for_others"), body);
}

/// D9. OpenSC's lost locks are on paths that take a card of its own making to reach.
#[test]
fn an_error_in_a_login_leaves_no_lock_behind() {
    fn body() {
        let token = Token::piv();
        let session = token.session();
        for action in [Action::Mute, Action::Respond(vec![]), Action::Respond(vec![0x69, 0x99])] {
            token.reader.fault(Fault::on(VERIFY, action));
            assert_ne!(token.login(session, CKU_USER, &token.pin), CKR_OK);
        }
        let (done, finished) = mpsc::channel();
        std::thread::scope(|scope| {
            let token = Shared(&token);
            scope.spawn(move || {
                let token = token;
                let _ = token.0.login(session, CKU_USER, &token.0.pin);
                done.send(()).unwrap();
            });
            hold!(
                finished.recv_timeout(PATIENCE * 4).is_ok(),
                "the next login waits for a lock that nobody gives back"
            );
        });
    }
    super::on_ours(concat!(module_path!(), "::an_error_in_a_login_leaves_no_lock_behind"), body);
}

/// D12. OpenSC takes any PIN where a card lists no officer's; the PIV card's officer is its PUK, which OpenSC's login
/// does not know.
#[test]
fn an_officer_needs_the_right_pin() {
    fn body() {
        let token = Token::piv();
        let session = token.session();
        let rv = token.login(session, CKU_SO, "87654321");
        hold!(rv == CKR_PIN_INCORRECT, "C_Login says {rv:#x} to any officer");
        hold!(token.state(session) == Ok(CKS_RW_PUBLIC_SESSION), "nobody is logged in");
    }
    super::on_ours(concat!(module_path!(), "::an_officer_needs_the_right_pin"), body);
}

/// The function list may be used by any thread.
struct Shared<'t>(&'t Token);
// SAFETY: the list is a static of the module, and the module was initialized for several threads.
unsafe impl Send for Shared<'_> {}

fn bytes_of(text: &str, between: &str) -> String {
    text.bytes().map(|byte| format!("{byte:02X}")).collect::<Vec<_>>().join(between)
}

/// Makes an AES-128 key that lives as long as the session.
fn create_aes_key(token: &Token, session: CK_SESSION_HANDLE, label: &[u8]) -> CK_OBJECT_HANDLE {
    let (class, kind) = (CKO_SECRET_KEY.to_ne_bytes(), CKK_AES.to_ne_bytes());
    let length = CK_ULONG::to_ne_bytes(16);
    let template = [
        attribute(CKA_CLASS, &class),
        attribute(CKA_KEY_TYPE, &kind),
        attribute(CKA_TOKEN, &[CK_FALSE]),
        attribute(CKA_ENCRYPT, &[CK_TRUE]),
        attribute(CKA_LABEL, label),
        attribute(CKA_VALUE, &[0x5A; 16]),
        // Not allowed here by the specification, and demanded by OpenSC.
        attribute(CKA_VALUE_LEN, &length),
    ];
    let mut key = 0;
    let count = template.len() as CK_ULONG;
    if call!(token, C_CreateObject, session, template.as_ptr().cast_mut(), count - 1, &raw mut key) != CKR_OK {
        ok!(token, C_CreateObject, session, template.as_ptr().cast_mut(), count, &raw mut key);
    }
    key
}

/// The card's own AES key.
fn lasting_aes_key(token: &Token, session: CK_SESSION_HANDLE) -> CK_OBJECT_HANDLE {
    let found = token.find(session, &[attribute(CKA_CLASS, &CKO_SECRET_KEY.to_ne_bytes())]);
    assert_eq!(found.len(), 1, "secret keys");
    found[0]
}

fn encrypt_init(token: &Token, session: CK_SESSION_HANDLE, key: CK_OBJECT_HANDLE) {
    let mut mechanism = CK_MECHANISM { mechanism: CKM_AES_ECB, pParameter: ptr::null_mut(), ulParameterLen: 0 };
    ok!(token, C_EncryptInit, session, &raw mut mechanism, key);
}

/// Whether the card would do now what wants the PIN: it is asked where it is, past pcscd.
fn is_verified(token: &Token) -> bool {
    token.reader.transmit(&[0x00, 0x20, 0x00, 0x80]).is_ok_and(|answer| answer == [0x90, 0x00])
}

/// Whether somebody else gets a transaction on the card in reasonable time.
fn another_program_gets_the_card() -> bool {
    let (done, finished) = mpsc::channel();
    std::thread::spawn(move || {
        let context = pcsc::Context::establish(pcsc::Scope::User).unwrap();
        let name = std::ffi::CString::new(format!("{READER} 00 00")).unwrap();
        let mut card = context.connect(&name, pcsc::ShareMode::Shared, pcsc::Protocols::ANY).unwrap();
        drop(card.transaction().unwrap());
        let _ = done.send(());
        let _ = card.disconnect(pcsc::Disposition::LeaveCard);
    });
    finished.recv_timeout(PATIENCE).is_ok()
}
