//! strongSwan's pkcs11 plugin, by its tool for certificates.

use super::program::{installed, run};
use super::station::{Card, Station};
use super::terminal;
use crate::module;

/// What strongSwan is made of for this.
const CONFIGURATION: &str = "pki { load = random nonce sha1 sha2 pem pkcs1 pkcs8 x509 openssl pkcs11 }
libstrongswan { plugins { pkcs11 { modules { cardea { path = MODULE } } } } }";

#[test]
fn pki_signs_requests_with_rsa_and_with_an_elliptic_curve() {
    if !installed("pki", "strongswan-pki") || !terminal::installed() {
        return;
    }
    let station = Station::new(Card::Standard);
    let configuration = CONFIGURATION.replace("MODULE", module::path().to_str().unwrap());
    let configuration = station.file("strongswan.conf", configuration);
    for (id, reference) in [("01", "9a"), ("04", "9e")] {
        let mut command = terminal::command(&station, "pki");
        command.args(["--req", "--type", "priv", "--keyid", id, "--dn", "CN=VPN", "--outform", "pem"]);
        command.env("STRONGSWAN_CONF", &configuration);
        let request = run(command).succeeded();
        let (_, pem) = request.text.split_once("-----BEGIN").unwrap_or_else(|| panic!("{}", request.text));
        station.file("request.pem", format!("-----BEGIN{pem}"));
        let verify = ["req", "-verify", "-in", "request.pem", "-noout", "-pubkey", "-out", "of-request.pem"];
        station.run("openssl", verify).succeeded().says("verify OK");
        let key = |name: &str| std::fs::read_to_string(station.directory().join(name)).unwrap();
        assert_eq!(key("of-request.pem"), key(&format!("{reference}.pub.pem")));
    }
    assert_eq!(station.pin_tries(), 3);
}
