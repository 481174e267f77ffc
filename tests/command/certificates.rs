//! `cardea certificate`: reading, and requests that an authority accepts.

use cardea_harness::provision::PIN;

use super::desk::{Desk, code};
use crate::clients::openssl::OpenSsl;
use crate::clients::station::{Card, Station};

#[test]
fn a_certificate_is_read_as_it_was_issued() {
    let station = Station::new(Card::Elliptic);
    for (id, reference) in [("01", 0x9A), ("02", 0x9C), ("03", 0x9D), ("04", 0x9E)] {
        let der = station.cardea(["certificate", "read", "--der", "--id", id]).succeeded();
        assert_eq!(der.stdout, station.provisioned.certificate(reference).unwrap(), "{id}");
        let pem = station.cardea(["certificate", "read", "--id", id]).succeeded();
        let file = station.directory().join(format!("{reference:02x}.crt.pem"));
        assert_eq!(pem.stdout, std::fs::read(file).unwrap(), "{id}");
    }
    assert_eq!(code(&station.cardea(["certificate", "read", "--label", "none"])), 10);
}

#[test]
fn a_request_is_signed_and_names_whom_it_should() {
    let station = Station::new(Card::Standard);
    let openssl = OpenSsl::new(station.directory());
    for (id, key) in [("01", "9a.pub.pem"), ("02", "9c.pub.pem")] {
        let request = [
            "certificate",
            "request",
            "--id",
            id,
            "--subject",
            "CN=Ada Lovelace,O=Analytical\\, Engines,C=GB",
            "--dns",
            "ada.example",
            "--email",
            "ada@example.org",
            "--ip",
            "::1",
            "--alternative-uri",
            "https://ada.example/",
            "-o",
            "request.pem",
        ];
        station.with_pins(&[PIN], &request).succeeded();
        let shown = openssl.run(&["req", "-in", "request.pem", "-verify", "-noout", "-text"]).succeeded();
        let shown = shown
            .says("verify OK")
            .says("C = GB, O = \"Analytical, Engines\", CN = Ada Lovelace")
            .says("DNS:ada.example, email:ada@example.org, IP Address:0:0:0:0:0:0:0:1, URI:https://ada.example/");
        drop(shown);
        let public = openssl.run(&["req", "-in", "request.pem", "-pubkey", "-noout"]).succeeded();
        assert_eq!(public.stdout, std::fs::read(station.directory().join(key)).unwrap());
    }
}

#[test]
fn a_request_without_names_has_no_extension() {
    let station = Station::new(Card::Elliptic);
    let openssl = OpenSsl::new(station.directory());
    let request = ["certificate", "request", "--id", "04", "--subject", "CN=x", "--der", "-o", "request.der"];
    station.cardea(request).succeeded();
    let arguments = ["req", "-inform", "DER", "-in", "request.der", "-verify", "-noout", "-text"];
    openssl.run(&arguments).succeeded().says("verify OK").says("(none)").omits("X509v3");
    let sha1 = ["certificate", "request", "--id", "04", "--subject", "CN=x", "--hash", "sha1"];
    assert_eq!(code(&station.cardea(sha1)), 2);
    let subject = ["certificate", "request", "--id", "04", "--subject", "nonsense"];
    assert_eq!(code(&station.cardea(subject)), 2);
}
