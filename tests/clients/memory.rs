//! What is left of a PIN in the memory of a process whose logout is over (Linux: /proc/self/mem).

use std::fs::{self, File};
use std::os::unix::fs::FileExt;

use cryptoki::context::{CInitializeArgs, CInitializeFlags};
use cryptoki::mechanism::Mechanism;
use cryptoki::object::{Attribute, ObjectClass};
use cryptoki::session::UserType;
use cryptoki::types::AuthPin;

use super::child;
use super::station::{Card, Station};
use crate::budgets::steps::{MODULE, load, pin};
use crate::module;

/// Bytes that are read at once.
const CHUNK: usize = 1 << 20;
/// The complement of the PIN's bytes: the PIN itself is never written down here.
const MASKED: [u8; 8] = [!b'7', !b'3', !b'9', !b'5', !b'1', !b'8', !b'2', !b'6'];

/// The PIN, in memory that wipes itself.
fn unmasked() -> AuthPin {
    let mut text = String::with_capacity(MASKED.len());
    text.extend(MASKED.iter().map(|byte| char::from(!byte)));
    AuthPin::new(text.into())
}

/// How often the PIN stands in this process's memory.
fn copies() -> usize {
    let memory = File::open("/proc/self/mem").unwrap();
    let maps = fs::read_to_string("/proc/self/maps").unwrap();
    let mut chunk = vec![0; CHUNK];
    let mut found = 0;
    for line in maps.lines().filter(|line| line.contains(" rw")) {
        let (start, end) = line.split_once(' ').unwrap().0.split_once('-').unwrap();
        let [start, end] = [start, end].map(|number| u64::from_str_radix(number, 16).unwrap());
        for at in (start..end).step_by(CHUNK - MASKED.len()) {
            let wanted = CHUNK.min((end - at) as usize);
            let Ok(read) = memory.read_at(&mut chunk[..wanted], at) else { break };
            let own = chunk.as_ptr().addr() as u64..(chunk.as_ptr().addr() + CHUNK) as u64;
            let places = chunk[..read].windows(MASKED.len()).enumerate();
            let same = places.filter(|(_, bytes)| bytes.iter().zip(&MASKED).all(|(byte, masked)| *byte == !masked));
            found += same.filter(|(offset, _)| !own.contains(&(at + *offset as u64))).count();
            chunk.fill(0);
        }
    }
    found
}

/// In a process of its own: `case` is the test function.
fn forgets<F: Fn()>(case: F, restores: &str) {
    if !child::is_child() {
        let variables = [(MODULE, module::path().to_str().unwrap()), ("CARDEA_RESTORE_LOGIN", restores)];
        child::spawn(case, &Station::new(Card::Elliptic), &variables).succeeded();
        return;
    }
    let pkcs11 = load();
    pkcs11.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK)).unwrap();
    let session = pkcs11.open_rw_session(pkcs11.get_slots_with_token().unwrap()[0]).unwrap();
    session.login(UserType::User, Some(&pin())).unwrap();
    session.set_pin(&pin(), &unmasked()).unwrap();
    session.logout().unwrap();
    let given = unmasked();
    assert!(copies() > 0, "what is there is found");
    session.login(UserType::User, Some(&given)).unwrap();
    drop(given);
    let key = [Attribute::Class(ObjectClass::PRIVATE_KEY), Attribute::Id(vec![1])];
    let key = session.find_objects(&key).unwrap()[0];
    session.sign(&Mechanism::Ecdsa, key, &[7; 32]).unwrap();
    assert_eq!(copies() > 0, restores == "yes", "a PIN is kept during the login where that is wished");
    session.logout().unwrap();
    assert_eq!(copies(), 0, "a PIN outlives the logout");
}

#[test]
fn nothing_is_left_of_a_pin_after_the_login() {
    forgets(nothing_is_left_of_a_pin_after_the_login, "no");
}

#[test]
fn nothing_is_left_of_a_pin_that_restored_logins_after_the_logout() {
    forgets(nothing_is_left_of_a_pin_that_restored_logins_after_the_logout, "yes");
}
