//! Lasting keys whose maker died before they were listed: the next who logs in takes them away, and nobody else's.

use std::path::Path;
use std::sync::Arc;

use cardea_harness::myeid::PIN;
use cardea_harness::reader::{Action, Fault};
use cardea_pkcs11::error::Error;
use cardea_pkcs11::library::Library;
use cardea_pkcs11::mechanism::Mechanism;
use cardea_pkcs11::mechanism::symmetric::SecretKind;
use cardea_pkcs11::session::{Session, generate, objects};
use cryptoki_sys::*;

use super::{FALSE, P256, Setting, TRUE, elliptic_pair, library};
use crate::in_process::keys::{DIGEST, find_all, signature, template};
use crate::in_process::setting::{USER, pin};

const PRIVATE: &[u8] = &CKO_PRIVATE_KEY.to_ne_bytes();
const SECRET: &[u8] = &CKO_SECRET_KEY.to_ne_bytes();
const LABEL: (CK_ATTRIBUTE_TYPE, &[u8]) = (CKA_LABEL, b"unfinished");
/// More commands than a key takes.
const MANY: u32 = 200;

/// A way to make a lasting key.
type Way = fn(&Session) -> Result<u64, Error>;
const WAYS: [Way; 3] = [generated, brought, secret];

fn generated(session: &Session) -> Result<u64, Error> {
    elliptic_pair(session, &[(CKA_TOKEN, TRUE), LABEL]).map(|(_, private)| private)
}

fn brought(session: &Session) -> Result<u64, Error> {
    let wish = template(&[
        (CKA_CLASS, PRIVATE),
        (CKA_KEY_TYPE, &CKK_EC.to_ne_bytes()),
        (CKA_EC_PARAMS, P256),
        (CKA_VALUE, &[0x11; 32]),
        (CKA_TOKEN, TRUE),
        LABEL,
    ]);
    objects::create(session, wish)
}

fn secret(session: &Session) -> Result<u64, Error> {
    let wish = template(&[
        (CKA_VALUE_LEN, &16_u64.to_ne_bytes()),
        (CKA_SENSITIVE, TRUE),
        (CKA_EXTRACTABLE, FALSE),
        (CKA_TOKEN, TRUE),
        LABEL,
    ]);
    generate::key(session, Mechanism::Generate(SecretKind::Aes), wish)
}

fn logged_in(library: &Library) -> Arc<Session> {
    let session = library.session(library.open_session(0, true).unwrap()).unwrap();
    session.login(USER, pin(PIN)).unwrap();
    session
}

/// The keys that are listed and called so.
fn listed(session: &Session) -> Vec<u64> {
    let of = |class| find_all(session, &[(CKA_CLASS, class), (CKA_TOKEN, TRUE), LABEL]).unwrap();
    [of(PRIVATE), of(SECRET)].concat()
}

/// What the journal says of a process that is gone.
fn bury(journal: &Path) {
    let text = std::fs::read_to_string(journal).unwrap_or_default();
    let lines = text.lines().map(|line| {
        let mut words: Vec<&str> = line.split(' ').collect();
        words[2] = "1";
        words.join(" ") + "\n"
    });
    std::fs::write(journal, lines.collect::<String>()).unwrap();
}

/// A process that dies before the `nth` command of making a key; `None` where there are fewer. It sends nothing more.
fn dies(setting: &Setting, nth: u32, way: Way) -> Option<Library> {
    let library = setting.afresh();
    let session = logged_in(&library);
    setting.reader.virtual_reader().fault(Fault::at(nth, Action::Fail).times(MANY));
    let made = way(&session);
    setting.reader.virtual_reader().clear_faults();
    if let Ok(made) = made {
        objects::destroy(&session, made).unwrap();
        return None;
    }
    bury(&setting.journal);
    Some(library)
}

#[test]
fn a_process_that_dies_at_any_command_of_a_lasting_key_leaves_none_that_is_not_listed() {
    let setting = Setting::new("unfinished");
    let before = setting.chip.key_files();
    let mut dead = Vec::new();
    for way in WAYS {
        let mut left = 0;
        for nth in 1..MANY {
            let Some(process) = dies(&setting, nth, way) else { break };
            dead.push(process);
            let there = setting.chip.key_files().len() - before.len();
            let session = logged_in(&setting.afresh());
            let listed = listed(&session);
            assert_eq!(setting.chip.key_files().len(), before.len() + listed.len(), "command {nth}");
            assert_eq!(setting.left(), (0, 0), "command {nth}");
            left += usize::from(there > listed.len());
            listed.iter().for_each(|key| objects::destroy(&session, *key).unwrap());
            assert_eq!(setting.chip.key_files(), before, "command {nth}");
            session.logout().unwrap();
        }
        assert!(left > 2, "{left} deaths left an unlisted key");
        assert!(dead.len() < MANY as usize, "there is no end of commands");
    }
}

#[test]
fn a_key_that_another_program_made_meanwhile_is_not_deleted_in_place_of_one_that_was_never_finished() {
    let setting = Setting::new("unfinished-other");
    let before = setting.chip.key_files();
    let others = setting.journal.with_extension("others");
    let mut dead = Vec::new();
    let mut same = 0;
    for nth in 1..MANY {
        let Some(process) = dies(&setting, nth, generated) else { break };
        dead.push(process);
        let noted = std::fs::read_to_string(&setting.journal).unwrap();
        let found = setting.chip.key_files();
        // Of another user, who knows nothing of the first one's journal.
        let other = library(&setting.reader, &others);
        let owner = logged_in(&other);
        let own = generated(&owner).unwrap();
        let place = *setting.chip.key_files().iter().find(|file| !found.contains(file)).unwrap();
        same += usize::from(noted.contains(&format!(" {place:04X} ")));
        let session = logged_in(&setting.afresh());
        assert!(setting.chip.key_files().contains(&place), "command {nth}");
        assert_eq!(setting.left(), (0, 0), "command {nth}");
        assert_eq!(setting.chip.key_files().len(), before.len() + listed(&session).len(), "command {nth}");
        signature(&owner, Mechanism::Ecdsa, own, DIGEST).unwrap();
        listed(&session).iter().for_each(|key| objects::destroy(&session, *key).unwrap());
        session.logout().unwrap();
    }
    assert!(same > 0, "one died after the line and before the file");
    std::fs::remove_file(&others).unwrap();
}

#[test]
fn a_line_that_names_a_listed_key_costs_nobody_that_key_whatever_the_card_answers() {
    let setting = Setting::new("unfinished-listed");
    let serial = hex::encode(setting.library.slot(0).unwrap().token_info().unwrap().serial);
    let before = setting.chip.key_files();
    let lines: String = before.iter().map(|file| format!("2 1 1 {file:04X} {serial}\n")).collect();
    for answer in [[0x6A, 0x82], [0x6F, 0x00], [0x69, 0x82]] {
        for nth in 1..MANY {
            std::fs::write(&setting.journal, &lines).unwrap();
            let next = setting.afresh();
            let session = next.session(next.open_session(0, true).unwrap()).unwrap();
            setting.reader.virtual_reader().fault(Fault::at(nth, Action::Respond(answer.to_vec())));
            let _ = session.login(USER, pin(PIN));
            assert_eq!(setting.chip.key_files(), before, "command {nth}: {answer:02X?}");
            if setting.reader.virtual_reader().pending_faults() > 0 {
                setting.reader.virtual_reader().clear_faults();
                assert!(setting.left() == (0, 0) && nth > 20, "the journal is worked off in {nth} commands");
                break;
            }
        }
    }
}
