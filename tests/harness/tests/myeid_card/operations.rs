//! Security environments, signatures, deciphering and key agreement with key pairs.

use p256::ecdsa::signature::hazmat::PrehashVerifier;
use rsa::pkcs8::DecodePublicKey;
use rsa::{Pkcs1v15Encrypt, Pkcs1v15Sign, RsaPublicKey};
use sha2::{Digest, Sha256};

use super::*;

const DECIPHER: [u8; 4] = hex!("00 2A 80 86");
const AGREE: [u8; 4] = hex!("00 86 00 00");

pub(crate) fn verify_p256(key: &p256::PublicKey, hash: &[u8], signature: &[u8]) {
    let signature = p256::ecdsa::DerSignature::from_bytes(signature).unwrap();
    p256::ecdsa::VerifyingKey::from(key).verify_prehash(hash, &signature).unwrap();
}

fn rsa_card(options: MyEidOptions) -> (MyEidCard, RsaPublicKey) {
    let key = MyEidKey::new(0x45, "RSA key", MyEidKeyKind::Rsa2048('a'));
    let (mut card, provisioned) = provisioned(options, vec![key]);
    Terminal::new(&mut card).send(VERIFY, PIN).unwrap();
    let public = RsaPublicKey::from_public_key_der(provisioned.public_key(0x45).unwrap()).unwrap();
    (card, public)
}

#[test]
fn ecdsa_signs_hashes_up_to_the_fields_length() {
    let (mut card, provisioned) = logged_in(MyEidOptions::default());
    let public = p256::PublicKey::from_public_key_der(provisioned.public_key(0x46).unwrap()).unwrap();
    let mut terminal = Terminal::new(&mut card);
    environment(&mut terminal, SIGNING, 0x04, 0x4B01, &hex!("84 01 00")).unwrap();
    for hash in [[0x5A; 32], [0xFF; 32]] {
        let signature = terminal.send(SIGN, &hash).unwrap();
        verify_p256(&public, &hash, &signature);
    }
    let signature = terminal.send(SIGN, &[0x33; 20]).unwrap();
    verify_p256(&public, &[&[0; 12][..], &[0x33; 20]].concat(), &signature);
    assert_eq!(terminal.send(SIGN, &[1; 33]).status, 0x6700);
    assert_eq!(terminal.send(SIGN, &[]).status, 0x6700);
    // P-521 has its own field length
    environment(&mut terminal, SIGNING, 0x04, 0x4B02, &[]).unwrap();
    terminal.send(SIGN, &[0xEE; 64]).unwrap();
    assert_eq!(terminal.send(SIGN, &[2; 66]).status, 0x6984);
}

#[test]
fn rsa_signs_digest_infos_sha1_hashes_and_whole_blocks() {
    let (mut card, public) = rsa_card(MyEidOptions::default());
    let mut terminal = Terminal::new(&mut card);
    let hash = Sha256::digest(b"to be signed");
    let info = [&hex!("30 31 30 0D 06 09 60 86 48 01 65 03 04 02 01 05 00 04 20")[..], &hash].concat();
    environment(&mut terminal, SIGNING, 0x02, 0x4B01, &hex!("84 01 00")).unwrap();
    let signature = terminal.send(SIGN, &info).unwrap();
    public.verify(Pkcs1v15Sign::new::<Sha256>(), &hash, &signature).unwrap();
    assert_eq!(terminal.send(SIGN, &[1; 246]).status, 0x6700);
    environment(&mut terminal, SIGNING, 0x12, 0x4B01, &[]).unwrap();
    let sha1 = terminal.send(SIGN, &[9; 20]).unwrap();
    let info = [&hex!("30 21 30 09 06 05 2B 0E 03 02 1A 05 00 04 14")[..], &[9; 20]].concat();
    public.verify(Pkcs1v15Sign::new_unprefixed(), &info, &sha1).unwrap();
    assert_eq!(terminal.send(SIGN, &[9; 32]).status, 0x6700);
    environment(&mut terminal, SIGNING, 0x00, 0x4B01, &[]).unwrap();
    let block = [&[0, 1][..], &vec![0xFF; 254 - info.len() - 1], &[0], &info].concat();
    assert_eq!(terminal.send(SIGN, &block).unwrap(), sha1);
    assert_eq!(terminal.send(SIGN, &[1; 255]).status, 0x6700);
    assert_eq!(terminal.send(SIGN, &[0xFF; 256]).status, 0x6985, "above the modulus");
}

#[test]
fn rsa_deciphers_a_chain_or_two_halves() {
    let (mut card, public) = rsa_card(MyEidOptions::default());
    let mut terminal = Terminal::new(&mut card);
    let cryptogram = public.encrypt(&mut rand_core::OsRng, Pkcs1v15Encrypt, b"secret").unwrap();
    environment(&mut terminal, DECIPHERING, 0x02, 0x4B01, &hex!("84 01 00")).unwrap();
    assert_eq!(terminal.send(DECIPHER, &[&[0], &cryptogram[..]].concat()).unwrap(), b"secret");
    assert_eq!(terminal.send(hex!("00 2A 80 84"), &cryptogram).unwrap(), b"secret");
    let (first, second) = cryptogram.split_at(128);
    assert_eq!(terminal.send(DECIPHER, &[&[0x81], first].concat()).unwrap(), []);
    assert_eq!(terminal.send(DECIPHER, &[&[0x82], second].concat()).unwrap(), b"secret");
    assert_eq!(terminal.send(DECIPHER, &[&[0x82], second].concat()).status, 0x6985, "there is no first half");
    terminal.send(DECIPHER, &[&[0x81], first].concat()).unwrap();
    terminal.send(hex!("00 CA 01 A0"), &[]).unwrap();
    assert_eq!(terminal.send(DECIPHER, &[&[0x82], second].concat()).status, 0x6985, "another command came between");
    assert_eq!(terminal.send(DECIPHER, &[&[0x83], second].concat()).status, 0x6984);
    assert_eq!(terminal.send(DECIPHER, &[&[0], first].concat()).status, 0x6700);
    let mut wrong = cryptogram.clone();
    wrong[200] ^= 1;
    assert_eq!(terminal.send(DECIPHER, &[&[0], &wrong[..]].concat()).status, 0x6985, "the padding is wrong");
    environment(&mut terminal, DECIPHERING, 0x00, 0x4B01, &[]).unwrap();
    let block = terminal.send(DECIPHER, &[&[0], &cryptogram[..]].concat()).unwrap();
    assert_eq!((&block[..2], &block[249..]), (&[0, 2][..], &b"\0secret"[..]));
}

#[test]
fn extended_length_apdus_work_where_they_are_announced() {
    let options = MyEidOptions { extended_length: true, ..MyEidOptions::default() };
    let (mut card, public) = rsa_card(options);
    let cryptogram = public.encrypt(&mut rand_core::OsRng, Pkcs1v15Encrypt, b"secret").unwrap();
    environment(&mut Terminal::new(&mut card), DECIPHERING, 0x02, 0x4B01, &[]).unwrap();
    let extended = [&hex!("00 2A 80 86 00 01 01 00")[..], &cryptogram, &[0, 0]].concat();
    assert_eq!(raw(&mut card, &extended), (b"secret".to_vec(), 0x9000));
    assert_eq!(raw(&mut rsa_card(MyEidOptions::default()).0, &extended).1, 0x6700);
}

#[test]
fn an_old_card_knows_halves_and_no_chains() {
    let (mut card, public) = rsa_card(MyEidOptions::old());
    let mut terminal = Terminal::new(&mut card);
    let cryptogram = public.encrypt(&mut rand_core::OsRng, Pkcs1v15Encrypt, b"secret").unwrap();
    environment(&mut terminal, DECIPHERING, 0x02, 0x4B01, &[]).unwrap();
    assert_eq!(terminal.send(DECIPHER, &[&[0], &cryptogram[..]].concat()).status, 0x6884);
    terminal.send(DECIPHER, &[&[0x81], &cryptogram[..128]].concat()).unwrap();
    assert_eq!(terminal.send(DECIPHER, &[&[0x82], &cryptogram[128..]].concat()).unwrap(), b"secret");
}

#[test]
fn ecdh_gives_the_common_points_first_coordinate() {
    let key = MyEidKey::new(0x47, "Agreement key", MyEidKeyKind::Curve(384));
    let (mut card, provisioned) = provisioned(MyEidOptions::default(), vec![key]);
    let public = p384::PublicKey::from_public_key_der(provisioned.public_key(0x47).unwrap()).unwrap();
    let own = p384::SecretKey::random(&mut rand_core::OsRng);
    let point = own.public_key().to_sec1_bytes();
    let expected = p384::ecdh::diffie_hellman(own.to_nonzero_scalar(), public.as_affine());
    let template = [&[0x7C, 0x63, 0x85, 0x61], &point[..]].concat();
    let mut terminal = Terminal::new(&mut card);
    environment(&mut terminal, AGREEMENT, 0x04, 0x4B01, &[]).unwrap();
    assert_eq!(terminal.send(AGREE, &template).status, 0x6982);
    terminal.send(VERIFY, PIN).unwrap();
    assert_eq!(terminal.send(AGREE, &template).unwrap(), expected.raw_secret_bytes()[..]);
    let mut off_curve = template.clone();
    off_curve[50] ^= 1;
    for wrong in [&off_curve[..], &template[..50], &template[2..], &[], &hex!("7C 00"), &hex!("7C 02 85 00")] {
        assert_eq!(terminal.send(AGREE, wrong).status, 0x6984, "{wrong:02X?}");
    }
    assert_eq!(terminal.send(hex!("00 86 01 00"), &template).status, 0x6A86);
    environment(&mut terminal, SIGNING, 0x04, 0x4B01, &[]).unwrap();
    assert_eq!(terminal.send(AGREE, &template).status, 0x6985);
}

#[test]
fn a_key_is_used_with_its_pin_and_in_its_environment_only() {
    let (mut card, _) = quick(MyEidOptions::default());
    let mut terminal = Terminal::new(&mut card);
    assert_eq!(terminal.send(SIGN, &[1; 32]).status, 0x6985, "no environment");
    environment(&mut terminal, SIGNING, 0x04, 0x4B01, &[]).unwrap();
    assert_eq!(terminal.send(SIGN, &[1; 32]).status, 0x6982, "no PIN");
    terminal.send(VERIFY, PIN).unwrap();
    terminal.send(SIGN, &[1; 32]).unwrap();
    environment(&mut terminal, SIGNING, 0x02, 0x4B01, &[]).unwrap();
    assert_eq!(terminal.send(SIGN, &[1; 32]).status, 0x6985, "no RSA key");
    environment(&mut terminal, SIGNING, 0x04, 0x4D01, &[]).unwrap();
    assert_eq!(terminal.send(SIGN, &[1; 32]).status, 0x6985, "no key pair");
    environment(&mut terminal, DECIPHERING, 0x04, 0x4B01, &[]).unwrap();
    assert_eq!(terminal.send(SIGN, &[1; 32]).status, 0x6985, "for deciphering");
    environment(&mut terminal, SIGNING, 0x04, 0x4B01, &[]).unwrap();
    terminal.send(hex!("00 22 F3 00"), &[]).unwrap();
    assert_eq!(terminal.send(SIGN, &[1; 32]).status, 0x6985, "cleared");
    assert_eq!(terminal.send(hex!("00 2A 9E 9B"), &[1; 32]).status, 0x6A86);
    environment(&mut terminal, SIGNING, 0x04, 0x4B01, &[]).unwrap();
    terminal.send(SELECT_ID, &hex!("4B01")).unwrap();
    terminal.send(DELETE, &[]).unwrap();
    assert_eq!(terminal.send(SIGN, &[1; 32]).status, 0x6985, "deleted");
    terminal.card().reset();
    terminal.send(SELECT_NAME, &MYEID_AID).unwrap();
    assert_eq!(terminal.send(SIGN, &[1; 32]).status, 0x6985, "a reset takes the environment");
}

#[test]
fn wrong_control_reference_templates_are_refused_and_leave_no_environment() {
    let (mut card, _) = logged_in(MyEidOptions::default());
    let mut terminal = Terminal::new(&mut card);
    for (header, template, status) in [
        (hex!("00 22 41 B6"), &hex!("80 01 04 81 02 4BFF")[..], 0x6A88),
        (hex!("00 22 41 B6"), &hex!("80 01 04 81 02 5031"), 0x6A88),
        (hex!("00 22 41 B6"), &hex!("80 01 80 81 02 4B01"), 0x6A81),
        (hex!("00 22 41 B6"), &hex!("80 01 04"), 0x6A81),
        (hex!("00 22 41 B6"), &hex!("81 02 4B01"), 0x6A81),
        (hex!("00 22 41 B6"), &hex!("80 02 0404 81 02 4B01"), 0x6A81),
        (hex!("00 22 41 B6"), &hex!("80 01 04 81 02 4B01 84 01 01"), 0x6A81),
        (hex!("00 22 41 B6"), &hex!("80 01 04 81 02 4B01 95 01 40"), 0x6A80),
        (hex!("00 22 41 B6"), &hex!("80 01 04 81 02 4B"), 0x6984),
        (hex!("00 22 41 B6"), &[&hex!("80 01 04 81 02 4B01 87 11")[..], &[0; 17]].concat(), 0x6984),
        (hex!("00 22 41 AA"), &hex!("80 01 04 81 02 4B01"), 0x6985),
        (hex!("00 22 81 B6"), &hex!("80 01 04 81 02 4B01"), 0x6985),
        (hex!("00 22 C1 B6"), &hex!("80 01 04 81 02 4B01"), 0x6A81),
        (hex!("00 22 F3 01"), &[], 0x6A87),
        (hex!("00 22 41 B6"), &[], 0x6A81),
    ] {
        environment(&mut terminal, SIGNING, 0x04, 0x4B01, &[]).unwrap();
        assert_eq!(terminal.send(header, template).status, status, "{header:02X?} {template:02X?}");
        assert_eq!(terminal.send(SIGN, &[1; 32]).status, 0x6985);
    }
}

#[test]
fn a_key_with_user_consent_takes_the_pin_with_it() {
    let key = MyEidKey::new(0x46, "Consent key", MyEidKeyKind::Curve(256)).with_consent();
    let (mut card, _) = provisioned(MyEidOptions::default(), vec![key]);
    let mut terminal = Terminal::new(&mut card);
    terminal.send(VERIFY, PIN).unwrap();
    terminal.send(VERIFY_OFFICER, OFFICERS_PIN).unwrap();
    environment(&mut terminal, SIGNING, 0x04, 0x4B01, &[]).unwrap();
    terminal.send(SIGN, &[1; 32]).unwrap();
    assert_eq!(terminal.send(SIGN, &[1; 32]).status, 0x6982);
    assert_eq!(terminal.send(VERIFY, &[]).status, 0x63C3);
    terminal.send(VERIFY_OFFICER, &[]).unwrap();
    terminal.send(VERIFY, PIN).unwrap();
    terminal.send(SIGN, &[1; 32]).unwrap();
}
