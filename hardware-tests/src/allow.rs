//! The allow-list: which tokens may be touched, and how far.

use std::path::Path;

use serde::Deserialize;

/// The file: any number of `[[token]]`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct AllowList {
    #[serde(default, rename = "token")]
    tokens: Vec<Entry>,
}

/// One token.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Entry {
    /// Serial number as C_GetTokenInfo gives it, without the blanks at its end.
    pub(crate) serial: String,
    /// Variable of the environment with the user's PIN.
    pub(crate) pin_from: Option<String>,
    /// Whether objects may be made and destroyed.
    #[serde(default)]
    pub(crate) destructive: bool,
}

impl AllowList {
    /// Reads the file; the error names file and line.
    pub(crate) fn read(path: &Path) -> Result<Self, String> {
        let text = std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
        Self::parse(&text).map_err(|error| format!("{}: {error}", path.display()))
    }

    fn parse(text: &str) -> Result<Self, String> {
        let list: Self = toml::from_str(text).map_err(|error| error.to_string())?;
        match list.tokens.iter().find(|entry| entry.serial.trim().is_empty()) {
            Some(_) => Err("a token without a serial number would be any token".to_owned()),
            None => Ok(list),
        }
    }

    /// The entry for a serial number.
    pub(crate) fn entry(&self, serial: &str) -> Option<&Entry> {
        self.tokens.iter().find(|entry| entry.serial.trim() == serial.trim())
    }

    /// All entries.
    pub(crate) fn entries(&self) -> &[Entry] {
        &self.tokens
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_touched_only_by_its_whole_serial_and_destroyed_only_when_said() {
        let list =
            AllowList::parse("[[token]]\nserial = 'AB12'\n[[token]]\nserial = 'CD34'\ndestructive = true\n").unwrap();
        assert!(!list.entry("AB12            ").unwrap().destructive);
        assert!(list.entry("CD34").unwrap().destructive);
        assert!(list.entry("AB1").is_none() && list.entry("").is_none() && list.entry("AB123").is_none());
    }

    #[test]
    fn a_list_that_would_allow_any_token_is_refused() {
        assert!(AllowList::parse("[[token]]\nserial = ' '\n").is_err());
        assert!(AllowList::parse("[[token]]\nserial = 'A'\ndestuctive = true\n").unwrap_err().contains("line 3"));
    }

    #[test]
    fn the_example_is_a_list() {
        assert_eq!(AllowList::parse(include_str!("../allow.example.toml")).unwrap().entries().len(), 2);
    }
}
