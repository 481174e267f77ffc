//! The `openssl` command line: what it says counts, because it knows nothing of the module.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::Result;

/// A directory for the files that openssl reads and writes.
pub(crate) struct Openssl<'a> {
    directory: &'a Path,
}

impl<'a> Openssl<'a> {
    pub(crate) fn new(directory: &'a Path) -> Self {
        Self { directory }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    /// Writes a certificate as PEM; its file.
    pub(crate) fn certificate(&self, name: &str, der: &[u8]) -> Result<PathBuf> {
        let (input, output) = (self.path(&format!("{name}.der")), self.path(&format!("{name}.pem")));
        std::fs::write(&input, der)?;
        self.run(&["x509", "-inform", "DER", "-in", text(&input)?, "-out", text(&output)?])?;
        Ok(output)
    }

    /// The certificate's subject, from the common name on.
    pub(crate) fn subject(&self, certificate: &Path) -> Result<String> {
        let line =
            self.run(&["x509", "-noout", "-subject", "-nameopt", "oneline,-space_eq", "-in", text(certificate)?])?;
        let subject = line.trim().trim_start_matches("subject=");
        Ok(subject.find("CN=").map_or(subject, |start| &subject[start..]).to_owned())
    }

    /// What the certificate's key is, such as `RSA 2048`.
    pub(crate) fn key(&self, certificate: &Path) -> Result<String> {
        let text = self.run(&["x509", "-noout", "-text", "-in", text(certificate)?])?;
        let value = |label: &str| text.lines().find_map(|line| line.trim().strip_prefix(label));
        let bits = value("Public-Key: (").map(|bits| bits.trim_end_matches(" bit)"));
        Ok(match (value("Public Key Algorithm: "), value("NIST CURVE: "), bits) {
            (_, Some(curve), _) => curve.to_owned(),
            (Some("rsaEncryption"), _, Some(bits)) => format!("RSA {bits}"),
            (Some(algorithm), ..) => algorithm.to_owned(),
            (None, ..) => "unknown".to_owned(),
        })
    }

    /// Verifies a SHA-256 signature of `message` with the key in the certificate.
    pub(crate) fn verify(&self, certificate: &Path, message: &[u8], signature: &[u8]) -> Result<String> {
        let (key, data, signed) = (self.path("key.pem"), self.path("message"), self.path("signature"));
        std::fs::write(&key, self.run(&["x509", "-noout", "-pubkey", "-in", text(certificate)?])?)?;
        std::fs::write(&data, message)?;
        std::fs::write(&signed, signature)?;
        let said =
            self.run(&["dgst", "-sha256", "-verify", text(&key)?, "-signature", text(&signed)?, text(&data)?])?;
        if said.trim() == "Verified OK" { Ok(said.trim().to_owned()) } else { Err(said.into()) }
    }

    /// Encrypts `message` for the certificate's holder by RSA-OAEP with SHA-256.
    pub(crate) fn encrypt(&self, certificate: &Path, message: &[u8]) -> Result<Vec<u8>> {
        let (plain, encrypted) = (self.path("plain"), self.path("encrypted"));
        std::fs::write(&plain, message)?;
        let mut arguments = vec!["pkeyutl", "-encrypt", "-certin", "-inkey", text(certificate)?];
        for option in ["rsa_padding_mode:oaep", "rsa_oaep_md:sha256", "rsa_mgf1_md:sha256"] {
            arguments.extend(["-pkeyopt", option]);
        }
        arguments.extend(["-in", text(&plain)?, "-out", text(&encrypted)?]);
        self.run(&arguments)?;
        Ok(std::fs::read(encrypted)?)
    }

    /// What `openssl` prints, or its complaint.
    pub(crate) fn run(&self, arguments: &[&str]) -> Result<String> {
        let output = Command::new("openssl").args(arguments).output().map_err(|error| format!("openssl: {error}"))?;
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        if output.status.success() {
            return Ok(said);
        }
        Err(format!("openssl {}: {}{said}", arguments.join(" "), String::from_utf8_lossy(&output.stderr)).into())
    }
}

pub(crate) fn text(path: &Path) -> Result<&str> {
    path.to_str().ok_or_else(|| format!("{} is no UTF-8", path.display()).into())
}
