//! `cardea decrypt`: what was encrypted for an RSA key on a token.

use std::path::PathBuf;

use cardea_pkcs11::card::key::KeyKind;
use cardea_pkcs11::mechanism::{Hash, Mechanism, OaepParameters};

use crate::arguments::Arguments as Common;
use crate::cards::Cards;
use crate::choice::ObjectChoice;
use crate::failure::{Exit, Failure};
use crate::files::{self, Destination};
use crate::key_use::KeyUse;
use crate::output::Output;
use crate::pin_entry::{PinEntry, PinSource};
use crate::scheme::HashName;

/// What to decrypt, and how it was encrypted.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    key: ObjectChoice,

    /// The padding is OAEP instead of PKCS#1 v1.5
    #[arg(long)]
    oaep: bool,

    /// Hash function of OAEP
    #[arg(long, value_name = "NAME", default_value = "sha256", requires = "oaep")]
    hash: HashName,

    /// Hash function of OAEP's mask generation, where it is another
    #[arg(long, value_name = "NAME", requires = "oaep")]
    mgf_hash: Option<HashName>,

    #[command(flatten)]
    pin: PinSource,

    #[command(flatten)]
    destination: Destination,

    /// The file; - is standard input
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

/// Decrypts.
pub(crate) fn run(arguments: &Arguments, common: &Common, output: &Output) -> Result<(), Failure> {
    let cards = Cards::open(common)?;
    let cryptogram = files::read(&arguments.file)?;
    let key = KeyUse::to_decrypt(&cards, &arguments.key, PinEntry::new(&arguments.pin)?)?;
    if !matches!(key.kind()?, KeyKind::Rsa { .. }) {
        return Err(Failure::new(Exit::NotSupported, "only RSA keys decrypt; this one agrees on keys or signs"));
    }
    let hash = Hash::from(arguments.hash);
    let mgf = arguments.mgf_hash.map_or(hash, Hash::from);
    let mechanism = if arguments.oaep {
        Mechanism::RsaOaep(OaepParameters { hash, mgf, label: Vec::new() })
    } else {
        Mechanism::RsaPkcs
    };
    let plaintext = key.decrypt(mechanism, &cryptogram, output)?;
    if output.is_json() {
        return output.value(&serde_json::json!({ "plaintext": hex::encode(&*plaintext) }));
    }
    arguments.destination.secret(&plaintext, output)
}
