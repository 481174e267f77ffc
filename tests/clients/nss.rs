//! NSS's own tools: `modutil`, `certutil` and `pk12util`.

use cardea_page::NssDatabase;

use super::keys;
use super::program::{Run, installed, run};
use super::station::{Card, Station};
use crate::module;

/// A database that has the module.
fn database(station: &Station) -> NssDatabase {
    let database = NssDatabase::create(station.directory().join("nss")).unwrap();
    database.trust("bench", &station.directory().join("ca.pem")).unwrap();
    database.register("Cardea", module::path(), &station.command("true")).unwrap();
    database
}

/// `program` at the database, in the bench's environment.
fn tool(station: &Station, database: &NssDatabase, program: &str, arguments: &[&str]) -> Run {
    let mut command = station.command(program);
    command.args(database.command(program).get_args()).args(arguments);
    run(command)
}

fn is_installed() -> bool {
    installed("modutil", "libnss3-tools") && installed("certutil", "libnss3-tools")
}

#[test]
fn modutil_shows_the_module_its_reader_and_its_token() {
    if !is_installed() {
        return;
    }
    let station = Station::new(Card::Elliptic);
    let database = database(&station);
    let run = tool(&station, &database, "modutil", &["-list", "Cardea"]).succeeded();
    for text in ["Cardea Virtual Reader 00 00", "Token Name: PIV Card #", "Login Type: Login required"] {
        assert!(run.text.contains(text), "no {text} in:\n{}", run.text);
    }
    assert_eq!(station.pin_tries(), 3);
}

#[test]
fn certutil_lists_certificates_and_keys_and_judges_the_certificate_of_the_login() {
    if !is_installed() {
        return;
    }
    for card in [Card::Standard, Card::Varied] {
        let station = Station::new(card);
        let database = database(&station);
        let pin = station.file("pin", &station.provisioned.pin);
        let pin = pin.to_str().unwrap();
        let list = tool(&station, &database, "certutil", &["-L", "-h", "all", "-f", pin]).succeeded();
        assert_eq!(list.lines_with("PIV Card #").len(), keys::on(card).len(), "{}", list.text);
        assert_eq!(list.lines_with("u,u,u").len(), keys::on(card).len(), "{}", list.text);
        let label = list.lines_with("PIV Authentication")[0].trim_end_matches("u,u,u").trim().to_owned();
        let token = label.split(':').next().unwrap();
        let keys_of = tool(&station, &database, "certutil", &["-K", "-h", token, "-f", pin]).succeeded();
        let number = keys_of.text.lines().filter(|line| line.starts_with('<')).count();
        assert!(number >= keys::on(card).len(), "{}", keys_of.text);
        let judged = tool(&station, &database, "certutil", &["-V", "-n", &label, "-u", "C", "-f", pin]).succeeded();
        assert!(judged.text.contains("certificate is valid"), "{}", judged.text);
    }
}

#[test]
fn certutil_makes_keys_with_certificates_and_pk12util_brings_one_from_a_file() {
    if !is_installed() || !installed("pk12util", "libnss3-tools") {
        return;
    }
    let station = Station::with_myeid();
    let database = database(&station);
    let pin = station.file("pin", &station.provisioned.pin);
    let noise = station.file("noise", [0x5A; 64]);
    let token = ["-h", "Cardea MyEID", "-f", pin.to_str().unwrap()];
    let certutil =
        |arguments: &[&str]| tool(&station, &database, "certutil", &[&token[..], arguments].concat()).succeeded().text;
    let made = |kind: &[&str], name: &str| {
        let subject = format!("CN={name}");
        let certificate = ["-S", "-x", "-n", name, "-s", &subject, "-t", "u,u,u", "-m", "77"];
        certutil(&[&certificate[..], kind, &["-z", noise.to_str().unwrap()]].concat());
    };
    made(&["-k", "ec", "-q", "nistp256"], "elliptic");
    made(&["-k", "rsa", "-g", "2048"], "rsa");
    let script = "set -e; openssl req -x509 -newkey rsa:2048 -nodes -keyout k.pem -out c.pem -subj /CN=Brought -days 30
        openssl pkcs12 -export -inkey k.pem -in c.pem -name brought -out brought.p12 -passout pass:secret";
    station.run("sh", ["-c", script]).succeeded();
    let file = station.directory().join("brought.p12");
    let brought = ["-i", file.to_str().unwrap(), "-W", "secret", "-h", "Cardea MyEID", "-k", pin.to_str().unwrap()];
    tool(&station, &database, "pk12util", &brought).succeeded().says("PKCS12 IMPORT SUCCESSFUL");
    let keys = certutil(&["-K"]);
    for name in ["elliptic", "rsa", "brought"] {
        assert!(keys.lines().any(|line| line.ends_with(name)), "no {name} in:\n{keys}");
        let judged = certutil(&["-L", "-n", &format!("Cardea MyEID:{name}"), "-a"]);
        assert!(judged.contains("BEGIN CERTIFICATE"), "{judged}");
    }
    certutil(&["-F", "-n", "Cardea MyEID:brought"]);
    assert!(!certutil(&["-K"]).contains("brought"));
}
