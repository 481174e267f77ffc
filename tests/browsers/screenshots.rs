//! Pictures of what the browsers showed: `target/screenshots`, which continuous integration keeps.

use std::fs;
use std::path::{Path, PathBuf};

/// An empty directory for the pictures of one case.
pub fn directory(case: &str) -> PathBuf {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
    let directory = root.join(target).join("screenshots").join(case);
    fs::create_dir_all(&directory).unwrap();
    directory
}

/// Writes the bytes that `text` encodes (RFC 4648 4).
pub fn save_base64(path: &Path, text: &str) {
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3);
    let (mut bits, mut count) = (0_u32, 0);
    for character in text.bytes() {
        let value = match character {
            b'A'..=b'Z' => character - b'A',
            b'a'..=b'z' => character - b'a' + 26,
            b'0'..=b'9' => character - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => continue,
        };
        bits = bits << 6 | u32::from(value);
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push((bits >> count & 0xFF) as u8);
        }
    }
    fs::write(path, bytes).unwrap();
}
