//! `pkcs11.txt`: the modules of an NSS database.
//!
//! Blocks of lines `key=value`, separated by empty lines; `library=`, `name=` and `NSS=` make a module. What is inside
//! `NSS=` is a list of parameters, of which NSS takes those that it knows: ours has one more, which marks it. It stays
//! with its block when other programs rewrite the file, which a comment would not.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::State;
use super::module::is_module;
use super::replace::replace;

/// Marks a block as ours.
const MARK: &str = "registeredBy=cardea";
/// A module that shows all modules of p11-kit, ours among them.
const PROXY: &str = "p11-kit-proxy.so";

/// What a database knows of the module.
pub(super) fn state(file: &Path) -> State {
    let Ok(text) = fs::read_to_string(file) else {
        return State::Unready(if file.exists() {
            "it cannot be read"
        } else {
            "there is no database yet: start the program once, or make one by `certutil -N`"
        });
    };
    let blocks = blocks(&text);
    let entry = blocks.iter().find(|block| block.library().is_some_and(is_module));
    if let Some((block, library)) = entry.and_then(|block| Some((block, block.library()?))) {
        let library = PathBuf::from(library);
        return if block.is_ours() { State::Ours(library) } else { State::Foreign(library) };
    }
    let proxy = blocks.iter().filter_map(Block::library).find(|library| library.ends_with(PROXY));
    match proxy {
        Some(proxy) => State::Foreign(PathBuf::from(proxy)),
        // NSS puts its own module into every database that it makes.
        None if blocks.is_empty() => State::Unready("it is empty: start the program once"),
        None => State::Absent,
    }
}

/// Adds our block, in place of one that is there.
pub(super) fn write(file: &Path, module: &Path) -> io::Result<()> {
    let library = module.to_str().filter(|path| !path.contains('\n'));
    let library = library.ok_or_else(|| io::Error::other("NSS cannot write down the module's path"))?;
    let mut text = without_ours(&fs::read_to_string(file)?);
    if !text.is_empty() && !text.ends_with('\n') {
        text.push('\n');
    }
    if !text.is_empty() && !text.ends_with("\n\n") {
        text.push('\n');
    }
    text.push_str(&format!("library={library}\nname=Cardea\nNSS=trustOrder=100 {MARK}\n\n"));
    replace(file, &text)
}

/// Takes our block away.
pub(super) fn remove(file: &Path) -> io::Result<()> {
    replace(file, &without_ours(&fs::read_to_string(file)?))
}

/// The lines of one module, and those that separate it from the next.
struct Block<'t>(Vec<&'t str>);

impl<'t> Block<'t> {
    fn value(&self, key: &str) -> Option<&'t str> {
        self.0.iter().find_map(|line| line.strip_prefix(key)?.strip_prefix('=')).map(str::trim_end)
    }

    fn library(&self) -> Option<&'t str> {
        self.value("library").filter(|library| !library.is_empty())
    }

    fn is_ours(&self) -> bool {
        self.value("NSS").is_some_and(|parameters| parameters.split_whitespace().any(|parameter| parameter == MARK))
    }
}

/// The blocks of a file; together they are the whole of it.
fn blocks(text: &str) -> Vec<Block<'_>> {
    let mut blocks: Vec<Block<'_>> = Vec::new();
    let mut ended = true;
    for line in text.split_inclusive('\n') {
        let blank = line.trim().is_empty();
        match blocks.last_mut() {
            Some(block) if blank || !ended => block.0.push(line),
            _ => blocks.push(Block(vec![line])),
        }
        ended = blank;
    }
    blocks
}

fn without_ours(text: &str) -> String {
    blocks(text).iter().filter(|block| !block.is_ours()).flat_map(|block| &block.0).copied().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const DATABASE: &str = "library=\nname=NSS Internal PKCS #11 Module\nNSS=Flags=internal,critical\n\n\
                            library=/usr/lib/opensc-pkcs11.so\nname=OpenSC\n\n";

    #[test]
    fn what_is_taken_apart_is_the_whole() {
        for text in [DATABASE, "", "\n\n", "library=a", "a\n\n\n\nb\n", "# x\nlibrary=a\r\n\r\nlibrary=b"] {
            let together: String = blocks(text).iter().flat_map(|block| &block.0).copied().collect();
            assert_eq!(together, text);
        }
        assert_eq!(blocks(DATABASE).len(), 2);
    }

    #[test]
    fn only_a_block_with_the_mark_is_taken_away() {
        let foreign = "library=/usr/lib/libcardea_pkcs11.so\nname=Cardea\nNSS=trustOrder=100\n\n";
        let ours = format!("library=/usr/lib/libcardea_pkcs11.so\nname=Cardea\nNSS=trustOrder=100 {MARK}\n\n");
        assert_eq!(without_ours(&format!("{DATABASE}{foreign}")), format!("{DATABASE}{foreign}"));
        assert_eq!(without_ours(&format!("{ours}{DATABASE}")), DATABASE);
        assert_eq!(without_ours(&format!("{DATABASE}{ours}{foreign}")), format!("{DATABASE}{foreign}"));
    }
}
