//! A certification authority for one bench.

use std::str::FromStr;

use p256::ecdsa::{DerSignature, SigningKey};
use p256::pkcs8::EncodePrivateKey;
use rand_core::{OsRng, RngCore};
use x509_cert::Certificate;
use x509_cert::builder::{Builder, CertificateBuilder, Profile};
use x509_cert::der::asn1::{Any, Ia5String, ObjectIdentifier, UtcTime, Utf8StringRef};
use x509_cert::der::oid::AssociatedOid;
use x509_cert::der::referenced::OwnedToRef;
use x509_cert::der::{self, DateTime, Decode, Encode, Length, Writer};
use x509_cert::ext::pkix::name::{GeneralName, OtherName};
use x509_cert::ext::pkix::{
    AuthorityKeyIdentifier, BasicConstraints, ExtendedKeyUsage, KeyUsage, KeyUsages, SubjectAltName,
    SubjectKeyIdentifier,
};
use x509_cert::ext::{AsExtension, Extension};
use x509_cert::name::Name;
use x509_cert::serial_number::SerialNumber;
use x509_cert::spki::SubjectPublicKeyInfoOwned;
use x509_cert::time::{Time, Validity};

use super::layout::{Holder, KeySlot, Usage};
use super::pem;

const CLIENT_AUTH: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.3.2");
const SERVER_AUTH: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.3.1");
const EMAIL_PROTECTION: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.3.4");
const SMART_CARD_LOGON: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.311.20.2.2");
const PIV_CARD_AUTH: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.6.8");
const USER_PRINCIPAL_NAME: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.311.20.2.3");
const ELLIPTIC_CURVE_KEY: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");

/// A certification authority with a P-256 key of its own.
pub struct Authority {
    key: SigningKey,
    certificate: Certificate,
}

/// A certificate for a TLS server and its key.
#[derive(Debug, Clone)]
pub struct ServerCertificate {
    /// The certificate.
    pub certificate_pem: String,
    /// The private key, PKCS #8.
    pub key_pem: String,
}

impl Default for Authority {
    fn default() -> Self {
        Self::new("Cardea Bench CA")
    }
}

impl Authority {
    /// A fresh authority of that name.
    pub fn new(name: &str) -> Self {
        let key = SigningKey::random(&mut OsRng);
        let subject = name_of(&format!("CN={name},O=Cardea Bench,C=GB"));
        let public = public_key(&key);
        let mut builder = CertificateBuilder::new(
            Profile::Manual { issuer: None },
            serial(),
            validity(),
            subject,
            public.clone(),
            &key,
        )
        .expect("a certificate");
        add(&mut builder, &SubjectKeyIdentifier::try_from(public.owned_to_ref()).expect("an identifier"));
        add(&mut builder, &BasicConstraints { ca: true, path_len_constraint: Some(0) });
        add(&mut builder, &KeyUsage(KeyUsages::KeyCertSign | KeyUsages::CRLSign));
        let certificate = builder.build::<DerSignature>().expect("a signature");
        Self { key, certificate }
    }

    /// The authority's certificate in PEM.
    pub fn pem(&self) -> String {
        pem("CERTIFICATE", &self.certificate.to_der().expect("a certificate encodes"))
    }

    /// Issues a certificate for a key on a card; `public_key` is a SubjectPublicKeyInfo. Returns DER.
    pub fn issue(&self, holder: &Holder, slot: &KeySlot, usage: Usage, public_key: &[u8]) -> Vec<u8> {
        let public = SubjectPublicKeyInfoOwned::from_der(public_key).expect("a SubjectPublicKeyInfo");
        let elliptic = public.algorithm.oid == ELLIPTIC_CURVE_KEY;
        let (key_usage, extended) = match usage {
            Usage::Authentication => (KeyUsages::DigitalSignature.into(), vec![CLIENT_AUTH, SMART_CARD_LOGON]),
            Usage::Signature => (KeyUsages::DigitalSignature | KeyUsages::NonRepudiation, vec![EMAIL_PROTECTION]),
            Usage::KeyManagement if elliptic => (KeyUsages::KeyAgreement.into(), vec![EMAIL_PROTECTION]),
            Usage::KeyManagement => (KeyUsages::KeyEncipherment.into(), vec![EMAIL_PROTECTION]),
            Usage::CardAuthentication => (KeyUsages::DigitalSignature.into(), vec![PIV_CARD_AUTH]),
        };
        // the key reference makes the subjects of one card's certificates differ
        let subject = format!("serialNumber={:02X},{}", slot.reference, holder.subject);
        self.sign(Contents {
            subject: name_of(&subject),
            public,
            key_usage: KeyUsage(key_usage),
            extended: ExtendedKeyUsage(extended),
            names: alternative_names(holder),
            filler: slot.filler,
        })
    }

    /// Issues a certificate with a fresh key for a TLS server.
    pub fn server(&self, host_names: &[&str]) -> ServerCertificate {
        let key = SigningKey::random(&mut OsRng);
        let names =
            host_names.iter().map(|name| GeneralName::DnsName(Ia5String::new(name).expect("an ASCII name"))).collect();
        let certificate = self.sign(Contents {
            subject: name_of(&format!("CN={},O=Cardea Bench,C=GB", host_names[0])),
            public: public_key(&key),
            key_usage: KeyUsage(KeyUsages::DigitalSignature.into()),
            extended: ExtendedKeyUsage(vec![SERVER_AUTH]),
            names: SubjectAltName(names),
            filler: 0,
        });
        let key_der = p256::SecretKey::from(key.as_nonzero_scalar()).to_pkcs8_der().expect("a key encodes");
        ServerCertificate {
            certificate_pem: pem("CERTIFICATE", &certificate),
            key_pem: pem("PRIVATE KEY", key_der.as_bytes()),
        }
    }

    fn sign(&self, contents: Contents) -> Vec<u8> {
        let authority = &self.certificate.tbs_certificate;
        let profile = Profile::Manual { issuer: Some(authority.subject.clone()) };
        let authority = authority.subject_public_key_info.owned_to_ref();
        let authority = AuthorityKeyIdentifier::try_from(authority).expect("an identifier");
        let public = contents.public;
        let own = SubjectKeyIdentifier::try_from(public.owned_to_ref()).expect("an identifier");
        let mut builder = CertificateBuilder::new(profile, serial(), validity(), contents.subject, public, &self.key)
            .expect("a certificate");
        add(&mut builder, &authority);
        add(&mut builder, &own);
        let constraints = BasicConstraints { ca: false, path_len_constraint: None };
        add(&mut builder, &constraints);
        add(&mut builder, &contents.key_usage);
        add(&mut builder, &contents.extended);
        add(&mut builder, &contents.names);
        if contents.filler > 0 {
            add(&mut builder, &Filler(contents.filler));
        }
        let certificate = builder.build::<DerSignature>().expect("a signature");
        certificate.to_der().expect("a certificate encodes")
    }
}

/// What an end entity's certificate says.
struct Contents {
    subject: Name,
    public: SubjectPublicKeyInfoOwned,
    key_usage: KeyUsage,
    extended: ExtendedKeyUsage,
    names: SubjectAltName,
    filler: usize,
}

/// An extension that makes a certificate larger by about that many bytes.
struct Filler(usize);

impl Filler {
    fn content(&self) -> Ia5String {
        Ia5String::new(&"filler. ".repeat(self.0.div_ceil(8))).expect("ASCII")
    }
}

impl AssociatedOid for Filler {
    /// Netscape's comment, which nobody interprets.
    const OID: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.113730.1.13");
}

impl Encode for Filler {
    fn encoded_len(&self) -> der::Result<Length> {
        self.content().encoded_len()
    }

    fn encode(&self, writer: &mut impl Writer) -> der::Result<()> {
        self.content().encode(writer)
    }
}

impl AsExtension for Filler {
    fn critical(&self, _: &Name, _: &[Extension]) -> bool {
        false
    }
}

type Signed<'s> = CertificateBuilder<'s, SigningKey>;

fn add<E: AsExtension>(builder: &mut Signed<'_>, extension: &E) {
    builder.add_extension(extension).expect("an extension");
}

fn alternative_names(holder: &Holder) -> SubjectAltName {
    let principal = Utf8StringRef::new(&holder.principal_name).expect("a UTF-8 string");
    let email = Ia5String::new(&holder.email).expect("an ASCII address");
    SubjectAltName(vec![
        GeneralName::OtherName(OtherName {
            type_id: USER_PRINCIPAL_NAME,
            value: Any::encode_from(&principal).expect("a string encodes"),
        }),
        GeneralName::Rfc822Name(email),
    ])
}

fn public_key(key: &SigningKey) -> SubjectPublicKeyInfoOwned {
    SubjectPublicKeyInfoOwned::from_key(*key.verifying_key()).expect("a public key")
}

fn name_of(rfc4514: &str) -> Name {
    Name::from_str(rfc4514).expect("a distinguished name")
}

/// A positive random serial number of 8 bytes.
fn serial() -> SerialNumber {
    let mut bytes = [0; 8];
    OsRng.fill_bytes(&mut bytes);
    bytes[0] = bytes[0] & 0x7F | 0x40;
    SerialNumber::new(&bytes).expect("a serial number")
}

/// From 2025 to 2045.
fn validity() -> Validity {
    let time = |year| {
        let date = DateTime::new(year, 1, 1, 0, 0, 0).expect("a date");
        Time::UtcTime(UtcTime::from_date_time(date).expect("a date before 2050"))
    };
    Validity { not_before: time(2025), not_after: time(2045) }
}
