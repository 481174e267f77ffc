//! What the security officer writes to a card by pkcs11-tool, whatever its kind.

use super::super::program::Run;
use super::super::station::Station;
use super::{text, tool, tool_with_pin};

/// Runs pkcs11-tool as the security officer with this PIN or key.
pub fn officer(station: &Station, pin: &str, arguments: &[&str]) -> Run {
    tool(station, &[&["--login", "--login-type", "so", "--so-pin", pin], arguments].concat())
}

pub fn openssl(station: &Station, arguments: &[&str]) {
    station.run("openssl", arguments).succeeded();
}

/// Writes the public key `id` of the card into `public.pem`.
fn export(station: &Station, id: &str) {
    tool(station, &["--read-object", "--type", "pubkey", "--id", id, "-o", "public.der"]).succeeded();
    openssl(station, &["pkey", "-pubin", "-inform", "DER", "-in", "public.der", "-pubout", "-out", "public.pem"]);
}

/// Signs a hash with the key and has OpenSSL verify it by the public key in `public`.
#[track_caller]
pub fn signs(station: &Station, id: &str, public: &str) {
    station.file("hash", [0x5A; 32]);
    let key = std::fs::read_to_string(station.directory().join(public)).unwrap();
    // The head of a SubjectPublicKeyInfo of RSA is longer than those of curves.
    let mechanism: &[&str] = if key.len() > 350 { &["RSA-PKCS"] } else { &["ECDSA", "--signature-format", "openssl"] };
    let sign = ["--sign", "--id", id, "-i", "hash", "-o", "signature", "-m"];
    tool_with_pin(station, &[&sign[..], mechanism].concat()).succeeded();
    openssl(station, &["pkeyutl", "-verify", "-pubin", "-inkey", public, "-in", "hash", "-sigfile", "signature"]);
}

/// A key on P-256 is generated under a free id, certified, used, destroyed; an occupied place is left alone. `certified`
/// looks at the card while it has the certificate of CN=holder.
#[track_caller]
pub fn a_key_lives(station: &Station, pin: &str, id: &str, certified: impl FnOnce()) {
    let generate = ["--keypairgen", "--key-type", "EC:prime256v1", "--usage-sign", "--id", id];
    officer(station, pin, &generate).says("Key pair generated");
    export(station, id);
    signs(station, id, "public.pem");
    let authority = ["-newkey", "rsa:2048", "-nodes", "-keyout", "ca.key", "-out", "own.pem", "-subj", "/CN=ca"];
    openssl(station, &[&["req", "-x509"][..], &authority].concat());
    let certify = ["-CA", "own.pem", "-CAkey", "ca.key", "-subj", "/CN=holder", "-outform", "DER", "-out", "new.der"];
    openssl(station, &[&["x509", "-new", "-force_pubkey", "public.pem"][..], &certify].concat());
    officer(station, pin, &["--write-object", "new.der", "--type", "cert", "--id", id]).says("Created certificate");
    signs(station, id, "public.pem");
    certified();
    officer(station, pin, &generate).failed();
    signs(station, id, "public.pem");
    officer(station, pin, &["--delete-object", "--type", "privkey", "--id", id]).succeeded();
    officer(station, pin, &["--delete-object", "--type", "cert", "--id", id]).succeeded();
    tool_with_pin(station, &["-O"]).succeeded().omits(&format!("ID:         {id}"));
}

/// A key that OpenSSL makes with these options is brought to a free id and signs.
#[track_caller]
pub fn a_key_is_brought(station: &Station, pin: &str, id: &str, algorithm: &[&str]) {
    openssl(station, &[&["genpkey", "-out", "own.key", "-algorithm"][..], algorithm].concat());
    openssl(station, &["pkey", "-in", "own.key", "-pubout", "-out", "own.pub"]);
    let key = station.directory().join("own.key");
    officer(station, pin, &["--write-object", text(&key), "--type", "privkey", "--id", id]).says("Created private key");
    signs(station, id, "own.pub");
}
