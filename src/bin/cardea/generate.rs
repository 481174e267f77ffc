//! `cardea generate`: a key pair, made by the card itself.

use std::io::{self, IsTerminal, Write};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant};

use cardea_pkcs11::card::key::{Curve, KeyKind};
use cardea_pkcs11::mechanism::{Mechanism, PairType};
use cardea_pkcs11::object::template::Template;
use cardea_pkcs11::session::generate::key_pair;
use cryptoki_sys::*;

use crate::arguments::Arguments as Common;
use crate::cards::Cards;
use crate::choice::TokenChoice;
use crate::failure::{Exit, Failure};
use crate::output::Output;
use crate::writer::{self, Attributes, NewObject};

/// How often the time is shown while the card computes.
const TICK: Duration = Duration::from_millis(250);

/// Which key, and where.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    token: TokenChoice,

    /// Algorithm and size
    #[arg(long, value_name = "KIND", value_parser = kind)]
    kind: KeyKind,

    /// What the key is for; may be repeated. Without it: signatures, and with RSA decryption, with curves key agreement
    #[arg(long = "for", value_name = "USE")]
    uses: Vec<Use>,

    /// The key wants the PIN before each use
    #[arg(long)]
    always_authenticate: bool,

    #[command(flatten)]
    new: NewObject,
}

/// What a key is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Use {
    /// Signatures
    Sign,
    /// Decryption (RSA)
    Decrypt,
    /// Key agreement (curves)
    Derive,
}

/// `rsa-2048`, `p-256`, `ed25519` and so on.
fn kind(text: &str) -> Result<KeyKind, String> {
    let lower = text.to_lowercase();
    let curve = Curve::ALL.into_iter().find(|curve| {
        let name = curve.name().to_lowercase();
        name == lower || name.replace('-', "") == lower
    });
    if let Some(curve) = curve {
        return Ok(KeyKind::Ec(curve));
    }
    let bits = lower.strip_prefix("rsa").map(|rest| rest.trim_start_matches('-')).and_then(|bits| bits.parse().ok());
    match (bits, lower.as_str()) {
        (Some(bits), _) => Ok(KeyKind::Rsa { bits }),
        (_, "ed25519") => Ok(KeyKind::Ed25519),
        (_, "x25519") => Ok(KeyKind::X25519),
        _ => {
            let curves = Curve::ALL.map(|curve| curve.name().to_lowercase()).join(", ");
            Err(format!("one of rsa-2048, rsa-3072, rsa-4096, ed25519, x25519, {curves}"))
        }
    }
}

/// Generates.
pub(crate) fn run(arguments: &Arguments, common: &Common, output: &Output) -> Result<(), Failure> {
    let cards = Cards::open(common)?;
    let token = arguments.token.token(&cards)?;
    let able = writer::makes(&token)?;
    if !able.contains(&arguments.kind) {
        let names: Vec<String> = able.iter().map(|kind| kind.name()).collect();
        let what = format!("this card does not make {} keys", arguments.kind.name());
        let failure = Failure::new(Exit::NotSupported, what);
        return Err(if names.is_empty() { failure } else { failure.advise(format!("it makes {}", names.join(", "))) });
    }
    let session = writer::session(&token, &arguments.new)?;
    let (public, private) = templates(arguments);
    let mechanism = Mechanism::GeneratePair(pair_type(arguments.kind));
    let (public, _) = with_progress(output, || key_pair(&session, mechanism, public, private))
        .map_err(|error| writer::explain(&token, error))?;
    let items = token.items()?;
    let made = items.iter().find(|item| item.handle == public);
    let uri = made.map(|item| token.object_uri(item).to_string()).unwrap_or_default();
    if output.is_json() {
        let id = made.map(|item| hex::encode(&item.id));
        return output.value(&serde_json::json!({ "public_key": uri, "id": id, "key": arguments.kind.name() }));
    }
    output.line(uri)
}

/// The family of mechanisms for a kind of key.
pub(crate) fn pair_type(kind: KeyKind) -> PairType {
    match kind {
        KeyKind::Rsa { .. } => PairType::Rsa,
        KeyKind::Ec(_) => PairType::Ec,
        KeyKind::Ed25519 => PairType::Edwards,
        KeyKind::X25519 => PairType::Montgomery,
    }
}

fn templates(arguments: &Arguments) -> (Template, Template) {
    let Arguments { kind, uses, new, .. } = arguments;
    let (id, label) = (new.id.as_ref().map(|id| id.0.as_slice()), new.label.as_deref());
    let public = Attributes::default().boolean(CKA_TOKEN, true).named(id, label);
    let public = match kind {
        KeyKind::Rsa { bits } => public.number(CKA_MODULUS_BITS, u64::try_from(*bits).unwrap_or(u64::MAX)),
        _ => public.bytes(CKA_EC_PARAMS, &kind.ec_params().unwrap_or_default()),
    };
    let private = Attributes::default()
        .boolean(CKA_TOKEN, true)
        .boolean(CKA_PRIVATE, true)
        .boolean(CKA_SENSITIVE, true)
        .named(id, label);
    let private = uses.iter().fold(private, |private, usage| private.boolean(attribute(*usage), true));
    let private = if arguments.always_authenticate { private.boolean(CKA_ALWAYS_AUTHENTICATE, true) } else { private };
    (public.template(), private.template())
}

/// The attribute of a private key that permits a use.
pub(crate) fn attribute(usage: Use) -> CK_ATTRIBUTE_TYPE {
    match usage {
        Use::Sign => CKA_SIGN,
        Use::Decrypt => CKA_DECRYPT,
        Use::Derive => CKA_DERIVE,
    }
}

/// Shows on a terminal how long the card has been computing.
fn with_progress<R>(output: &Output, work: impl FnOnce() -> R) -> R {
    if !io::stderr().is_terminal() || output.is_json() {
        return work();
    }
    let (done, waiting) = mpsc::channel::<()>();
    let started = Instant::now();
    std::thread::scope(|scope| {
        scope.spawn(move || {
            while waiting.recv_timeout(TICK) == Err(RecvTimeoutError::Timeout) {
                let _ = write!(io::stderr(), "\rthe card makes a key: {} s ", started.elapsed().as_secs());
            }
            let _ = write!(io::stderr(), "\r\x1B[K");
        });
        let result = work();
        drop(done);
        result
    })
}
