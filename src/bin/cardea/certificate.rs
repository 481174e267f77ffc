//! `cardea certificate`: read one from a token, write one to it, or ask an authority for one.

use std::path::PathBuf;

use cardea_pkcs11::error::Error;
use cardea_pkcs11::session::{Session, objects};
use cryptoki_sys::*;
use der::pem::{LineEnding, encode_string};
use der::{Decode, Encode};
use x509_cert::Certificate;

use crate::arguments::Arguments as Common;
use crate::cards::Cards;
use crate::choice::{Item, ObjectChoice, Token, TokenChoice};
use crate::failure::{Exit, Failure};
use crate::files::{self, Destination};
use crate::output::Output;
use crate::request;
use crate::uri::Class;
use crate::writer::{self, Attributes, NewObject};

/// What to do with certificates.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Arguments {
    /// Print a certificate that is on a token
    Read(Read),
    /// Write a certificate to a token
    Write(Write),
    /// Make a request (PKCS#10) for a certificate, signed by a key on a token
    Request(request::Arguments),
}

/// Which certificate, in which form.
#[derive(Debug, clap::Args)]
pub(crate) struct Read {
    #[command(flatten)]
    certificate: ObjectChoice,

    /// DER instead of PEM
    #[arg(long)]
    der: bool,

    #[command(flatten)]
    destination: Destination,
}

/// Which certificate goes where.
#[derive(Debug, clap::Args)]
pub(crate) struct Write {
    #[command(flatten)]
    token: TokenChoice,

    #[command(flatten)]
    new: NewObject,

    /// Put it in the place of the certificate that the key has
    #[arg(long)]
    replace: bool,

    /// The certificate, in PEM or DER; - is standard input
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

/// Does it.
pub(crate) fn run(arguments: &Arguments, common: &Common, output: &Output) -> Result<(), Failure> {
    match arguments {
        Arguments::Read(read) => self::read(read, common, output),
        Arguments::Write(write) => self::write(write, common, output),
        Arguments::Request(arguments) => request::run(arguments, common, output),
    }
}

fn read(arguments: &Read, common: &Common, output: &Output) -> Result<(), Failure> {
    let cards = Cards::open(common)?;
    let token = arguments.certificate.token.token(&cards)?;
    let item = token.item(&arguments.certificate, Class::Certificate, |_| true)?;
    let der = item.object.attributes().shown(CKA_VALUE).unwrap_or_default();
    if output.is_json() {
        let value = serde_json::json!({
            "uri": token.object_uri(&item).to_string(),
            "subject": crate::list::subject(&item.object),
            "pem": pem("CERTIFICATE", der)?,
        });
        return output.value(&value);
    }
    if arguments.der {
        return arguments.destination.binary(der, output);
    }
    arguments.destination.text(&pem("CERTIFICATE", der)?, output)
}

fn write(arguments: &Write, common: &Common, output: &Output) -> Result<(), Failure> {
    let der = der(&files::read(&arguments.file)?)?;
    let certificate = Certificate::from_der(&der)
        .map_err(|error| Failure::new(Exit::Failure, format!("that is no certificate: {error}")))?;
    let encode = |result: der::Result<Vec<u8>>| result.map_err(|error| Failure::new(Exit::Failure, error.to_string()));
    let body = certificate.tbs_certificate();
    let public = encode(body.subject_public_key_info().to_der())?;
    let cards = Cards::open(common)?;
    let token = arguments.token.token(&cards)?;
    let new = &arguments.new;
    let id = match &new.id {
        Some(id) => id.0.clone(),
        None => identifier_of_key(&token, &public)?,
    };
    let session = writer::session(&token, new)?;
    let items = token.items()?;
    let present = items.iter().find(|item| item.class == Class::Certificate && item.id == id);
    if present.is_some() && !arguments.replace {
        return Err(Failure::new(Exit::Failure, "this key has a certificate already")
            .advise("--replace puts this one in its place"));
    }
    let label = new.label.as_deref().or_else(|| present.map(|item| item.label.as_str()));
    let subject = encode(body.subject().to_der())?;
    let handle = match present {
        Some(present) => replace(&session, present, &template(&id, label, &subject, &der)),
        None => objects::create(&session, template(&id, label, &subject, &der).template()),
    };
    let handle = handle.map_err(|error| writer::explain(&token, error))?;
    let items = token.items()?;
    let made = items.iter().find(|item| item.handle == handle);
    let made = made.or_else(|| items.iter().find(|item| item.class == Class::Certificate && item.id == id));
    let uri = made.map(|item| token.object_uri(item).to_string()).unwrap_or_default();
    if output.is_json() {
        return output.value(&serde_json::json!({ "certificate": uri, "id": hex::encode(&id) }));
    }
    output.line(uri)
}

pub(crate) fn template(id: &[u8], label: Option<&str>, subject: &[u8], der: &[u8]) -> Attributes {
    Attributes::default()
        .number(CKA_CLASS, CKO_CERTIFICATE)
        .number(CKA_CERTIFICATE_TYPE, CKC_X_509)
        .boolean(CKA_TOKEN, true)
        .boolean(CKA_PRIVATE, false)
        .bytes(CKA_SUBJECT, subject)
        .bytes(CKA_VALUE, der)
        .named(Some(id), label)
}

/// Writes a certificate where another was, which is written back if the card does not take this one.
fn replace(session: &Session, old: &Item, new: &Attributes) -> Result<u64, Error> {
    let value = |attribute| old.object.attributes().shown(attribute).unwrap_or_default();
    let before = template(&old.id, Some(&old.label), value(CKA_SUBJECT), value(CKA_VALUE));
    objects::destroy(session, old.handle)?;
    objects::create(session, new.clone().template()).inspect_err(|_| {
        // The first error is the one to tell.
        let _ = objects::create(session, before.template());
    })
}

/// The identifier of the key that the certificate is for.
fn identifier_of_key(token: &Token<'_>, public: &[u8]) -> Result<Vec<u8>, Failure> {
    let same = |item: &&Item| {
        matches!(item.class, Class::PublicKey | Class::PrivateKey)
            && item.object.attributes().shown(CKA_PUBLIC_KEY_INFO) == Some(public)
    };
    let items = token.items()?;
    items.iter().find(same).map(|item| item.id.clone()).ok_or_else(|| {
        Failure::new(Exit::NotFound, "the token shows no key that this certificate is for")
            .advise("--id says where it is to go all the same")
    })
}

/// The DER of a file in DER or PEM.
fn der(content: &[u8]) -> Result<Vec<u8>, Failure> {
    if !content.starts_with(b"-----") {
        return Ok(content.to_vec());
    }
    match der::pem::decode_vec(content) {
        Ok(("CERTIFICATE", der)) => Ok(der),
        _ => Err(Failure::new(Exit::Failure, "that is no certificate in PEM")),
    }
}

/// DER in PEM (RFC 7468).
pub(crate) fn pem(label: &str, der: &[u8]) -> Result<String, Failure> {
    encode_string(label, LineEnding::LF, der).map_err(|error| Failure::new(Exit::Failure, error.to_string()))
}
