//! The manual page of the configuration and the file that is installed name every key with its default.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use cardea_pkcs11::card::driver::DRIVERS;
use cardea_pkcs11::configuration::{Configuration, KEYS};
use walkdir::WalkDir;

use crate::clients::program::run;
use crate::clients::station::{Card, Station};
use crate::command::desk::Desk;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The page, with quotation marks as readers see them.
fn page() -> String {
    fs::read_to_string(root().join("packaging/cardea.toml.5")).unwrap().replace(r"\(dq", "\"")
}

#[test]
fn the_manual_page_names_every_key_with_its_default_and_its_variable() {
    let page = page();
    let keys = page.split_once("\n.SH KEYS\n").unwrap().1.split_once("\n.SH ").unwrap().0;
    for key in &KEYS {
        let heading = format!("\n.TP\n.B {} = {}\n", key.name, key.default);
        let (_, text) =
            keys.split_once(&heading).unwrap_or_else(|| panic!("no entry of the manual page says{heading}"));
        // The values of a key are entries of their own, in quotation marks.
        let parts = text.split("\n.TP\n.B ").enumerate().take_while(|(n, part)| *n == 0 || part.starts_with('"'));
        let entry: String = parts.map(|(_, part)| part).collect();
        assert!(entry.contains(key.variable), "{} is missing in:\n{entry}", key.variable);
    }
}

#[test]
fn the_manual_page_names_every_variable_that_the_module_reads() {
    let page = page();
    let mut variables: BTreeSet<String> = KEYS.iter().map(|key| key.variable.to_owned()).collect();
    for entry in WalkDir::new(root().join("src")) {
        let path = entry.unwrap().into_path();
        if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).unwrap();
            let calls = ["environment::text(\"", "environment::variable(\"", "environment::folder(\""];
            let names =
                calls.iter().flat_map(|call| text.split(call).skip(1)).filter_map(|rest| rest.split('"').next());
            variables.extend(names.map(str::to_owned));
        }
    }
    assert!(variables.contains("CARDEA_LOG") && variables.contains("XDG_STATE_HOME"), "{variables:?}");
    let missing: Vec<&String> = variables.iter().filter(|name| !page.contains(name.as_str())).collect();
    assert!(missing.is_empty(), "the manual page says nothing of {missing:?}");
}

#[test]
fn the_manual_page_names_every_application_that_can_be_disabled() {
    let page = page();
    for driver in DRIVERS {
        assert!(
            page.contains(&format!("\"{}\"", driver.name)),
            "packaging/cardea.toml.5 does not name {}",
            driver.name
        );
    }
}

#[test]
fn the_installed_file_says_every_default_as_a_comment() {
    let text = fs::read_to_string(root().join("packaging/cardea.toml")).unwrap();
    let path = Path::new("cardea.toml");
    let mut configuration = Configuration::default();
    assert_eq!(configuration.add(path, &text), []);
    for key in &KEYS {
        let line = format!("# {} = {}", key.name, key.default);
        assert!(text.lines().any(|own| own == line), "no line says: {line}");
    }
    let settings = text.lines().filter_map(|line| line.strip_prefix("# ")).filter(|line| line.contains(" = "));
    let active: Vec<&str> = settings.collect();
    assert_eq!(active.len(), KEYS.len());
    assert_eq!(configuration.add(path, &active.join("\n")), []);
    assert_eq!(configuration, Configuration::default());
}

#[test]
fn the_doctor_every_command_and_the_log_report_an_unknown_key_with_file_and_line() {
    let station = Station::new(Card::Elliptic);
    let folder = station.directory().join("configuration");
    fs::create_dir_all(folder.join("cardea")).unwrap();
    let file = folder.join("cardea/cardea.toml");
    fs::write(&file, "eject = \"leave\"\nkeep_lsat_try = true\ndisabled_applications = [\"OpenPPG\"]\n").unwrap();
    let report = format!("{}:2: unknown key `keep_lsat_try`", file.display());

    let mut doctor = station.command_for(crate::command::desk::CARDEA);
    doctor.env("XDG_CONFIG_HOME", &folder).arg("doctor");
    run(doctor).says(&report).says("cardea.toml(5)").says("OpenPPG").says("OpenPGP");

    let mut list = station.command_for(crate::command::desk::CARDEA);
    list.env("XDG_CONFIG_HOME", &folder).arg("list");
    run(list).succeeded().says(&report);

    let mut list = station.command_for("pkcs11-tool");
    list.arg("--module").arg(crate::module::path()).arg("-L");
    list.env("XDG_CONFIG_HOME", &folder).env("CARDEA_LOG", "calls");
    run(list).says(&report);
}
