//! `cardea sign`, `verify` and `decrypt`, judged by OpenSSL.

use cardea_harness::provision::PIN;

use super::desk::{Desk, code};
use crate::clients::openssl::OpenSsl;
use crate::clients::station::{Card, Station};

/// Longer than the pieces in which files are read.
fn content() -> Vec<u8> {
    (0..200_000_u32).map(|index| (index % 251) as u8).collect()
}

#[test]
fn openssl_verifies_what_was_signed() {
    let station = Station::new(Card::Standard);
    let openssl = OpenSsl::new(station.directory());
    station.file("content", content());
    let pss = ["-sigopt", "rsa_padding_mode:pss", "-sigopt", "rsa_pss_saltlen:32"];
    // Key here, our options, key there, hash, OpenSSL's options.
    type Case<'a> = (&'a str, &'a [&'a str], &'a str, &'a str, &'a [&'a str]);
    let cases: [Case<'_>; 6] = [
        ("01", &[], "9a", "-sha256", &[]),
        ("01", &["--hash", "sha512"], "9a", "-sha512", &[]),
        ("01", &["--pss"], "9a", "-sha256", &pss),
        ("02", &[], "9c", "-sha256", &[]),
        ("02", &["--hash", "sha384"], "9c", "-sha384", &[]),
        ("04", &[], "9e", "-sha256", &[]),
    ];
    for (id, options, key, hash, sigopt) in cases {
        let sign = [&["sign", "--id", id, "-o", "signature", "content"], options].concat();
        station.with_pins(&[PIN], &sign).succeeded();
        let public = format!("{key}.pub.pem");
        let verify = [&["dgst", hash], sigopt, &["-verify", &public, "-signature", "signature", "content"]].concat();
        openssl.run(&verify).succeeded().says("Verified OK");
        let ours = [&["verify", "--id", id, "--signature", "signature", "content"], options].concat();
        station.cardea(&ours).succeeded();
        station.file("other", "other content");
        let wrong = [&["verify", "--id", id, "--signature", "signature", "other"], options].concat();
        assert_eq!(code(&station.cardea(&wrong)), 11, "{id} {options:?}");
    }
}

#[test]
fn a_key_for_a_longer_curve_signs_with_a_longer_hash() {
    let station = Station::new(Card::Varied);
    let openssl = OpenSsl::new(station.directory());
    station.file("content", content());
    let keys = station.json(&["list"])["slots"][0]["token"]["objects"].as_array().unwrap().clone();
    let key = keys.iter().find(|key| key["type"] == "private" && key["key"] == "P-384").unwrap();
    station
        .with_pins(&[PIN], &["sign", "--uri", key["uri"].as_str().unwrap(), "-o", "signature", "content"])
        .succeeded();
    let certificate = station.cardea(["certificate", "read", "--id", key["id"].as_str().unwrap()]).succeeded();
    station.file("certificate", certificate.stdout);
    let public = openssl.run(&["x509", "-in", "certificate", "-noout", "-pubkey"]).succeeded();
    station.file("public", public.stdout);
    openssl.run(&["dgst", "-sha384", "-verify", "public", "-signature", "signature", "content"]).succeeded();
}

#[test]
fn a_raw_signature_is_r_and_s() {
    let station = Station::new(Card::Elliptic);
    station.file("content", "content");
    let sign = ["sign", "--id", "04", "--form", "raw", "content"];
    let signature = station.cardea(sign).succeeded().stdout;
    assert_eq!(signature.len(), 64);
    station.file("signature", signature);
    let verify = ["verify", "--id", "04", "--signature", "signature", "content", "--form"];
    station.cardea(verify.iter().chain(&["raw"])).succeeded();
    assert_eq!(code(&station.cardea(verify.iter().chain(&["der"]))), 11);
}

#[test]
fn a_hash_that_is_given_is_signed_as_it_is() {
    let station = Station::new(Card::Standard);
    let openssl = OpenSsl::new(station.directory());
    let content = content();
    station.file("content", &content);
    station.file("hash", openssl.digest("sha256", &content));
    for (id, key, options) in [("04", "9e", &[][..]), ("01", "9a", &["--pss"])] {
        let sign = [&["sign", "--id", id, "--no-hash", "-o", "signature", "hash"], options].concat();
        station.with_pins(&[PIN], &sign).succeeded();
        let verify = [&["verify", "--id", id, "--signature", "signature", "content"], options].concat();
        station.cardea(verify).succeeded();
        if id == "04" {
            let public = format!("{key}.pub.pem");
            openssl.run(&["dgst", "-sha256", "-verify", &public, "-signature", "signature", "content"]).succeeded();
        }
    }
}

#[test]
fn what_openssl_encrypts_is_decrypted() {
    let station = Station::new(Card::Standard);
    let openssl = OpenSsl::new(station.directory());
    let message = b"for the holder of the card only";
    let oaep = ["rsa_padding_mode:oaep", "rsa_oaep_md:sha256", "rsa_mgf1_md:sha256"];
    let mixed = ["rsa_padding_mode:oaep", "rsa_oaep_md:sha256", "rsa_mgf1_md:sha1"];
    let cases: [(&[&str], &[&str]); 3] =
        [(&[], &[]), (&oaep, &["--oaep"]), (&mixed, &["--oaep", "--hash", "sha256", "--mgf-hash", "sha1"])];
    for (padding, options) in cases {
        station.file("cryptogram", openssl.encrypt("9d.pub.pem", padding, message));
        let decrypt = [&["decrypt", "--id", "03", "cryptogram"], options].concat();
        let run = station.with_pins(&[PIN], &decrypt).succeeded();
        assert_eq!(run.stdout, message, "{options:?}");
    }
    station
        .with_pins(&[PIN], &["decrypt", "--id", "03", "-o", "plain", "cryptogram", "--oaep", "--mgf-hash", "sha1"])
        .succeeded();
    let mode = std::os::unix::fs::PermissionsExt::mode(
        &std::fs::metadata(station.directory().join("plain")).unwrap().permissions(),
    );
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn a_key_is_not_used_for_what_it_is_not_meant_for() {
    let station = Station::new(Card::Standard);
    station.file("content", "content");
    assert_eq!(code(&station.with_pins(&[PIN], &["decrypt", "--id", "02", "content"])), 12);
    assert_eq!(code(&station.with_pins(&[PIN], &["sign", "--id", "77", "content"])), 10);
    let several = station.with_pins(&[PIN], &["sign", "content"]);
    assert_eq!(code(&several), 2);
    several.says("type=private").says("--id");
    assert_eq!(station.pin_tries(), 3);
}
