//! The `openssl` command line: what judges signatures, and makes what is to be decrypted.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::program::{Run, run};

/// `openssl` working in one directory.
pub struct OpenSsl {
    directory: PathBuf,
}

/// How a signature was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme<'a> {
    /// PKCS#1 v1.5 over a DigestInfo of this hash.
    Pkcs1(&'a str),
    /// PKCS#1 v1.5 over the bytes as they are.
    Pkcs1Raw,
    /// RSA without padding.
    Raw,
    /// PSS with hash, mask generation hash and salt length.
    Pss(&'a str, &'a str, usize),
    /// ECDSA, the signature being DER.
    Ecdsa,
    /// Ed25519 over the message itself.
    Eddsa,
}

impl OpenSsl {
    pub fn new(directory: impl Into<PathBuf>) -> Self {
        Self { directory: directory.into() }
    }

    /// Runs `openssl` with these arguments.
    pub fn run<S: AsRef<str>>(&self, arguments: &[S]) -> Run {
        let mut command = Command::new("openssl");
        command.args(arguments.iter().map(AsRef::as_ref)).current_dir(&self.directory);
        run(command)
    }

    /// The hash of `data`.
    pub fn digest(&self, hash: &str, data: &[u8]) -> Vec<u8> {
        let data = self.file(data);
        self.run(&["dgst", &format!("-{hash}"), "-binary", text(&data)]).succeeded().stdout
    }

    /// Whether `signature` is one over `input` (a hash, or what the scheme signs in its place) by the key of the
    /// certificate or public key in the file `key`.
    pub fn verifies(&self, key: &str, scheme: Scheme<'_>, input: &[u8], signature: &[u8]) -> bool {
        match scheme {
            Scheme::Raw => return self.recovers(key, "none", input, signature),
            Scheme::Pkcs1Raw => return self.recovers(key, "pkcs1", input, signature),
            _ => {}
        }
        let (input, signature) = (self.file(input), self.file(signature));
        let kind = if key.contains(".crt.") { "-certin" } else { "-pubin" };
        let mut arguments =
            ["pkeyutl", "-verify", kind, "-inkey", key, "-sigfile", text(&signature), "-in", text(&input)]
                .map(str::to_owned)
                .to_vec();
        let mut option = |option: String| arguments.extend(["-pkeyopt".to_owned(), option]);
        match scheme {
            Scheme::Pkcs1(hash) => option(format!("digest:{hash}")),
            Scheme::Pss(hash, mask, salt) => {
                option("rsa_padding_mode:pss".to_owned());
                option(format!("digest:{hash}"));
                option(format!("rsa_mgf1_md:{mask}"));
                option(format!("rsa_pss_saltlen:{salt}"));
            }
            Scheme::Eddsa => arguments.push("-rawin".to_owned()),
            Scheme::Ecdsa | Scheme::Raw | Scheme::Pkcs1Raw => {}
        }
        let run = self.run(&arguments);
        let verified = run.text.contains("Signature Verified Successfully");
        assert_eq!(verified, run.status.success(), "{}", run.text);
        verified
    }

    /// Whether an RSA signature, its padding taken off, is `input`: `-verify` takes nothing longer than a hash.
    fn recovers(&self, key: &str, padding: &str, input: &[u8], signature: &[u8]) -> bool {
        let signature = self.file(signature);
        let kind = if key.contains(".crt.") { "-certin" } else { "-pubin" };
        let option = format!("rsa_padding_mode:{padding}");
        let arguments =
            ["pkeyutl", "-verifyrecover", kind, "-inkey", key, "-in", text(&signature), "-pkeyopt", &option];
        let run = self.run(&arguments);
        run.status.success() && run.stdout == input
    }

    /// `message` encrypted to the key in the file `key`; `options` are those of `-pkeyopt`.
    pub fn encrypt(&self, key: &str, options: &[&str], message: &[u8]) -> Vec<u8> {
        let message = self.file(message);
        let mut arguments = vec!["pkeyutl", "-encrypt", "-pubin", "-inkey", key, "-in", text(&message)];
        arguments.extend(options.iter().flat_map(|option| ["-pkeyopt", option]));
        self.run(&arguments).succeeded().stdout
    }

    /// A fresh key on `curve` (P-256, X25519 …): the file of the private key, and the SubjectPublicKeyInfo.
    pub fn key_pair(&self, curve: &str) -> (String, Vec<u8>) {
        let private = self.name("key.pem");
        let group = format!("group:{curve}");
        let algorithm: &[&str] = match curve {
            "X25519" | "ED25519" => &["-algorithm", curve],
            _ => &["-algorithm", "EC", "-pkeyopt", &group],
        };
        self.run(&[&["genpkey"], algorithm, &["-out", &private]].concat()).succeeded();
        let spki = self.run(&["pkey", "-in", &private, "-pubout", "-outform", "DER"]).succeeded().stdout;
        (private, spki)
    }

    /// The same with the public point, uncompressed, in place of the SubjectPublicKeyInfo, which it ends.
    pub fn point_pair(&self, curve: &str) -> (String, Vec<u8>) {
        let (private, spki) = self.key_pair(curve);
        let length = match curve {
            "X25519" => 32,
            "P-384" => 97,
            "P-521" => 133,
            _ => 65,
        };
        (private, spki[spki.len() - length..].to_vec())
    }

    /// The shared secret of the private key in `private` and the public one in `public`.
    pub fn derive(&self, private: &str, public: &str) -> Vec<u8> {
        self.run(&["pkeyutl", "-derive", "-inkey", private, "-peerkey", public]).succeeded().stdout
    }

    fn file(&self, content: &[u8]) -> PathBuf {
        let path = self.directory.join(self.name("bin"));
        std::fs::write(&path, content).unwrap();
        path
    }

    fn name(&self, suffix: &str) -> String {
        static NUMBER: AtomicUsize = AtomicUsize::new(0);
        format!("openssl-{}-{}.{suffix}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed))
    }
}

/// An ECDSA signature r‖s as the DER SEQUENCE of two INTEGERs (RFC 3279 2.2.3).
pub fn ecdsa_der(signature: &[u8]) -> Vec<u8> {
    let (r, s) = signature.split_at(signature.len() / 2);
    let content = [integer(r), integer(s)].concat();
    let length = u8::try_from(content.len()).unwrap();
    // From P-521 on the length wants a byte of its own.
    let header: &[u8] = if length < 0x80 { &[0x30, length] } else { &[0x30, 0x81, length] };
    [header, &content].concat()
}

fn integer(bytes: &[u8]) -> Vec<u8> {
    let start = bytes.iter().position(|byte| *byte != 0).unwrap_or(bytes.len() - 1);
    let sign: &[u8] = if bytes[start] & 0x80 == 0 { &[] } else { &[0] };
    let value = [sign, &bytes[start..]].concat();
    [&[0x02, u8::try_from(value.len()).unwrap()][..], &value].concat()
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}
