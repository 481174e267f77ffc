//! The documents for people say what is so: files and tests that they name exist.
#![allow(clippy::unwrap_used, missing_docs)]

use std::fs;
use std::path::{Path, PathBuf};

const DOCUMENTS: [&str; 3] = ["README.md", "CONTRIBUTING.md", "SECURITY.md"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

/// Everything between backticks in the documents, with the document's name.
fn quoted() -> Vec<(&'static str, String)> {
    let mut quoted = Vec::new();
    for document in DOCUMENTS {
        let text = fs::read_to_string(root().join(document)).unwrap();
        let outside_blocks = text.split("```").step_by(2).collect::<String>();
        let spans = outside_blocks.split('`').skip(1).step_by(2).map(|span| (document, span.to_owned()));
        quoted.extend(spans);
    }
    quoted
}

/// All Rust sources below `directory`, one after the other.
fn sources(directory: &Path) -> String {
    let mut text = String::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && !path.ends_with("target") {
            text += &sources(&path);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            text += &fs::read_to_string(&path).unwrap();
        }
    }
    text
}

#[test]
fn every_file_that_is_named_exists() {
    let is_path = |name: &str| {
        ["src/", "tests/", "apdu/"].iter().any(|floor| name.starts_with(floor)) && !name.contains(['<', ' '])
    };
    let paths: Vec<_> = quoted().into_iter().filter(|(_, name)| is_path(name)).collect();
    assert!(paths.len() > 20, "{paths:?}");
    for (document, path) in paths {
        assert!(root().join(&path).exists(), "{document} names {path}");
    }
}

#[test]
fn every_test_that_is_named_exists() {
    let sources = sources(&root());
    let is_test = |name: &str| {
        name.len() > 20
            && name.contains('_')
            && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
    };
    let tests: Vec<_> = quoted().into_iter().filter(|(_, name)| is_test(name)).collect();
    assert!(tests.len() > 10, "{tests:?}");
    for (document, test) in tests {
        assert!(sources.contains(&format!("fn {test}(")), "{document} names the test {test}");
    }
}
