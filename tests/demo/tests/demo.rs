//! The demo does what the README shows, and leaves a stranger's card alone.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

use std::path::Path;
use std::process::{Command, Output};

/// The demo, with these arguments, beside a virtual card.
fn beside_card(script: &str) -> Output {
    let with_token = Path::new(env!("CARGO_MANIFEST_DIR")).join("../with-token");
    Command::new(with_token)
        .args(["piv", "sh", "-c", script, env!("CARGO_BIN_EXE_cardea-demo")])
        .output()
        .expect("tests/with-token runs")
}

fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

#[test]
fn every_step_succeeds_with_the_virtual_card() {
    let output = beside_card("\"$0\" --virtual");
    let text = text(&output);
    assert!(output.status.success(), "{text}");
    let steps = ["reader", "token", "objects", "login", "RSA signature", "EC signature", "RSA decryption"];
    for step in steps.into_iter().chain(["TLS 1.3 handshake", "logout", "close"]) {
        assert!(text.contains(step), "no {step} in:\n{text}");
    }
    assert_eq!(text.matches("Verified OK").count(), 3, "{text}");
    assert!(text.contains("openssl s_server saw: C=GB, O=Cardea Bench, CN=Ada Lovelace/serialNumber=9A"), "{text}");
}

#[test]
fn a_card_in_a_reader_of_the_system_is_read_and_not_asked_for_its_pin() {
    let output = beside_card("\"$0\" </dev/null; status=$?; cat \"$CARDEA_APDU_LOG\"; exit $status");
    let text = text(&output);
    assert!(output.status.success(), "{text}");
    assert!(text.contains("There is a card in Cardea Virtual Reader 00 00"), "{text}");
    assert!(text.contains("certificates 4"), "{text}");
    // the log masks the PIN, but not the header of a VERIFY that carries one
    assert!(text.contains("00A404"), "no command log in:\n{text}");
    assert!(!text.contains("0020008008"), "{text}");
}

/// Opens the page in a `browser` that is a script.
fn browse(mode: &str, browser: &str) -> Output {
    let script = format!(
        "printf '%s' '{}' > \"$CARDEA_BENCH_DIR/browser\"; chmod 755 \"$CARDEA_BENCH_DIR/browser\"; \
         CARDEA_DEMO_BROWSER=\"$CARDEA_BENCH_DIR/browser\" \"$0\" {mode}",
        browser.replace('\'', "'\\''")
    );
    beside_card(&script)
}

/// Part of a script: visits the page at this address and ignores the certificates.
fn visit(address: &str) -> String {
    format!(
        "address={address}; address=${{address#https://}}; printf 'GET / HTTP/1.0\\r\\n\\r\\n' | \
         openssl s_client -quiet -ign_eof -connect \"${{address%/}}\" >/dev/null 2>&1\n"
    )
}

#[test]
fn a_browser_gets_a_profile_with_the_module_and_the_address_of_the_page() {
    let browser = ["#!/bin/sh\ngrep -q libcardea_pkcs11 \"$3/pkcs11.txt\" || exit 1\n", &visit("$4")].concat();
    let output = browse("--browser", &browser);
    let text = text(&output);
    assert!(output.status.success(), "{text}");
    assert!(text.contains("The PIN of the virtual card is 123456."), "{text}");
    assert!(text.contains("nobody     TLSv1_3"), "{text}");
}

#[test]
fn a_browser_of_the_users_own_gets_the_address_of_the_page_and_no_more() {
    let browser = ["#!/bin/sh\n[ $# = 1 ] || exit 1\n", &visit("$1")].concat();
    let output = browse("--own-browser", &browser);
    let text = text(&output);
    assert!(output.status.success(), "{text}");
    assert!(text.contains("as `cardea register` has left it") && text.contains("nobody     TLSv1_3"), "{text}");
}

#[test]
fn a_wrong_pin_fails_the_demo() {
    let output = beside_card("CARDEA_PIN=654321 \"$0\" --virtual");
    let text = text(&output);
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.contains("FAILED: ") && text.contains("PIN"), "{text}");
}

/// The first fenced block of the README that shows the demo, and where it is.
fn transcript(readme: &str) -> (usize, usize) {
    let fence = "```text\n";
    let start = readme.find(fence).expect("a transcript") + fence.len();
    (start, start + readme[start..].find("```").expect("its end"))
}

/// Name and number of commands of each step, without what differs from run to run.
fn costs(transcript: &str) -> Vec<(String, String)> {
    let lines = transcript.lines().filter(|line| line.len() > 29 && !line.starts_with("      "));
    let columns = lines.map(|line| (line[..21].trim().to_owned(), line[21..29].trim().to_owned()));
    columns.filter(|(_, commands)| commands.parse::<u32>().is_ok()).collect()
}

#[test]
fn the_readme_shows_what_the_steps_cost() {
    let readme_path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../README.md");
    let output = beside_card("\"$0\" --virtual");
    assert!(output.status.success(), "{}", text(&output));
    let shown = String::from_utf8(output.stdout).unwrap();
    let readme = std::fs::read_to_string(&readme_path).unwrap();
    let (start, end) = transcript(&readme);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        let updated = format!("{}{}{}", &readme[..start], shown.trim_start_matches('\n'), &readme[end..]);
        return std::fs::write(readme_path, updated).unwrap();
    }
    assert!(!costs(&shown).is_empty(), "{shown}");
    assert_eq!(costs(&readme[start..end]), costs(&shown), "UPDATE_GOLDEN=1 writes the new transcript into README.md");
}
