//! `cardea doctor`: looks from pcscd up to the programs, and says of each finding what to do.

mod programs;
mod registration;
mod service;
mod token;
mod usb;

use std::path::Path;

use cardea_pkcs11::card::driver::DRIVERS;
use cardea_pkcs11::configuration::Configuration;
use cardea_pkcs11::profile::{Malformed, Profiles};
use serde::Serialize;

use crate::arguments::Arguments as Common;
use crate::cards::Cards;
use crate::failure::{Exit, Failure};
use crate::output::{Colour, Output, printable};
use crate::readers;

/// How a finding is to be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Level {
    /// As it should be.
    Ok,
    /// Worth knowing.
    Note,
    /// In the way.
    Problem,
}

/// One thing that was looked at.
#[derive(Debug, Clone, Serialize)]
struct Finding {
    /// For scripts; never changes its meaning.
    id: &'static str,
    level: Level,
    what: String,
    advice: Option<String>,
}

impl Finding {
    fn ok(id: &'static str, what: impl Into<String>) -> Self {
        Self { id, level: Level::Ok, what: what.into(), advice: None }
    }

    fn note(id: &'static str, what: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { id, level: Level::Note, what: what.into(), advice: Some(advice.into()) }
    }

    fn problem(id: &'static str, what: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { id, level: Level::Problem, what: what.into(), advice: Some(advice.into()) }
    }
}

/// Looks; exit code 1 says that there is a problem.
pub(crate) fn run(common: &Common, output: &Output) -> Result<(), Failure> {
    let mut findings = vec![versions()];
    let mut devices = Vec::new();
    let mut works = true;
    if common.replay.is_none() {
        let service;
        (works, service) = service::look();
        findings.push(service);
        devices = usb::devices(Path::new("/sys"), Path::new("/dev"));
        findings.extend(usb::findings(&devices, Path::new("/proc")));
    }
    if works {
        let cards = Cards::open(common)?;
        let reports = readers::reports(&cards)?;
        findings.extend(service::readers(&reports, devices.len()));
        for (slot, report) in cards.slots()?.iter().filter_map(|slot| {
            let report = reports.iter().find(|report| report.name == slot.reader().name())?;
            Some((slot, report))
        }) {
            findings.extend(token::look(&cards, slot, report));
        }
    }
    findings.extend(registration::look()?);
    findings.extend(configuration());
    findings.extend(profiles());
    report(&findings, output)
}

fn versions() -> Finding {
    let service = service::version().unwrap_or_else(|| "pcsc-lite of unknown version".to_owned());
    let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    Finding::ok("versions", format!("cardea {}, {service}, Linux {}", env!("CARGO_PKG_VERSION"), kernel.trim()))
}

/// What the configuration says that means nothing.
fn configuration() -> Vec<Finding> {
    let (configuration, ignored) = Configuration::read();
    let finding = |what: String, advice: String| Finding::note("configuration-ignored", what, advice);
    let mut findings: Vec<Finding> = ignored
        .iter()
        .map(|ignored| finding(format!("configuration ignored: {ignored}"), "cardea.toml(5) has every key".to_owned()))
        .collect();
    let drivers: Vec<&str> = DRIVERS.iter().map(|driver| driver.name).collect();
    let is_known = |name: &String| drivers.iter().any(|driver| driver.eq_ignore_ascii_case(name));
    for name in configuration.disabled_applications.iter().filter(|name| !is_known(name)) {
        let what = format!("configuration: no application of cards is called {name}, as disabled_applications says");
        findings.push(finding(what, format!("there are {}", drivers.join(", "))));
    }
    findings
}

/// Reader profiles that were added and cannot be read.
fn profiles() -> Vec<Finding> {
    let (_, malformed) = Profiles::load(&Profiles::folders());
    let finding = |malformed: &Malformed| {
        Finding::note("profile-ignored", format!("reader profile ignored: {malformed}"), "mend the file or remove it")
    };
    malformed.iter().map(finding).collect()
}

fn report(findings: &[Finding], output: &Output) -> Result<(), Failure> {
    let problems = findings.iter().filter(|finding| finding.level == Level::Problem).count();
    if output.is_json() {
        output.value(&serde_json::json!({ "findings": findings, "problems": problems }))?;
    } else {
        findings.iter().try_for_each(|finding| show(finding, output))?;
    }
    match problems {
        0 => Ok(()),
        1 => Err(Failure::new(Exit::Failure, if output.is_json() { "" } else { "there is a problem" })),
        _ => Err(Failure::new(
            Exit::Failure,
            if output.is_json() { String::new() } else { format!("there are {problems} problems") },
        )),
    }
}

fn show(finding: &Finding, output: &Output) -> Result<(), Failure> {
    let (colour, level) = match finding.level {
        Level::Ok => (Colour::Green, "ok     "),
        Level::Note => (Colour::Yellow, "note   "),
        Level::Problem => (Colour::Red, "problem"),
    };
    output.line(format!("{}  {}", output.paint(colour, level), printable(&finding.what)))?;
    let advice = finding.advice.as_ref().map(|advice| output.line(format!("         -> {}", printable(advice))));
    advice.unwrap_or(Ok(()))
}
