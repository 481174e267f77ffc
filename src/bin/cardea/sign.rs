//! `cardea sign`: a signature over a file.

use std::path::PathBuf;

use crate::arguments::Arguments as Common;
use crate::cards::Cards;
use crate::choice::ObjectChoice;
use crate::failure::Failure;
use crate::files::{self, Destination};
use crate::key_use::KeyUse;
use crate::output::Output;
use crate::pin_entry::{PinEntry, PinSource};
use crate::scheme::{self, Form, SchemeOptions};

/// What to sign, and how.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    key: ObjectChoice,

    #[command(flatten)]
    scheme: SchemeOptions,

    /// Form of ECDSA signatures
    #[arg(long, value_name = "FORM", default_value = "der")]
    form: Form,

    #[command(flatten)]
    pin: PinSource,

    #[command(flatten)]
    destination: Destination,

    /// The file; - is standard input
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

/// Signs.
pub(crate) fn run(arguments: &Arguments, common: &Common, output: &Output) -> Result<(), Failure> {
    let cards = Cards::open(common)?;
    let key = KeyUse::to_sign(&cards, &arguments.key, PinEntry::new(&arguments.pin)?)?;
    let kind = key.kind()?;
    let mechanism = scheme::mechanism(kind, arguments.scheme)?;
    let signature = key.sign(mechanism, output, |take| files::stream(&arguments.file, take))?;
    let signature = scheme::to_file(&signature, kind, arguments.form)?;
    if output.is_json() {
        let uri = key.token.object_uri(&key.item).to_string();
        return output.value(&serde_json::json!({ "signature": hex::encode(signature), "key": uri }));
    }
    arguments.destination.binary(&signature, output)
}
