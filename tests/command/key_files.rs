//! `cardea import` of what a passphrase protects, as OpenSSL, NSS and Java write it.

use std::path::Path;

use cardea_harness::bench::Bench;
use cardea_harness::myeid::{MyEidCard, MyEidLayout, MyEidOptions, provision_myeid};
use cardea_harness::provision::{Authority, MANAGEMENT_KEY, PIN};
use cardea_harness::reader::VirtualReader;

use super::desk::{Desk, code};
use crate::clients::openssl::OpenSsl;
use crate::clients::program::installed;
use crate::clients::station::{Card, Station};

/// No ASCII alone: its two forms differ.
const PASSPHRASE: &str = "Grüße 1x";

/// A bench with a MyEID card, and the card's PIN.
fn myeid() -> (Bench, String) {
    let mut card = MyEidCard::new(MyEidOptions::default());
    let provisioned = provision_myeid(&mut card, &MyEidLayout::standard(), &Authority::default());
    (Bench::start(vec![("Reader", VirtualReader::with_card(card))]), provisioned.pin)
}

/// An authority in `ca.crt`, and a key in `own.key` with its certificate in `own.crt`.
fn make(openssl: &OpenSsl) {
    let authority = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=CA", "-keyout", "ca.key"];
    openssl.run(&[&authority[..], &["-out", "ca.crt"]].concat()).succeeded();
    let key = ["genpkey", "-algorithm", "EC", "-pkeyopt", "group:P-256", "-out", "own.key"];
    openssl.run(&key).succeeded();
    openssl.run(&["req", "-new", "-key", "own.key", "-subj", "/CN=owner", "-out", "own.csr"]).succeeded();
    let issue = ["x509", "-req", "-in", "own.csr", "-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial"];
    openssl.run(&[&issue[..], &["-out", "own.crt"]].concat()).succeeded();
}

/// A PKCS#12 file of all that, made with these options.
fn export(openssl: &OpenSsl, name: &str, passphrase: &str, options: &[&str]) {
    let export = ["pkcs12", "-export", "-inkey", "own.key", "-in", "own.crt", "-certfile", "ca.crt", "-out", name];
    let passphrase = format!("pass:{passphrase}");
    openssl.run(&[&export[..], &["-passout", &passphrase], options].concat()).succeeded();
}

/// Signs with the imported key, and verifies with the one that it was made as.
fn signs(desk: &impl Desk, directory: &Path, pin: &str, id: &str) {
    std::fs::write(directory.join("content"), id).unwrap();
    desk.with_pins(&[pin], &["sign", "--id", id, "-o", "signature", "content"]).succeeded();
    let verify = ["dgst", "-sha256", "-prverify", "own.key", "-signature", "signature", "content"];
    OpenSsl::new(directory).run(&verify).succeeded().says("Verified OK");
}

#[test]
fn a_pkcs12_file_brings_key_and_certificate_to_a_piv_card() {
    let station = Station::new(Card::Elliptic);
    let openssl = OpenSsl::new(station.directory());
    make(&openssl);
    export(&openssl, "own.p12", PASSPHRASE, &[]);
    let key: String = MANAGEMENT_KEY.iter().map(|byte| format!("{byte:02x}")).collect();
    let import = ["import", "--passphrase-fd", "3", "--id", "05", "own.p12"];
    let before = station.json(&["list"]);
    let wrong = station.with_pins(&["another", &key], &import);
    assert_eq!(code(&wrong), 1);
    wrong.says("own.p12: the passphrase is wrong, or the file is damaged");
    assert_eq!(station.json(&["list"]), before);
    let made = station.with_pins(&[PASSPHRASE, &key], &import).succeeded();
    assert_eq!(made.lines_with("id=%05").len(), 2, "{}", made.text);
    signs(&station, station.directory(), PIN, "05");
    let read = station.cardea(["certificate", "read", "--id", "05"]).succeeded().stdout;
    assert_eq!(read, std::fs::read(station.directory().join("own.crt")).unwrap());
}

#[test]
fn every_protection_that_openssl_gives_is_read() {
    let (bench, pin) = myeid();
    let openssl = OpenSsl::new(bench.directory());
    make(&openssl);
    let modern: [(&str, &[&str]); 5] = [
        ("aes.p12", &[]),
        ("aes128.p12", &["-keypbe", "AES-128-CBC", "-certpbe", "NONE", "-macalg", "SHA512"]),
        ("des.p12", &["-legacy", "-descert", "-iter", "1"]),
        ("rc2.p12", &["-legacy", "-keypbe", "PBE-SHA1-RC2-128", "-certpbe", "PBE-SHA1-RC2-40"]),
        ("two-keys.p12", &["-keypbe", "PBE-SHA1-2DES", "-nomac", "-certpbe", "PBE-SHA1-3DES"]),
    ];
    for (name, options) in modern {
        export(&openssl, name, PASSPHRASE, options);
    }
    export(&openssl, "empty.p12", "", &[]);
    let passout = format!("pass:{PASSPHRASE}");
    let pkcs8: [(&str, &[&str]); 5] = [
        ("aes.pk8", &["-v2", "aes-256-cbc"]),
        ("sha1.pk8", &["-v2", "aes-128-cbc", "-v2prf", "hmacWithSHA1"]),
        ("des.pk8", &["-v2", "des3"]),
        ("scrypt.pk8", &["-scrypt", "-outform", "DER"]),
        ("old.pk8", &["-v1", "PBE-SHA1-3DES"]),
    ];
    for (name, options) in pkcs8 {
        let arguments = ["pkcs8", "-topk8", "-in", "own.key", "-out", name, "-passout", &passout];
        openssl.run(&[&arguments[..], options].concat()).succeeded();
    }
    let files = modern.iter().chain(&pkcs8).map(|(name, _)| (*name, PASSPHRASE)).chain([("empty.p12", "")]);
    for (index, (name, passphrase)) in files.enumerate() {
        let id = format!("{}", 60 + index);
        let wrong = bench.with_pins(&["another", &pin], &["import", "--passphrase-fd", "3", "--id", &id, name]);
        assert_eq!(code(&wrong), 1, "{name}");
        wrong.says("the passphrase is wrong");
        let made = bench.with_pins(&[passphrase, &pin], &["import", "--passphrase-fd", "3", "--id", &id, name]);
        let made = made.succeeded();
        let lines = if name.ends_with("p12") { 2 } else { 1 };
        assert_eq!(made.lines_with(&format!("id=%{id}")).len(), lines, "{name}: {}", made.text);
        signs(&bench, bench.directory(), &pin, &id);
    }
}

#[test]
fn authorities_come_along_where_they_are_wanted() {
    let (bench, pin) = myeid();
    let openssl = OpenSsl::new(bench.directory());
    make(&openssl);
    export(&openssl, "own.p12", PASSPHRASE, &[]);
    let import = ["import", "--passphrase-fd", "3", "--id", "77", "--chain", "own.p12"];
    let made = bench.with_pins(&[PASSPHRASE, &pin], &import).succeeded();
    assert_eq!(made.lines_with("type=cert").len(), 2, "{}", made.text);
    bench.cardea(["list"]).succeeded().says("CN=CA").says("CN=owner");
}

/// NSS writes lengths that are not known at the beginning, and octet strings in pieces.
#[test]
fn files_of_nss_and_java_are_read() {
    let (bench, pin) = myeid();
    let openssl = OpenSsl::new(bench.directory());
    make(&openssl);
    export(&openssl, "own.p12", "secret", &["-name", "own"]);
    let run = |script: &str| {
        let mut shell = bench.command_for("sh");
        shell.args(["-ec", script]);
        crate::clients::program::run(shell).succeeded();
    };
    let mut files = Vec::new();
    if installed("pk12util", "libnss3-tools") {
        run("mkdir db; certutil -N -d db --empty-password; pk12util -i own.p12 -d db -W secret
             pk12util -o nss.p12 -n own -d db -W secret");
        files.push("nss.p12");
    }
    if installed("keytool", "default-jdk-headless") {
        run("keytool -importkeystore -srckeystore own.p12 -srcstorepass secret -destkeystore java.p12 \
             -deststoretype PKCS12 -deststorepass secret -noprompt");
        files.push("java.p12");
    }
    for (index, name) in files.into_iter().enumerate() {
        let id = format!("{}", 60 + index);
        let import = ["import", "--passphrase-fd", "3", "--id", &id, name];
        let made = bench.with_pins(&["secret", &pin], &import).succeeded();
        assert_eq!(made.lines_with(&format!("id=%{id}")).len(), 2, "{name}: {}", made.text);
        signs(&bench, bench.directory(), &pin, &id);
    }
}
