//! `with-token` gives a command a token and hands its exit status on.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Command, Output, Stdio};

use rustix::process::{Pid, Signal, kill_process};

fn with_token(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_with-token"));
    command.args(arguments).env_remove("CARDEA_APDU_LOG");
    command
}

fn shell(script: &str) -> Output {
    with_token(&["piv-elliptic", "sh", "-c", script]).output().unwrap()
}

#[test]
fn the_exit_status_is_the_commands() {
    assert_eq!(shell("exit 7").status.code(), Some(7));
    assert_eq!(shell("kill -9 $$").status.code(), Some(128 + 9));
    let missing = with_token(&["piv-elliptic", "no-such-program"]).output().unwrap();
    assert_eq!(missing.status.code(), Some(127));
}

#[test]
fn a_wrong_call_names_the_cards_there_are() {
    for arguments in [&["no-such-card", "true"][..], &["piv"], &[]] {
        let output = with_token(arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(2));
        assert!(String::from_utf8(output.stderr).unwrap().contains("\n  piv "));
    }
}

#[test]
fn the_command_finds_pin_certificates_and_log_and_nothing_stays_behind() {
    let script = r#"
        set -e
        test "$CARDEA_PIN $CARDEA_SO_PIN" = "123456 12345678"
        openssl verify -CAfile "$CARDEA_BENCH_DIR/ca.pem" "$CARDEA_BENCH_DIR/9a.crt.pem"
        grep -q 'power on' "$CARDEA_APDU_LOG"
        test -S "$PCSCLITE_CSOCK_NAME"
        echo "$CARDEA_BENCH_DIR"
    "#;
    let output = shell(script);
    assert!(output.status.success(), "{output:?}");
    let directory = String::from_utf8(output.stdout).unwrap().lines().last().unwrap().to_owned();
    assert!(!Path::new(&directory).exists(), "{directory} stayed behind");
}

#[test]
fn the_card_is_at_the_pcscd_that_the_environment_names() {
    let client = env!("CARGO_BIN_EXE_pcsc-client");
    let lines = "list\\nconnect shared Cardea Virtual Reader 00 00\\ntransmit 00A4040005A000000308\\n";
    let output = shell(&format!("printf '{lines}' | {client}; tail -n 1 \"$CARDEA_APDU_LOG\""));
    let text = String::from_utf8(output.stdout).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    let [readers, _atr, selected, logged] = lines[..] else { panic!("{text}") };
    assert_eq!(readers, "Cardea Virtual Reader 00 00");
    assert!(selected.starts_with("61") && selected.ends_with("9000"), "{selected}");
    assert!(logged.contains(" 00A4040005A000000308 -> 9000, "), "{logged}");
}

#[test]
fn sigterm_reaches_the_command() {
    let script = "trap 'echo caught; exit 3' TERM; echo ready; while :; do sleep 0.05; done";
    let mut child = with_token(&["piv-elliptic", "sh", "-c", script]).stdout(Stdio::piped()).spawn().unwrap();
    let mut output = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    output.read_line(&mut line).unwrap();
    kill_process(Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap(), Signal::TERM).unwrap();
    output.read_to_string(&mut line).unwrap();
    assert_eq!(line, "ready\ncaught\n");
    assert_eq!(child.wait().unwrap().code(), Some(3));
}
