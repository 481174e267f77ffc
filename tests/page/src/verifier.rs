//! What the page demands of a visitor's certificate, and how the visitor proved to have its key.

use std::sync::{Arc, Mutex};

use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{DigitallySignedStruct, DistinguishedName, Error, RootCertStore, SignatureScheme};

/// Whom the page lets in.
#[derive(Debug, Clone)]
pub enum Trust {
    /// Those with certificates for TLS clients that the authority in this PEM text has issued.
    Authority(String),
    /// Everybody with a certificate and its key.
    Anyone,
}

/// The signature scheme of the visitor's proof, once there is one.
pub(crate) type Proof = Arc<Mutex<Option<SignatureScheme>>>;

/// A verifier for one connection.
#[derive(Debug)]
pub(crate) struct Verifier {
    /// Who judges certificates; everybody's will do without.
    authority: Option<Arc<dyn ClientCertVerifier>>,
    provider: Arc<CryptoProvider>,
    proof: Proof,
}

impl Verifier {
    pub(crate) fn new(trust: &Trust, provider: &Arc<CryptoProvider>, proof: Proof) -> Self {
        let authority = match trust {
            Trust::Anyone => None,
            Trust::Authority(pem) => {
                let mut roots = RootCertStore::empty();
                roots
                    .add(CertificateDer::from_pem_slice(pem.as_bytes()).expect("a certificate"))
                    .expect("an authority");
                let judge = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider));
                Some(judge.build().expect("a verifier"))
            }
        };
        Self { authority, provider: Arc::clone(provider), proof }
    }

    fn note(&self, scheme: SignatureScheme) {
        *self.proof.lock().expect("no panic under this lock") = Some(scheme);
    }
}

impl ClientCertVerifier for Verifier {
    fn client_auth_mandatory(&self) -> bool {
        false
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.authority.as_ref().map_or(&[], |authority| authority.root_hint_subjects())
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        match &self.authority {
            Some(authority) => authority.verify_client_cert(end_entity, intermediates, now),
            None => Ok(ClientCertVerified::assertion()),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.note(signed.scheme);
        verify_tls12_signature(message, certificate, signed, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.note(signed.scheme);
        verify_tls13_signature(message, certificate, signed, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
