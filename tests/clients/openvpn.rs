//! OpenVPN with pkcs11-helper: a client shows the card's certificate to a server of its own, in a network of their own.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::program::installed;
use super::station::{Card, Station};
use crate::module;

/// Debian's place for it, which is not everybody's PATH.
const OPENVPN: &str = "/usr/sbin/openvpn";
/// How long a connection may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// Server and client without a network device of their own; `$1` is the certificate's identifier, `$2` the module.
const CONNECT: &str = r#"ip link set lo up
common="--dev null --ifconfig-noexec --port 1194 --verb 3"
openvpn $common --proto tcp-server --local 127.0.0.1 --tls-server --dh none --remote-cert-tls client \
    --ca ca.pem --cert server.pem --key server.key > server.log 2>&1 &
exec openvpn $common --proto tcp-client --remote 127.0.0.1 --nobind --connect-retry 1 --tls-client \
    --remote-cert-tls server --ca server.pem --pkcs11-providers "$2" --pkcs11-id "$1" \
    --management management unix --management-query-passwords --management-hold > client.log 2>&1"#;

/// Client and server, which end with this value.
struct Connection(Child);

impl Connection {
    fn start(station: &Station, identifier: &str) -> Self {
        let mut command = station.command("unshare");
        command.args(["--net", "--pid", "--fork", "--kill-child", "sh", "-c", CONNECT, "sh", identifier]);
        command.arg(module::path()).env("PATH", path()).stdin(Stdio::null());
        Self(command.spawn().unwrap())
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn path() -> String {
    format!("{}:/usr/sbin:/sbin", std::env::var("PATH").unwrap_or_default())
}

fn is_installed() -> bool {
    let namespaces = Command::new("unshare").args(["--net", "--pid", "--fork", "true"]).output();
    let allowed = namespaces.is_ok_and(|run| run.status.success());
    if !allowed {
        eprintln!("skipped: unshare --net --pid is not allowed here");
    }
    allowed && installed(OPENVPN, "openvpn") && (installed("/sbin/ip", "iproute2") || installed("ip", "iproute2"))
}

/// A server's certificate and key, in `server.pem` and `server.key`.
fn make_server(station: &Station) {
    let request = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=server", "-days", "30"];
    let extensions = ["-addext", "extendedKeyUsage=serverAuth", "-addext", "keyUsage=digitalSignature,keyCertSign"];
    let files = ["-keyout", "server.key", "-out", "server.pem"];
    station.run("openssl", [&request[..], &extensions, &files].concat()).succeeded();
}

/// What the client is told over its management interface until it is connected; how often it asked for the PIN.
fn manage(socket: &Path, station: &Station) -> usize {
    let deadline = Instant::now() + PATIENCE;
    let stream = loop {
        match UnixStream::connect(socket) {
            Ok(stream) => break stream,
            Err(error) => assert!(Instant::now() < deadline, "no management interface: {error}\n{}", logs(station)),
        }
        std::thread::sleep(Duration::from_millis(20));
    };
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut answers = &stream;
    // Off for good: a client that was too early for the server begins again by itself.
    answers.write_all(b"state on\nhold off\nhold release\n").unwrap();
    let mut asked = 0;
    for line in BufReader::new(&stream).lines() {
        let line = line.unwrap_or_else(|error| panic!("{error}\n{}", logs(station)));
        if line.starts_with(">PASSWORD:Need 'PIV Card #") {
            let token = line.split('\'').nth(1).unwrap();
            answers.write_all(format!("password \"{token}\" {}\n", station.provisioned.pin).as_bytes()).unwrap();
            asked += 1;
        } else if line.starts_with(">HOLD:") {
            answers.write_all(b"hold release\n").unwrap();
        } else if line.starts_with(">STATE:") && line.contains(",CONNECTED,SUCCESS,") {
            answers.write_all(b"signal SIGTERM\n").unwrap();
            return asked;
        }
    }
    panic!("the client has ended\n{}", logs(station));
}

fn logs(station: &Station) -> String {
    let read = |name| std::fs::read_to_string(station.directory().join(name)).unwrap_or_default();
    format!("client:\n{}\nserver:\n{}", read("client.log"), read("server.log"))
}

#[test]
fn openvpn_connects_with_the_certificate_and_key_of_the_card() {
    if !is_installed() {
        return;
    }
    for (card, holder) in [(Card::Standard, "Ada Lovelace"), (Card::Elliptic, "Alan Turing")] {
        let station = Station::new(card);
        make_server(&station);
        let shown = station.run(OPENVPN, [Path::new("--show-pkcs11-ids"), module::path()]).succeeded();
        assert_eq!(shown.lines_with(&format!("CN={holder}, serialNumber=")).len(), 4, "{}", shown.text);
        let identifiers = shown.lines_with("Serialized id:");
        let identifier = identifiers[0].split_whitespace().last().unwrap();
        let mut connection = Connection::start(&station, identifier);
        assert_eq!(manage(&station.directory().join("management"), &station), 1, "{}", logs(&station));
        assert!(connection.0.wait().unwrap().success(), "{}", logs(&station));
        let logs = logs(&station);
        assert!(logs.contains("Initialization Sequence Completed"), "{logs}");
        assert!(
            logs.contains(&format!("VERIFY OK: depth=0, C=GB, O=Cardea Bench, CN={holder}, serialNumber=9A")),
            "{logs}"
        );
    }
}
