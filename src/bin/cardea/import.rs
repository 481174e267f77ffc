//! `cardea import`: a private key from a file, and the certificates that came with it.

use std::path::PathBuf;

use cardea_pkcs11::session::objects;
use cryptoki_sys::*;
use der::{Decode, Encode};
use sha1::{Digest, Sha1};
use x509_cert::Certificate;

use crate::arguments::Arguments as Common;
use crate::cards::Cards;
use crate::certificate;
use crate::choice::TokenChoice;
use crate::encryption::{Passphrase, Refusal};
use crate::failure::{Exit, Failure};
use crate::files;
use crate::generate::{Use, attribute};
use crate::output::Output;
use crate::pin_entry;
use crate::pkcs12;
use crate::private_key::{KeyFile, PrivateKeyFile};
use crate::writer::{self, Attributes, NewObject};

/// Which file, and where to.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    token: TokenChoice,

    /// What the key is for; may be repeated. Without it: signatures, and with RSA decryption, with curves key agreement
    #[arg(long = "for", value_name = "USE")]
    uses: Vec<Use>,

    #[command(flatten)]
    new: NewObject,

    /// Read the passphrase of the file from this file descriptor
    #[arg(long, value_name = "N")]
    passphrase_fd: Option<u32>,

    /// With PKCS#12: write the certificates of the authorities too
    #[arg(long)]
    chain: bool,

    /// The key, in PKCS#8 (encrypted or not), PKCS#12 (with its certificate), PKCS#1 or SEC 1, PEM or DER; - is standard
    /// input
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

/// Imports.
pub(crate) fn run(arguments: &Arguments, common: &Common, output: &Output) -> Result<(), Failure> {
    let (key, certificates) = open(arguments)?;
    let cards = Cards::open(common)?;
    let token = arguments.token.token(&cards)?;
    let session = writer::session(&token, &arguments.new)?;
    let new = &arguments.new;
    let attributes = Attributes::default()
        .number(CKA_CLASS, CKO_PRIVATE_KEY)
        .number(CKA_KEY_TYPE, key.key_type())
        .boolean(CKA_TOKEN, true)
        .boolean(CKA_PRIVATE, true)
        .boolean(CKA_SENSITIVE, true)
        .named(new.id.as_ref().map(|id| id.0.as_slice()), new.label.as_deref());
    let attributes =
        arguments.uses.iter().fold(attributes, |attributes, usage| attributes.boolean(attribute(*usage), true));
    let handle =
        objects::create(&session, key.fill(attributes).template()).map_err(|error| writer::explain(&token, error))?;
    let items = token.items()?;
    let made = items.iter().find(|item| item.handle == handle);
    let uri = made.map(|item| token.object_uri(item).to_string()).unwrap_or_default();
    let public = made.and_then(|item| item.object.attributes().shown(CKA_PUBLIC_KEY_INFO)).unwrap_or_default();
    let mut written = Vec::new();
    for certificate in &certificates {
        let id = match made {
            Some(made) if certificate.public == public => made.id.clone(),
            _ if arguments.chain => Sha1::digest(&certificate.public).to_vec(),
            _ => continue,
        };
        let template = certificate::template(&id, new.label.as_deref(), &certificate.subject, &certificate.der);
        let handle = objects::create(&session, template.template())
            .map_err(|error| writer::explain(&token, error).of("the key is on the token, a certificate is not"))?;
        let items = token.items()?;
        written.extend(items.iter().find(|item| item.handle == handle).map(|item| token.object_uri(item).to_string()));
    }
    if output.is_json() {
        let id = made.map(|item| hex::encode(&item.id));
        let value =
            serde_json::json!({ "private_key": uri, "id": id, "key": key.kind.name(), "certificates": written });
        return output.value(&value);
    }
    output.line(uri)?;
    written.into_iter().try_for_each(|uri| output.line(uri))
}

/// A certificate that came with the key.
struct Companion {
    der: Vec<u8>,
    subject: Vec<u8>,
    public: Vec<u8>,
}

/// Reads the file, with its passphrase where it has one.
fn open(arguments: &Arguments) -> Result<(PrivateKeyFile, Vec<Companion>), Failure> {
    let name = arguments.file.to_string_lossy();
    let ask = || pin_entry::passphrase(arguments.passphrase_fd, &name).map(Passphrase::new);
    match KeyFile::recognize(&files::read(&arguments.file)?)? {
        KeyFile::Plain(key) => Ok((key, Vec::new())),
        KeyFile::Encrypted(der) => {
            let plain = pkcs12::decrypt_key(&der, &ask()?).map_err(|refusal| explain(refusal).of(&name))?;
            // Padding is right by chance for one wrong passphrase in 256.
            let key = PrivateKeyFile::from_pkcs8(&plain).map_err(|_| explain(Refusal::Passphrase).of(&name))?;
            Ok((key, Vec::new()))
        }
        KeyFile::Pkcs12(file) => {
            let contents = file.open(ask()?).map_err(|refusal| explain(refusal).of(&name))?;
            let [key] = contents.keys.as_slice() else {
                let found = contents.keys.len();
                return Err(
                    Failure::new(Exit::Failure, format!("there are {found} private keys in it, not one")).of(&name)
                );
            };
            let certificates = contents.certificates.into_iter().map(companion).collect::<Result<_, _>>();
            Ok((PrivateKeyFile::from_pkcs8(key)?, certificates.map_err(|_| explain(Refusal::Malformed).of(&name))?))
        }
    }
}

fn companion(der: Vec<u8>) -> der::Result<Companion> {
    let certificate = Certificate::from_der(&der)?;
    let body = certificate.tbs_certificate();
    let (subject, public) = (body.subject().to_der()?, body.subject_public_key_info().to_der()?);
    Ok(Companion { der, subject, public })
}

fn explain(refusal: Refusal) -> Failure {
    match refusal {
        Refusal::Passphrase => Failure::new(Exit::Failure, "the passphrase is wrong, or the file is damaged"),
        Refusal::Algorithm => {
            Failure::new(Exit::Failure, "it is encrypted or protected in a way that Cardea does not know")
        }
        Refusal::Malformed => Failure::new(Exit::Failure, "it is damaged"),
    }
}
