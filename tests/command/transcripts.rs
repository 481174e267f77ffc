//! `cardea trace`, and playing back what it recorded.

use cardea_harness::provision::PIN;

use super::desk::{Desk, code};
use crate::clients::program::installed;
use crate::clients::station::{Card, Station};

fn hex(text: &str) -> String {
    text.bytes().map(|byte| format!("{byte:02X}")).collect()
}

#[test]
fn what_was_recorded_is_played_back_without_a_card() {
    let mut station = Station::new(Card::Standard);
    let (list, info) = (station.json(&["list"]), station.json(&["info"]));
    let certificate = station.cardea(["certificate", "read", "--id", "02"]).succeeded().stdout;
    station.with_pins(&[PIN], &["trace", "--login", "--output", "transcript"]).succeeded();
    station.bench.stop_pcscd();
    assert_eq!(station.json(&["--replay", "transcript", "list"]), list);
    assert_eq!(station.json(&["--replay", "transcript", "info"]), info);
    let replayed = station.cardea(["--replay", "transcript", "certificate", "read", "--id", "02"]).succeeded();
    assert_eq!(replayed.stdout, certificate);
    assert_eq!(code(&station.cardea(["list"])), 3, "without the transcript there is nothing");
}

#[test]
fn a_transcript_has_the_commands_of_the_card_and_not_the_pin() {
    let station = Station::new(Card::Elliptic);
    station.reader.clear_log();
    station.with_pins(&[PIN], &["trace", "--login", "--output", "transcript"]).succeeded();
    let path = station.directory().join("transcript");
    let text = std::fs::read_to_string(&path).unwrap();
    let recorded: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("> ")).collect();
    let commands = station.reader.commands();
    assert_eq!(recorded.len(), commands.len());
    let verify = format!("0020008008{}", "??".repeat(8));
    assert!(recorded.contains(&verify.as_str()), "{text}");
    assert!(!text.contains(&hex(PIN)));
    for (line, command) in recorded.iter().zip(&commands) {
        let command: String = command.iter().map(|byte| format!("{byte:02X}")).collect();
        assert!(*line == command || *line == verify, "{line} was {command}");
    }
    let mode = std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(path).unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600);
    assert_eq!(code(&station.cardea(["trace", "--output", "transcript"])), 2, "a file that is there stays");
}

#[test]
fn what_was_decrypted_is_not_in_a_transcript() {
    let station = Station::new(Card::Standard);
    let openssl = crate::clients::openssl::OpenSsl::new(station.directory());
    let message = "for the holder of the card only";
    station.file("cryptogram", openssl.encrypt("9d.pub.pem", &[], message.as_bytes()));
    let mut command = station.command_for("bash");
    let script = r#"exec "$0" decrypt --id 03 --pin-fd 3 cryptogram 3< <(echo "$CARDEA_PIN")"#;
    command.args(["-c", script, super::desk::CARDEA]).env("CARDEA_TRANSCRIPT", "transcript");
    let run = crate::clients::program::run(command).succeeded();
    assert_eq!(run.stdout, message.as_bytes());
    let text = std::fs::read_to_string(station.directory().join("transcript")).unwrap();
    assert!(text.contains(&"??".repeat(200)) && text.contains("??9000"), "{text}");
    assert!(!text.contains(&hex(message)) && !text.contains(&hex(PIN)), "{text}");
}

#[test]
fn a_program_with_the_module_is_recorded() {
    if !installed("p11tool", "gnutls-bin") || std::env::var_os("MODULE_UNDER_TEST").is_some() {
        return;
    }
    let station = Station::new(Card::Elliptic);
    let module = crate::module::path().to_str().unwrap();
    let trace = ["trace", "--output", "transcript", "--", "p11tool", "--provider", module, "--list-all-certs"];
    station.cardea(trace).succeeded().says("URL: pkcs11:").says("commands are in");
    let replayed = station.cardea(["--replay", "transcript", "list"]).succeeded();
    replayed.says("PIV Authentication").says("type=cert");
}

#[test]
fn what_is_no_transcript_is_refused_with_its_line() {
    let station = Station::new(Card::Elliptic);
    station.file("wrong", "# Cardea transcript 1\nreader X\nnonsense\n");
    station.cardea(["--replay", "wrong", "list"]).failed().says("wrong").says("line 3");
    station.cardea(["--replay", "missing", "list"]).failed().says("missing");
}
