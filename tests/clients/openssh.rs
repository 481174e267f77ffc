//! OpenSSH: `ssh-keygen -D`, `ssh -o PKCS11Provider=` to a server of our own, and `ssh-agent`. It takes no Ed25519 key from
//! a module: with those the agent of [`super::ssh_ed25519`] signs.
//!
//! The agent not with 9C: it has nobody to ask for the PIN of an operation, and signs without, which
//! CKA_ALWAYS_AUTHENTICATE forbids (PKCS#11 3.2 4.9). ssh leaves that login out where it has just logged the user in.

use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::keys::{self, Key};
use super::openssl::OpenSsl;
use super::program::{Run, installed, run};
use super::station::{Card, Station};
use crate::module;

/// Where sshd is: it wants to be started by its absolute path.
pub const SSHD: &str = "/usr/sbin/sshd";

/// The public keys as `ssh-keygen -D` prints them.
fn public_keys(station: &Station) -> String {
    let run = station.run("ssh-keygen", ["-D", module::path().to_str().unwrap()]).succeeded();
    String::from_utf8(run.stdout).unwrap()
}

/// The public key of `key` in OpenSSH's form, made from the bench's file.
pub fn expected(station: &Station, key: &Key) -> String {
    let file = station.directory().join(key.public());
    let run = station.run("ssh-keygen", ["-i", "-m", "PKCS8", "-f", file.to_str().unwrap()]).succeeded();
    String::from_utf8(run.stdout).unwrap().trim().to_owned()
}

#[test]
fn ssh_keygen_prints_the_public_keys_without_login() {
    if !installed("ssh-keygen", "openssh-client") {
        return;
    }
    for card in [Card::Standard, Card::Varied, Card::OpenPgp, Card::OpenPgpVaried] {
        let station = Station::new(card);
        let printed = public_keys(&station);
        for key in keys::on(card) {
            let expected = expected(&station, key);
            assert!(printed.contains(&expected), "{card:?} {key:?}: {expected}\nis not in\n{printed}");
        }
        assert_eq!(station.pin_tries(), 3);
    }
}

/// A server on a port of its own that lets in whoever has the keys in `authorized`; it ends with this value.
pub struct Server {
    process: Child,
    pub port: u16,
    log: PathBuf,
}

impl Server {
    pub fn start(directory: &Path, authorized: &str) -> Self {
        let file = |name: &str| directory.join(name);
        let mut keygen = Command::new("ssh-keygen");
        keygen.args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(file("host"));
        run(keygen).succeeded();
        std::fs::write(file("authorized"), authorized).unwrap();
        std::fs::set_permissions(file("authorized"), std::fs::Permissions::from_mode(0o600)).unwrap();
        // The directory that sshd drops its privileges into, made by its service file elsewhere.
        let _ = std::fs::create_dir_all("/run/sshd");
        let port = TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port();
        let log = file("sshd.log");
        let mut command = Command::new(SSHD);
        command.args(["-D", "-f", "/dev/null", "-p", &port.to_string(), "-h"]).arg(file("host")).arg("-E").arg(&log);
        let authorized = format!("AuthorizedKeysFile={}", file("authorized").display());
        for option in [
            "ListenAddress=127.0.0.1",
            "StrictModes=no",
            "UsePAM=no",
            "PasswordAuthentication=no",
            "LogLevel=VERBOSE",
            "PidFile=none",
            &authorized,
        ] {
            command.args(["-o", option]);
        }
        let process = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let mut server = Self { process, port, log };
        server.await_port();
        server
    }

    fn await_port(&mut self) {
        let deadline = Instant::now() + Duration::from_secs(20);
        while TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            let ended = self.process.try_wait().unwrap();
            assert!(ended.is_none() && Instant::now() < deadline, "sshd: {ended:?}\n{}", self.log());
            std::thread::yield_now();
        }
    }

    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The keys that sign.
fn signers(card: Card) -> impl Iterator<Item = &'static Key> {
    keys::on(card).iter().filter(|key| key.purpose == keys::Purpose::Sign)
}

/// `program` with somebody who answers its questions for the PIN.
fn with_askpass(station: &Station, program: &str) -> Command {
    let askpass = station.file("askpass", "#!/bin/sh\necho \"$CARDEA_PIN\"\n");
    std::fs::set_permissions(&askpass, std::fs::Permissions::from_mode(0o700)).unwrap();
    let mut command = station.command(program);
    command
        .env("SSH_ASKPASS", &askpass)
        .env("SSH_ASKPASS_REQUIRE", "force")
        .env("DISPLAY", ":0")
        .env_remove("SSH_AUTH_SOCK");
    command
}

/// Logs in with the one key that `identity` (a file with its public half) names.
fn log_in(station: &Station, server: &Server, identity: &Path) -> Run {
    log_in_with(station, server, identity, &[])
}

/// The same with more options.
fn log_in_with(station: &Station, server: &Server, identity: &Path, more: &[&str]) -> Run {
    let provider = format!("PKCS11Provider={}", module::path().display());
    let mut command = with_askpass(station, "ssh");
    command.args(["-F", "/dev/null", "-p", &server.port.to_string(), "-i"]).arg(identity);
    let options = [
        "IdentitiesOnly=yes",
        "StrictHostKeyChecking=no",
        "UserKnownHostsFile=/dev/null",
        "PreferredAuthentications=publickey",
        &provider,
    ];
    for option in options.iter().chain(more) {
        command.args(["-o", option]);
    }
    command.args(["127.0.0.1", "echo", "the", "card", "let", "me", "in"]);
    run(command)
}

#[test]
fn ssh_logs_in_with_every_key_that_signs() {
    if !installed("ssh", "openssh-client") || !installed(SSHD, "openssh-server") {
        return;
    }
    for card in [Card::Standard, Card::Varied, Card::OpenPgp, Card::OpenPgpVaried] {
        let station = Station::new(card);
        let openssl = OpenSsl::new(station.directory());
        let server = Server::start(station.directory(), &public_keys(&station));
        for key in signers(card) {
            let identity = station.file(&format!("id-{}.pub", key.reference), expected(&station, key));
            let run = log_in(&station, &server, &identity);
            assert!(run.text.contains("the card let me in"), "{card:?} {key:?}\n{}\n{}", run.text, server.log());
        }
        let stranger = Server::start(&fresh(&station), &stranger(&openssl, &station));
        let identity = station.directory().join(format!("id-{}.pub", signers(card).next().unwrap().reference));
        log_in(&station, &stranger, &identity).failed().says("Permission denied");
    }
}

#[test]
fn ssh_logs_in_with_a_certificate_for_a_key_on_the_card() {
    if !installed("ssh", "openssh-client") || !installed(SSHD, "openssh-server") {
        return;
    }
    let station = Station::new(Card::Standard);
    station.run("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", "authority"]).succeeded();
    let authority = std::fs::read_to_string(station.directory().join("authority.pub")).unwrap();
    let server = Server::start(station.directory(), &format!("cert-authority {authority}"));
    let whoami = station.run("id", ["-un"]).succeeded().text;
    for key in signers(Card::Standard) {
        let name = format!("id-{}.pub", key.reference);
        let identity = station.file(&name, expected(&station, key));
        log_in(&station, &server, &identity).failed().says("Permission denied");
        let sign = ["-q", "-s", "authority", "-I", "the card", "-n", whoami.trim(), name.as_str()];
        station.run("ssh-keygen", sign).succeeded();
        let certificate = format!("CertificateFile=id-{}-cert.pub", key.reference);
        let run = log_in_with(&station, &server, &identity, &[&certificate]);
        assert!(run.text.contains("the card let me in"), "{key:?}\n{}\n{}", run.text, server.log());
        assert!(server.log().contains("-CERT SHA256:"), "{}", server.log());
    }
}

fn fresh(station: &Station) -> PathBuf {
    let directory = station.directory().join("stranger");
    std::fs::create_dir(&directory).unwrap();
    directory
}

/// The public key of somebody else.
fn stranger(openssl: &OpenSsl, station: &Station) -> String {
    let (private, _) = openssl.key_pair("P-256");
    openssl.run(&["pkey", "-in", &private, "-pubout", "-out", "stranger.pem"]).succeeded();
    let run = station.run("ssh-keygen", ["-i", "-m", "PKCS8", "-f", "stranger.pem"]).succeeded();
    String::from_utf8(run.stdout).unwrap()
}

/// An agent that may load the module; it ends with this value.
pub struct Agent {
    process: Child,
    socket: PathBuf,
}

impl Agent {
    pub fn start(station: &Station) -> Self {
        let socket = station.directory().join("agent");
        let mut command = with_askpass(station, "ssh-agent");
        command.args(["-D", "-P", module::path().to_str().unwrap(), "-a"]).arg(&socket);
        let process = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let deadline = Instant::now() + Duration::from_secs(20);
        while UnixStream::connect(&socket).is_err() {
            assert!(Instant::now() < deadline, "ssh-agent does not start");
            std::thread::yield_now();
        }
        Self { process, socket }
    }

    /// What `SSH_AUTH_SOCK` is set to.
    pub fn socket(&self) -> &Path {
        &self.socket
    }

    /// Runs `ssh-add` at this agent.
    pub fn add(&self, station: &Station, arguments: &[&str]) -> Run {
        let mut command = with_askpass(station, "ssh-add");
        command.args(arguments).env("SSH_AUTH_SOCK", &self.socket);
        run(command)
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[test]
fn ssh_agent_signs_with_the_card_until_it_is_told_to_forget_it() {
    if !installed("ssh-agent", "openssh-client") {
        return;
    }
    for card in [Card::Standard, Card::Varied, Card::OpenPgp, Card::OpenPgpVaried] {
        let station = Station::new(card);
        let agent = Agent::start(&station);
        agent.add(&station, &["-s", module::path().to_str().unwrap()]).succeeded().says("Card added");
        assert_eq!(agent.add(&station, &["-L"]).succeeded().text.lines().count(), keys::on(card).len());
        for key in signers(card).filter(|key| !key.each_time) {
            let identity = station.file(&format!("id-{}.pub", key.reference), expected(&station, key));
            agent.add(&station, &["-T", identity.to_str().unwrap()]).succeeded();
        }
        agent.add(&station, &["-e", module::path().to_str().unwrap()]).succeeded().says("Card removed");
        agent.add(&station, &["-L"]).failed().says("no identities");
    }
}
