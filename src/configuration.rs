//! The configuration: `/etc/cardea/cardea.toml`, then the user's own file, then `CARDEA_*` variables.
//!
//! A file that cannot be read as it stands is reported in the log and ignored as a whole: a module inside somebody
//! else's program must not fail for it.

use std::path::PathBuf;

use serde::Deserialize;

use crate::environment;
use crate::log::{Level, Log};

/// What administrators and users may decide.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Configuration {
    /// Refuse a login that would spend the last try of a PIN.
    pub keep_last_try: bool,
    /// What happens to a card when the application's last session with it is closed.
    pub eject: EjectPolicy,
    /// Names of drivers that are not to be asked, such as `OpenPGP`; case does not matter.
    pub disabled_applications: Vec<String>,
}

/// What happens to a card when the application's last session with it is closed, as far as nobody else uses it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EjectPolicy {
    /// Eject where the reader can; else unpower a card that we logged in to; else leave it.
    #[default]
    Auto,
    /// Eject, or unpower where the reader cannot.
    Eject,
    /// Power off.
    Unpower,
    /// Warm reset.
    Reset,
    /// Nothing, unless a verified PIN would stay on the card.
    Leave,
}

/// One configuration file; a key that is absent leaves the earlier value.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    keep_last_try: Option<bool>,
    eject: Option<EjectPolicy>,
    disabled_applications: Option<Vec<String>>,
}

impl Configuration {
    /// Reads the system's file, the user's file and the environment, in this order.
    pub fn load(log: &Log) -> Self {
        let mut configuration = Self::default();
        for path in paths() {
            let Ok(text) = std::fs::read_to_string(&path) else { continue };
            match toml::from_str::<File>(&text) {
                Ok(file) => configuration.apply(&file),
                Err(error) => log.line(Level::Calls, format_args!("{} is ignored: {error}", path.display())),
            }
        }
        if let Some(value) = environment::text("CARDEA_KEEP_LAST_TRY") {
            configuration.keep_last_try = matches!(value.as_str(), "1" | "true" | "yes");
        }
        if let Some(value) = environment::text("CARDEA_EJECT") {
            match toml::from_str::<File>(&format!("eject = {value:?}")) {
                Ok(file) => configuration.apply(&file),
                Err(error) => log.line(Level::Calls, format_args!("CARDEA_EJECT is ignored: {error}")),
            }
        }
        if let Some(value) = environment::text("CARDEA_DISABLED_APPLICATIONS") {
            configuration.disabled_applications =
                value.split(',').map(|name| name.trim().to_owned()).filter(|name| !name.is_empty()).collect();
        }
        configuration
    }

    fn apply(&mut self, file: &File) {
        self.keep_last_try = file.keep_last_try.unwrap_or(self.keep_last_try);
        self.eject = file.eject.unwrap_or(self.eject);
        if let Some(names) = &file.disabled_applications {
            self.disabled_applications.clone_from(names);
        }
    }

    /// Whether the driver of this name may be asked.
    pub fn wants(&self, driver: &str) -> bool {
        !self.disabled_applications.iter().any(|name| name.eq_ignore_ascii_case(driver))
    }
}

fn paths() -> Vec<PathBuf> {
    let user = environment::folder("XDG_CONFIG_HOME", ".config");
    let system = PathBuf::from("/etc/cardea/cardea.toml");
    std::iter::once(system).chain(user.map(|folder| folder.join("cardea/cardea.toml"))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_absent_key_leaves_the_earlier_value() {
        let mut configuration = Configuration { keep_last_try: true, ..Configuration::default() };
        configuration.apply(&toml::from_str("").unwrap());
        assert!(configuration.keep_last_try);
        configuration.apply(&toml::from_str("keep_last_try = false").unwrap());
        assert!(!configuration.keep_last_try);
    }

    #[test]
    fn an_ejection_policy_is_named_in_lower_case() {
        let file: File = toml::from_str("eject = \"unpower\"").unwrap();
        assert_eq!(file.eject, Some(EjectPolicy::Unpower));
        assert!(toml::from_str::<File>("eject = \"sometimes\"").is_err());
    }

    #[test]
    fn an_unknown_key_is_an_error_with_its_line() {
        let error = toml::from_str::<File>("keep_last_try = true\nkeep_lsat_try = true\n").unwrap_err().to_string();
        assert!(error.contains("line 2"), "{error}");
    }
}
