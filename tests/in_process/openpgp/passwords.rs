//! PW1, PW3, the KDF data object, and what each wrong PIN costs.

use cardea_harness::openpgp::{OpenPgpLayout, OpenPgpOptions, PW1, PW3};
use cardea_pkcs11::card::{CardError, Role, SignatureScheme};
use cardea_pkcs11::secret::Pin;
use sha2::{Digest, Sha256};

use super::bench::Bench;

fn pin(text: &str) -> Pin {
    Pin::new(text.as_bytes())
}

/// S2K of RFC 4880 3.7.1.3, written here once more.
fn s2k(salt: &[u8], pin: &str, count: usize) -> Vec<u8> {
    let once = [salt, pin.as_bytes()].concat();
    let stretched: Vec<u8> = once.iter().copied().cycle().take(count.max(once.len())).collect();
    Sha256::digest(&stretched).to_vec()
}

/// A KDF data object as GnuPG writes it; with one salt for all, or three.
pub fn kdf(count: u32, single: bool) -> Vec<u8> {
    let salts = [[0x11; 8], [0x22; 8], [0x33; 8]];
    let officer = if single { salts[0] } else { salts[2] };
    let mut object = [&hex::decode("81010382010883 04".replace(' ', "")).unwrap()[..], &count.to_be_bytes()].concat();
    for (tag, salt) in [0x84, 0x85, 0x86].iter().zip(salts).take(if single { 1 } else { 3 }) {
        object.extend([*tag, 8]);
        object.extend(salt);
    }
    object.extend([0x87, 32]);
    object.extend(s2k(&salts[0], PW1, count as usize));
    object.extend([0x88, 32]);
    object.extend(s2k(&officer, PW3, count as usize));
    object
}

/// A card with this KDF data object.
fn with_kdf(object: &[u8]) -> Bench {
    let mut bench = Bench::with(OpenPgpOptions::default(), &OpenPgpLayout::modern()).with_officer();
    let put = [&[0x00, 0xDA, 0x00, 0xF9, object.len() as u8][..], object].concat();
    assert_eq!(bench.another(&hex::encode(put)), 0x9000);
    bench.probed_again()
}

#[test]
fn a_login_verifies_both_purposes_of_pw1() {
    let mut bench = Bench::standard();
    bench.verify(Role::User, PW1).unwrap();
    let verified: Vec<_> = bench.link.commands.iter().filter(|command| command[1] == 0x20).map(|c| c[3]).collect();
    assert_eq!(verified, [0x82, 0x81]);
    bench.run(|application, channel| application.log_out(channel)).unwrap();
    for reference in [0x81, 0x82] {
        assert_eq!(bench.another(&format!("002000{reference:02X}")), 0x63C3);
    }
}

#[test]
fn a_wrong_pin_costs_one_try_and_the_last_one_blocks() {
    let mut bench = Bench::standard();
    for left in [2, 1] {
        assert_eq!(bench.verify(Role::User, "654321"), Err(CardError::PinIncorrect { retries: Some(left) }));
        assert_eq!(bench.tries(), [left, 0, 3]);
    }
    assert_eq!(bench.verify(Role::User, "654321"), Err(CardError::PinBlocked));
    assert_eq!(bench.verify(Role::User, PW1), Err(CardError::PinBlocked));
    assert_eq!(bench.run(|application, channel| application.retries(channel, Role::User)), Ok(Some(0)));
    let unblock = |application: &mut dyn cardea_pkcs11::card::CardApplication,
                   channel: &mut cardea_pkcs11::channel::Channel<'_>| {
        application.reset_retry_counter(channel, &pin(PW3), &pin("13579135"))
    };
    bench.run(unblock).unwrap();
    bench.verify(Role::User, "13579135").unwrap();
}

#[test]
fn a_signature_that_wants_its_pin_gets_it_once() {
    let layout = OpenPgpLayout { several_signatures: false, ..OpenPgpLayout::modern() };
    let mut bench = Bench::with(OpenPgpOptions::default(), &layout).logged_in();
    let key = bench.private_key(1);
    let sign = |bench: &mut Bench| {
        bench.run(|application, channel| application.sign(channel, &key, SignatureScheme::Eddsa, b"a message"))
    };
    sign(&mut bench).unwrap();
    assert_eq!(sign(&mut bench), Err(CardError::SecurityStatus));
    let key = bench.private_key(1);
    bench.run(|application, channel| application.verify_for(channel, &key, &pin(PW1))).unwrap();
    assert_eq!(bench.instructions(), [0x20]);
}

#[test]
fn a_card_with_a_kdf_data_object_gets_what_it_derives() {
    for single in [false, true] {
        let mut bench = with_kdf(&kdf(100_000, single));
        bench.verify(Role::User, PW1).unwrap();
        bench.verify(Role::SecurityOfficer, PW3).unwrap();
        let sent: Vec<_> = bench.link.commands.iter().filter(|command| command[1] == 0x20).collect();
        assert!(sent.iter().all(|command| command[4] == 32), "{sent:02X?}");
        assert_eq!(bench.verify(Role::User, "654321"), Err(CardError::PinIncorrect { retries: Some(2) }));
        let change = |application: &mut dyn cardea_pkcs11::card::CardApplication,
                      channel: &mut cardea_pkcs11::channel::Channel<'_>| {
            application.change_reference_data(channel, Role::User, &pin(PW1), &pin("24682468"))
        };
        bench.run(change).unwrap();
        bench.verify(Role::User, "24682468").unwrap();
        let unblock = |application: &mut dyn cardea_pkcs11::card::CardApplication,
                       channel: &mut cardea_pkcs11::channel::Channel<'_>| {
            application.reset_retry_counter(channel, &pin(PW3), &pin("112233"))
        };
        bench.run(unblock).unwrap();
        bench.verify(Role::User, "112233").unwrap();
    }
}

#[test]
fn a_kdf_that_another_program_sets_meanwhile_is_followed() {
    let mut bench = Bench::standard();
    bench.verify(Role::User, PW1).unwrap();
    bench.verify(Role::SecurityOfficer, PW3).unwrap();
    let object = kdf(1000, false);
    let put = [&[0x00, 0xDA, 0x00, 0xF9, object.len() as u8][..], &object].concat();
    assert_eq!(bench.another(&hex::encode(put)), 0x9000);
    bench.verify(Role::User, PW1).unwrap();
    assert_eq!(bench.tries(), [3, 0, 3]);
}

#[test]
fn a_kdf_data_object_that_cannot_be_followed_sends_no_pin() {
    let most = hex::decode("8101038201088304FFFFFFFF8408AAAAAAAAAAAAAAAA9000").unwrap();
    for answer in [most, hex::decode("810103").unwrap(), hex::decode("8101039000").unwrap(), vec![0x6F, 0x00]] {
        let mut bench = Bench::standard();
        bench.link.answers.push(([0x00, 0xCA, 0x00, 0xF9], answer));
        assert!(bench.verify(Role::User, PW1).is_err());
        assert!(!bench.instructions().contains(&0x20));
    }
}

#[test]
fn pins_are_changed_by_who_knows_them() {
    let mut bench = Bench::standard();
    for (role, old, new) in [(Role::User, PW1, "24682468"), (Role::SecurityOfficer, PW3, "9876543210")] {
        let mut change = |old: &str, new: &str| {
            bench.run(|application, channel| application.change_reference_data(channel, role, &pin(old), &pin(new)))
        };
        assert_eq!(change(old, "12345"), Err(CardError::PinLength));
        assert!(matches!(change("00000000", new), Err(CardError::PinIncorrect { .. })));
        change(old, new).unwrap();
        assert!(bench.verify(role, old).is_err());
        bench.verify(role, new).unwrap();
    }
}

#[test]
fn selection_is_known_by_the_cards_own_number() {
    let mut bench = Bench::standard();
    assert_eq!(bench.run(|application, channel| application.is_selected(channel)), Ok(true));
    let another = [&[0x00, 0xA4, 0x04, 0x00, 0x08][..], &cardea_harness::piv::DUMMY_AID].concat();
    assert_eq!(bench.another(&hex::encode(another)), 0x9000);
    assert_eq!(bench.run(|application, channel| application.is_selected(channel)), Ok(false));
    bench.run(|application, channel| application.select(channel)).unwrap();
    // Another OpenPGP card would have another number.
    let stranger = hex::decode("D27600012401030400065555555500009000").unwrap();
    bench.link.answers.push(([0x00, 0xCA, 0x00, 0x4F], stranger));
    assert_eq!(bench.run(|application, channel| application.is_selected(channel)), Ok(false));
}

#[test]
fn an_old_card_owes_a_reset_after_a_logout() {
    let options = OpenPgpOptions { version: [2, 1], ..OpenPgpOptions::default() };
    let mut bench = Bench::with(options, &OpenPgpLayout::modern()).logged_in();
    let outcome = bench.run(|application, channel| application.log_out(channel));
    assert_eq!(outcome, Err(CardError::NotSupported));
    // This card forgets by selection, which is tried all the same.
    assert_eq!(bench.another("00200082"), 0x63C3);
}

#[test]
fn the_resetting_code_resets_pw1_as_it_is_and_derived() {
    for object in [None, Some(kdf(100_000, true)), Some(kdf(100_000, false))] {
        let mut bench = match &object {
            Some(object) => with_kdf(object),
            None => Bench::with(OpenPgpOptions::default(), &OpenPgpLayout::modern()),
        };
        let set = |bench: &mut Bench, code: Option<&str>| {
            let code = code.map(pin);
            bench.run(|application, channel| application.set_resetting_code(channel, &pin(PW3), code.as_ref()))
        };
        let reset = |bench: &mut Bench, code: &str, new: &str| {
            bench.run(|application, channel| application.reset_by_code(channel, &pin(code), &pin(new)))
        };
        assert_eq!(reset(&mut bench, "11223344", "24682468"), Err(CardError::PinBlocked), "there is none");
        assert_eq!(set(&mut bench, Some("1122334")), Err(CardError::PinLength));
        set(&mut bench, Some("11223344")).unwrap();
        assert_eq!(bench.tries(), [3, 3, 3]);
        if let Some(object) = &object {
            // The salts follow 81 (3 bytes), 82 (3 bytes) and 83 (6 bytes): 84, 85 and 86, each 10 bytes.
            let salt = if object.len() > 100 { &object[24..32] } else { &object[14..22] };
            let put = bench.link.commands.iter().rfind(|command| command[1..4] == [0xDA, 0x00, 0xD3]).unwrap();
            assert!(put.ends_with(&s2k(salt, "11223344", 100_000)), "{put:02X?}");
        }
        for _ in 0..3 {
            let _ = bench.verify(Role::User, "000000");
        }
        assert_eq!(reset(&mut bench, "44332211", "24682468"), Err(CardError::PinIncorrect { retries: Some(2) }));
        reset(&mut bench, "11223344", "24682468").unwrap();
        bench.verify(Role::User, "24682468").unwrap();
        set(&mut bench, None).unwrap();
        assert_eq!(reset(&mut bench, "11223344", PW1), Err(CardError::PinBlocked));
        bench.verify(Role::User, "24682468").unwrap();
    }
}

#[test]
fn a_card_that_says_6982_of_a_wrong_pin_is_asked_for_the_tries() {
    let mut bench = Bench::standard();
    for reference in [0x82, 0x83] {
        bench.link.answers.push(([0x00, 0x20, 0x00, reference], vec![0x69, 0x82]));
    }
    let status = |tries: u8| [&[0x00, 0x7F, 0x7F, 0x7F, tries, 0x00, tries][..], &[0x90, 0x00]].concat();
    for (tries, expected) in [(2, CardError::PinIncorrect { retries: Some(2) }), (0, CardError::PinBlocked)] {
        bench.link.answers.retain(|(header, _)| header[1] != 0xCA);
        bench.link.answers.push(([0x00, 0xCA, 0x00, 0xC4], status(tries)));
        assert_eq!(bench.verify(Role::User, "654321"), Err(expected));
        assert_eq!(bench.verify(Role::SecurityOfficer, "87654321"), Err(expected));
    }
}
