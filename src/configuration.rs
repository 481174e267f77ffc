//! The configuration: `/etc/cardea/cardea.toml`, then the user's own file, then `CARDEA_*` variables.
//!
//! What cannot be understood is reported in the log and by `cardea doctor`, and left out: a module inside somebody
//! else's program must not fail for it. One wrong key costs the others nothing; a file that is no TOML is ignored as a
//! whole. The manual page is `packaging/cardea.toml.5`.

use std::collections::BTreeMap;
use std::fmt;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use toml::{Spanned, Value};

use crate::log::{Level, Log};
use crate::{environment, own_file};

/// Longest file in bytes that is read.
const LONGEST_FILE: u64 = 65_536;

/// What administrators and users may decide.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Configuration {
    /// Refuse a login that would spend the last try of a PIN.
    pub keep_last_try: bool,
    /// Keep the user's PIN for as long as the login lasts, and verify it again where another program's use of the card has
    /// ended the login on the card.
    pub restore_login: bool,
    /// Keep other programs away from a card for as long as the application has a session with it.
    pub exclusive: bool,
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

/// A key of the files, and the variable that is asked after them.
pub struct Key {
    /// Its name in a file.
    pub name: &'static str,
    /// The variable.
    pub variable: &'static str,
    /// What holds without it, as a file would say it.
    pub default: &'static str,
    set: fn(&mut Configuration, Value) -> Result<(), toml::de::Error>,
    /// What the text of the variable would be in a file.
    value: fn(&str) -> Value,
}

/// Every key there is. A file can say nothing else.
pub const KEYS: [Key; 5] = [
    Key {
        name: "keep_last_try",
        variable: "CARDEA_KEEP_LAST_TRY",
        default: "false",
        set: |configuration, value| value.try_into().map(|value| configuration.keep_last_try = value),
        value: yes_or_no,
    },
    Key {
        name: "restore_login",
        variable: "CARDEA_RESTORE_LOGIN",
        default: "false",
        set: |configuration, value| value.try_into().map(|value| configuration.restore_login = value),
        value: yes_or_no,
    },
    Key {
        name: "exclusive",
        variable: "CARDEA_EXCLUSIVE",
        default: "false",
        set: |configuration, value| value.try_into().map(|value| configuration.exclusive = value),
        value: yes_or_no,
    },
    Key {
        name: "eject",
        variable: "CARDEA_EJECT",
        default: "\"auto\"",
        set: |configuration, value| value.try_into().map(|value| configuration.eject = value),
        value: |text| Value::String(text.to_owned()),
    },
    Key {
        name: "disabled_applications",
        variable: "CARDEA_DISABLED_APPLICATIONS",
        default: "[]",
        set: |configuration, value| value.try_into().map(|value| configuration.disabled_applications = value),
        value: |text| {
            let names = text.split(',').map(str::trim).filter(|name| !name.is_empty());
            Value::Array(names.map(|name| Value::String(name.to_owned())).collect())
        },
    },
];

fn yes_or_no(text: &str) -> Value {
    match text {
        "1" | "true" | "yes" => Value::Boolean(true),
        "0" | "false" | "no" => Value::Boolean(false),
        other => Value::String(other.to_owned()),
    }
}

/// Something in a file or a variable that is left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ignored {
    /// The file or the variable.
    pub place: String,
    /// Where in the file, counted from 1.
    pub line: Option<usize>,
    /// What is wrong.
    pub message: String,
}

impl fmt::Display for Ignored {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { place, line, message } = self;
        match line {
            Some(line) => write!(formatter, "{place}:{line}: {message}"),
            None => write!(formatter, "{place}: {message}"),
        }
    }
}

impl Configuration {
    /// [`Self::read`], with what is left out in the log.
    pub fn load(log: &Log) -> Self {
        let (configuration, ignored) = Self::read();
        for ignored in ignored {
            log.line(Level::Calls, format_args!("configuration ignored: {ignored}"));
        }
        configuration
    }

    /// Reads the system's file, the user's file and the environment, in this order.
    pub fn read() -> (Self, Vec<Ignored>) {
        let (mut configuration, mut ignored) = (Self::default(), Vec::new());
        for path in paths() {
            match own_file::text(&path, LONGEST_FILE) {
                Ok(text) => ignored.extend(configuration.add(&path, &text)),
                Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {}
                Err(error) => {
                    let place = path.display().to_string();
                    ignored.push(Ignored { place, line: None, message: error.to_string() });
                }
            }
        }
        for key in &KEYS {
            let Some(text) = environment::text(key.variable) else { continue };
            if let Err(error) = (key.set)(&mut configuration, (key.value)(&text)) {
                let place = key.variable.to_owned();
                ignored.push(Ignored { place, line: None, message: error.message().to_owned() });
            }
        }
        (configuration, ignored)
    }

    /// Takes in the text of one file; a key that is absent or wrong leaves the earlier value.
    pub fn add(&mut self, path: &Path, text: &str) -> Vec<Ignored> {
        let place = path.display().to_string();
        let at = |offset: usize, message: String| {
            let before = text.get(..offset).unwrap_or(text);
            Ignored { place: place.clone(), line: Some(before.matches('\n').count() + 1), message }
        };
        let entries = match toml::from_str::<BTreeMap<Spanned<String>, Spanned<Value>>>(text) {
            Ok(entries) => entries,
            Err(error) => {
                let offset = error.span().map_or(0, |span| span.start);
                return vec![at(offset, format!("the whole file is ignored: {}", error.message()))];
            }
        };
        let mut ignored = Vec::new();
        for (name, value) in entries {
            let (offset, name) = (name.span().start, name.into_inner());
            match KEYS.iter().find(|key| key.name == name) {
                None => ignored.push(at(offset, format!("unknown key `{name}`"))),
                Some(key) => {
                    let offset = value.span().start;
                    if let Err(error) = (key.set)(self, value.into_inner()) {
                        ignored.push(at(offset, format!("{name}: {}", error.message())));
                    }
                }
            }
        }
        ignored.sort_by_key(|ignored| ignored.line);
        ignored
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

    fn add(configuration: &mut Configuration, text: &str) -> Vec<String> {
        configuration.add(Path::new("/etc/cardea.toml"), text).iter().map(Ignored::to_string).collect()
    }

    #[test]
    fn an_absent_key_leaves_the_earlier_value() {
        let mut configuration = Configuration { keep_last_try: true, ..Configuration::default() };
        assert!(add(&mut configuration, "").is_empty());
        assert!(configuration.keep_last_try);
        assert!(add(&mut configuration, "keep_last_try = false").is_empty());
        assert!(!configuration.keep_last_try);
    }

    #[test]
    fn an_ejection_policy_is_named_in_lower_case() {
        let mut configuration = Configuration::default();
        assert!(add(&mut configuration, "eject = \"unpower\"").is_empty());
        assert_eq!(configuration.eject, EjectPolicy::Unpower);
    }

    #[test]
    fn an_unknown_key_is_reported_with_file_and_line_and_the_others_hold() {
        let mut configuration = Configuration::default();
        let text =
            "# the house's\nkeep_lsat_try = true\n\ndisabled_applications = [\n  \"MyEID\",\n]\n[readers]\nx = 1\n";
        let ignored = add(&mut configuration, text);
        assert_eq!(
            ignored,
            ["/etc/cardea.toml:2: unknown key `keep_lsat_try`", "/etc/cardea.toml:7: unknown key `readers`"]
        );
        assert!(!configuration.wants("myeid") && configuration.wants("PIV"));
    }

    #[test]
    fn an_unknown_table_is_an_unknown_key_in_every_notation() {
        for text in ["\nreaders.x = 1\n", "\n[readers]\nx = 1\n", "\n[readers.acs]\nx = 1\n", "\n[[readers]]\nx = 1\n"]
        {
            let ignored = add(&mut Configuration::default(), text);
            assert_eq!(ignored, ["/etc/cardea.toml:2: unknown key `readers`"], "{text}");
        }
    }

    #[test]
    fn a_wrong_value_is_reported_with_its_line_and_leaves_the_earlier_one() {
        let mut configuration = Configuration { eject: EjectPolicy::Reset, ..Configuration::default() };
        let ignored = add(&mut configuration, "eject = \"sometimes\"\nkeep_last_try = \"yes\"\n");
        assert_eq!(ignored.len(), 2, "{ignored:?}");
        assert!(ignored[0].starts_with("/etc/cardea.toml:1: eject: unknown variant `sometimes`"), "{ignored:?}");
        assert!(ignored[1].starts_with("/etc/cardea.toml:2: keep_last_try: invalid type"), "{ignored:?}");
        assert_eq!(configuration, Configuration { eject: EjectPolicy::Reset, ..Configuration::default() });
    }

    #[test]
    fn a_file_that_is_no_toml_is_ignored_as_a_whole() {
        let mut configuration = Configuration::default();
        let ignored = add(&mut configuration, "keep_last_try = true\neject = leave\n");
        assert!(ignored[0].starts_with("/etc/cardea.toml:2: the whole file is ignored"), "{ignored:?}");
        assert_eq!((ignored.len(), configuration), (1, Configuration::default()));
    }

    #[test]
    fn a_variable_says_what_a_file_would() {
        let mut configuration = Configuration::default();
        for (key, text) in KEYS.iter().zip(["yes", "1", "true", "leave", "PIV, OpenPGP,"]) {
            (key.set)(&mut configuration, (key.value)(text)).unwrap();
        }
        let expected = Configuration {
            keep_last_try: true,
            restore_login: true,
            exclusive: true,
            eject: EjectPolicy::Leave,
            disabled_applications: vec!["PIV".to_owned(), "OpenPGP".to_owned()],
        };
        assert_eq!(configuration, expected);
        assert!((KEYS[0].set)(&mut configuration, (KEYS[0].value)("maybe")).is_err());
    }

    #[test]
    fn every_key_has_the_default_that_it_says() {
        let mut configuration = Configuration {
            keep_last_try: true,
            restore_login: true,
            exclusive: true,
            eject: EjectPolicy::Leave,
            disabled_applications: vec!["PIV".to_owned()],
        };
        for key in &KEYS {
            assert!(add(&mut configuration, &format!("{} = {}", key.name, key.default)).is_empty(), "{}", key.name);
        }
        assert_eq!(configuration, Configuration::default());
    }
}
