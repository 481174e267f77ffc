//! Places in the card's volatile memory and their lines in the journal, where what happens to the card meets the making of
//! a key at the worst moment: each key has its line, each line its key, and no key is deleted in place of another.

use std::sync::Arc;
use std::time::Duration;

use cardea_harness::myeid::PIN;
use cardea_harness::reader::{Action, Fault};
use cardea_pkcs11::error::Error;
use cardea_pkcs11::mechanism::{AesMode, Mechanism};
use cardea_pkcs11::pcsc::LinkError;
use cardea_pkcs11::session::{Session, encrypt, objects};

use super::setting::{USER, pin};
use super::writing::{Setting, volatile_key};

/// INS of CREATE FILE.
const CREATE: u8 = 0xE0;
/// INS of DELETE FILE.
const DELETE: u8 = 0xE4;

fn key(session: &Session) -> Result<u64, Error> {
    volatile_key(session, 16)
}

fn works(session: &Session, key: u64) {
    encrypt::init(session, Mechanism::Aes(AesMode::Ecb), key).unwrap();
    encrypt::encrypt(session, &[7; 16], Some(16)).unwrap();
}

/// Commands that making a key takes.
fn commands_of_a_key(setting: &Setting, session: &Session) -> usize {
    setting.reader.virtual_reader().clear_log();
    objects::destroy(session, key(session).unwrap()).unwrap();
    let commands = setting.reader.virtual_reader().commands();
    commands.iter().position(|command| command[1] == DELETE).unwrap()
}

#[test]
fn a_key_that_goes_with_its_card_the_moment_it_is_made_leaves_no_line() {
    let setting = Setting::new("place-gone");
    let session = setting.logged_in();
    let (reader, slot) = (Arc::clone(&setting.reader), setting.library.slot(0).unwrap());
    // Whoever looks at the reader meanwhile learns of it before the one who made the key.
    reader.clone().at_end(move || {
        reader.remove();
        reader.reinsert();
        slot.reader().look();
    });
    let _ = key(&session);
    setting.logged_in();
    assert_eq!(setting.left(), (0, 0), "keys on the card and lines in the journal");
}

#[test]
fn a_card_that_is_pulled_at_any_command_of_a_making_leaves_no_line() {
    let setting = Setting::new("place-pulled");
    let session = setting.logged_in();
    for nth in 1..=commands_of_a_key(&setting, &session) {
        for action in [Action::RemoveCard, Action::RemoveCardAfter, Action::ResetCard] {
            let session = setting.open();
            let _ = session.login(USER, pin(PIN));
            setting.reader.virtual_reader().fault(Fault::at(u32::try_from(nth).unwrap(), action.clone()));
            let made = key(&session);
            setting.reader.virtual_reader().clear_faults();
            setting.reader.reinsert();
            if let (Ok(made), Ok(_)) = (made, session.info()) {
                let _ = objects::destroy(&session, made);
            }
            setting.library.close_all_sessions(0).unwrap();
            assert_eq!(setting.left(), (0, 0), "{action:?} at {nth}: keys on the card and lines in the journal");
        }
    }
}

#[test]
fn a_place_where_no_key_came_to_be_is_not_emptied_of_the_next() {
    let setting = Setting::new("place-free");
    let session = setting.logged_in();
    for nth in 1.. {
        let broken = setting.open();
        setting.reader.fail_link(nth, LinkError::Communication);
        let made = key(&broken);
        if setting.reader.has_trouble() {
            assert!(made.is_ok() && nth > 3, "{nth} commands make a key");
            return;
        }
        assert!(made.is_err(), "command {nth}");
        // In the same place, where the first had not come as far as to be there.
        let own = key(&session).unwrap();
        setting.library.close_session(broken.handle()).unwrap();
        works(&session, own);
        assert_eq!(setting.left(), (1, 1), "command {nth}: keys on the card and lines in the journal");
        objects::destroy(&session, own).unwrap();
        assert_eq!(setting.left(), (0, 0), "command {nth}: keys on the card and lines in the journal");
    }
}

#[test]
fn a_key_of_which_nobody_knows_whether_it_was_made_is_deleted_also_where_it_is_the_first() {
    let setting = Setting::new("place-first");
    let session = setting.logged_in();
    // The card was reset before, so that nothing is known of its memory.
    setting.reader.reset_by_another();
    let _ = session.info();
    let _ = session.logout();
    session.login(USER, pin(PIN)).unwrap();
    let other = setting.open();
    setting.reader.virtual_reader().fault(Fault::on(CREATE, Action::LoseResponse));
    assert!(key(&session).is_err());
    assert_eq!(setting.chip.volatile_files().len(), 1, "the card has made the file");
    setting.library.close_session(session.handle()).unwrap();
    assert_eq!(setting.left(), (0, 0), "keys on the card and lines in the journal");
    drop(other);
}

#[test]
fn a_place_that_is_taken_anew_while_its_last_key_is_deleted_keeps_its_line() {
    let setting = Setting::new("place-anew");
    let keeper = setting.logged_in();
    for round in 0..20 {
        let session = setting.open();
        key(&session).unwrap();
        let reader = setting.reader.virtual_reader();
        reader.fault(Fault::on(DELETE, Action::Delay(Duration::from_millis(2))));
        let own = std::thread::scope(|scope| {
            scope.spawn(|| setting.library.close_session(session.handle()).unwrap());
            while reader.pending_faults() > 0 {
                std::thread::yield_now();
            }
            key(&keeper).unwrap()
        });
        assert_eq!(setting.left(), (1, 1), "round {round}: keys on the card and lines in the journal");
        works(&keeper, own);
        objects::destroy(&keeper, own).unwrap();
    }
}
