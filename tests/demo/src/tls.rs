//! A TLS 1.3 client whose key is on the card, and `openssl s_server` as the server that wants its certificate.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};

use cryptoki::mechanism::rsa::{PkcsMgfType, PkcsPssParams};
use cryptoki::mechanism::{Mechanism, MechanismType};
use cryptoki::object::{KeyType, ObjectHandle};
use cryptoki::session::Session;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::sign::{CertifiedKey, Signer, SigningKey, SingleCertAndKey};
use rustls::{ClientConfig, ClientConnection, RootCertStore, SignatureAlgorithm, SignatureScheme, StreamOwned};

use crate::Result;
use crate::client::{Credential, ecdsa_der};
use crate::openssl::{Openssl, text};

/// The server's certificate: not an authority, as the client's library demands.
const SERVER_CERTIFICATE: &str = "[req]\nprompt=no\ndistinguished_name=name\nx509_extensions=end\n[name]\nCN=localhost\n\
    [end]\nbasicConstraints=critical,CA:FALSE\nsubjectAltName=DNS:localhost\n";

/// A server for one connection.
pub(crate) struct Server {
    process: Child,
    address: String,
    certificate: CertificateDer<'static>,
}

impl Server {
    /// Starts a server that insists on a client certificate which leads to one in the file `trusted`.
    pub(crate) fn start(openssl: &Openssl<'_>, trusted: &Path) -> Result<Self> {
        let [configuration, key, certificate] =
            ["server.cnf", "server.key", "server.pem"].map(|name| openssl.path(name));
        std::fs::write(&configuration, SERVER_CERTIFICATE)?;
        let mut arguments =
            vec!["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "1"];
        arguments.extend(["-config", text(&configuration)?, "-keyout", text(&key)?, "-out", text(&certificate)?]);
        openssl.run(&arguments)?;

        let mut process = Command::new("openssl")
            .args(["s_server", "-accept", "127.0.0.1:0", "-naccept", "1", "-tls1_3", "-www", "-Verify", "2"])
            .args(["-verify_return_error", "-partial_chain", "-CAfile", text(trusted)?])
            .args(["-key", text(&key)?, "-cert", text(&certificate)?])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let output = BufReader::new(process.stdout.take().ok_or("openssl s_server has no output")?);
        let address = output
            .lines()
            .map_while(std::result::Result::ok)
            .find_map(|line| line.strip_prefix("ACCEPT ").map(str::to_owned))
            .ok_or("openssl s_server does not listen")?;
        Ok(Self { process, address, certificate: CertificateDer::from_pem_file(certificate)? })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // it may have ended by itself after its one connection
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A connection to `server` as the holder of `credential`; the subject that the server saw and the cipher suite.
pub(crate) fn connect(server: &Server, credential: &Credential, session: Session) -> Result<(String, String)> {
    let mut roots = RootCertStore::empty();
    roots.add(server.certificate.clone())?;
    let key = CardKey { session: Arc::new(Mutex::new(session)), key: credential.key, key_type: credential.key_type };
    let chain = vec![CertificateDer::from(credential.der.clone())];
    let certified = CertifiedKey::new(chain, Arc::new(key));
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let configuration = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_root_certificates(roots)
        .with_client_cert_resolver(Arc::new(SingleCertAndKey::from(certified)));
    let connection = ClientConnection::new(Arc::new(configuration), ServerName::try_from("localhost")?)?;
    let mut stream = StreamOwned::new(connection, TcpStream::connect(&server.address)?);
    stream.write_all(b"GET / HTTP/1.0\r\n\r\n")?;
    let page = read_page(&mut stream)?;
    let subject = page
        .lines()
        .find_map(|line| line.trim().strip_prefix("Subject: "))
        .ok_or("the server saw no client certificate")?;
    let suite = stream.conn.negotiated_cipher_suite().ok_or("no cipher suite")?;
    Ok((subject.to_owned(), format!("{:?}", suite.suite())))
}

/// The whole answer; a server that closes without a farewell has still answered.
fn read_page(stream: &mut impl Read) -> Result<String> {
    let mut page = Vec::new();
    match stream.read_to_end(&mut page) {
        Err(error) if error.kind() != std::io::ErrorKind::UnexpectedEof => {
            Err(format!("the server refuses: {error}").into())
        }
        _ => Ok(String::from_utf8_lossy(&page).into_owned()),
    }
}

/// A key on the card, for rustls.
#[derive(Debug, Clone)]
struct CardKey {
    session: Arc<Mutex<Session>>,
    key: ObjectHandle,
    key_type: KeyType,
}

/// That key with a signature scheme both sides know.
#[derive(Debug)]
struct CardSigner {
    key: CardKey,
    scheme: SignatureScheme,
}

impl SigningKey for CardKey {
    fn choose_scheme(&self, offered: &[SignatureScheme]) -> Option<Box<dyn Signer>> {
        let ours: &[SignatureScheme] = match self.algorithm() {
            SignatureAlgorithm::RSA => &[SignatureScheme::RSA_PSS_SHA256],
            _ => &[SignatureScheme::ECDSA_NISTP256_SHA256],
        };
        let scheme = *ours.iter().find(|scheme| offered.contains(scheme))?;
        Some(Box::new(CardSigner { key: self.clone(), scheme }))
    }

    fn algorithm(&self) -> SignatureAlgorithm {
        if self.key_type == KeyType::RSA { SignatureAlgorithm::RSA } else { SignatureAlgorithm::ECDSA }
    }
}

impl Signer for CardSigner {
    fn sign(&self, message: &[u8]) -> std::result::Result<Vec<u8>, rustls::Error> {
        let pss = PkcsPssParams { hash_alg: MechanismType::SHA256, mgf: PkcsMgfType::MGF1_SHA256, s_len: 32.into() };
        let rsa = self.scheme == SignatureScheme::RSA_PSS_SHA256;
        let mechanism = if rsa { Mechanism::Sha256RsaPkcsPss(pss) } else { Mechanism::EcdsaSha256 };
        let general = |error: String| rustls::Error::General(error);
        let session = self.key.session.lock().map_err(|error| general(error.to_string()))?;
        let signature = session.sign(&mechanism, self.key.key, message).map_err(|error| general(error.to_string()))?;
        Ok(if rsa { signature } else { ecdsa_der(&signature) })
    }

    fn scheme(&self) -> SignatureScheme {
        self.scheme
    }
}
