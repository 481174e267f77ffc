//! Compiles `reader-profiles/*.toml` into a constant table; a malformed file ends the build with its name and line.

use std::error::Error;
use std::fmt::Debug;
use std::path::{Path, PathBuf};
use std::{env, fs};

#[allow(dead_code, unreachable_pub, reason = "the module's own definition of a profile")]
#[path = "src/profile/family.rs"]
mod family;

use family::{Fault, ReaderProfile};

#[allow(clippy::disallowed_macros, reason = "standard output is how a build script speaks to cargo")]
fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=reader-profiles");
    println!("cargo::rerun-if-changed=src/profile/family.rs");
    let mut paths = Vec::new();
    for entry in fs::read_dir("reader-profiles")? {
        paths.push(entry?.path());
    }
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "toml"));
    paths.sort();
    let mut entries = Vec::new();
    for path in &paths {
        entries.push(entry(&parse(path)?));
    }
    let count = entries.len();
    let table = format!(
        "/// The profiles of `reader-profiles/`, by file name.\nstatic BUILT_IN: [ReaderProfile; {count}] = [\n{}];\n",
        entries.concat()
    );
    let out = PathBuf::from(env::var("OUT_DIR")?);
    fs::write(out.join("reader_profiles.rs"), table)?;
    Ok(())
}

fn parse(path: &Path) -> Result<ReaderProfile, Box<dyn Error>> {
    let text = fs::read_to_string(path)?;
    toml::from_str(&text).map_err(|error| format!("{}: {error}", path.display()).into())
}

/// The profile as a Rust expression. `{:?}` writes strings, numbers and plain enums as Rust reads them.
fn entry(profile: &ReaderProfile) -> String {
    let ids = list(
        profile.ids.iter().map(|id| format!("UsbId {{ vendor: {:#06x}, product: {:#06x} }}", id.vendor, id.product)),
    );
    let names = texts(&profile.names);
    let faults = list(profile.faults.iter().map(fault));
    format!(
        "    ReaderProfile {{ family: Cow::Borrowed({:?}), ids: {ids}, names: {names}, exchange: {}, largest_command: {:?}, \
         largest_response: {:?}, pin_pad: {:?}, mechanics: {:?}, faults: {faults} }},\n",
        profile.family,
        profile.exchange.map_or_else(|| "None".to_owned(), |level| format!("Some(Exchange::{level:?})")),
        profile.largest_command,
        profile.largest_response,
        profile.pin_pad,
        profile.mechanics,
    )
}

fn fault(fault: &Fault) -> String {
    let denies = list(fault.denies.iter().map(|ability| format!("Ability::{ability:?}")));
    format!("Fault {{ denies: {denies}, what: Cow::Borrowed({:?}), evidence: {} }}", fault.what, texts(&fault.evidence))
}

fn texts(texts: &[impl Debug]) -> String {
    list(texts.iter().map(|text| format!("Cow::Borrowed({text:?})")))
}

fn list(items: impl Iterator<Item = String>) -> String {
    format!("Cow::Borrowed(&[{}])", items.collect::<Vec<_>>().join(", "))
}
