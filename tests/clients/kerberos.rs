//! Kerberos: a ticket for whoever has the card and its PIN (PKINIT, RFC 4556), from a key distribution centre of MIT's.

use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::program::{installed, run};
use super::station::{Card, Station};
use super::terminal;
use crate::module;

/// Where Debian has the plugin of both sides.
const PLUGIN: &str = "/usr/lib/x86_64-linux-gnu/krb5/plugins/preauth/pkinit.so";
/// The name in the certificate of 9A (`userPrincipalName`), and one that is in none; the realm is the part after the `@`.
const HOLDER: &str = "ada.lovelace@bench.example";
const STRANGER: &str = "grace.hopper@bench.example";
/// How long the key distribution centre may take to start.
const PATIENCE: Duration = Duration::from_secs(30);

/// What a key distribution centre's certificate says (RFC 4556 3.2.4).
const CERTIFICATE: &str = "[kdc]
keyUsage = digitalSignature
extendedKeyUsage = 1.3.6.1.5.2.3.5
subjectAltName = otherName:1.3.6.1.5.2.2;SEQUENCE:name
[name]
realm = EXP:0, GeneralString:bench.example
principal = EXP:1, SEQUENCE:principal
[principal]
type = EXP:0, INTEGER:2
components = EXP:1, SEQUENCE:components
[components]
first = GeneralString:krbtgt
second = GeneralString:bench.example
";

const CLIENT: &str = "[libdefaults]
default_realm = bench.example
dns_lookup_kdc = false
rdns = false
[realms]
bench.example = {
  kdc = 127.0.0.1:PORT
  pkinit_anchors = FILE:DIRECTORY/kdc-ca.pem
  pkinit_anchors = FILE:DIRECTORY/ca.pem
}
";

const SERVER: &str = "[kdcdefaults]
kdc_listen = 127.0.0.1:PORT
kdc_tcp_listen = 127.0.0.1:PORT
[realms]
bench.example = {
  database_name = DIRECTORY/kdc-database
  key_stash_file = DIRECTORY/kdc-stash
  pkinit_identity = FILE:DIRECTORY/kdc.pem,DIRECTORY/kdc.key
  pkinit_anchors = FILE:DIRECTORY/ca.pem
  pkinit_eku_checking = scLogin
  pkinit_allow_upn = true
}
[logging]
kdc = FILE:DIRECTORY/kdc.log
";

/// A key distribution centre that lets in whoever has a certificate of the bench's authority; it ends with this value.
struct Centre<'s> {
    station: &'s Station,
    process: Child,
}

impl<'s> Centre<'s> {
    fn start(station: &'s Station) -> Self {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port().to_string();
        for (name, text) in [("krb5.conf", CLIENT), ("kdc.conf", SERVER), ("kdc.extensions", CERTIFICATE)] {
            let directory = station.directory().to_str().unwrap();
            station.file(name, text.replace("PORT", &port).replace("DIRECTORY", directory));
        }
        let key = ["-newkey", "rsa:2048", "-nodes", "-days", "2"];
        let authority = ["-x509", "-subj", "/CN=KDC CA", "-keyout", "kdc-ca.key", "-out", "kdc-ca.pem"];
        station.run("openssl", [&["req"], &key[..], &authority].concat()).succeeded();
        let request = ["-subj", "/CN=KDC", "-keyout", "kdc.key", "-out", "kdc.csr"];
        station.run("openssl", [&["req"], &key[..3], &request].concat()).succeeded();
        let issue = ["x509", "-req", "-in", "kdc.csr", "-CA", "kdc-ca.pem", "-CAkey", "kdc-ca.key", "-CAcreateserial"];
        let more = ["-days", "2", "-extfile", "kdc.extensions", "-extensions", "kdc", "-out", "kdc.pem"];
        station.run("openssl", [&issue[..], &more].concat()).succeeded();

        let mut create = in_realm(station, station.command("/usr/sbin/kdb5_util"));
        create.args(["-r", "bench.example", "create", "-s", "-P", "of the bench"]);
        run(create).succeeded();
        for principal in [HOLDER, STRANGER] {
            let mut add = in_realm(station, station.command("/usr/sbin/kadmin.local"));
            add.args(["-q", &format!("addprinc -nokey +requires_preauth {principal}")]);
            run(add).succeeded();
        }
        let mut centre = in_realm(station, station.command("/usr/sbin/krb5kdc"));
        centre.arg("-n").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let centre = Self { process: centre.spawn().unwrap(), station };
        let deadline = Instant::now() + PATIENCE;
        while !centre.log().contains("commencing operation") {
            assert!(Instant::now() < deadline, "no key distribution centre:\n{}", centre.log());
            std::thread::sleep(Duration::from_millis(20));
        }
        centre
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.station.directory().join("kdc.log")).unwrap_or_default()
    }
}

impl Drop for Centre<'_> {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A command that knows the bench's realm, and no other.
fn in_realm(station: &Station, mut command: Command) -> Command {
    let directory = station.directory();
    command.env("KRB5_CONFIG", directory.join("krb5.conf")).env("KRB5_KDC_PROFILE", directory.join("kdc.conf"));
    command.env("KRB5CCNAME", directory.join("tickets"));
    command
}

fn is_installed() -> bool {
    installed("kinit", "krb5-user")
        && installed("/usr/sbin/krb5kdc", "krb5-kdc")
        && installed("/usr/sbin/kadmin.local", "krb5-admin-server")
        && installed(PLUGIN, "krb5-pkinit")
        && terminal::installed()
}

#[test]
fn kinit_gets_a_ticket_for_the_holder_of_the_card_and_for_nobody_else() {
    if !is_installed() {
        return;
    }
    let station = Station::new(Card::Standard);
    let centre = Centre::start(&station);
    let identity = format!("X509_user_identity=PKCS11:module_name={}:certid=01", module::path().display());
    let kinit = |principal| {
        let mut command = in_realm(&station, terminal::command(&station, "kinit"));
        command.args(["-X", &identity, principal]);
        run(command)
    };
    let tickets = || run(in_realm(&station, station.command("klist")));

    kinit(STRANGER).failed();
    assert!(centre.log().contains(&format!("PREAUTH_FAILED: {STRANGER}")), "{}", centre.log());
    tickets().failed();
    kinit(HOLDER).succeeded();
    tickets().succeeded().says(&format!("Default principal: {HOLDER}")).says("krbtgt/bench.example@bench.example");
    assert!(!station.is_verified());
    assert_eq!(station.pin_tries(), 3);
}
