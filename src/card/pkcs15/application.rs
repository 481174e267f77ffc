//! The application on the card: found, and its directory read (PKCS#15 5.7, ISO 7816-15 7).

use super::application_template::ApplicationTemplate;
use super::binary::{read_file, read_record};
use super::certificate::CertificateEntry;
use super::data::DataEntry;
use super::directory_file::DirectoryFile;
use super::file::{FileControl, Files};
use super::key_pair::{PrivateKeyEntry, PublicKeyEntry};
use super::object::Entry;
use super::object_directory::{ObjectClass, ObjectDirectoryEntry, Place};
use super::path::Path;
use super::pin::PinEntry;
use super::secret_key::SecretKeyEntry;
use super::token_info::TokenInfo;
use crate::card::CardError;
use crate::card::command::selection::{select, select_file};
use crate::channel::Channel;

/// AID of PKCS#15: RID A000000063, "PKCS-15".
pub const AID: &[u8] = &[0xA0, 0x00, 0x00, 0x00, 0x63, 0x50, 0x4B, 0x43, 0x53, 0x2D, 0x31, 0x35];
/// AID of ISO 7816-15: E828BD080F, the issuer's name may follow.
pub const CIA_AID: &[u8] = &[0xE8, 0x28, 0xBD, 0x08, 0x0F];
/// File identifier of EF.DIR.
const EF_DIR: u16 = 0x2F00;
/// File identifier of the application's DF where neither AID nor EF.DIR leads to it.
const DF_PKCS15: [u8; 2] = [0x50, 0x15];
/// File identifier of EF.ODF.
const EF_ODF: [u8; 2] = [0x50, 0x31];
/// File identifier of EF.TokenInfo.
const EF_TOKEN_INFO: [u8; 2] = [0x50, 0x32];
/// Most records of EF.DIR.
const DIR_RECORDS_MAX: u8 = 32;

/// Where an application is and how its files are reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Application {
    /// What EF.DIR says of it, if it was asked.
    pub template: ApplicationTemplate,
    /// Its files.
    pub files: Files,
}

/// The entries of one class in one place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listing<T> {
    /// The class, which tells trusted and useful certificates apart.
    pub class: ObjectClass,
    /// Where they are.
    pub place: Place,
    /// The entries, or why they could not be read: `SecurityStatus` until login, `NotFound` for a missing file.
    pub content: Result<DirectoryFile<T>, CardError>,
}

/// Everything that an application lists.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Directory {
    /// EF.TokenInfo; `None` if it is not there.
    pub token_info: Option<TokenInfo>,
    /// EF.ODF.
    pub object_directory: DirectoryFile<ObjectDirectoryEntry>,
    /// PrKDF.
    pub private_keys: Vec<Listing<PrivateKeyEntry>>,
    /// PuKDF, of trusted keys too.
    pub public_keys: Vec<Listing<PublicKeyEntry>>,
    /// SKDF.
    pub secret_keys: Vec<Listing<SecretKeyEntry>>,
    /// CDF, of trusted and useful certificates too.
    pub certificates: Vec<Listing<CertificateEntry>>,
    /// DODF.
    pub data: Vec<Listing<DataEntry>>,
    /// AODF.
    pub authentication: Vec<Listing<PinEntry>>,
}

/// The entries of all listings that could be read.
pub fn entries<T: Entry>(listings: &[Listing<T>]) -> impl Iterator<Item = &T> {
    listings.iter().filter_map(|listing| listing.content.as_ref().ok()).flat_map(DirectoryFile::entries)
}

impl Application {
    /// The application with this DF path, from `3F00`; nothing is sent.
    pub fn at(path: &[u8]) -> Self {
        let template = ApplicationTemplate { path: path.to_vec(), ..ApplicationTemplate::default() };
        Self { template, files: Files::new(Some(path)) }
    }

    /// The application with this AID, selected; `None` if the card does not know it.
    pub fn select(channel: &mut Channel<'_>, aid: &[u8]) -> Result<Option<Self>, CardError> {
        let template = ApplicationTemplate { aid: aid.to_vec(), ..ApplicationTemplate::default() };
        match select(channel, aid) {
            Ok(_) => Ok(Some(Self { template, files: Files::new(None) })),
            Err(CardError::Channel(error)) => Err(error.into()),
            Err(_) => Ok(None),
        }
    }

    /// The application on a card of which nothing is known: by its AID, by EF.DIR, at its customary DF. At most 8
    /// commands, and what the length of EF.DIR costs.
    pub fn find(channel: &mut Channel<'_>) -> Result<Option<Self>, CardError> {
        if let Some(application) = Self::select(channel, AID)? {
            return Ok(Some(application));
        }
        let templates = optional(read_dir(channel))?.unwrap_or_default();
        let found = templates.entries().find(|template| is_ours(&template.aid)).cloned();
        if let Some(template) = found {
            let path = Some(template.path.as_slice()).filter(|path| !path.is_empty());
            if path.is_some() || optional(select(channel, &template.aid))?.is_some() {
                let files = Files::new(path);
                return Ok(Some(Self { template, files }));
            }
        }
        let mut application = Self::at(&DF_PKCS15);
        let selected = optional(application.files.select(channel, &Path::new(EF_ODF)))?;
        Ok(selected.map(|_| application))
    }

    /// Where EF.ODF is.
    pub fn object_directory(&self) -> Path {
        self.template.object_directory.clone().unwrap_or_else(|| Path::new(EF_ODF))
    }

    /// Where EF.TokenInfo is.
    pub fn token_info(&self) -> Path {
        self.template.token_info.clone().unwrap_or_else(|| Path::new(EF_TOKEN_INFO))
    }

    /// Reads a directory file or takes the entries out of EF.ODF; only a broken exchange is an error.
    pub fn list<T: Entry>(
        &mut self,
        channel: &mut Channel<'_>,
        class: ObjectClass,
        place: &Place,
    ) -> Result<Listing<T>, CardError> {
        let content = match place {
            Place::File(path) => self.files.read_directory(channel, path),
            Place::Direct(entries) => DirectoryFile::parse(entries),
            Place::Other(_) => Err(CardError::NotSupported),
        };
        match content {
            Err(CardError::Channel(error)) => Err(error.into()),
            content => Ok(Listing { class, place: place.clone(), content }),
        }
    }
}

impl Directory {
    /// Reads EF.TokenInfo, EF.ODF and everything that it lists.
    pub fn read(channel: &mut Channel<'_>, application: &mut Application) -> Result<Self, CardError> {
        let token_info = match application.files.read_object(channel, &application.token_info()) {
            Ok(content) => Some(TokenInfo::parse(&content)?),
            Err(CardError::NotFound) => None,
            Err(error) => return Err(error),
        };
        let object_directory = application.object_directory();
        let object_directory: DirectoryFile<ObjectDirectoryEntry> =
            application.files.read_directory(channel, &object_directory)?;
        let mut directory = Self { token_info, ..Self::default() };
        for ObjectDirectoryEntry { class, place } in object_directory.entries() {
            directory.add(channel, application, *class, place)?;
        }
        directory.object_directory = object_directory;
        Ok(directory)
    }

    fn add(
        &mut self,
        channel: &mut Channel<'_>,
        application: &mut Application,
        class: ObjectClass,
        place: &Place,
    ) -> Result<(), CardError> {
        use ObjectClass as C;
        match class {
            C::PrivateKeys => self.private_keys.push(application.list(channel, class, place)?),
            C::PublicKeys | C::TrustedPublicKeys => self.public_keys.push(application.list(channel, class, place)?),
            C::SecretKeys => self.secret_keys.push(application.list(channel, class, place)?),
            C::Certificates | C::TrustedCertificates | C::UsefulCertificates => {
                self.certificates.push(application.list(channel, class, place)?);
            }
            C::DataObjects => self.data.push(application.list(channel, class, place)?),
            C::AuthenticationObjects => self.authentication.push(application.list(channel, class, place)?),
        }
        Ok(())
    }

    /// The PIN that an entry's `auth_id` names.
    pub fn pin(&self, auth_id: &[u8]) -> Option<&PinEntry> {
        entries(&self.authentication).find(|pin| pin.auth_id == auth_id)
    }

    /// The directory file in which new objects of a class go.
    pub fn file_for(&self, class: ObjectClass) -> Option<&Path> {
        self.object_directory.entries().find_map(|entry| match &entry.place {
            Place::File(path) if entry.class == class => Some(path),
            _ => None,
        })
    }
}

/// Reads EF.DIR, which has records or is one string of bytes.
pub fn read_dir(channel: &mut Channel<'_>) -> Result<DirectoryFile<ApplicationTemplate>, CardError> {
    let control = FileControl::parse(&select_file(channel, EF_DIR)?);
    if !control.has_records() {
        let size = control.size.filter(|&size| size > 0);
        match read_file(channel, 0, size, super::directory_file::is_complete) {
            Ok(content) => return DirectoryFile::parse(&content),
            Err(CardError::Channel(error)) => return Err(error.into()),
            Err(_) => {}
        }
    }
    let mut content = Vec::new();
    for number in 1..=DIR_RECORDS_MAX {
        match read_record(channel, number) {
            Ok(record) => content.extend_from_slice(whole_object(&record)),
            Err(CardError::Channel(error)) => return Err(error.into()),
            Err(_) => break,
        }
    }
    DirectoryFile::parse(&content)
}

/// The data object in a record, without padding; nothing where there is none.
fn whole_object(record: &[u8]) -> &[u8] {
    let object = cardea_apdu::tlv::Reader::new(record).next().and_then(Result::ok);
    object.map(|object| object.encoded()).unwrap_or_default()
}

/// Whether an AID is of PKCS#15 or ISO 7816-15.
fn is_ours(aid: &[u8]) -> bool {
    aid.starts_with(AID) || aid.starts_with(CIA_AID)
}

/// A value, or nothing where the card refuses; a broken exchange stays an error.
fn optional<T>(result: Result<T, CardError>) -> Result<Option<T>, CardError> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(CardError::Channel(error)) => Err(error.into()),
        Err(_) => Ok(None),
    }
}
