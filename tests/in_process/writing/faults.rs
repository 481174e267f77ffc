//! A fault at each command of a write: nothing is left behind, and everything works again afterwards.

use cardea_harness::myeid::PIN;
use cardea_harness::reader::{Action, Fault};
use cardea_pkcs11::session::Session;
use cryptoki_sys::*;

use super::{Setting, TRUE, elliptic_pair};
use crate::in_process::keys::find_all;
use crate::in_process::setting::{USER, pin};

/// Runs `write` with a fault at its first, second, … command until none is met; `check` sees the card after each.
fn at_each_command(
    setting: &Setting,
    session: &Session,
    action: Action,
    write: impl Fn(&Session) -> bool,
    check: impl Fn(&Session, u32),
) {
    for nth in 1..200 {
        // A fault may have cost the login.
        let _ = session.login(USER, pin(PIN));
        setting.reader.virtual_reader().fault(Fault::at(nth, action.clone()));
        let done = write(session);
        setting.reader.virtual_reader().clear_faults();
        check(session, nth);
        if done {
            return;
        }
    }
    panic!("there is no end of commands");
}

#[test]
fn a_refusal_at_any_command_of_a_generation_leaves_no_key_behind() {
    for lasting in [false, true] {
        let setting = Setting::new(if lasting { "refusal-lasting" } else { "refusal-session" });
        let session = setting.logged_in();
        let files = setting.chip.key_files();
        let objects = find_all(&session, &[]).unwrap();
        let more: &[(CK_ATTRIBUTE_TYPE, &[u8])] = if lasting { &[(CKA_TOKEN, TRUE)] } else { &[] };
        at_each_command(
            &setting,
            &session,
            Action::Respond(vec![0x6F, 0x00]),
            |session| match elliptic_pair(session, more) {
                Ok((_, private)) => {
                    cardea_pkcs11::session::objects::destroy(session, private).unwrap();
                    true
                }
                Err(_) => false,
            },
            |session, nth| {
                let _ = session.login(USER, pin(PIN));
                let found = find_all(session, &[]).unwrap();
                let more: Vec<_> = found.iter().filter(|handle| !objects.contains(handle)).collect();
                // The public half of a pair that was made and destroyed stays with the session.
                assert!(more.len() <= usize::from(!lasting || nth > 1), "command {nth}: {more:?}");
                assert_eq!(setting.chip.key_files(), files, "command {nth}");
                assert_eq!(setting.left(), (0, 0), "command {nth}");
            },
        );
    }
}
