//! GnuPG and we take turns on the same card: `disable-ccid` has its scdaemon go through pcscd. Even with `pcsc-shared` it keeps
//! others waiting as long as it lives, so it is ended before each of our turns.

mod our_keys;

use std::process::Stdio;
use std::time::{Duration, Instant};

use cardea_harness::openpgp::{OPENPGP_AID, OpenPgpLayout};

use super::program::{Run, installed, run};
use super::station::{Card, Station};
use crate::module;

/// GnuPG with a home of its own at a station; its daemons end with this value.
pub struct GnuPg<'s> {
    station: &'s Station,
}

impl<'s> GnuPg<'s> {
    /// `None`, and why, where it is not installed.
    pub fn new(station: &'s Station) -> Option<Self> {
        if !installed("gpg", "gnupg") || !installed("/usr/lib/gnupg/scdaemon", "scdaemon") {
            return None;
        }
        let home = station.directory().join(".gnupg");
        std::fs::create_dir(&home).unwrap();
        std::fs::set_permissions(&home, std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
        std::fs::write(home.join("scdaemon.conf"), "disable-ccid\npcsc-shared\n").unwrap();
        std::fs::write(home.join("gpg-agent.conf"), "allow-loopback-pinentry\n").unwrap();
        Some(Self { station })
    }

    pub fn card_status(&self) -> String {
        let run = self.station.run("gpg", ["--batch", "--with-colons", "--card-status"]).succeeded();
        self.let_go();
        run.text
    }

    /// Waits until gpg sees the card that was pushed into the reader.
    fn await_card(&self) {
        let deadline = Instant::now() + Duration::from_secs(60);
        while !self.station.run("gpg", ["--batch", "--card-status"]).status.success() {
            assert!(Instant::now() < deadline, "gpg sees no card");
            self.let_go();
        }
        self.let_go();
    }

    /// Ends GnuPG's daemons: scdaemon keeps the card for itself as long as it lives.
    fn let_go(&self) {
        let mut command = self.station.command("gpgconf");
        command.args(["--kill", "all"]).stdin(Stdio::null());
        let _ = command.output();
    }

    /// Runs gpg, which answers questions for PINs with `pin`.
    fn run(&self, pin: &str, arguments: &[&str]) -> Run {
        let unattended = ["--batch", "--yes", "--pinentry-mode", "loopback", "--passphrase", pin];
        self.station.run("gpg", unattended.iter().chain(arguments))
    }

    /// Runs gpg with a script for its prompts; `pin` answers questions for PINs.
    fn scripted(&self, pin: &str, arguments: &[&str], script: &str) -> Run {
        let home = self.station.directory();
        self.station.file("script", script);
        let shell = "exec gpg --pinentry-mode loopback --passphrase \"$1\" --command-fd 3 --status-fd 1 --no-tty \
                     --expert \"$@\" 3<script";
        let shell = shell.replace("\"$@\"", "${@:2}");
        let mut command = self.station.command("bash");
        command.current_dir(home).args(["-c", &shell, "gpg", pin]).args(arguments);
        let run = run(command);
        self.let_go();
        run
    }
}

impl Drop for GnuPg<'_> {
    fn drop(&mut self) {
        self.let_go();
    }
}

fn tool(station: &Station, pin: &str, arguments: &[&str]) -> Run {
    let login = ["--module", module::path().to_str().unwrap(), "--login", "--pin", pin];
    station.run("pkcs11-tool", login.iter().chain(arguments))
}

/// The lines of a card's status that a signature does not change, without what gpg says of itself.
fn lasting(status: &str) -> Vec<&str> {
    status.lines().filter(|line| !line.starts_with("sigcount:") && !line.starts_with("gpg:")).collect()
}

#[test]
fn gpg_sees_the_same_card_before_and_after_us() {
    let station = Station::new(Card::OpenPgp);
    let Some(gnupg) = GnuPg::new(&station) else { return };
    let before = gnupg.card_status();
    let ours = tool(&station, "123456", &["-L"]).succeeded();
    let serial = before.lines().find_map(|line| line.strip_prefix("serial:")).unwrap().trim_end_matches(':');
    let vendor = before.lines().find_map(|line| line.strip_prefix("vendor:")).unwrap().split(':').next().unwrap();
    assert!(
        ours.lines_with("serial num")[0].contains(&format!("{}{serial}", vendor.to_uppercase())),
        "{before}\n{}",
        ours.text
    );
    assert!(before.contains("name:Ada:Lovelace"), "{before}");
    assert!(ours.text.contains("Ada Lovelace"), "{}", ours.text);
    let input = station.file("input", b"a message");
    let input = input.to_str().unwrap();
    tool(&station, "123456", &["--sign", "--id", "03", "-m", "SHA256-RSA-PKCS", "-i", input]).succeeded();
    tool(&station, "654321", &["-O"]).failed().says("CKR_PIN_INCORRECT");
    let after = gnupg.card_status();
    assert!(after.contains("pinretry:2:0:3"), "{after}");
    let before = before.replace("pinretry:3:0:3", "pinretry:2:0:3");
    assert_eq!(lasting(&before), lasting(&after));
}

#[test]
fn a_card_with_a_kdf_set_by_gpg_logs_in_and_a_wrong_pin_costs_one_try() {
    let station = Station::new(Card::OpenPgp);
    let Some(gnupg) = GnuPg::new(&station) else { return };
    let set = gnupg.scripted("12345678", &["--card-edit"], "admin\nkdf-setup\nquit\n");
    let status = gnupg.card_status();
    assert!(status.contains("kdf:on"), "{}\n{status}", set.text);
    tool(&station, "123456", &["-O"]).succeeded().says("Private Key Object");
    tool(&station, "654321", &["-O"]).failed().says("CKR_PIN_INCORRECT");
    let status = gnupg.card_status();
    assert!(status.contains("pinretry:2:0:3"), "{status}");
    tool(&station, "123456", &["--change-pin", "--new-pin", "24682468"]).succeeded();
    tool(&station, "24682468", &["-O"]).succeeded().says("Private Key Object");
    assert_eq!(station.pin_tries(), 3);
}

#[test]
fn keys_that_gpg_made_are_ours_to_use() {
    let station = Station::with_openpgp(&OpenPgpLayout { keys: [None; 3], ..OpenPgpLayout::modern() });
    let Some(gnupg) = GnuPg::new(&station) else { return };
    // Curves, because RSA would take its time; and one PIN for all, because this gpg has one answer to all questions.
    station.in_hand(|card| {
        card.transmit(&[&[0x00, 0xA4, 0x04, 0x00, 0x06][..], &OPENPGP_AID].concat());
        card.transmit(b"\x00\x20\x00\x83\x0812345678");
        assert_eq!(card.transmit(b"\x00\x24\x00\x81\x0E12345612345678"), [0x90, 0x00]);
        for (number, attributes) in
            [(0xC1, "162B06010401DA470F01"), (0xC2, "122B060104019755010501"), (0xC3, "162B06010401DA470F01")]
        {
            let attributes = hex::decode(attributes).unwrap();
            let put = [&[0x00, 0xDA, 0x00, number, attributes.len() as u8][..], &attributes].concat();
            assert_eq!(card.transmit(&put), [0x90, 0x00]);
        }
    });
    gnupg.await_card();
    let script = "admin\ngenerate\nn\n0\nAlan Turing\nalan@example.org\n\nquit\n";
    let made = gnupg.scripted("12345678", &["--card-edit"], script);
    let status = gnupg.card_status();
    let fingerprints = status.lines().find(|line| line.starts_with("fpr:")).unwrap_or_default();
    assert!(fingerprints.len() > 100, "{}\n{status}", made.text);
    for id in ["01", "03"] {
        let (input, signature) = (station.file("input", b"a message"), station.directory().join("signature"));
        let files = ["--id", id, "-m", "EDDSA", "-i", input.to_str().unwrap()];
        let output = ["-o", signature.to_str().unwrap()];
        tool(&station, "12345678", &[&["--sign"][..], &files, &output].concat()).succeeded();
        let verify = [&["--verify"][..], &files, &["--signature-file", signature.to_str().unwrap()]].concat();
        tool(&station, "12345678", &verify).says("Signature is valid");
    }
}
