//! The file tree and its memory: persistent and volatile.

use super::MyEidOptions;
use super::file::{Attributes, Content, File, FileNumber, Kind, Parameters, memory};
use super::status::{FILE_EXISTS, INVALID_DATA, NOT_ENOUGH_MEMORY};

/// 3F00: the MF.
pub(super) const MASTER_FILE: u16 = 0x3F00;
/// 5015: the application's DF.
pub(super) const APPLICATION: u16 = 0x5015;

/// 2F01: EF.ATR/INFO (ISO 7816-4 11.4.1.1).
const EF_ATR: u16 = 0x2F01;
/// Access conditions of a file that everybody may read and nobody change.
const READABLE: [u8; 3] = [0x0F, 0xFF, 0xFF];

/// Which files GET DATA lists.
pub(super) type Listed = fn(Kind) -> bool;

/// All files of the card.
#[derive(Debug)]
pub(super) struct FileSystem {
    files: Vec<File>,
    next: u32,
    persistent_bytes: usize,
    volatile_bytes: usize,
    session_objects: bool,
}

impl FileSystem {
    /// MF and application DF with the access conditions of each.
    pub(super) fn new(options: &MyEidOptions, persistent_bytes: usize, master: [u8; 3], application: [u8; 3]) -> Self {
        let mut system = Self {
            files: Vec::new(),
            next: 0,
            persistent_bytes,
            volatile_bytes: options.volatile_bytes,
            session_objects: options.has_session_objects(),
        };
        let directory = |id, access, name: &[u8]| Parameters {
            size: 0,
            kind: Kind::Directory,
            id,
            access,
            attributes: Attributes::default(),
            name: name.to_vec(),
        };
        let root = FileNumber(0);
        system.insert(root, directory(MASTER_FILE, master, &[]));
        system.insert(root, directory(APPLICATION, application, &super::MYEID_AID));
        if let Some(content) = options.ef_atr() {
            let number = system.insert(
                root,
                Parameters {
                    size: content.len() as u16,
                    kind: Kind::Transparent,
                    id: EF_ATR,
                    access: READABLE,
                    attributes: Attributes::default(),
                    name: Vec::new(),
                },
            );
            if let Some(file) = system.file_mut(number) {
                file.content = Content::Transparent(content);
            }
        }
        system
    }

    fn insert(&mut self, parent: FileNumber, parameters: Parameters) -> FileNumber {
        let number = FileNumber(self.next);
        self.next += 1;
        let volatile = self.session_objects && parameters.attributes.is_session_object();
        self.files.push(File::new(number, parent, parameters, volatile));
        number
    }

    pub(super) fn root(&self) -> FileNumber {
        FileNumber(0)
    }

    pub(super) fn file(&self, number: FileNumber) -> Option<&File> {
        self.files.iter().find(|file| file.number == number)
    }

    pub(super) fn file_mut(&mut self, number: FileNumber) -> Option<&mut File> {
        self.files.iter_mut().find(|file| file.number == number)
    }

    /// The DF that a selected file stands for: itself, or the one that an EF is in. A file that is gone stands for the MF.
    pub(super) fn directory(&self, selected: FileNumber) -> FileNumber {
        match self.file(selected) {
            Some(file) if file.is_directory() => file.number,
            Some(file) => file.parent,
            None => self.root(),
        }
    }

    pub(super) fn child(&self, directory: FileNumber, id: u16) -> Option<&File> {
        let root = self.root();
        self.files.iter().find(|file| file.parent == directory && file.id == id && file.number != root)
    }

    /// The file that SELECT by file identifier finds: MF, current DF, its children, its parent, its siblings (ISO 7816-4 7.4.1).
    pub(super) fn by_identifier(&self, current: FileNumber, id: u16) -> Option<&File> {
        if id == MASTER_FILE {
            return self.file(self.root());
        }
        let current = self.file(current)?;
        let parent = self.file(current.parent)?;
        [current, parent]
            .into_iter()
            .find(|file| file.id == id)
            .or_else(|| self.child(current.number, id))
            .or_else(|| self.child(parent.number, id).filter(|file| file.is_directory()))
    }

    /// Follows file identifiers downwards.
    pub(super) fn by_path(&self, from: FileNumber, path: &[u8]) -> Option<&File> {
        if !path.len().is_multiple_of(2) {
            return None;
        }
        path.chunks(2).try_fold(self.file(from)?, |file, id| {
            file.is_directory().then(|| self.child(file.number, u16::from_be_bytes([id[0], id[1]])))?
        })
    }

    /// The DF whose name begins with `name`.
    pub(super) fn by_name(&self, name: &[u8]) -> Option<&File> {
        self.files.iter().find(|file| !name.is_empty() && file.name().starts_with(name))
    }

    /// The file identifiers of a DF's children.
    pub(super) fn list(&self, directory: FileNumber, listed: Listed) -> Vec<u8> {
        let root = self.root();
        self.files
            .iter()
            .filter(|file| file.parent == directory && file.number != root && listed(file.kind))
            .flat_map(|file| file.id.to_be_bytes())
            .collect()
    }

    fn used(&self, volatile: bool) -> usize {
        self.files.iter().filter(|file| file.volatile == volatile).map(File::memory).sum()
    }

    /// Creates a file in a DF; 6A89 if the identifier or name is taken, 6A84 if its memory is full.
    pub(super) fn create(&mut self, directory: FileNumber, parameters: Parameters) -> Result<FileNumber, u16> {
        let named = !parameters.name.is_empty() && self.files.iter().any(|file| file.name() == parameters.name);
        if named || self.child(directory, parameters.id).is_some() {
            return Err(FILE_EXISTS);
        }
        let volatile = self.session_objects && parameters.attributes.is_session_object();
        if volatile && !parameters.kind.is_key() {
            return Err(INVALID_DATA);
        }
        let bound = if volatile { self.volatile_bytes } else { self.persistent_bytes };
        let needed = memory(parameters.kind, parameters.size, parameters.name.len());
        if self.used(volatile) + needed > bound {
            return Err(NOT_ENOUGH_MEMORY);
        }
        Ok(self.insert(directory, parameters))
    }

    /// Deletes a file with everything below it.
    pub(super) fn delete(&mut self, number: FileNumber) {
        let mut doomed = vec![number];
        while let Some(number) = doomed.pop() {
            self.files.retain(|file| file.number != number);
            doomed.extend(self.files.iter().filter(|file| file.parent == number).map(|file| file.number));
        }
    }

    /// Volatile memory loses its contents.
    pub(super) fn lose_volatile(&mut self) {
        self.files.retain(|file| !file.volatile);
    }

    /// The identifiers of files in volatile memory, in the order of their creation.
    pub(super) fn volatile_files(&self) -> Vec<u16> {
        self.files.iter().filter(|file| file.volatile).map(|file| file.id).collect()
    }

    /// The identifiers of all key files, in the order of their creation.
    pub(super) fn key_files(&self) -> Vec<u16> {
        self.files.iter().filter(|file| file.kind.is_key()).map(|file| file.id).collect()
    }
}
