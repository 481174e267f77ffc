//! Debian's kernel: the program inside its compressed image, and the drivers that the machine needs.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;

/// What the machine is made of: a network card and USB from the network.
const DRIVERS: [&str; 3] = ["virtio_pci", "virtio_net", "vhci_hcd"];

/// A kernel that was unpacked from its package.
pub(super) struct Kernel {
    directory: PathBuf,
}

impl Kernel {
    /// The kernel in a directory that has the package's content.
    pub(super) fn new(directory: &Path) -> Self {
        Self { directory: directory.to_owned() }
    }

    /// The kernel itself, an ELF program, out of `boot/vmlinuz-…` (Documentation/arch/x86/boot.rst of Linux): QEMU
    /// starts that at once, while a machine without acceleration takes its time to decompress the image.
    pub(super) fn program(&self) -> io::Result<Vec<u8>> {
        let boot = fs::read_dir(self.directory.join("boot"))?.collect::<io::Result<Vec<_>>>()?;
        let image = boot.iter().find(|entry| entry.file_name().to_string_lossy().starts_with("vmlinuz"));
        let image = fs::read(image.ok_or_else(|| io::Error::other("the package has no kernel"))?.path())?;
        let word = |at: usize| {
            let bytes = image.get(at..at + 4).and_then(|bytes| bytes.try_into().ok()).map(u32::from_le_bytes);
            bytes.map(|word| word as usize).ok_or_else(|| io::Error::other("the kernel is cut short"))
        };
        // setup_sects, payload_offset, payload_length
        let start = (usize::from(image[0x1F1]) + 1) * 512 + word(0x248)?;
        let payload = image.get(start..start + word(0x24C)?).ok_or_else(|| io::Error::other("no payload"))?;
        decompress(payload)
    }

    /// The drivers and those that they need, each after what it needs.
    pub(super) fn drivers(&self) -> io::Result<Vec<(String, Vec<u8>)>> {
        let mut files = BTreeMap::new();
        collect(&self.directory.join("lib/modules"), &mut files)?;
        let mut order = Vec::new();
        for driver in DRIVERS {
            add(driver, &files, &mut order)?;
        }
        Ok(order)
    }
}

/// Decompresses with the program for the format; the kernel's own length may follow the compressed data.
fn decompress(payload: &[u8]) -> io::Result<Vec<u8>> {
    let (program, arguments) = match payload {
        [0xFD, b'7', b'z', ..] => ("xz", ["--decompress", "--single-stream", "--stdout"]),
        [0x28, 0xB5, 0x2F, 0xFD, ..] => ("zstd", ["--decompress", "--quiet", "--stdout"]),
        _ => return Err(io::Error::other("the kernel is compressed in an unknown way")),
    };
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()?;
    let mut input = child.stdin.take().ok_or_else(|| io::Error::other("no way in"))?;
    let output = thread::scope(|scope| {
        // the program ends before it has read what follows
        scope.spawn(move || input.write_all(payload).is_ok());
        child.wait_with_output()
    })?;
    if output.stdout.starts_with(b"\x7FELF") { Ok(output.stdout) } else { Err(io::Error::other("no kernel inside")) }
}

/// All drivers by name, in which `-` and `_` are one.
fn collect(directory: &Path, files: &mut BTreeMap<String, PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        if path.is_dir() {
            collect(&path, files)?;
        } else if let Some(name) = path.file_name().and_then(|name| name.to_str()?.strip_suffix(".ko")) {
            files.insert(name.replace('-', "_"), path);
        }
    }
    Ok(())
}

/// Adds a driver after what it needs; one that has no file is part of the kernel.
fn add(name: &str, files: &BTreeMap<String, PathBuf>, order: &mut Vec<(String, Vec<u8>)>) -> io::Result<()> {
    let Some(path) = files.get(name) else {
        return Ok(());
    };
    let file = format!("{name}.ko");
    if order.iter().any(|(known, _)| *known == file) {
        return Ok(());
    }
    let content = fs::read(path)?;
    for needed in needs(&content) {
        add(&needed, files, order)?;
    }
    order.push((file, content));
    Ok(())
}

/// The names behind `depends=` in a driver's description of itself.
fn needs(driver: &[u8]) -> Vec<String> {
    const KEY: &[u8] = b"\0depends=";
    let found = driver.windows(KEY.len()).position(|window| window == KEY);
    let value = found.and_then(|at| driver[at + KEY.len()..].split(|byte| *byte == 0).next()).unwrap_or_default();
    let names = String::from_utf8_lossy(value).replace('-', "_");
    names.split(',').filter(|name| !name.is_empty()).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_driver_says_which_others_it_needs() {
        assert_eq!(needs(b"\0license=GPL\0depends=usbcore,usbip-core\0retpoline=Y\0"), ["usbcore", "usbip_core"]);
        assert!(needs(b"\0depends=\0name=x\0").is_empty());
        assert!(needs(b"").is_empty());
    }
}
