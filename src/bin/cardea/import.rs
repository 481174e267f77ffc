//! `cardea import`: a private key from a file.

use std::path::PathBuf;

use cardea_pkcs11::card::key::KeyKind;
use cardea_pkcs11::session::objects;
use cryptoki_sys::*;

use crate::arguments::Arguments as Common;
use crate::cards::Cards;
use crate::choice::TokenChoice;
use crate::failure::Failure;
use crate::files;
use crate::generate::{Use, attribute};
use crate::output::Output;
use crate::private_key::PrivateKeyFile;
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

    /// The key, in PKCS#8, PKCS#1 or SEC 1, PEM or DER; - is standard input
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

/// Imports.
pub(crate) fn run(arguments: &Arguments, common: &Common, output: &Output) -> Result<(), Failure> {
    let key = PrivateKeyFile::parse(&files::read(&arguments.file)?)?;
    let cards = Cards::open(common)?;
    let token = arguments.token.token(&cards)?;
    let session = writer::session(&token, &arguments.new)?;
    let new = &arguments.new;
    let attributes = Attributes::default()
        .number(CKA_CLASS, CKO_PRIVATE_KEY)
        .number(CKA_KEY_TYPE, key_type(key.kind))
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
    if output.is_json() {
        let id = made.map(|item| hex::encode(&item.id));
        return output.value(&serde_json::json!({ "private_key": uri, "id": id, "key": key.kind.name() }));
    }
    output.line(uri)
}

fn key_type(kind: KeyKind) -> CK_KEY_TYPE {
    match kind {
        KeyKind::Rsa { .. } => CKK_RSA,
        KeyKind::Ec(_) => CKK_EC,
        KeyKind::Ed25519 => CKK_EC_EDWARDS,
        KeyKind::X25519 => CKK_EC_MONTGOMERY,
    }
}
