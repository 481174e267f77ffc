//! What is left in this process's memory of a secret key whose time is over (Linux: /proc/self/mem).

use std::fs::{self, File};
use std::io::BufRead;
use std::os::unix::fs::FileExt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use cardea_pkcs11::mechanism::Salt;
use cardea_pkcs11::mechanism::{Hash, Mechanism, Parameters};
use cardea_pkcs11::object::template::Template;
use cardea_pkcs11::session::{Session, decrypt, derive, digest, encrypt, objects, sign, wrap};
use cryptoki_sys::*;
use zeroize::Zeroizing;

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
            chunk.fill(0);
        }
        copies
    }

    /// Where a half of the key begins.
    fn copies_in<'b>(&'b self, bytes: &'b [u8]) -> impl Iterator<Item = usize> + 'b {
        // Keys lie at multiples of 4 in what is searched for: schedules, states, allocations.
        let begins = |at: usize, half: &[u8]| {
            at.is_multiple_of(4)
                && bytes
                    .get(at..at + 16)
                    .is_some_and(|found| found.iter().zip(half).all(|(byte, masked)| *byte == !masked))
        };
        self.0.chunks(16).flat_map(move |half| places(bytes, !half[0]).filter(move |at| begins(*at, half)))
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

/// Where this byte stands.
fn places(bytes: &[u8], wanted: u8) -> impl Iterator<Item = usize> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        let passed = rest.skip_until(wanted).unwrap();
        let last = (bytes.len() - rest.len()).checked_sub(1)?;
        (passed > 0 && bytes[last] == wanted).then_some(last)
    })
}

/// One search at a time: what one has read, with the keys of others that live in it, the next must not find.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
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
    let _alone = alone();
    let setting = Setting::elliptic();
    let masked = Masked::new(3);
    let (owner, _other, key) = in_use(&setting, &masked, CK_FALSE);
    objects::destroy(&owner, key).unwrap();
    assert_eq!(masked.copies(), 0);
}

#[test]
fn nothing_is_left_of_a_key_whose_session_closed_while_others_used_it() {
    let _alone = alone();
    let setting = Setting::elliptic();
    let masked = Masked::new(5);
    let (owner, _other, _) = in_use(&setting, &masked, CK_FALSE);
    setting.library.close_session(owner.handle()).unwrap();
    assert_eq!(masked.copies(), 0);
}

#[test]
fn nothing_is_left_of_a_private_key_after_the_logout() {
    let _alone = alone();
    let setting = Setting::elliptic();
    let session = setting.logged_in();
    let masked = Masked::new(7);
    let (_owner, _other, _) = in_use(&setting, &masked, CK_TRUE);
    session.logout().unwrap();
    assert_eq!(masked.copies(), 0);
}

#[test]
fn nothing_is_left_of_a_secret_that_made_a_code_and_was_digested_in_parts() {
    let _alone = alone();
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

/// A key that others may be made of, or that wraps.
fn keyed(session: &Session, masked: &Masked, key_type: CK_KEY_TYPE) -> u64 {
    let more: Vec<_> = [CKA_DERIVE, CKA_WRAP, CKA_UNWRAP]
        .into_iter()
        .filter(|usage| *usage == CKA_DERIVE || key_type == CKK_AES)
        .map(|usage| (usage, &[CK_TRUE][..]))
        .collect();
    objects::create(session, masked.template(key_type, CK_FALSE).joined(&more).unwrap()).unwrap()
}

#[test]
fn nothing_is_left_of_a_secret_that_others_were_derived_of() {
    let _alone = alone();
    let setting = Setting::elliptic();
    let session = setting.open();
    for (seed, key_type) in [(13, CKK_GENERIC_SECRET), (17, CKK_AES)] {
        let masked = Masked::new(seed);
        let base = keyed(&session, &masked, key_type);
        let hkdf = |salt| Parameters::Hkdf { extract: true, expand: true, hash: CKM_SHA256, salt, info: vec![1] };
        let data = |vector: usize| Parameters::Data { vector: vec![1; vector], data: vec![2; 48].into() };
        let mut all = vec![
            mechanism(CKM_CONCATENATE_BASE_AND_KEY, Parameters::Number(base)),
            mechanism(CKM_CONCATENATE_BASE_AND_DATA, data(0)),
            mechanism(CKM_CONCATENATE_DATA_AND_BASE, data(0)),
            mechanism(CKM_XOR_BASE_AND_DATA, data(0)),
            mechanism(CKM_EXTRACT_KEY_FROM_KEY, Parameters::Number(3)),
            mechanism(CKM_SHA512_KEY_DERIVATION, Parameters::None),
            mechanism(CKM_HKDF_DERIVE, hkdf(Salt::Zeros)),
            mechanism(CKM_HKDF_DERIVE, hkdf(Salt::Key(base))),
        ];
        if key_type == CKK_AES {
            all.push(mechanism(CKM_AES_CBC_ENCRYPT_DATA, data(16)));
        }
        for mechanism in all {
            let length = Template::one(CKA_VALUE_LEN, &number(32));
            let derived = derive::derive(&session, mechanism, base, length).unwrap();
            objects::destroy(&session, derived).unwrap();
        }
        assert!(masked.copies() > 0, "the search finds what is there");
        objects::destroy(&session, base).unwrap();
        assert_eq!(masked.copies(), 0, "seed {seed}");
    }
}

#[test]
fn nothing_is_left_of_a_triple_des_key_or_of_a_private_key_that_was_unwrapped() {
    let _alone = alone();
    let setting = Setting::elliptic();
    let session = setting.logged_in();
    let wrapping = keyed(&session, &Masked::new(19), CKK_AES);
    // SP 800-38F pads what is wrapped, so that a private key of any length is.
    let kwp = || mechanism(CKM_AES_KEY_WRAP_KWP, Parameters::None);
    let masked = Masked::new(23);
    let wrapped = {
        // PrivateKeyInfo of a P-384 key, in which the value lies at a multiple of 4.
        let head = hex::decode("304e020100301006072a8648ce3d020106052b81040022043730350201010430").unwrap();
        let mut info = Zeroizing::new(Vec::with_capacity(128));
        info.extend_from_slice(&head);
        info.extend_from_slice(&masked.value());
        info.extend_from_slice(&[0x55; 16]);
        encrypt::init(&session, kwp(), wrapping).unwrap();
        match encrypt::encrypt(&session, &info, Some(200)).unwrap() {
            cardea_pkcs11::session::Answer::Bytes(bytes) => bytes.to_vec(),
            _ => panic!("no bytes"),
        }
    };
    assert_eq!(masked.copies(), 0, "while it is wrapped");
    let bytes = |bytes: &[u8]| Zeroizing::new(bytes.to_vec());
    let template = Template::new(vec![
        (CKA_CLASS, bytes(&number(CKO_PRIVATE_KEY))),
        (CKA_KEY_TYPE, bytes(&number(CKK_EC))),
        (CKA_EXTRACTABLE, bytes(&[CK_TRUE])),
    ]);
    // This card has no memory for the keys of a session, which is found out when the key is in the clear.
    let refused = wrap::unwrap(&session, kwp(), wrapping, &wrapped, template);
    assert_eq!(refused, Err(cardea_pkcs11::error::Error::TemplateInconsistent));
    assert_eq!(masked.copies(), 0);

    let mut masked = Masked::new(29);
    masked.0.iter_mut().for_each(|byte| *byte ^= u8::from(byte.count_ones().is_multiple_of(2)));
    let value = Zeroizing::new(masked.value()[..24].to_vec());
    let template = Template::new(vec![
        (CKA_CLASS, bytes(&number(CKO_SECRET_KEY))),
        (CKA_KEY_TYPE, bytes(&number(CKK_DES3))),
        (CKA_VALUE, value),
    ]);
    let key = objects::create(&session, template).unwrap();
    for parameters in [Parameters::None, Parameters::Bytes(vec![1; 8])] {
        let ckm = if parameters == Parameters::None { CKM_DES3_ECB } else { CKM_DES3_CBC_PAD };
        encrypt::init(&session, mechanism(ckm, parameters.clone()), key).unwrap();
        encrypt::encrypt(&session, &[5; 24], Some(100)).unwrap();
        decrypt::init(&session, mechanism(ckm, parameters), key).unwrap();
        // What comes out has no padding, which is no matter here.
        let _ = decrypt::decrypt(&session, &[5; 24], Some(100));
    }
    assert!(masked.copies() > 0);
    objects::destroy(&session, key).unwrap();
    assert_eq!(masked.copies(), 0);
}
