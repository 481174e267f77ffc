//! pcscd: whether it runs, whether this user may reach it, and which readers it knows.

use std::io::ErrorKind;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Command;

use cardea_pkcs11::pcsc::winscard::System;
use cardea_pkcs11::pcsc::{Context, LinkError};

use super::Finding;
use crate::readers::Report;

/// Where pcscd listens, unless `PCSCLITE_CSOCK_NAME` says otherwise.
const SOCKET: &str = "/run/pcscd/pcscd.comm";
/// Where distributions put it.
const DAEMONS: [&str; 3] = ["/usr/sbin/pcscd", "/usr/local/sbin/pcscd", "/usr/bin/pcscd"];
/// SCARD_W_SECURITY_VIOLATION: polkit said no.
const SECURITY_VIOLATION: u32 = 0x8010_006A;

/// Whether pcscd can be used, and why not.
pub(super) fn look() -> (bool, Finding) {
    let socket = std::env::var_os("PCSCLITE_CSOCK_NAME").map_or_else(|| PathBuf::from(SOCKET), PathBuf::from);
    let shown = socket.display();
    let refused = match UnixStream::connect(&socket) {
        Ok(_) => None,
        Err(error) if error.kind() == ErrorKind::PermissionDenied => Some(Finding::problem(
            "service-denied",
            format!("you may not reach pcscd at {shown}"),
            "see to the permissions of that socket and of the folders above it",
        )),
        Err(error) => Some(stopped(&format!("pcscd is not running: {shown}: {error}"))),
    };
    if let Some(finding) = refused {
        return (false, finding);
    }
    match System::new().readers() {
        Ok(_) | Err(LinkError::NoReader) => (true, Finding::ok("service", format!("pcscd is running, at {shown}"))),
        Err(LinkError::Other(SECURITY_VIOLATION)) => (
            false,
            Finding::problem(
                "service-denied",
                "pcscd is running, but polkit does not let you use it",
                "work at a local seat, or permit org.debian.pcsc-lite.access_pcsc in /etc/polkit-1/rules.d",
            ),
        ),
        Err(error) => (false, stopped(&format!("pcscd takes connections at {shown} and does not answer: {error}"))),
    }
}

fn stopped(what: &str) -> Finding {
    let advice = if !DAEMONS.iter().any(|daemon| Path::new(daemon).exists()) {
        "install it: sudo apt-get install pcscd"
    } else if Path::new("/run/systemd/system").exists() {
        "start it: sudo systemctl enable --now pcscd.socket"
    } else {
        "start it: sudo pcscd"
    };
    Finding::problem("service-stopped", what, advice)
}

/// What pcscd says of its own version.
pub(super) fn version() -> Option<String> {
    let daemon = DAEMONS.iter().find(|daemon| Path::new(daemon).exists())?;
    let output = Command::new(daemon).arg("--version").output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let first = text.lines().next()?.trim_end_matches('.').replace(" version", "");
    Some(first).filter(|line| !line.is_empty())
}

/// Readers that pcscd knows, beside the smartcard devices on USB.
pub(super) fn readers(reports: &[Report], devices: usize) -> Vec<Finding> {
    if !reports.is_empty() {
        return Vec::new();
    }
    let finding = if devices > 0 {
        Finding::problem(
            "no-reader",
            "a smartcard device is plugged in, but pcscd knows no reader",
            "install its driver (libccid, or the maker's), end programs that hold the device, and plug it in again",
        )
    } else {
        Finding::problem("no-reader", "no reader is connected", "plug in a reader or a USB token")
    };
    vec![finding]
}
