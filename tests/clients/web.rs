//! TLS clients without windows: curl, `openssl s_client` and `gnutls-cli` show the card's certificate to the page.

use std::path::PathBuf;

use cardea_page::{Page, Trust, Version, Visit};

use super::engine;
use super::program::{Run, installed, run};
use super::station::{Card, Station};
use crate::module;

/// What every client sends.
const REQUEST: &str = "GET / HTTP/1.0\\r\\n\\r\\n";

/// The page, and the file with the authority that it is to be trusted by.
fn page(station: &Station, version: Version) -> (Page, PathBuf) {
    let page = Page::start(Trust::Authority(station.provisioned.ca_pem.clone()), version);
    let authority = station.file("page.pem", page.authority());
    (page, authority)
}

/// Expects that the client got the page as the holder of 9A, and that the page saw it with this version.
#[track_caller]
fn logged_in(run: &Run, page: &Page, version: Version) {
    let subject = "SERIALNUMBER=9A,CN=Ada Lovelace,O=Cardea Bench,C=GB";
    assert!(run.text.contains("You are logged in") && run.text.contains(subject), "{}", run.text);
    let visits: Vec<Visit> = page.visits();
    assert_eq!(visits.len(), 1, "{visits:?}");
    let expected = if version == Version::Tls12 { "TLSv1_2" } else { "TLSv1_3" };
    assert_eq!((visits[0].subject.as_deref(), visits[0].version.as_str()), (Some(subject), expected));
}

#[test]
fn curl_logs_in_to_a_web_page() {
    if !installed("curl", "curl") || !engine::installed() {
        return;
    }
    for version in [Version::Tls13, Version::Tls12] {
        let station = Station::new(Card::Standard);
        let (page, authority) = page(&station, version);
        let mut curl = engine::command(&station, "curl");
        curl.args(["--silent", "--show-error", "--engine", "pkcs11", "--cert-type", "ENG", "--key-type", "ENG"]);
        curl.args(["--cert", "pkcs11:id=%01;type=cert", "--key", &engine::key(&station, 1), "--cacert"]);
        curl.arg(authority).arg(page.url());
        logged_in(&run(curl).succeeded(), &page, version);
    }
}

#[test]
fn s_client_logs_in_to_a_web_page() {
    if !engine::installed() {
        return;
    }
    for (version, option) in [(Version::Tls13, "-tls1_3"), (Version::Tls12, "-tls1_2")] {
        let station = Station::new(Card::Standard);
        let (page, authority) = page(&station, version);
        let script = format!(
            "printf '{REQUEST}' | openssl s_client -quiet -ign_eof {option} -engine pkcs11 -keyform engine -key '{}' \
             -cert 9a.crt.pem -CAfile {} -verify_return_error -connect localhost:{}",
            engine::key(&station, 1),
            authority.display(),
            page.port(),
        );
        let mut shell = engine::command(&station, "sh");
        shell.args(["-c", &script]);
        logged_in(&run(shell), &page, version);
    }
}

#[test]
fn gnutls_cli_logs_in_to_a_web_page() {
    if !installed("gnutls-cli", "gnutls-bin") {
        return;
    }
    for (version, priority) in [(Version::Tls13, "VERS-TLS1.3"), (Version::Tls12, "VERS-TLS1.2")] {
        let station = Station::new(Card::Standard);
        let (page, authority) = page(&station, version);
        let script = format!(
            "(printf '{REQUEST}'; sleep 3) | gnutls-cli --provider={} --priority 'NORMAL:-VERS-ALL:+{priority}' \
             --x509cafile {} --x509certfile 'pkcs11:id=%01;type=cert' --x509keyfile '{}' --port {} localhost",
            module::path().display(),
            authority.display(),
            engine::key(&station, 1),
            page.port(),
        );
        let mut shell = station.command("sh");
        shell.args(["-c", &script]);
        logged_in(&run(shell), &page, version);
    }
}
