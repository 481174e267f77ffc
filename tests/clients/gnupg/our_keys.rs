//! Keys that were made or brought through Cryptoki, in GnuPG's hands: it finds them by the fingerprints and times that the
//! module leaves on the card.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use cardea_harness::openpgp::{OpenPgpLayout, PW1, PW3};

use super::super::station::Station;
use super::{GnuPg, tool};

/// A card without keys, whose PIN holds for many signatures.
fn blank() -> Station {
    Station::with_openpgp(&OpenPgpLayout { keys: [None; 3], ..OpenPgpLayout::modern() })
}

fn officer(station: &Station, arguments: &[&str]) {
    let login = ["--module", crate::module::path().to_str().unwrap(), "--login", "--login-type", "so", "--so-pin", PW3];
    station.run("pkcs11-tool", login.iter().chain(arguments)).succeeded();
}

/// The value of a field of the record in GnuPG's lists with colons; empty where there is none.
fn fields<'t>(text: &'t str, record: &str) -> Vec<&'t str> {
    let line = text.lines().find(|line| line.split(':').next() == Some(record));
    line.map(|line| line.split(':').skip(1).collect()).unwrap_or_default()
}

/// GnuPG makes OpenPGP keys of what is on the card, whose fingerprints are those that the module wrote; then it signs and
/// decrypts with them, and the module goes on using the same keys.
fn gpg_takes_the_keys(station: &Station, gnupg: &GnuPg<'_>) {
    let status = gnupg.card_status();
    let (on_card, times) = (fields(&status, "fpr"), fields(&status, "fprtime"));
    assert_eq!(times[0], times[1], "keys of one occasion");
    // gpg 2.2 makes the OpenPGP key with the time that its clock shows, and not with the card's. It does not stop a clock
    // that shows the right second, and it reads one that lags behind this one.
    let made: u64 = times[0].parse().unwrap();
    while SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() <= made + 1 {
        std::thread::sleep(Duration::from_millis(20));
    }
    let clock = ["--faked-system-time", &format!("{}!", times[0])];
    gnupg.run(PW1, &[&clock[..], &["--quick-gen-key", "Ada <ada@example.org>", "card"]].concat()).succeeded();
    let list = gnupg.run(PW1, &["--with-colons", "--with-subkey-fingerprint", "--list-keys"]).succeeded().text;
    for fingerprint in &on_card[..2] {
        assert!(list.contains(&format!(":{fingerprint}:")), "{status}\n{list}");
    }

    station.file("message", "for her eyes only");
    gnupg.run(PW1, &["--detach-sign", "message"]).succeeded();
    gnupg.run(PW1, &["--verify", "message.sig", "message"]).succeeded().says("Good signature");
    gnupg.run(PW1, &["--trust-model", "always", "-r", "ada@example.org", "-e", "message"]).succeeded();
    let decrypted = gnupg.run(PW1, &["-d", "message.gpg"]).succeeded();
    assert_eq!(decrypted.stdout, b"for her eyes only", "{}", decrypted.text);
    gnupg.let_go();
    tool(station, PW1, &["-O"]).succeeded().says("ID:         01").says("ID:         02");
    assert_eq!(station.pin_tries(), 3);
}

fn generated(kinds: [&str; 2]) {
    let station = blank();
    let Some(gnupg) = GnuPg::new(&station) else { return };
    for (id, kind) in ["01", "02"].iter().zip(kinds) {
        let usage = match (*id, kind) {
            ("01", _) => "--usage-sign",
            (_, "rsa:2048") => "--usage-decrypt",
            _ => "--usage-derive",
        };
        officer(&station, &["--keypairgen", "--key-type", kind, "--id", id, usage]);
    }
    gpg_takes_the_keys(&station, &gnupg);
}

#[test]
fn gpg_uses_the_keys_on_nist_curves_that_were_generated_through_cryptoki() {
    generated(["EC:prime256v1", "EC:secp384r1"]);
}

#[test]
fn gpg_uses_the_keys_on_curve25519_that_were_generated_through_cryptoki() {
    generated(["EC:edwards25519", "EC:curve25519"]);
}

#[test]
fn gpg_uses_the_rsa_keys_that_were_generated_through_cryptoki() {
    generated(["rsa:2048", "rsa:2048"]);
}

fn brought(algorithms: [&[&str]; 2]) {
    let station = blank();
    let Some(gnupg) = GnuPg::new(&station) else { return };
    for (id, algorithm) in ["01", "02"].iter().zip(algorithms) {
        let key = format!("{id}.key");
        station.run("openssl", ["genpkey", "-out", &key, "-algorithm"].iter().chain(algorithm)).succeeded();
        let path = station.directory().join(&key);
        officer(&station, &["--write-object", path.to_str().unwrap(), "--type", "privkey", "--id", id]);
    }
    gpg_takes_the_keys(&station, &gnupg);
}

#[test]
fn gpg_uses_the_keys_on_curves_that_were_brought_through_cryptoki() {
    brought([&["EC", "-pkeyopt", "ec_paramgen_curve:P-384"], &["EC", "-pkeyopt", "ec_paramgen_curve:P-521"]]);
}

#[test]
fn gpg_uses_the_rsa_keys_that_were_brought_through_cryptoki() {
    brought([&["RSA", "-pkeyopt", "rsa_keygen_bits:2048"], &["RSA", "-pkeyopt", "rsa_keygen_bits:4096"]]);
}
