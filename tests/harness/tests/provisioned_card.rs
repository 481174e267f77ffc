//! Provisioned cards hold what they are said to hold, and their keys do what their certificates promise.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::io::Read;
use std::time::Instant;

use cardea_harness::card::{Response, Terminal, VirtualCard};
use cardea_harness::piv::{DUMMY_AID, PIV_AID, PivCard, PivOptions, PrivateKey};
use cardea_harness::provision::{Authority, Layout, MANAGEMENT_KEY, Personalization, Provisioned, provision};
use flate2::read::GzDecoder;
use hex_literal::hex;
use p256::ecdsa::signature::hazmat::PrehashVerifier;
use p256::pkcs8::DecodePublicKey;
use rsa::traits::PublicKeyParts;
use rsa::{Pkcs1v15Sign, RsaPublicKey};
use sha2::{Digest, Sha256, Sha384};
use x509_cert::Certificate;
use x509_cert::der::{Decode, Encode};

const SELECT: [u8; 4] = hex!("00 A4 04 00");
const VERIFY: [u8; 4] = hex!("00 20 00 80");
const GET_DATA: [u8; 4] = hex!("00 CB 3F FF");
const PIN: &[u8] = b"123456\xFF\xFF";

fn standard(options: PivOptions) -> (PivCard, Provisioned) {
    let mut card = PivCard::new(options);
    let provisioned = provision(&mut card, &Layout::standard(), &Authority::default());
    (card, provisioned)
}

fn object(tag: &[u8], value: &[u8]) -> Vec<u8> {
    let length = (value.len() as u16).to_be_bytes();
    [tag, &[0x82], &length, value].concat()
}

/// GENERAL AUTHENTICATE with an empty response and a challenge (81) or a point (85).
fn authenticate(terminal: &mut Terminal<'_>, algorithm: u8, reference: u8, tag: u8, input: &[u8]) -> Response {
    let template = object(&[0x7C], &[&hex!("82 00"), object(&[tag], input).as_slice()].concat());
    terminal.send([0x00, 0x87, algorithm, reference], &template)
}

/// The value of 7C { 82 value }.
fn response_value(data: &[u8]) -> &[u8] {
    let inner = skip(data, 0x7C);
    skip(inner, 0x82)
}

fn skip(data: &[u8], tag: u8) -> &[u8] {
    assert_eq!(data[0], tag);
    let (length, rest) = match data[1] {
        0x82 => (usize::from(u16::from_be_bytes([data[2], data[3]])), &data[4..]),
        0x81 => (usize::from(data[2]), &data[3..]),
        length => (usize::from(length), &data[2..]),
    };
    &rest[..length]
}

/// A SHA-256 DigestInfo in PKCS #1 v1.5 padding.
fn padded(digest: &[u8], length: usize) -> Vec<u8> {
    let info = [&hex!("3031300d060960864801650304020105000420"), digest].concat();
    let mut block = vec![0x00, 0x01];
    block.resize(length - info.len() - 1, 0xFF);
    block.push(0x00);
    block.extend_from_slice(&info);
    block
}

#[test]
fn a_standard_card_is_filled_quickly_and_gives_its_certificates_back() {
    for options in [PivOptions::extended(), PivOptions::short()] {
        let started = Instant::now();
        let (mut card, provisioned) = standard(options);
        println!("provisioned in {:?}", started.elapsed());
        let mut terminal = Terminal::new(&mut card);
        terminal.send(SELECT, &PIV_AID).unwrap();
        for (tag, reference) in [(0x05, 0x9A), (0x0A, 0x9C), (0x0B, 0x9D), (0x01, 0x9E)] {
            let read = terminal.send(GET_DATA, &[0x5C, 0x03, 0x5F, 0xC1, tag]).unwrap();
            let content = skip(&read, 0x53);
            assert_eq!(skip(content, 0x70), provisioned.certificate(reference).unwrap());
            assert!(content.ends_with(&hex!("71 01 00 FE 00")));
        }
        let chuid = terminal.send(GET_DATA, &hex!("5C 03 5FC102")).unwrap();
        assert_eq!(skip(&chuid, 0x53), provisioned.chuid.to_bytes());
    }
}

#[test]
fn certificates_carry_the_keys_on_the_card_and_the_signature_of_the_authority() {
    let mut card = PivCard::new(PivOptions::default());
    let provisioned = provision(&mut card, &Layout::elliptic(), &Authority::default());
    let authority = Certificate::load_pem_chain(provisioned.ca_pem.as_bytes()).unwrap().remove(0);
    let authority_key = authority.tbs_certificate.subject_public_key_info.to_der().unwrap();
    let authority_key = p256::ecdsa::VerifyingKey::from_public_key_der(&authority_key).unwrap();
    for (reference, der) in &provisioned.certificates {
        let certificate = Certificate::from_der(der).unwrap();
        let key = certificate.tbs_certificate.subject_public_key_info.to_der().unwrap();
        assert_eq!(key, provisioned.public_key(*reference).unwrap());
        let signed = Sha256::digest(certificate.tbs_certificate.to_der().unwrap());
        let signature = p256::ecdsa::DerSignature::from_bytes(certificate.signature.raw_bytes()).unwrap();
        authority_key.verify_prehash(&signed, &signature).unwrap();
    }
}

#[test]
fn the_authentication_key_signs_after_the_pin() {
    for options in [PivOptions::extended(), PivOptions::short()] {
        let (mut card, provisioned) = standard(options);
        let key = RsaPublicKey::from_public_key_der(provisioned.public_key(0x9A).unwrap()).unwrap();
        let digest = Sha256::digest(b"to be signed");
        let mut terminal = Terminal::new(&mut card);
        terminal.send(SELECT, &PIV_AID).unwrap();
        let block = padded(&digest, key.size());
        assert_eq!(authenticate(&mut terminal, 0x07, 0x9A, 0x81, &block).status, 0x6982);
        terminal.send(VERIFY, PIN).unwrap();
        for _ in 0..2 {
            let answer = authenticate(&mut terminal, 0x07, 0x9A, 0x81, &block).unwrap();
            key.verify(Pkcs1v15Sign::new::<Sha256>(), &digest, response_value(&answer)).unwrap();
        }
    }
}

#[test]
fn the_signature_key_wants_the_pin_immediately_before_every_use() {
    let (mut card, provisioned) = standard(PivOptions::default());
    let key = p256::ecdsa::VerifyingKey::from_public_key_der(provisioned.public_key(0x9C).unwrap()).unwrap();
    let digest = Sha256::digest(b"to be signed");
    let mut terminal = Terminal::new(&mut card);
    terminal.send(SELECT, &PIV_AID).unwrap();
    terminal.send(VERIFY, PIN).unwrap();
    let answer = authenticate(&mut terminal, 0x11, 0x9C, 0x81, &digest).unwrap();
    let signature = p256::ecdsa::DerSignature::from_bytes(response_value(&answer)).unwrap();
    key.verify_prehash(&digest, &signature).unwrap();
    assert_eq!(authenticate(&mut terminal, 0x11, 0x9C, 0x81, &digest).status, 0x6982);
    for between in [(hex!("00 F7 00 9A"), &[] as &[u8]), (GET_DATA, &hex!("5C 01 7E")), (SELECT, &PIV_AID)] {
        terminal.send(VERIFY, PIN).unwrap();
        terminal.send(between.0, between.1);
        assert_eq!(authenticate(&mut terminal, 0x11, 0x9C, 0x81, &digest).status, 0x6982);
    }
}

#[test]
fn key_agreement_gives_the_shared_x_coordinate() {
    let mut card = PivCard::new(PivOptions::default());
    let provisioned = provision(&mut card, &Layout::elliptic(), &Authority::default());
    let ours = p256::SecretKey::random(&mut rand_core::OsRng);
    let theirs = p256::PublicKey::from_public_key_der(provisioned.public_key(0x9D).unwrap()).unwrap();
    let expected = p256::ecdh::diffie_hellman(ours.to_nonzero_scalar(), theirs.as_affine());
    let mut terminal = Terminal::new(&mut card);
    terminal.send(SELECT, &PIV_AID).unwrap();
    terminal.send(VERIFY, PIN).unwrap();
    let point = ours.public_key().to_sec1_bytes();
    let point = p256::EncodedPoint::from_bytes(&point).unwrap();
    let point = p256::PublicKey::from_sec1_bytes(point.as_bytes()).unwrap();
    let point = p256::elliptic_curve::sec1::ToEncodedPoint::to_encoded_point(&point, false);
    let answer = authenticate(&mut terminal, 0x11, 0x9D, 0x85, point.as_bytes()).unwrap();
    assert_eq!(response_value(&answer), expected.raw_secret_bytes().as_slice());
    let mut off_curve = point.as_bytes().to_vec();
    off_curve[64] ^= 1;
    assert_eq!(authenticate(&mut terminal, 0x11, 0x9D, 0x85, &off_curve).status, 0x6A80);
}

#[test]
fn the_varied_card_has_large_keys_retired_keys_and_a_compressed_certificate() {
    let started = Instant::now();
    let mut card = PivCard::new(PivOptions::short());
    let provisioned = provision(&mut card, &Layout::varied(), &Authority::default());
    println!("provisioned in {:?}", started.elapsed());
    let mut terminal = Terminal::new(&mut card);
    terminal.send(SELECT, &PIV_AID).unwrap();
    let history = terminal.send(GET_DATA, &hex!("5C 03 5FC10C")).unwrap();
    assert_eq!(skip(&history, 0x53), hex!("C1 01 02 C2 01 00 F3 00 FE 00"));
    let read = terminal.send(GET_DATA, &hex!("5C 03 5FC10A")).unwrap();
    let content = skip(&read, 0x53);
    assert!(content.ends_with(&hex!("71 01 01 FE 00")));
    let mut certificate = Vec::new();
    GzDecoder::new(skip(content, 0x70)).read_to_end(&mut certificate).unwrap();
    assert_eq!(certificate, provisioned.certificate(0x9C).unwrap());

    let digest = Sha256::digest(b"to be signed");
    for (algorithm, reference, verify) in [(0x05, 0x9C, true), (0x07, 0x9E, false), (0x16, 0x82, true)] {
        let key = RsaPublicKey::from_public_key_der(provisioned.public_key(reference).unwrap()).unwrap();
        if verify {
            terminal.send(VERIFY, PIN).unwrap();
        }
        let answer = authenticate(&mut terminal, algorithm, reference, 0x81, &padded(&digest, key.size())).unwrap();
        key.verify(Pkcs1v15Sign::new::<Sha256>(), &digest, response_value(&answer)).unwrap();
    }
    let digest = Sha384::digest(b"to be signed");
    for reference in [0x9A, 0x83] {
        let key = p384::ecdsa::VerifyingKey::from_public_key_der(provisioned.public_key(reference).unwrap()).unwrap();
        let answer = authenticate(&mut terminal, 0x14, reference, 0x81, &digest).unwrap();
        let signature = p384::ecdsa::DerSignature::from_bytes(response_value(&answer)).unwrap();
        key.verify_prehash(&digest, &signature).unwrap();
    }
}

#[test]
fn keys_and_objects_survive_reset_and_the_other_application() {
    let (mut card, provisioned) = standard(PivOptions::default());
    card.power_off();
    card.power_on();
    let key = RsaPublicKey::from_public_key_der(provisioned.public_key(0x9D).unwrap()).unwrap();
    let secret = hex!("00112233445566778899AABBCCDDEEFF");
    let encrypted = key.encrypt(&mut rand_core::OsRng, rsa::Pkcs1v15Encrypt, &secret).unwrap();
    let mut terminal = Terminal::new(&mut card);
    terminal.send(SELECT, &DUMMY_AID).unwrap();
    assert_eq!(terminal.send(VERIFY, PIN).status, 0x6D00);
    terminal.send(SELECT, &PIV_AID).unwrap();
    terminal.send(VERIFY, PIN).unwrap();
    let answer = authenticate(&mut terminal, 0x07, 0x9D, 0x81, &encrypted).unwrap();
    let block = response_value(&answer);
    assert_eq!((&block[..2], &block[256 - 17..]), (&[0, 2][..], [&[0], &secret[..]].concat().as_slice()));
}

#[test]
fn selecting_another_application_drops_the_management_key_too() {
    let mut card = PivCard::new(PivOptions::default());
    card.power_on();
    Personalization::begin(&mut card, &MANAGEMENT_KEY).generate(0x9A, 0x11);
    let mut terminal = Terminal::new(&mut card);
    let generate = hex!("AC 03 80 01 11");
    terminal.send(hex!("00 47 00 9A"), &generate).unwrap();
    terminal.send(SELECT, &DUMMY_AID).unwrap();
    terminal.send(SELECT, &PIV_AID).unwrap();
    assert_eq!(terminal.send(hex!("00 47 00 9A"), &generate).status, 0x6982);
}

#[test]
fn printed_information_is_read_after_the_pin_only() {
    let (mut card, _) = standard(PivOptions::default());
    let mut terminal = Terminal::new(&mut card);
    terminal.send(SELECT, &PIV_AID).unwrap();
    assert_eq!(terminal.send(GET_DATA, &hex!("5C 03 5FC109")).status, 0x6982);
    terminal.send(VERIFY, PIN).unwrap();
    let printed = terminal.send(GET_DATA, &hex!("5C 03 5FC109")).unwrap();
    assert!(skip(&printed, 0x53).starts_with(b"\x01\x0CAda Lovelace"));
}

#[test]
fn metadata_tells_algorithm_policy_origin_and_public_key() {
    let (mut card, provisioned) = standard(PivOptions::default());
    let mut terminal = Terminal::new(&mut card);
    terminal.send(SELECT, &PIV_AID).unwrap();
    let imported = terminal.send(hex!("00 F7 00 9A"), &[]).unwrap();
    let key = RsaPublicKey::from_public_key_der(provisioned.public_key(0x9A).unwrap()).unwrap();
    assert!(imported.starts_with(&hex!("01 01 07 02 02 02 01 03 01 02 04 82 01 09 81 82 01 00")));
    assert_eq!(imported[18..18 + 256], key.n().to_bytes_be());
    let generated = terminal.send(hex!("00 F7 00 9C"), &[]).unwrap();
    assert!(generated.starts_with(&hex!("01 01 11 02 02 03 01 03 01 01 04 43 86 41 04")));
    assert_eq!(terminal.send(hex!("00 F7 00 82"), &[]).status, 0x6A88);
    assert_eq!(terminal.send(hex!("00 F7 00 80"), &[]).unwrap(), hex!("01 01 FF 05 01 01 06 02 03 03"));
    assert_eq!(terminal.send(hex!("00 F7 00 9B"), &[]).unwrap(), hex!("01 01 03 02 02 00 01 05 01 01"));
    let mut plain = PivCard::new(PivOptions::plain());
    let mut terminal = Terminal::new(&mut plain);
    terminal.send(SELECT, &PIV_AID).unwrap();
    for instruction in [0xF7, 0xF8, 0xFD] {
        assert_eq!(terminal.send([0x00, instruction, 0x00, 0x00], &[]).status, 0x6D00);
    }
}

#[test]
fn curve_keys_are_imported() {
    let key = p384::SecretKey::random(&mut rand_core::OsRng);
    let mut card = PivCard::new(PivOptions::default());
    card.power_on();
    Personalization::begin(&mut card, &MANAGEMENT_KEY).import(0x9E, &PrivateKey::P384(key.clone()));
    let mut terminal = Terminal::new(&mut card);
    let digest = Sha384::digest(b"to be signed");
    let answer = authenticate(&mut terminal, 0x14, 0x9E, 0x81, &digest).unwrap();
    let signature = p384::ecdsa::DerSignature::from_bytes(response_value(&answer)).unwrap();
    p384::ecdsa::VerifyingKey::from(&key.public_key()).verify_prehash(&digest, &signature).unwrap();
}

#[test]
fn a_number_above_the_modulus_and_a_foreign_algorithm_are_refused() {
    let (mut card, _) = standard(PivOptions::default());
    let mut terminal = Terminal::new(&mut card);
    terminal.send(SELECT, &PIV_AID).unwrap();
    assert_eq!(authenticate(&mut terminal, 0x07, 0x9A, 0x81, &[0xFF; 256]).status, 0x6982);
    terminal.send(VERIFY, PIN).unwrap();
    assert_eq!(authenticate(&mut terminal, 0x07, 0x9A, 0x81, &[0xFF; 256]).status, 0x6A80);
    assert_eq!(authenticate(&mut terminal, 0x11, 0x9A, 0x81, &[0x11; 32]).status, 0x6A86);
    assert_eq!(terminal.send(VERIFY, &[]).status, 0x9000);
}

#[test]
fn pin_and_puk_are_changed_blocked_and_unblocked() {
    const CHANGE_PIN: [u8; 4] = hex!("00 24 00 80");
    const UNBLOCK: [u8; 4] = hex!("00 2C 00 80");
    let mut card = PivCard::new(PivOptions::default());
    card.power_on();
    let mut terminal = Terminal::new(&mut card);
    terminal.send(SELECT, &PIV_AID).unwrap();
    assert_eq!(terminal.send(CHANGE_PIN, b"999999\xFF\xFF654321\xFF\xFF").status, 0x63C2);
    terminal.send(CHANGE_PIN, b"123456\xFF\xFF654321\xFF\xFF").unwrap();
    assert_eq!(terminal.send(VERIFY, PIN).status, 0x63C2);
    assert_eq!(terminal.send(VERIFY, PIN).status, 0x63C1);
    assert_eq!(terminal.send(VERIFY, PIN).status & 0xFF00, 0x6900);
    assert_eq!(terminal.send(VERIFY, b"654321\xFF\xFF").status, 0x6983);
    assert_eq!(terminal.send(UNBLOCK, b"87654321123456\xFF\xFF").status, 0x63C2);
    terminal.send(UNBLOCK, b"12345678123456\xFF\xFF").unwrap();
    terminal.send(VERIFY, PIN).unwrap();
    assert_eq!(terminal.send(hex!("00 24 00 81"), b"0000000087654321").status, 0x63C2);
    terminal.send(hex!("00 24 00 81"), b"1234567887654321").unwrap();
    for left in [0x63C2, 0x63C1, 0x63C0, 0x6983] {
        assert_eq!(terminal.send(UNBLOCK, b"12345678123456\xFF\xFF").status, left);
    }
}

#[test]
fn garbage_never_ends_a_card() {
    let (mut card, provisioned) = standard(PivOptions::default());
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let mut random = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    let instructions = [0x20, 0x24, 0x2C, 0x47, 0x87, 0xA4, 0xC0, 0xCB, 0xDB, 0xF7, 0xF8, 0xF9, 0xFA, 0xFD, 0xFE, 0xFF];
    card.transmit(&[&hex!("00 A4 04 00 0B"), &PIV_AID[..]].concat());
    for round in 0..1500 {
        let length = (random() % 40) as usize;
        let mut apdu: Vec<u8> = (0..length).map(|_| random() as u8).collect();
        if round % 3 != 0 && length > 6 {
            apdu[0] = if random() % 8 == 0 { 0x10 } else { 0x00 };
            apdu[1] = instructions[random() as usize % instructions.len()];
            apdu[2] = [0x00, 0x3F, 0x07, 0x11, 0x14, 0xFF][random() as usize % 6];
            apdu[3] = [0x00, 0xFF, 0x9A, 0x9B, 0x9C, 0x9D, 0x9E][random() as usize % 7];
            apdu[4] = (length - 5) as u8;
            apdu[5] = [0x7C, 0x5C, 0x53, 0xAC, 0x81, 0x7E][random() as usize % 6];
        }
        let answer = card.transmit(&apdu);
        assert!(answer.len() >= 2, "no status word for {apdu:02X?}");
    }
    card.reset();
    let mut terminal = Terminal::new(&mut card);
    terminal.send(SELECT, &PIV_AID).unwrap();
    let read = terminal.send(GET_DATA, &hex!("5C 03 5FC105")).unwrap();
    assert_eq!(skip(skip(&read, 0x53), 0x70), provisioned.certificate(0x9A).unwrap());
}

#[test]
fn a_large_certificate_is_read_in_pieces_or_at_once() {
    for options in [PivOptions::extended(), PivOptions::short()] {
        let mut layout = Layout::elliptic();
        layout.slots[0] = layout.slots[0].larger(6000);
        let mut card = PivCard::new(options);
        let provisioned = provision(&mut card, &layout, &Authority::default());
        let certificate = provisioned.certificate(0x9A).unwrap();
        assert!(certificate.len() > 6000);
        let mut terminal = Terminal::new(&mut card);
        terminal.send(SELECT, &PIV_AID).unwrap();
        let read = terminal.send(GET_DATA, &hex!("5C 03 5FC105")).unwrap();
        assert_eq!(skip(skip(&read, 0x53), 0x70), certificate);
    }
}

#[test]
fn pem_files_are_written_for_other_programs() {
    let mut card = PivCard::new(PivOptions::default());
    let provisioned = provision(&mut card, &Layout::elliptic(), &Authority::default());
    let directory = std::env::temp_dir().join(format!("cardea-provisioned-{}", std::process::id()));
    provisioned.write_pem(&directory).unwrap();
    let certificate = std::fs::read_to_string(directory.join("9a.crt.pem")).unwrap();
    assert!(certificate.starts_with("-----BEGIN CERTIFICATE-----\n"));
    assert!(std::fs::read_to_string(directory.join("9d.pub.pem")).unwrap().contains("PUBLIC KEY"));
    std::fs::remove_dir_all(&directory).unwrap();
}
