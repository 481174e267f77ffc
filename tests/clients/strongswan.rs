//! strongSwan's pkcs11 plugin, by its tool for certificates.

use super::program::installed;
use super::station::{Card, Station};
use crate::module;

/// What strongSwan is made of for this.
const CONFIGURATION: &str = "pki { load = random nonce sha1 sha2 pem pkcs1 pkcs8 x509 openssl pkcs11 }
libstrongswan { plugins { pkcs11 { modules { cardea { path = MODULE } } } } }";

/// Types the PIN when it is asked for on the terminal, as a person would.
const PERSON: &str = r#"
import os, pty, sys
pid, terminal = pty.fork()
if pid == 0:
    os.execvp(sys.argv[1], sys.argv[1:])
seen, typed = b"", False
while True:
    try:
        read = os.read(terminal, 4096)
    except OSError:
        break
    if not read:
        break
    seen += read
    if not typed and b"PIN: " in seen:
        os.write(terminal, os.environb[b"CARDEA_PIN"] + b"\n")
        typed = True
sys.stdout.write(seen.decode().replace("\r\n", "\n"))
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
"#;

#[test]
fn pki_signs_requests_with_rsa_and_with_an_elliptic_curve() {
    if !installed("pki", "strongswan-pki") || !installed("python3", "python3") {
        return;
    }
    let station = Station::new(Card::Standard);
    let configuration = CONFIGURATION.replace("MODULE", module::path().to_str().unwrap());
    let configuration = station.file("strongswan.conf", configuration);
    for (id, reference) in [("01", "9a"), ("04", "9e")] {
        let mut command = station.command("python3");
        command.args(["-c", PERSON, "pki", "--req", "--type", "priv", "--keyid", id, "--dn", "CN=VPN"]);
        command.args(["--outform", "pem"]).env("STRONGSWAN_CONF", &configuration);
        let request = super::program::run(command).succeeded();
        let (_, pem) = request.text.split_once("-----BEGIN").unwrap_or_else(|| panic!("{}", request.text));
        station.file("request.pem", format!("-----BEGIN{pem}"));
        let verify = ["req", "-verify", "-in", "request.pem", "-noout", "-pubkey", "-out", "of-request.pem"];
        station.run("openssl", verify).succeeded().says("verify OK");
        let key = |name: &str| std::fs::read_to_string(station.directory().join(name)).unwrap();
        assert_eq!(key("of-request.pem"), key(&format!("{reference}.pub.pem")));
    }
    assert_eq!(station.pin_tries(), 3);
}
