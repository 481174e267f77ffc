//! Keys in lasting memory, and the directory files that name them to every program.
//!
//! A key is made first and listed then; what fails on the way is taken back. It is deleted first and taken from the
//! lists then: a torn deletion leaves a name without a key, never a key without a name. A torn making may leave one, of
//! which the caller's journal knows.

use super::content::rename;
use super::file::{KeyFile, Kind};
use super::store;
use crate::card::key::{KeyKind, PublicKey};
use crate::card::new_object::Change;
use crate::card::pkcs15::binary::update_binary;
use crate::card::pkcs15::{
    AccessFlags, Application, Common, Entry, Item, KeyAlgorithm, KeyAttributes, KeyUsage, ObjectClass, ObjectValue,
    Path, PrivateKeyEntry, PublicKeyEntry, SecretKeyAlgorithm, SecretKeyEntry, TokenInfo,
};
use crate::card::secret_key::{SecretKey, SecretKind};
use crate::card::{Authentication, CardError, KeyReference, PrivateKey};
use crate::channel::Channel;

use super::directory::Head;

/// File identifiers for public keys, as OpenSC's profile has them.
const PUBLIC_KEYS: core::ops::RangeInclusive<u16> = 0x5501..=0x55FF;
/// AES with ECB and CBC, DER OBJECT IDENTIFIER without its last byte (2.16.840.1.101.3.4.1).
const AES: &[u8] = &[0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x01];

/// The application, its lists, and whose PIN guards what is made.
pub(super) struct Lists<'a> {
    pub(super) application: &'a mut Application,
    pub(super) head: &'a Head,
    /// Identifier of the user's PIN in the lists.
    pub(super) auth_id: &'a [u8],
    /// Reference of the user's PIN.
    pub(super) pin: u8,
    /// The file for the next content, where one was chosen.
    pub(super) reserved: Option<KeyReference>,
}

impl Lists<'_> {
    /// Lists a private key, and keeps its public half in a file of its own.
    pub(super) fn add_private(
        &mut self,
        channel: &mut Channel<'_>,
        key: &PrivateKey,
        extractable: bool,
    ) -> Result<(), CardError> {
        let (algorithm, bits) = match key.kind {
            KeyKind::Rsa { bits } => (KeyAlgorithm::Rsa, bits),
            KeyKind::Ec(curve) => (KeyAlgorithm::Ec, curve.order_bits()),
            KeyKind::Ed25519 | KeyKind::X25519 => return Err(CardError::NotSupported),
        };
        let usage = KeyUsage::from(key.usage);
        let mut attributes = self.attributes(key.reference, &key.id, usage);
        attributes.access = Some(AccessFlags::of(key.local == Some(true), extractable));
        let size = u32::try_from(bits).ok();
        let mut entry = PrivateKeyEntry::new(algorithm, attributes, value(key.reference.0), size);
        entry.common = Common::guarded(&key.label, key.authentication, self.auth_id);
        self.push(channel, ObjectClass::PrivateKeys, entry)?;
        let Some(public) = &key.public else { return Ok(()) };
        let file = self.public_file(channel, key.reference, public)?;
        let attributes = KeyAttributes { native: false, ..KeyAttributes::new(key.id.clone(), usage.of_public_half()) };
        let mut entry = PublicKeyEntry::new(algorithm, attributes, value(file), size);
        entry.common = Common::guarded(&key.label, Authentication::Never, self.auth_id);
        self.push(channel, ObjectClass::PublicKeys, entry)
    }

    /// Lists a secret key.
    pub(super) fn add_secret(&mut self, channel: &mut Channel<'_>, key: &SecretKey) -> Result<(), CardError> {
        let algorithm = match key.kind {
            SecretKind::Des3 => SecretKeyAlgorithm::Des3,
            SecretKind::Aes { .. } | SecretKind::AesUntold | SecretKind::Generic { .. } => SecretKeyAlgorithm::Generic,
        };
        let mut attributes = self.attributes(key.reference, &key.id, key.usage.into());
        attributes.access = Some(AccessFlags::of(key.local == Some(true), key.extractable));
        attributes.algorithms = aes_references(key.kind, self.head.token_info.as_ref());
        let bits = u32::try_from(key.kind.len().saturating_mul(8)).ok();
        let mut entry = SecretKeyEntry::new(algorithm, attributes, value(key.reference.0), bits);
        entry.common = Common::guarded(&key.label, key.authentication, self.auth_id);
        self.push(channel, ObjectClass::SecretKeys, entry)
    }

    /// Deletes a lasting key with its public half and takes both from the lists; `NotFound` where nothing of it is.
    pub(super) fn delete(
        &mut self,
        channel: &mut Channel<'_>,
        KeyReference(file): KeyReference,
    ) -> Result<(), CardError> {
        let deleted = match KeyFile::select(channel, file) {
            Ok(found) if found.kind.is_none() || found.is_session_object() => return Err(CardError::NotFound),
            Ok(_) => {
                store::delete_selected(channel)?;
                true
            }
            Err(CardError::NotFound) => false,
            Err(error) => return Err(error),
        };
        let named = self.remove(channel, file)?;
        self.delete_public_file(channel, KeyReference(file))?;
        if deleted || named { Ok(()) } else { Err(CardError::NotFound) }
    }

    /// Deletes a lasting key that no list names; `NotFound`, and nothing deleted, where it is gone or named. Where the
    /// lists cannot be read whole, nothing is known and nothing deleted.
    pub(super) fn delete_unlisted(
        &mut self,
        channel: &mut Channel<'_>,
        KeyReference(file): KeyReference,
    ) -> Result<(), CardError> {
        let found = match KeyFile::select(channel, file) {
            Err(CardError::NotFound) => {
                if store::is_missing(channel, file)? {
                    // What is named and gone is a deletion that broke off.
                    self.remove(channel, file)?;
                    self.delete_public_file(channel, KeyReference(file))?;
                }
                return Err(CardError::NotFound);
            }
            found => found?,
        };
        let own = match found.kind {
            Some(Kind::Rsa | Kind::Curve) => ObjectClass::PrivateKeys,
            Some(Kind::Des | Kind::Aes | Kind::GenericSecret) => ObjectClass::SecretKeys,
            None => return Err(CardError::NotFound),
        };
        if found.is_session_object() || self.is_named(channel, file, own)? {
            return Err(CardError::NotFound);
        }
        KeyFile::select(channel, file)?;
        store::delete_selected(channel)?;
        self.delete_public_file(channel, KeyReference(file))
    }

    /// Whether a list of keys names this file, or may name it in a manner that is not understood. The list of its `own`
    /// class has to be there.
    fn is_named(&mut self, channel: &mut Channel<'_>, file: u16, own: ObjectClass) -> Result<bool, CardError> {
        let incomplete = self.head.object_directory.items().iter().any(|item| item.entry.is_err());
        if incomplete || self.head.file_for(own).is_none() {
            return Err(CardError::Malformed { what: "EF.ODF" });
        }
        let privates = [ObjectClass::PrivateKeys];
        let publics = [ObjectClass::PublicKeys, ObjectClass::TrustedPublicKeys];
        let secrets = [ObjectClass::SecretKeys];
        Ok(self.names::<PrivateKeyEntry>(channel, &privates, (file, own), |key| Some(&key.attributes.value))?
            || self.names::<PublicKeyEntry>(channel, &publics, (file, own), |key| Some(&key.attributes.value))?
            || self.names::<SecretKeyEntry>(channel, &secrets, (file, own), |key| key.value.as_ref())?)
    }

    pub(super) fn names<T: Entry>(
        &mut self,
        channel: &mut Channel<'_>,
        classes: &[ObjectClass],
        (file, own): (u16, ObjectClass),
        value: impl Fn(&T) -> Option<&ObjectValue>,
    ) -> Result<bool, CardError> {
        for listing in self.head.list::<T>(channel, self.application, classes)? {
            let directory = match listing.content {
                Ok(directory) => directory,
                Err(CardError::NotFound) if listing.class != own => continue,
                Err(CardError::NotFound) => return Err(CardError::Malformed { what: "EF.ODF" }),
                Err(error) => return Err(error),
            };
            let names = |item: &Item<T>| match item.entry.as_ref().ok().and_then(Option::as_ref).and_then(&value) {
                Some(ObjectValue::Path(path)) if path.identifier().is_some() => path.identifier() == Some(file),
                _ => item.encoded.windows(2).any(|bytes| bytes == file.to_be_bytes()),
            };
            if directory.items().iter().any(names) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Takes a key from the lists, and its public half where no other key has the same identifier; whether it was in one.
    pub(super) fn remove(&mut self, channel: &mut Channel<'_>, file: u16) -> Result<bool, CardError> {
        let secret = self.take::<SecretKeyEntry>(channel, ObjectClass::SecretKeys, |entry| {
            entry.value.as_ref().and_then(identifier) == Some(file)
        })?;
        let private = self.take::<PrivateKeyEntry>(channel, ObjectClass::PrivateKeys, |entry| {
            identifier(&entry.attributes.value) == Some(file)
        })?;
        let kept = if private.is_empty() {
            Vec::new()
        } else {
            let classes = [ObjectClass::PrivateKeys];
            self.head.entries_of::<PrivateKeyEntry>(channel, self.application, &classes)?
        };
        let is_kept = |id: &[u8]| kept.iter().any(|other| other.key.id == id);
        for entry in private.iter().filter(|entry| !is_kept(&entry.key.id)) {
            let halves = self.take::<PublicKeyEntry>(channel, ObjectClass::PublicKeys, |public| {
                public.key.id == entry.key.id && public.algorithm == entry.algorithm
            })?;
            for path in halves.iter().filter_map(|half| half.attributes.value.path()) {
                match self.application.files.select(channel, path) {
                    Ok(_) => store::delete_selected(channel)?,
                    Err(CardError::NotFound) => {}
                    Err(error) => return Err(error),
                }
            }
        }
        Ok(!secret.is_empty() || !private.is_empty())
    }

    /// Changes what a key and its public half are called.
    pub(super) fn change_key(
        &mut self,
        channel: &mut Channel<'_>,
        KeyReference(file): KeyReference,
        change: &Change,
    ) -> Result<(), CardError> {
        let secret = self.update::<SecretKeyEntry>(channel, ObjectClass::SecretKeys, |entry| {
            let ours = entry.value.as_ref().and_then(identifier) == Some(file);
            if ours {
                rename(&mut entry.common, change);
                identify(&mut entry.key, change);
            }
            ours
        })?;
        let mut before = Vec::new();
        let private = self.update::<PrivateKeyEntry>(channel, ObjectClass::PrivateKeys, |entry| {
            let ours = identifier(&entry.attributes.value) == Some(file);
            if ours {
                before.push((entry.key.id.clone(), entry.algorithm));
                rename(&mut entry.common, change);
                identify(&mut entry.key, change);
                attribute_to(&mut entry.subject, change);
            }
            ours
        })?;
        self.update::<PublicKeyEntry>(channel, ObjectClass::PublicKeys, |entry| {
            let ours = before.contains(&(entry.key.id.clone(), entry.algorithm));
            if ours {
                rename(&mut entry.common, change);
                identify(&mut entry.key, change);
                attribute_to(&mut entry.subject, change);
            }
            ours
        })?;
        if secret + private > 0 { Ok(()) } else { Err(CardError::NotFound) }
    }

    /// Changes the entries of a list for which `change` answers true; how many.
    pub(super) fn update<T: Entry>(
        &mut self,
        channel: &mut Channel<'_>,
        class: ObjectClass,
        change: impl FnMut(&mut T) -> bool,
    ) -> Result<usize, CardError> {
        let Some(path) = self.head.file_for(class) else { return Ok(0) };
        self.application.files.change_directory(channel, path, |directory| Ok(directory.update(change)))
    }

    fn attributes(&self, KeyReference(file): KeyReference, id: &[u8], usage: KeyUsage) -> KeyAttributes {
        let [_, low] = file.to_be_bytes();
        KeyAttributes { key_reference: Some(i32::from(low)), ..KeyAttributes::new(id, usage) }
    }

    /// Puts the public half in a file: SubjectPublicKeyInfo, read by all. It is called after the key's file, where that
    /// is free, so that it is found when the making breaks off here.
    fn public_file(&self, channel: &mut Channel<'_>, key: KeyReference, public: &PublicKey) -> Result<u16, CardError> {
        let content = public.to_spki();
        let own = public_file_of(key);
        let file = match store::free_identifier(channel, own..=own, |_| false) {
            Err(CardError::Memory) => store::free_identifier(channel, PUBLIC_KEYS, |_| false)?.0,
            free => free?.0,
        };
        store::create_public_file(channel, file, content.len(), self.pin)?;
        KeyFile::select(channel, file)?;
        update_binary(channel, 0, &content)?;
        Ok(file)
    }

    /// Deletes the file of a public half that no list names, which is left where its making broke off.
    fn delete_public_file(&mut self, channel: &mut Channel<'_>, key: KeyReference) -> Result<(), CardError> {
        let file = public_file_of(key);
        match KeyFile::select(channel, file) {
            Ok(found) if found.kind.is_none() => {}
            Ok(_) | Err(CardError::NotFound) => return Ok(()),
            Err(error) => return Err(error),
        }
        if self.is_named(channel, file, ObjectClass::PublicKeys)? {
            return Ok(());
        }
        KeyFile::select(channel, file)?;
        store::delete_selected(channel)
    }

    pub(super) fn push<T: Entry>(
        &mut self,
        channel: &mut Channel<'_>,
        class: ObjectClass,
        entry: T,
    ) -> Result<(), CardError> {
        let path = self.head.file_for(class).ok_or(CardError::NotSupported)?;
        self.application.files.change_directory(channel, path, |directory| {
            directory.push(entry);
            Ok(())
        })
    }

    /// Takes entries out of a list.
    pub(super) fn take<T: Entry + Clone>(
        &mut self,
        channel: &mut Channel<'_>,
        class: ObjectClass,
        unwanted: impl Fn(&T) -> bool,
    ) -> Result<Vec<T>, CardError> {
        let Some(path) = self.head.file_for(class) else { return Ok(Vec::new()) };
        self.application.files.change_directory::<T, _>(channel, path, |directory| {
            let taken = directory.entries().filter(|entry| unwanted(entry)).cloned().collect();
            directory.remove(|entry| unwanted(entry));
            Ok(taken)
        })
    }
}

/// The file for the public half of a key.
fn public_file_of(KeyReference(file): KeyReference) -> u16 {
    PUBLIC_KEYS.start() & 0xFF00 | file & 0x00FF
}

/// Where a file of the application is.
pub(super) fn value(file: u16) -> ObjectValue {
    let [high, low] = file.to_be_bytes();
    ObjectValue::Path(Path::new([0x3F, 0x00, 0x50, 0x15, high, low]))
}

fn identifier(value: &ObjectValue) -> Option<u16> {
    value.path()?.identifier()
}

/// The identifier that is wanted, if one is.
fn attribute_to(subject: &mut Vec<u8>, change: &Change) {
    if let Some(new) = &change.subject {
        subject.clone_from(new);
    }
}

fn identify(key: &mut KeyAttributes, change: &Change) {
    if let Some(id) = &change.id {
        key.id.clone_from(id);
    }
}

/// The token's references for AES keys of this length: ECB and CBC.
fn aes_references(kind: SecretKind, token_info: Option<&TokenInfo>) -> Vec<i32> {
    let modes = match kind {
        SecretKind::Aes { bits: 128 } => [1, 2],
        SecretKind::Aes { bits: 192 } => [21, 22],
        SecretKind::Aes { bits: 256 } => [41, 42],
        _ => return Vec::new(),
    };
    let algorithms = token_info.map(|token| token.algorithms.as_slice()).unwrap_or_default();
    let is_mode = |oid: &[u8]| matches!(oid.strip_prefix(AES), Some([mode]) if modes.contains(mode));
    algorithms.iter().filter(|info| is_mode(&info.oid)).map(|info| info.reference).collect()
}
