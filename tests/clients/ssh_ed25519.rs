//! `ssh` logs in with Ed25519 keys on the card. OpenSSH 9.2 takes no such key from a module, so that an agent of our own
//! stands between: it speaks the agent's protocol (draft-miller-ssh-agent) and signs by the crate `cryptoki`.

use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::Command;

use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::mechanism::Mechanism;
use cryptoki::mechanism::eddsa::{EddsaParams, EddsaSignatureScheme};
use cryptoki::object::{Attribute, AttributeType, KeyType, ObjectClass, ObjectHandle};
use cryptoki::session::{Session, UserType};
use cryptoki::types::AuthPin;

use super::child::{directory, is_child, spawn};
use super::openssh::{SSHD, Server};
use super::program::{Run, installed, run};
use super::station::{Card, Station};
use crate::module;

const FAILURE: u8 = 5;
const REQUEST_IDENTITIES: u8 = 11;
const IDENTITIES_ANSWER: u8 = 12;
const SIGN_REQUEST: u8 = 13;
const SIGN_RESPONSE: u8 = 14;
const ALGORITHM: &[u8] = b"ssh-ed25519";

/// A string of SSH (RFC 4251 5).
fn string(content: &[u8]) -> Vec<u8> {
    [&u32::try_from(content.len()).unwrap().to_be_bytes(), content].concat()
}

/// The string at the beginning, and what follows.
fn split_string(data: &[u8]) -> (&[u8], &[u8]) {
    let (length, rest) = data.split_first_chunk::<4>().unwrap();
    rest.split_at(usize::try_from(u32::from_be_bytes(*length)).unwrap())
}

/// The agent: the Ed25519 keys of the user who is logged in, each with its public key as SSH has it (RFC 8709 4).
struct Agent {
    session: Session,
    keys: Vec<(ObjectHandle, Vec<u8>)>,
}

impl Agent {
    fn new(session: Session) -> Self {
        let wanted = [Attribute::Class(ObjectClass::PRIVATE_KEY), Attribute::KeyType(KeyType::EC_EDWARDS)];
        let found = session.find_objects(&wanted).unwrap();
        let keys = found.into_iter().map(|key| (key, public(&session, key))).collect();
        Self { session, keys }
    }

    /// Answers the requests of one client until it goes.
    fn serve(&self, mut client: UnixStream) {
        let mut length = [0; 4];
        while client.read_exact(&mut length).is_ok() {
            let mut request = vec![0; usize::try_from(u32::from_be_bytes(length)).unwrap()];
            let answered =
                client.read_exact(&mut request).and_then(|()| client.write_all(&string(&self.answer(&request))));
            if answered.is_err() {
                return;
            }
        }
    }

    fn answer(&self, request: &[u8]) -> Vec<u8> {
        match request {
            [REQUEST_IDENTITIES] => {
                let count = u32::try_from(self.keys.len()).unwrap().to_be_bytes();
                let entries = self.keys.iter().flat_map(|(_, blob)| [string(blob), string(b"on the card")].concat());
                [&[IDENTITIES_ANSWER][..], &count, &entries.collect::<Vec<u8>>()].concat()
            }
            [SIGN_REQUEST, rest @ ..] => {
                let (blob, rest) = split_string(rest);
                let Some((key, _)) = self.keys.iter().find(|(_, known)| known == blob) else { return vec![FAILURE] };
                let mechanism = Mechanism::Eddsa(EddsaParams::new(EddsaSignatureScheme::Pure));
                let signature = self.session.sign(&mechanism, *key, split_string(rest).0).unwrap();
                [&[SIGN_RESPONSE][..], &string(&[string(ALGORITHM), string(&signature)].concat())].concat()
            }
            _ => vec![FAILURE],
        }
    }
}

/// The public half of a private key: what its SubjectPublicKeyInfo ends with.
fn public(session: &Session, private: ObjectHandle) -> Vec<u8> {
    match &session.get_attributes(private, &[AttributeType::PublicKeyInfo]).unwrap()[..] {
        [Attribute::PublicKeyInfo(info)] => [string(ALGORITHM), string(info.last_chunk::<32>().unwrap())].concat(),
        other => panic!("{other:?}"),
    }
}

fn log_in(server: &Server, agent: &Path, identity: &Path) -> Run {
    let mut command = Command::new("ssh");
    command.args(["-F", "/dev/null", "-p", &server.port.to_string(), "-i"]).arg(identity);
    let agent = format!("IdentityAgent={}", agent.display());
    for option in [
        "IdentitiesOnly=yes",
        "StrictHostKeyChecking=no",
        "UserKnownHostsFile=/dev/null",
        "PreferredAuthentications=publickey",
        "BatchMode=yes",
        &agent,
    ] {
        command.args(["-o", option]);
    }
    command.args(["127.0.0.1", "echo", "the", "card", "let", "me", "in"]);
    run(command)
}

/// A directory for one server.
fn place(name: &str) -> PathBuf {
    let place = directory().join(name);
    std::fs::create_dir(&place).unwrap();
    place
}

/// In a process of its own: the agent in one thread, and ssh with each of its keys.
fn every_key_logs_in() {
    let pkcs11 = Pkcs11::new(module::path()).unwrap();
    pkcs11.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK)).unwrap();
    let session = pkcs11.open_rw_session(pkcs11.get_slots_with_token().unwrap()[0]).unwrap();
    session.login(UserType::User, Some(&AuthPin::new(std::env::var("CARDEA_PIN").unwrap().into()))).unwrap();
    let socket = directory().join("ed25519-agent");
    let listener = UnixListener::bind(&socket).unwrap();
    let agent = Agent::new(session);
    std::thread::spawn(move || listener.incoming().for_each(|client| agent.serve(client.unwrap())));

    let mut list = Command::new("ssh-add");
    list.arg("-L").env("SSH_AUTH_SOCK", &socket);
    let listed = String::from_utf8(run(list).succeeded().stdout).unwrap();
    let keys: Vec<&str> = listed.lines().collect();
    assert_eq!(keys.len(), 2, "{listed}");
    for (number, key) in keys.iter().enumerate() {
        let server = Server::start(&place(&format!("server-{number}")), key);
        let identity = directory().join(format!("ed25519-{number}.pub"));
        std::fs::write(&identity, key).unwrap();
        let login = log_in(&server, &socket, &identity);
        assert!(login.text.contains("the card let me in"), "{key}\n{}\n{}", login.text, server.log());
        assert!(server.log().contains("ED25519"), "{}", server.log());
        let stranger = Server::start(&place(&format!("stranger-{number}")), keys[1 - number]);
        log_in(&stranger, &socket, &identity).failed().says("Permission denied");
    }
}

#[test]
fn ssh_logs_in_with_the_ed25519_keys_of_a_card() {
    if !installed("ssh", "openssh-client") || !installed(SSHD, "openssh-server") {
        return;
    }
    if is_child() {
        return every_key_logs_in();
    }
    spawn(ssh_logs_in_with_the_ed25519_keys_of_a_card, &Station::new(Card::OpenPgpModern), &[]).succeeded();
}
