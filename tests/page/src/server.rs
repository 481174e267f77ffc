//! The server of the page: one thread for each visitor, no sessions to resume, so that every visit is a login.

use std::io::{self, BufRead, BufReader, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use cardea_harness::provision::Authority;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::NoServerSessionStorage;
use rustls::{ServerConfig, ServerConnection, StreamOwned, SupportedProtocolVersion};
use x509_cert::Certificate;
use x509_cert::der::Decode;

use crate::html;
use crate::verifier::{Proof, Trust, Verifier};

/// How long a visitor may look for card and PIN.
const PATIENCE: Duration = Duration::from_secs(600);

/// The versions of TLS that the page speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version {
    /// TLS 1.2 alone (RFC 5246).
    Tls12,
    /// TLS 1.3 alone (RFC 8446).
    Tls13,
    /// Both.
    Any,
}

impl Version {
    fn supported(self) -> Vec<&'static SupportedProtocolVersion> {
        match self {
            Self::Tls12 => vec![&rustls::version::TLS12],
            Self::Tls13 => vec![&rustls::version::TLS13],
            Self::Any => vec![&rustls::version::TLS13, &rustls::version::TLS12],
        }
    }
}

/// One visitor, as the page shows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Visit {
    /// The certificate's subject (RFC 4514); `None` for a visitor without a certificate.
    pub subject: Option<String>,
    /// The certificate's issuer.
    pub issuer: Option<String>,
    /// The certificate's serial number in hexadecimal digits.
    pub serial: Option<String>,
    /// `TLSv1_2` or `TLSv1_3`.
    pub version: String,
    /// The cipher suite.
    pub suite: String,
    /// The scheme of the signature that proves possession of the key, as `RSA_PSS_SHA256`.
    pub scheme: Option<String>,
}

/// A running server; it ends with this value.
pub struct Page {
    address: SocketAddr,
    authority: String,
    shared: Arc<Shared>,
    listening: Option<JoinHandle<()>>,
}

/// What the threads share.
struct Shared {
    trust: Trust,
    versions: Version,
    provider: Arc<CryptoProvider>,
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
    visits: Mutex<Vec<Visit>>,
    ending: AtomicBool,
}

impl Page {
    /// Serves the page at a port of its own, with a certificate for `localhost` of an authority of its own.
    ///
    /// # Panics
    /// When there is no port.
    #[must_use]
    pub fn start(trust: Trust, versions: Version) -> Self {
        let authority = Authority::new("Cardea Page CA");
        let server = authority.server(&["localhost"]);
        let shared = Arc::new(Shared {
            trust,
            versions,
            provider: Arc::new(rustls::crypto::ring::default_provider()),
            chain: vec![CertificateDer::from_pem_slice(server.certificate_pem.as_bytes()).expect("a certificate")],
            key: PrivateKeyDer::from_pem_slice(server.key_pem.as_bytes()).expect("a key"),
            visits: Mutex::default(),
            ending: AtomicBool::new(false),
        });
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        let address = listener.local_addr().expect("an address");
        let listening = thread::spawn({
            let shared = Arc::clone(&shared);
            move || listen(&listener, &shared)
        });
        Self { address, authority: authority.pem(), shared, listening: Some(listening) }
    }

    /// Where the page is.
    #[must_use]
    pub fn url(&self) -> String {
        format!("https://localhost:{}/", self.address.port())
    }

    /// The port of the page.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// The authority that a browser has to trust, in PEM.
    #[must_use]
    pub fn authority(&self) -> &str {
        &self.authority
    }

    /// Everybody who got as far as the page, in the order of arrival.
    #[must_use]
    pub fn visits(&self) -> Vec<Visit> {
        self.shared.visits.lock().expect("no panic under this lock").clone()
    }
}

impl Drop for Page {
    fn drop(&mut self) {
        self.shared.ending.store(true, Ordering::SeqCst);
        // wakes the listener
        let _ = TcpStream::connect(self.address);
        if let Some(listening) = self.listening.take() {
            let _ = listening.join();
        }
    }
}

fn listen(listener: &TcpListener, shared: &Arc<Shared>) {
    for stream in listener.incoming() {
        if shared.ending.load(Ordering::SeqCst) {
            return;
        }
        let Ok(stream) = stream else { continue };
        let shared = Arc::clone(shared);
        // A visitor who leaves in the middle is no failure of the page.
        thread::spawn(move || drop(serve(stream, &shared)));
    }
}

fn serve(stream: TcpStream, shared: &Shared) -> io::Result<()> {
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_nodelay(true)?;
    let proof = Proof::default();
    let connection = ServerConnection::new(Arc::new(configuration(shared, &proof))).map_err(io::Error::other)?;
    let mut stream = BufReader::new(StreamOwned::new(connection, stream));
    let mut line = String::new();
    while stream.read_line(&mut line)? > 2 {
        line.clear();
    }
    let mut stream = stream.into_inner();
    let visit = visit(&stream.conn, &proof);
    let response = html::response(&visit);
    shared.visits.lock().expect("no panic under this lock").push(visit);
    stream.write_all(response.as_bytes())?;
    stream.conn.send_close_notify();
    stream.flush()
}

fn configuration(shared: &Shared, proof: &Proof) -> ServerConfig {
    let verifier = Verifier::new(&shared.trust, &shared.provider, Arc::clone(proof));
    let mut configuration = ServerConfig::builder_with_provider(Arc::clone(&shared.provider))
        .with_protocol_versions(&shared.versions.supported())
        .expect("versions that the provider has")
        .with_client_cert_verifier(Arc::new(verifier))
        .with_single_cert(shared.chain.clone(), shared.key.clone_key())
        .expect("a key that belongs to the certificate");
    configuration.session_storage = Arc::new(NoServerSessionStorage {});
    configuration.send_tls13_tickets = 0;
    configuration
}

fn visit(connection: &ServerConnection, proof: &Proof) -> Visit {
    let certificate = connection.peer_certificates().and_then(<[_]>::first);
    let certificate = certificate.and_then(|certificate| Certificate::from_der(certificate).ok());
    let certificate = certificate.as_ref().map(Certificate::tbs_certificate);
    Visit {
        subject: certificate.map(|certificate| certificate.subject().to_string()),
        issuer: certificate.map(|certificate| certificate.issuer().to_string()),
        serial: certificate.map(|certificate| certificate.serial_number().to_string()),
        version: connection.protocol_version().map(|version| format!("{version:?}")).unwrap_or_default(),
        suite: connection.negotiated_cipher_suite().map(|suite| format!("{:?}", suite.suite())).unwrap_or_default(),
        scheme: proof.lock().expect("no panic under this lock").map(|scheme| format!("{scheme:?}")),
    }
}
