//! p11-kit: its module file, its URIs, and a token that is used from elsewhere.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use super::keys;
use super::program::{Run, installed, run};
use super::station::{Card, Station};
use crate::module;

/// p11-kit's module that speaks to `p11-kit server`.
fn client() -> Option<PathBuf> {
    let architectures = std::fs::read_dir("/usr/lib").unwrap().flatten().map(|entry| entry.path());
    architectures.map(|directory| directory.join("pkcs11/p11-kit-client.so")).find(|path| path.exists())
}

/// Where p11-kit finds the modules that packages bring.
const MODULES: &str = "/usr/share/p11-kit/modules";

fn is_installed() -> bool {
    let namespaces = || {
        let found = Command::new("unshare").args(["--mount", "true"]).output().is_ok_and(|run| run.status.success());
        if !found {
            eprintln!("skipped: unshare --mount is not allowed here, and p11-kit's module files are the system's");
        }
        found
    };
    installed("p11-kit", "p11-kit") && installed("p11tool", "gnutls-bin") && namespaces()
}

/// p11-kit's module files: one alone, with this line.
fn configure(station: &Station, line: &str) {
    let directory = station.directory().join("modules");
    std::fs::create_dir(&directory).unwrap();
    std::fs::write(directory.join("cardea.module"), format!("{line}\n")).unwrap();
}

/// Runs a program in a mount namespace with these module files in place of the system's.
fn configured(station: &Station, program: &str, arguments: &[&str]) -> Run {
    let script = format!("mount --bind modules {MODULES} && exec \"$@\"");
    let mut command = station.command("unshare");
    command.args(["--mount", "--propagation", "private", "sh", "-c", &script, "sh", program]).args(arguments);
    command.env("GNUTLS_PIN", &station.provisioned.pin);
    run(command)
}

/// `p11tool` without a provider, which leaves the choice of modules to p11-kit.
fn p11tool(station: &Station, arguments: &[&str]) -> Run {
    configured(station, "p11tool", &[&["--batch"], arguments].concat())
}

#[test]
fn the_module_file_brings_the_token_to_every_program_on_p11_kit() {
    if !is_installed() {
        return;
    }
    let station = Station::new(Card::Standard);
    configure(&station, &format!("module: {}", module::path().display()));
    let run = configured(&station, "p11-kit", &["list-modules"]).succeeded();
    let run = run.says(&module::path().display().to_string());
    assert!(run.text.contains("token: PIV Card #"), "{}", run.text);
    uses_the_token_by_uri(&station);
}

/// Finds and tries the key of the login by an RFC 7512 URI with the token's serial number.
fn uses_the_token_by_uri(station: &Station) {
    let tokens = p11tool(station, &["--list-token-urls"]).succeeded();
    let token = tokens.lines_with("PIV%20Card")[0].trim().to_owned();
    assert!(token.contains("serial="), "{token}");
    for key in keys::on(Card::Standard) {
        let certificate = p11tool(station, &["--export", &format!("{token};id=%{:02X};type=cert", key.id)]).succeeded();
        let pem = std::fs::read_to_string(station.directory().join(key.certificate())).unwrap();
        let plain = |text: &str| text.split_whitespace().collect::<String>();
        assert!(plain(&certificate.text).contains(&plain(&pem)), "{key:?}\n{}", certificate.text);
    }
    let key = format!("{token};object=PIV%20Authentication;type=private");
    p11tool(station, &["--test-sign", "--login", &key]).succeeded().says("... ok");
}

#[test]
fn a_token_is_used_from_elsewhere_by_p11_kit_remote() {
    if !is_installed() {
        return;
    }
    // In real life the command after the bar is `ssh host p11-kit remote MODULE`.
    let station = Station::new(Card::Standard);
    configure(&station, &format!("remote: |p11-kit remote {}", module::path().display()));
    uses_the_token_by_uri(&station);
}

#[test]
fn a_token_is_used_through_the_socket_of_p11_kit_server() {
    let Some(client) = client().filter(|_| is_installed()) else {
        eprintln!("skipped: there is no p11-kit-client.so (Debian package p11-kit-modules)");
        return;
    };
    let station = Station::new(Card::Standard);
    let socket = station.directory().join("p11");
    let mut server = station.command("p11-kit");
    server.args(["server", "--foreground", "--provider"]).arg(module::path()).arg("--name").arg(&socket).arg("pkcs11:");
    let mut server = Server(server.stdout(Stdio::null()).spawn().unwrap());
    while !socket.exists() {
        assert!(server.0.try_wait().unwrap().is_none(), "p11-kit server ended");
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    let mut tool = station.command("pkcs11-tool");
    tool.env("P11_KIT_SERVER_ADDRESS", format!("unix:path={}", socket.display())).arg("--module").arg(client);
    station.file("message", "Whoever holds this card has signed this line.\n");
    tool.args(["--login", "--pin", &station.provisioned.pin, "--id", "01", "--sign", "--mechanism", "SHA256-RSA-PKCS"]);
    tool.args(["--input-file", "message", "--output-file", "signature"]);
    run(tool).succeeded();
    let verify = ["dgst", "-sha256", "-verify", "9a.pub.pem", "-signature", "signature", "message"];
    station.run("openssl", verify).succeeded().says("Verified OK");
}

/// A running `p11-kit server`; it ends with this value.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
