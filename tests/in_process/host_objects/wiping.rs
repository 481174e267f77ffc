//! What is left in this process's memory of a secret key whose time is over (Linux: /proc/self/mem).

use std::fs::{self, File};
use std::os::unix::fs::FileExt;

use cardea_pkcs11::mechanism::{Hash, Mechanism, Parameters};
use cardea_pkcs11::object::template::Template;
use cardea_pkcs11::session::{Session, decrypt, digest, encrypt, objects, sign};
use cryptoki_sys::*;
use zeroize::{Zeroize, Zeroizing};

use super::{cbc, mechanism, number};
use crate::in_process::setting::Setting;

/// Bytes that are read at once.
const CHUNK: usize = 1 << 20;
/// Bytes that are looked at in each chunk and again in the next.
const OVERLAP: usize = 16;
const PAGE: usize = 4096;
const ZEROS: [u8; PAGE] = [0; PAGE];

/// A key is never written down here: only its complement.
struct Masked([u8; 32]);

impl Masked {
    fn new(seed: u8) -> Self {
        Self(std::array::from_fn(|index| (index as u8).wrapping_mul(151).wrapping_add(seed)))
    }

    fn value(&self) -> Zeroizing<Vec<u8>> {
        let mut value = Zeroizing::new(Vec::with_capacity(32));
        value.extend(self.0.iter().map(|byte| !byte));
        value
    }

    /// How often half of the key stands in memory.
    fn copies(&self) -> usize {
        let memory = File::open("/proc/self/mem").unwrap();
        let mut chunk = Zeroizing::new(vec![0; CHUNK]);
        let maps = fs::read_to_string("/proc/self/maps").unwrap();
        let writable =
            maps.lines().filter(|line| line.contains(" rw")).filter_map(|line| line.split_once(' ')?.0.split_once('-'));
        writable.map(|(start, end)| self.copies_between(&memory, &mut chunk, [start, end])).sum()
    }

    fn copies_between(&self, memory: &File, chunk: &mut [u8], range: [&str; 2]) -> usize {
        let [start, end] = range.map(|number| u64::from_str_radix(number, 16).unwrap());
        let own = chunk.as_ptr().addr() as u64..chunk.as_ptr().addr() as u64 + CHUNK as u64;
        let mut copies = 0;
        // Keys lie at multiples of 4 in what is searched for: schedules, states, allocations.
        for at in (start..end).step_by(CHUNK - OVERLAP) {
            let wanted = chunk.len().min((end - at) as usize);
            let Ok(read) = memory.read_at(&mut chunk[..wanted], at) else { break };
            for page in (0..read)
                .step_by(PAGE)
                .filter(|page| chunk[*page..read.min(page + PAGE)] != ZEROS[..PAGE.min(read - page)])
            {
                let found = self.copies_in(&chunk[page..read.min(page + PAGE + OVERLAP)]);
                copies += found.filter(|offset| !own.contains(&(at + (page + offset) as u64))).count();
            }
            chunk.zeroize();
        }
        copies
    }

    fn copies_in<'b>(&'b self, bytes: &'b [u8]) -> impl Iterator<Item = usize> + 'b {
        let begins = |at: usize, half: usize| {
            bytes[at..at + 16].iter().zip(&self.0[half..]).all(|(byte, masked)| *byte == !masked)
        };
        let last = bytes.len().saturating_sub(15);
        (0..last).step_by(4).filter(move |at| begins(*at, 0) || begins(*at, 16))
    }

    fn template(&self, key_type: CK_KEY_TYPE, private: u8) -> Template {
        let bytes = |bytes: Vec<u8>| Zeroizing::new(bytes);
        Template::new(vec![
            (CKA_CLASS, bytes(number(CKO_SECRET_KEY))),
            (CKA_KEY_TYPE, bytes(number(key_type))),
            (CKA_PRIVATE, bytes(vec![private])),
            (CKA_VALUE, self.value()),
        ])
    }
}

/// Makes a key and has operations of another session use it.
fn in_use(setting: &Setting, masked: &Masked, private: u8) -> (std::sync::Arc<Session>, std::sync::Arc<Session>, u64) {
    let (owner, other) = (setting.open(), setting.open());
    let key = objects::create(&owner, masked.template(CKK_AES, private)).unwrap();
    encrypt::init(&other, cbc(), key).unwrap();
    decrypt::init(&other, cbc(), key).unwrap();
    sign::init(&other, mechanism(CKM_AES_CMAC, Parameters::None), key).unwrap();
    encrypt::update(&other, &[0; 32], Some(32)).unwrap();
    assert!(masked.copies() > 0, "the search finds what is there");
    (owner, other, key)
}

#[test]
fn nothing_is_left_of_a_key_that_was_destroyed_while_others_used_it() {
    let setting = Setting::elliptic();
    let masked = Masked::new(3);
    let (owner, _other, key) = in_use(&setting, &masked, CK_FALSE);
    objects::destroy(&owner, key).unwrap();
    assert_eq!(masked.copies(), 0);
}

#[test]
fn nothing_is_left_of_a_key_whose_session_closed_while_others_used_it() {
    let setting = Setting::elliptic();
    let masked = Masked::new(5);
    let (owner, _other, _) = in_use(&setting, &masked, CK_FALSE);
    setting.library.close_session(owner.handle()).unwrap();
    assert_eq!(masked.copies(), 0);
}

#[test]
fn nothing_is_left_of_a_private_key_after_the_logout() {
    let setting = Setting::elliptic();
    let session = setting.logged_in();
    let masked = Masked::new(7);
    let (_owner, _other, _) = in_use(&setting, &masked, CK_TRUE);
    session.logout().unwrap();
    assert_eq!(masked.copies(), 0);
}

#[test]
fn nothing_is_left_of_a_secret_that_made_a_code_and_was_digested_in_parts() {
    let setting = Setting::elliptic();
    let session = setting.open();
    let masked = Masked::new(11);
    let key = objects::create(&session, masked.template(CKK_GENERIC_SECRET, CK_FALSE)).unwrap();
    sign::init(&session, mechanism(CKM_SHA256_HMAC, Parameters::None), key).unwrap();
    sign::sign(&session, b"message", Some(32)).unwrap();
    digest::init(&session, Mechanism::Digest(Hash::Sha256)).unwrap();
    digest::key(&session, key).unwrap();
    objects::destroy(&session, key).unwrap();
    assert!(masked.copies() > 0, "the digest waits for a whole block");
    digest::finish(&session, Some(32)).unwrap();
    assert_eq!(masked.copies(), 0);
}
