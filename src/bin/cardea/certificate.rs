//! `cardea certificate`: read one from a token, or ask an authority for one.

use cryptoki_sys::CKA_VALUE;
use der::pem::{LineEnding, encode_string};

use crate::arguments::Arguments as Common;
use crate::cards::Cards;
use crate::choice::ObjectChoice;
use crate::failure::{Exit, Failure};
use crate::files::Destination;
use crate::output::Output;
use crate::request;
use crate::uri::Class;

/// What to do with certificates.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Arguments {
    /// Print a certificate that is on a token
    Read(Read),
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

/// Does it.
pub(crate) fn run(arguments: &Arguments, common: &Common, output: &Output) -> Result<(), Failure> {
    match arguments {
        Arguments::Read(read) => self::read(read, common, output),
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

/// DER in PEM (RFC 7468).
pub(crate) fn pem(label: &str, der: &[u8]) -> Result<String, Failure> {
    encode_string(label, LineEnding::LF, der).map_err(|error| Failure::new(Exit::Failure, error.to_string()))
}
