//! `cardea certificate request`: PKCS#10 (RFC 2986), signed by a key on a token.

use std::net::IpAddr;
use std::str::FromStr;

use cardea_pkcs11::card::key::PublicKey;
use cardea_pkcs11::object::{Content, Object};
use const_oid::AssociatedOid;
use der::asn1::{Any, BitString, Ia5String, OctetString, SetOfVec};
use der::{Decode, Encode};
use spki::{AlgorithmIdentifierOwned, SubjectPublicKeyInfoOwned};
use x509_cert::attr::Attributes;
use x509_cert::ext::Extension;
use x509_cert::ext::pkix::SubjectAltName;
use x509_cert::ext::pkix::name::GeneralName;
use x509_cert::name::Name;
use x509_cert::request::{CertReq, CertReqInfo, ExtensionReq, Version};

use crate::arguments::Arguments as Common;
use crate::cards::Cards;
use crate::certificate::pem;
use crate::choice::ObjectChoice;
use crate::failure::{Exit, Failure};
use crate::files::Destination;
use crate::key_use::KeyUse;
use crate::output::Output;
use crate::pin_entry::{PinEntry, PinSource};
use crate::scheme::{self, Form, HashName, SchemeOptions};
use crate::uri::Class;

/// For which key and whom.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    key: ObjectChoice,

    /// The subject (RFC 4514), such as "CN=Ada Lovelace,O=Example,C=GB"
    #[arg(long, value_name = "NAME", value_parser = Name::from_str)]
    subject: Name,

    /// A DNS name for the subject's alternative names; may be repeated
    #[arg(long, value_name = "NAME")]
    dns: Vec<String>,

    /// An e-mail address for them
    #[arg(long, value_name = "ADDRESS")]
    email: Vec<String>,

    /// An IP address for them
    #[arg(long, value_name = "ADDRESS")]
    ip: Vec<IpAddr>,

    /// A URI for them
    #[arg(long, value_name = "URI")]
    alternative_uri: Vec<String>,

    /// Hash function, SHA-256 or longer
    #[arg(long, value_name = "NAME")]
    hash: Option<HashName>,

    /// DER instead of PEM
    #[arg(long)]
    der: bool,

    #[command(flatten)]
    pin: PinSource,

    #[command(flatten)]
    destination: Destination,
}

/// Makes the request.
pub(crate) fn run(arguments: &Arguments, common: &Common, output: &Output) -> Result<(), Failure> {
    let cards = Cards::open(common)?;
    let key = KeyUse::to_sign(&cards, &arguments.key, PinEntry::new(&arguments.pin)?)?;
    let public = public_key(&key)?;
    let info = CertReqInfo {
        version: Version::V1,
        subject: arguments.subject.clone(),
        public_key: SubjectPublicKeyInfoOwned::from_der(&public.to_spki()).map_err(encoding)?,
        attributes: attributes(arguments).map_err(encoding)?,
    };
    let to_sign = info.to_der().map_err(encoding)?;
    let options = SchemeOptions { hash: arguments.hash, ..SchemeOptions::default() };
    let mechanism = scheme::mechanism(key.kind()?, options)?;
    let (oid, has_null) = scheme::algorithm(&mechanism)
        .ok_or_else(|| Failure::usage("requests are signed with SHA-256, SHA-384 or SHA-512"))?;
    let signature = key.sign(mechanism, output, |take| take(&to_sign))?;
    let signature = scheme::to_file(&signature, key.kind()?, Form::Der)?;
    let request = CertReq {
        info,
        algorithm: AlgorithmIdentifierOwned { oid, parameters: has_null.then(Any::null) },
        signature: BitString::from_bytes(&signature).map_err(encoding)?,
    };
    let der = request.to_der().map_err(encoding)?;
    if output.is_json() {
        let uri = key.token.object_uri(&key.item).to_string();
        return output.value(&serde_json::json!({ "request": pem("CERTIFICATE REQUEST", &der)?, "key": uri }));
    }
    if arguments.der {
        return arguments.destination.binary(&der, output);
    }
    arguments.destination.text(&pem("CERTIFICATE REQUEST", &der)?, output)
}

/// The public half, which belongs to the private key or is an object of its own.
fn public_key(key: &KeyUse<'_>) -> Result<PublicKey, Failure> {
    if let Content::PrivateKey(private) = key.item.object.content()
        && let Some(public) = &private.public
    {
        return Ok(public.clone());
    }
    let public = |object: &Object| match object.content() {
        Content::PublicKey(public) => Some(public.clone()),
        _ => None,
    };
    let items = key.token.items()?;
    let mut same = items.iter().filter(|item| item.class == Class::PublicKey && item.id == key.item.id);
    same.find_map(|item| public(&item.object))
        .ok_or_else(|| Failure::new(Exit::NotFound, "the token does not show the public half of this key"))
}

/// The extension request with the alternative names, where there are any.
fn attributes(arguments: &Arguments) -> der::Result<Attributes> {
    let mut names = Vec::new();
    for name in &arguments.dns {
        names.push(GeneralName::DnsName(Ia5String::new(name)?));
    }
    for address in &arguments.email {
        names.push(GeneralName::Rfc822Name(Ia5String::new(address)?));
    }
    for address in &arguments.ip {
        names.push(GeneralName::from(*address));
    }
    for uri in &arguments.alternative_uri {
        names.push(GeneralName::UniformResourceIdentifier(Ia5String::new(uri)?));
    }
    let mut attributes = SetOfVec::new();
    if !names.is_empty() {
        let extension = Extension {
            extn_id: SubjectAltName::OID,
            // RFC 5280 4.2.1.6: critical where it is all that names the subject.
            critical: arguments.subject.is_empty(),
            extn_value: OctetString::new(SubjectAltName(names).to_der()?)?,
        };
        attributes.insert(ExtensionReq(vec![extension]).try_into()?)?;
    }
    Ok(attributes)
}

fn encoding(error: der::Error) -> Failure {
    Failure::usage(format!("the request cannot be encoded: {error}"))
}
