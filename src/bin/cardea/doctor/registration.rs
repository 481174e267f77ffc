//! Whether programs know of the module.

use super::Finding;
use crate::failure::Failure;
use crate::output::printable;
use crate::register::{self, State, module};

/// What there is to say of it.
pub(super) fn look() -> Result<Vec<Finding>, Failure> {
    let mut findings = Vec::new();
    match module::find(None) {
        Ok(path) => findings.push(Finding::ok("module", format!("the module is {}", path.display()))),
        Err(failure) => {
            findings.push(Finding::note("module-missing", failure.what, "`make install`, or install the package"));
        }
    }
    let places = register::survey(&register::home()?);
    let known = places.iter().any(|place| matches!(place.state, State::Ours(_) | State::Foreign(_)));
    for place in &places {
        let (program, file) = (place.program.title(), printable(&place.file.display().to_string()));
        match &place.state {
            State::Ours(module) | State::Foreign(module) if module.is_absolute() && !module.exists() => {
                let what = format!("{program}: {file} names {}, which is not there", module.display());
                findings.push(Finding::problem("module-gone", what, "`cardea register` writes where it is"));
            }
            State::Ours(module) | State::Foreign(module) => {
                let what = format!("{program} knows the module: {}", module.display());
                findings.push(Finding::ok("module-registered", what));
            }
            State::Absent if known => {
                let what = format!("{program}: {file} does not know the module");
                findings.push(Finding::note("module-absent", what, "`cardea register` tells it"));
            }
            State::Absent | State::Unready(_) => {}
        }
    }
    if !known {
        findings.push(Finding::problem(
            "module-unregistered",
            "no program of yours knows the module: neither Firefox, Thunderbird and Chromium nor p11-kit",
            "`cardea register` tells them; ssh takes it by PKCS11Provider",
        ));
    }
    Ok(findings)
}
