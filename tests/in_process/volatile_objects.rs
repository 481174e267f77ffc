//! Session objects in the card's volatile memory: made there, used there, and deleted there by command.

use cardea_harness::myeid::{MyEidOptions, PIN};
use cardea_harness::reader::{Action, Fault};
use cardea_pkcs11::card::KeyReference;
use cardea_pkcs11::error::Error;
use cardea_pkcs11::mechanism::symmetric::SecretKind;
use cardea_pkcs11::mechanism::{AesMode, Mechanism};
use cardea_pkcs11::session::{Session, decrypt, encrypt, generate, objects, wrap};
use cryptoki_sys::*;

use super::keys::{attribute, bytes, encrypted, private, template};
use super::setting::{USER, pin};
use super::writing::{Setting, volatile_key};

const MESSAGE: [u8; 32] = [0xA5; 32];
/// CKA_ID of the RSA key.
const RSA: u8 = 0x45;
/// INS of DELETE FILE.
const DELETE: u8 = 0xE4;

fn key(session: &Session) -> Result<u64, Error> {
    volatile_key(session, 32)
}

fn round_trip(session: &Session, key: u64) -> Result<(), Error> {
    let mode = || Mechanism::Aes(AesMode::Cbc { iv: [3; 16] });
    encrypt::init(session, mode(), key)?;
    let cryptogram = bytes(encrypt::encrypt(session, &MESSAGE, Some(32))?);
    assert_ne!(cryptogram, MESSAGE);
    decrypt::init(session, mode(), key)?;
    assert_eq!(bytes(decrypt::decrypt(session, &cryptogram, Some(32))?), MESSAGE);
    Ok(())
}

#[test]
fn a_key_of_a_session_lives_on_the_card_and_is_deleted_by_command_with_its_session() {
    let setting = Setting::new("volatile-close");
    let (other, session) = (setting.logged_in(), setting.open());
    let key = key(&session).unwrap();
    assert_eq!(setting.left(), (1, 1));
    assert_eq!(attribute(&session, key, CKA_TOKEN), [0]);
    round_trip(&other, key).unwrap();
    let resets = setting.chip.resets();
    setting.library.close_session(session.handle()).unwrap();
    assert_eq!((setting.left().0, setting.left().1, setting.chip.resets()), (0, 0, resets));
    assert_eq!(round_trip(&other, key), Err(Error::KeyHandleInvalid));
}

#[test]
fn a_template_for_a_key_on_the_card_is_judged_as_one_for_the_host() {
    let setting = Setting::new("volatile-judged");
    let session = setting.logged_in();
    let value = [7; 16];
    let made = |more: &[(CK_ATTRIBUTE_TYPE, &[u8])]| {
        let class = CKO_SECRET_KEY.to_ne_bytes();
        let key_type = CKK_AES.to_ne_bytes();
        let own: [(CK_ATTRIBUTE_TYPE, &[u8]); 4] =
            [(CKA_CLASS, &class), (CKA_KEY_TYPE, &key_type), (CKA_VALUE, &value), (CKA_SENSITIVE, &[1])];
        objects::create(&session, template(&[&own, more].concat()))
    };
    let length = 16_u64.to_ne_bytes();
    for attribute in [CKA_LOCAL, CKA_ALWAYS_SENSITIVE, CKA_NEVER_EXTRACTABLE, CKA_TRUSTED, CKA_UNIQUE_ID] {
        assert_eq!(made(&[(attribute, &[1])]), Err(Error::AttributeReadOnly), "{attribute:#x}");
    }
    assert_eq!(made(&[(CKA_VALUE_LEN, &length)]), Err(Error::AttributeReadOnly));
    assert_eq!(made(&[(CKA_MODULUS, &[1])]), Err(Error::AttributeTypeInvalid));
    assert_eq!(made(&[(CKA_ENCRYPT, &[])]), Err(Error::AttributeValueInvalid));
    for (attribute, value) in [(CKA_WRAP_WITH_TRUSTED, &[1][..]), (CKA_START_DATE, b"20260101"), (CKA_COPYABLE, &[1])] {
        let bound = made(&[(attribute, value), (CKA_EXTRACTABLE, &[0])]);
        assert_eq!(bound, Err(Error::TemplateInconsistent), "{attribute:#x}");
    }
    assert_eq!(setting.left().0, 0);
    assert!(made(&[(CKA_WRAP_WITH_TRUSTED, &[0]), (CKA_START_DATE, &[]), (CKA_COPYABLE, &[0])]).is_ok());
    let generated = template(&[(CKA_VALUE_LEN, &length), (CKA_SENSITIVE, &[1]), (CKA_VALUE, &value)]);
    let generated = generate::key(&session, Mechanism::Generate(SecretKind::Aes), generated);
    assert_eq!(generated, Err(Error::AttributeReadOnly), "a value for a key that is generated");
    let other = template(&[(CKA_VALUE_LEN, &length), (CKA_CLASS, &CKO_DATA.to_ne_bytes())]);
    let other = generate::key(&session, Mechanism::Generate(SecretKind::Aes), other);
    assert_eq!(other, Err(Error::TemplateInconsistent), "an object of another class");
}

#[test]
fn a_key_on_the_card_is_local_where_it_was_generated_and_not_where_it_was_brought() {
    let setting = Setting::new("volatile-local");
    let session = setting.logged_in();
    let brought = template(&[
        (CKA_CLASS, &CKO_SECRET_KEY.to_ne_bytes()),
        (CKA_KEY_TYPE, &CKK_AES.to_ne_bytes()),
        (CKA_VALUE, &[7; 16]),
        (CKA_SENSITIVE, &[1]),
    ]);
    let generated = key(&session).unwrap();
    let brought = objects::create(&session, brought).unwrap();
    for (key, local, mechanism) in [(generated, 1, CKM_AES_KEY_GEN), (brought, 0, CK_UNAVAILABLE_INFORMATION)] {
        for kind in [CKA_LOCAL, CKA_ALWAYS_SENSITIVE, CKA_NEVER_EXTRACTABLE] {
            assert_eq!(attribute(&session, key, kind), [local], "{kind:#x}");
        }
        assert_eq!(attribute(&session, key, CKA_KEY_GEN_MECHANISM), mechanism.to_ne_bytes());
    }
}

#[test]
fn a_destroyed_object_is_deleted_on_the_card() {
    let setting = Setting::new("volatile-destroy");
    let session = setting.logged_in();
    let keys = [key(&session).unwrap(), key(&session).unwrap()];
    objects::destroy(&session, keys[0]).unwrap();
    assert_eq!(setting.left(), (1, 1));
    round_trip(&session, keys[1]).unwrap();
    assert_eq!(objects::destroy(&session, keys[0]), Err(Error::ObjectHandleInvalid));
}

#[test]
fn closing_all_sessions_deletes_all_keys() {
    let setting = Setting::new("volatile-all");
    setting.logged_in();
    for _ in 0..5 {
        key(&setting.open()).unwrap();
    }
    assert_eq!(setting.left().0, 5);
    setting.library.close_all_sessions(0).unwrap();
    assert_eq!(setting.left(), (0, 0));
}

#[test]
fn a_logout_deletes_private_keys() {
    let setting = Setting::new("volatile-logout");
    let session = setting.logged_in();
    let key = key(&session).unwrap();
    session.logout().unwrap();
    assert_eq!(setting.left(), (0, 0));
    assert_eq!(round_trip(&session, key), Err(Error::KeyHandleInvalid));
}

#[test]
fn a_reset_by_others_takes_the_keys_and_their_handles() {
    let setting = Setting::new("volatile-reset");
    let session = setting.logged_in();
    let lost = key(&session).unwrap();
    setting.reader.reset_by_another();
    assert_eq!(setting.left().0, 0);
    assert!(round_trip(&session, lost).is_err());
    assert_eq!(round_trip(&session, lost), Err(Error::KeyHandleInvalid));
    assert_eq!(setting.left().1, 0);
    session.login(USER, pin(PIN)).unwrap();
    let fresh = key(&session).unwrap();
    round_trip(&session, fresh).unwrap();
}

#[test]
fn a_full_memory_is_said_and_freed_again() {
    let setting = Setting::with("volatile-full", MyEidOptions { volatile_bytes: 200, ..MyEidOptions::default() });
    let session = setting.logged_in();
    let mut keys = Vec::new();
    let full = loop {
        match key(&session) {
            Ok(key) => keys.push(key),
            Err(error) => break error,
        }
    };
    assert_eq!(full, Error::DeviceMemory);
    assert_eq!(setting.left(), (keys.len(), keys.len()));
    assert!(!keys.is_empty());
    objects::destroy(&session, keys.pop().unwrap()).unwrap();
    key(&session).unwrap();
}

#[test]
fn a_thousand_keys_leave_nothing() {
    let setting = Setting::new("volatile-thousand");
    setting.logged_in();
    for round in 0..1_000 {
        let session = setting.open();
        let key = key(&session).unwrap();
        if round % 2 == 0 {
            objects::destroy(&session, key).unwrap();
        }
        setting.library.close_session(session.handle()).unwrap();
    }
    assert_eq!(setting.left(), (0, 0));
}

#[test]
fn a_key_is_unwrapped_into_the_volatile_memory_without_coming_to_the_host() {
    let setting = Setting::new("volatile-unwrap");
    let session = setting.logged_in();
    let value = [0x42; 32];
    let wrapped = encrypted(&session, Mechanism::RsaPkcs, RSA, &value);
    let wish = template(&[
        (CKA_CLASS, &CKO_SECRET_KEY.to_ne_bytes()),
        (CKA_KEY_TYPE, &CKK_AES.to_ne_bytes()),
        (CKA_VALUE_LEN, &32_u64.to_ne_bytes()),
        (CKA_SENSITIVE, &[1]),
        (CKA_TOKEN, &[0]),
    ]);
    let with = private(&session, RSA).unwrap();
    let unwrapped = wrap::unwrap(&session, Mechanism::RsaPkcs, with, &wrapped, wish).unwrap();
    assert_eq!(setting.left(), (1, 1));
    let clear = template(&[
        (CKA_CLASS, &CKO_SECRET_KEY.to_ne_bytes()),
        (CKA_KEY_TYPE, &CKK_AES.to_ne_bytes()),
        (CKA_VALUE, &value),
        (CKA_SENSITIVE, &[0]),
    ]);
    let on_host = objects::create(&session, clear).unwrap();
    assert_eq!(setting.left().0, 1, "what may be read stays on the host");
    let cryptograms = [unwrapped, on_host].map(|key| {
        encrypt::init(&session, Mechanism::Aes(AesMode::Ecb), key).unwrap();
        bytes(encrypt::encrypt(&session, &MESSAGE, Some(32)).unwrap())
    });
    assert_eq!(cryptograms[0], cryptograms[1]);
    setting.library.close_session(session.handle()).unwrap();
    assert_eq!(setting.left(), (0, 0));
}

#[test]
fn a_deletion_that_fails_is_made_up_for_by_the_next_sweep() {
    let setting = Setting::new("volatile-retry");
    let (other, session) = (setting.logged_in(), setting.open());
    key(&session).unwrap();
    setting.reader.virtual_reader().fault(Fault::on(DELETE, Action::Fail));
    assert_eq!(setting.library.close_session(session.handle()), Err(Error::DeviceError));
    assert_eq!(
        setting.library.session(session.handle()).err(),
        Some(Error::SessionHandleInvalid),
        "closed all the same"
    );
    assert_eq!(setting.left(), (1, 1));
    setting.library.close_session(other.handle()).unwrap();
    assert_eq!(setting.left(), (0, 0));
}

#[test]
fn what_a_dead_process_left_is_deleted_by_the_next_that_sees_the_card() {
    let setting = Setting::new("volatile-dead");
    let session = setting.logged_in();
    key(&session).unwrap();
    // The process is killed: its entry names a process that no longer is.
    let text = std::fs::read_to_string(&setting.journal).unwrap();
    let mut words: Vec<&str> = text.split(' ').collect();
    words[2] = "1";
    std::fs::write(&setting.journal, words.join(" ")).unwrap();
    let next = setting.afresh();
    next.slot(0).unwrap().token_info().unwrap();
    assert_eq!(setting.left(), (0, 0));
}

#[test]
fn a_journal_entry_that_names_a_lasting_key_costs_nobody_that_key() {
    let setting = Setting::new("volatile-lasting");
    let serial = setting.library.slot(0).unwrap().token_info().unwrap().serial;
    let lasting = setting.chip.key_files();
    let serial = hex::encode(serial);
    let entries: String =
        lasting.iter().map(|file| format!("1 1 1 {:04X} {serial}\n", KeyReference(*file).0)).collect();
    std::fs::write(&setting.journal, entries).unwrap();
    let next = setting.afresh();
    next.slot(0).unwrap().token_info().unwrap();
    assert_eq!(setting.chip.key_files(), lasting);
}

#[test]
fn a_generated_key_of_a_session_was_never_elsewhere() {
    let setting = Setting::new("volatile-generated");
    let session = setting.logged_in();
    let made = key(&session).unwrap();
    for kind in [CKA_LOCAL, CKA_ALWAYS_SENSITIVE, CKA_NEVER_EXTRACTABLE] {
        assert_eq!(attribute(&session, made, kind), [1], "{kind:#x}");
    }
    assert_eq!(attribute(&session, made, CKA_KEY_GEN_MECHANISM), CKM_AES_KEY_GEN.to_ne_bytes());
}

#[test]
fn a_key_of_a_session_that_the_card_cannot_serve_is_the_hosts() {
    let setting = Setting::new("volatile-served-by-host");
    let session = setting.logged_in();
    let length = 16_u64.to_ne_bytes();
    for more in [(CKA_SIGN, &[1_u8]), (CKA_DERIVE, &[1]), (CKA_COPYABLE, &[1]), (CKA_SENSITIVE, &[0])] {
        let template = template(&[(CKA_VALUE_LEN, &length), (more.0, more.1)]);
        let made = generate::key(&session, Mechanism::Generate(SecretKind::Aes), template).unwrap();
        assert_eq!(attribute(&session, made, more.0), more.1, "{:#x}", more.0);
        assert_eq!(setting.left().0, 0, "{:#x}", more.0);
    }
    let bound = [(CKA_VALUE_LEN, &length[..]), (CKA_SENSITIVE, &[1]), (CKA_EXTRACTABLE, &[0]), (CKA_SIGN, &[1])];
    let bound = generate::key(&session, Mechanism::Generate(SecretKind::Aes), template(&bound));
    assert_eq!(bound, Err(Error::TemplateInconsistent), "it belongs on the card, which makes no codes");
}
