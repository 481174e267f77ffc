//! The application's directory files, read in as few commands as their contents allow.

use crate::card::CardError;
use crate::card::pkcs15::{
    Application, DirectoryFile, Entry, Listing, ObjectClass, ObjectDirectoryEntry, Path, PinEntry, Place, TokenInfo,
    entries,
};
use crate::channel::Channel;

/// What describes the token: the files that stand before all others.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Head {
    pub(super) token_info: Option<TokenInfo>,
    pub(super) object_directory: DirectoryFile<ObjectDirectoryEntry>,
    pub(super) authentication: Vec<Listing<PinEntry>>,
}

impl Head {
    /// Reads EF.TokenInfo, EF.ODF and AODF. A card that nobody has personalised has none of them.
    pub(super) fn read(channel: &mut Channel<'_>, application: &mut Application) -> Result<Self, CardError> {
        let place = application.token_info();
        let content = absent_or(application.files.read_object(channel, &place))?;
        let token_info = content.and_then(|content| TokenInfo::parse(&content).ok());
        let place = application.object_directory();
        let object_directory = absent_or(application.files.read_directory(channel, &place))?.unwrap_or_default();
        let mut head = Self { token_info, object_directory, authentication: Vec::new() };
        head.authentication = head.list(channel, application, &[ObjectClass::AuthenticationObjects])?;
        Ok(head)
    }

    /// The same for a change: where the card only does not show a file, nothing is changed.
    pub(super) fn read_to_write(channel: &mut Channel<'_>, application: &mut Application) -> Result<Self, CardError> {
        let place = application.object_directory();
        let object_directory = match application.files.read_directory(channel, &place) {
            Err(CardError::NotFound) => return Self::read(channel, application),
            directory => directory?,
        };
        let place = application.token_info();
        let content = absent_or(application.files.read_object(channel, &place))?;
        let token_info = content.and_then(|content| TokenInfo::parse(&content).ok());
        let mut head = Self { token_info, object_directory, authentication: Vec::new() };
        head.authentication = head.list(channel, application, &[ObjectClass::AuthenticationObjects])?;
        Ok(head)
    }

    /// Reads the directory files of these classes.
    pub(super) fn list<T: Entry>(
        &self,
        channel: &mut Channel<'_>,
        application: &mut Application,
        classes: &[ObjectClass],
    ) -> Result<Vec<Listing<T>>, CardError> {
        let places = self.object_directory.entries().filter(|entry| classes.contains(&entry.class));
        places.map(|ObjectDirectoryEntry { class, place }| application.list(channel, *class, place)).collect()
    }

    /// The directory file in which new objects of a class go.
    pub(super) fn file_for(&self, class: ObjectClass) -> Option<&Path> {
        self.object_directory.entries().find_map(|entry| match &entry.place {
            Place::File(path) if entry.class == class => Some(path),
            _ => None,
        })
    }

    /// The entries of all directory files of a class, read again.
    pub(super) fn entries_of<T: Entry + Clone>(
        &self,
        channel: &mut Channel<'_>,
        application: &mut Application,
        classes: &[ObjectClass],
    ) -> Result<Vec<T>, CardError> {
        Ok(entries(&self.list(channel, application, classes)?).cloned().collect())
    }
}

/// A value, or nothing where the card does not have it or not as it should be; a broken exchange stays an error.
pub(super) fn absent_or<T>(result: Result<T, CardError>) -> Result<Option<T>, CardError> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error @ CardError::Channel(_)) => Err(error),
        Err(_) => Ok(None),
    }
}
