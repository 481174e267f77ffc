//! The price list: card commands and milliseconds of each operation, beside another module's on the same card.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use cryptoki::mechanism::Mechanism;
use cryptoki::object::KeyType;
use cryptoki::session::UserType;
use cryptoki::types::AuthPin;

use crate::client::{self, Credential};
use crate::meter::{Cost, Meter};
use crate::openssl::Openssl;
use crate::{Result, module};

/// How often a warm operation is measured; the middle one counts.
const ROUNDS: usize = 21;
/// OpenSC's module, below a directory of libraries.
const OPENSC: &str = "pkcs11/opensc-pkcs11.so";

type Row = (&'static str, Cost);

/// Measures the module, and OpenSC's where that is installed.
pub(crate) fn bench() -> Result<ExitCode> {
    let ours = measure(&module()?)?;
    let theirs = opensc().map(|opensc| measure(&opensc)).transpose()?.unwrap_or_default();
    println!("{:<34}{:>20}{:>20}", "", "Cardea", if theirs.is_empty() { "" } else { "OpenSC" });
    println!("{:<34}{:>20}{:>20}", "", "commands     ms", if theirs.is_empty() { "" } else { "commands     ms" });
    for (index, (name, cost)) in ours.iter().enumerate() {
        let other = theirs.get(index).map(|(_, cost)| column(*cost)).unwrap_or_default();
        println!("{name:<34}{}{other}", column(*cost));
    }
    Ok(ExitCode::SUCCESS)
}

/// OpenSC's module in `/usr/lib` or, as Debian has it, in the directory of the architecture.
fn opensc() -> Option<PathBuf> {
    let architectures = std::fs::read_dir("/usr/lib").ok()?.filter_map(|entry| Some(entry.ok()?.path()));
    std::iter::once(PathBuf::from("/usr/lib"))
        .chain(architectures)
        .map(|path| path.join(OPENSC))
        .find(|path| path.exists())
}

fn column(cost: Cost) -> String {
    format!("{:>13}{:>7.1}", cost.commands, cost.time.as_secs_f64() * 1000.0)
}

fn measure(module: &Path) -> Result<Vec<Row>> {
    let meter = Meter::of_reader()?;
    let directory = tempfile::tempdir()?;
    let pin: AuthPin = std::env::var("CARDEA_PIN")?.into();
    let mut rows = Vec::new();

    let ((pkcs11, slot), cost) = meter.measure(|| {
        let pkcs11 = client::load(module)?;
        let slot = *pkcs11.get_slots_with_token()?.first().ok_or("no token")?;
        pkcs11.get_token_info(slot)?;
        Ok((pkcs11, slot))
    })?;
    rows.push(("load, slots, token", cost));
    let (_, cost) = meter.measure(|| Ok(pkcs11.get_token_info(slot)?))?;
    rows.push(("token, again", cost));
    let ((session, certificates), cost) = meter.measure(|| {
        let session = pkcs11.open_ro_session(slot)?;
        let (_, certificates) = client::objects(&session)?;
        Ok((session, certificates))
    })?;
    rows.push(("all objects and certificates", cost));
    let (_, cost) = meter.measure(|| client::objects(&session))?;
    rows.push(("all objects, again", cost));
    let (_, cost) = meter.measure(|| Ok(session.login(UserType::User, Some(&pin))?))?;
    rows.push(("login", cost));

    let credentials = client::credentials(&session, &certificates, &Openssl::new(directory.path()))?;
    let key = |wanted: fn(&Credential) -> bool| {
        credentials.iter().find(|credential| wanted(credential)).ok_or("a key is missing")
    };
    let rsa =
        key(|credential| credential.signs && credential.key_type == KeyType::RSA && !credential.always_authenticate)?;
    let ec =
        key(|credential| credential.signs && credential.key_type == KeyType::EC && !credential.always_authenticate)?;
    let each_time = key(|credential| credential.always_authenticate)?;
    let sign_rsa = || Ok(session.sign(&Mechanism::Sha256RsaPkcs, rsa.key, b"bench")?);
    rows.push(("first signature, RSA 2048", meter.measure(sign_rsa)?.1));
    rows.push(("signature, RSA 2048", middle(&meter, sign_rsa)?));
    rows.push(("signature, P-256", middle(&meter, || Ok(session.sign(&Mechanism::Ecdsa, ec.key, &[7; 32])?))?));
    let with_pin = || {
        session.sign_init(&Mechanism::Ecdsa, each_time.key)?;
        session.login(UserType::ContextSpecific, Some(&pin))?;
        session.sign_update(&[7; 32])?;
        Ok(session.sign_final()?)
    };
    rows.push(("signature, P-256, PIN each time", middle(&meter, with_pin)?));
    rows.push(("logout", meter.measure(|| Ok(session.logout()?))?.1));
    let close = || {
        session.close()?;
        Ok(pkcs11.finalize()?)
    };
    rows.push(("close", meter.measure(close)?.1));
    Ok(rows)
}

/// The median of the times, and the most commands that any round took.
fn middle<T>(meter: &Meter, operation: impl Fn() -> Result<T>) -> Result<Cost> {
    let mut times: Vec<Duration> = Vec::new();
    let mut commands = 0;
    for _ in 0..ROUNDS {
        let (_, cost) = meter.measure(&operation)?;
        times.push(cost.time);
        commands = commands.max(cost.commands);
    }
    times.sort();
    Ok(Cost { commands, time: times[ROUNDS / 2] })
}
