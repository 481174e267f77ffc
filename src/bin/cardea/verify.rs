//! `cardea verify`: whether a signature belongs to a file and a key on a token.

use std::path::PathBuf;

use cardea_pkcs11::error::Error;
use cardea_pkcs11::object::Content;
use cardea_pkcs11::session::verify;
use cryptoki_sys::CKA_VERIFY;

use crate::arguments::Arguments as Common;
use crate::cards::Cards;
use crate::choice::ObjectChoice;
use crate::failure::{Exit, Failure};
use crate::files;
use crate::output::Output;
use crate::scheme::{self, Form, SchemeOptions};
use crate::uri::Class;

/// What to verify, and how it was signed.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    key: ObjectChoice,

    #[command(flatten)]
    scheme: SchemeOptions,

    /// Form of ECDSA signatures
    #[arg(long, value_name = "FORM", default_value = "der")]
    form: Form,

    /// The signature
    #[arg(long, value_name = "FILE")]
    signature: PathBuf,

    /// The file that was signed; - is standard input
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

/// Verifies; exit code 11 says that the signature is wrong.
pub(crate) fn run(arguments: &Arguments, common: &Common, output: &Output) -> Result<(), Failure> {
    let cards = Cards::open(common)?;
    let token = arguments.key.token.token(&cards)?;
    let item = token.item(&arguments.key, Class::PublicKey, |object| object.permits(CKA_VERIFY))?;
    let kind = match item.object.content() {
        Content::PublicKey(key) => key.kind(),
        _ => return Err(Failure::new(Exit::NotSupported, "this key is not for that")),
    };
    let mechanism = scheme::mechanism(kind, arguments.scheme)?;
    let signature = scheme::from_file(&files::read(&arguments.signature)?, kind, arguments.form)?;
    let session = token.session(false)?;
    verify::init(&session, mechanism, item.handle).map_err(|error| token.explain(error))?;
    files::stream(&arguments.file, |part| verify::update(&session, part).map_err(Failure::from))?;
    verify::finish(&session, &signature).map_err(|error| match error {
        Error::SignatureInvalid | Error::SignatureLenRange => Failure::from(error),
        other => token.explain(other),
    })?;
    let uri = token.object_uri(&item).to_string();
    if output.is_json() {
        return output.value(&serde_json::json!({ "valid": true, "key": uri }));
    }
    output.line("the signature is good")
}
