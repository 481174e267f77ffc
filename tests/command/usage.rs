//! The command line itself.

use std::process::Command;

use super::desk::{CARDEA, Desk, code};
use crate::clients::program::run;
use crate::clients::station::{Card, Station};

fn cardea(arguments: &[&str]) -> crate::clients::program::Run {
    let mut command = Command::new(CARDEA);
    command.args(arguments);
    run(command)
}

#[test]
fn a_wrong_command_line_ends_with_status_2() {
    for wrong in
        [&[][..], &["nothing"], &["list", "--nothing"], &["info", "--uri", "no-uri"], &["sign", "--id", "xy", "f"]]
    {
        assert_eq!(code(&cardea(wrong)), 2, "{wrong:?}");
    }
}

#[test]
fn the_help_tells_every_exit_code() {
    let help = cardea(&["--help"]).succeeded().text;
    for number in 0..=13 {
        assert!(help.contains(&format!("\n  {number:>2}  ")), "{number} is missing in:\n{help}");
    }
}

#[test]
fn a_service_that_is_not_there_has_an_exit_code_of_its_own() {
    let mut station = Station::new(Card::Elliptic);
    station.bench.stop_pcscd();
    for arguments in [&["list"][..], &["info"], &["readers"], &["pin", "tries"]] {
        assert_eq!(code(&station.cardea(arguments)), 3, "{arguments:?}");
    }
}

#[test]
fn an_error_is_json_where_json_was_asked_for() {
    let mut station = Station::new(Card::Elliptic);
    station.bench.stop_pcscd();
    let failed = station.cardea(["--json", "info"]).failed();
    let error: serde_json::Value = serde_json::from_str(failed.text.trim()).unwrap();
    assert_eq!(error["exit"], 3);
    assert!(error["advice"].as_str().unwrap().contains("doctor"));
}

#[test]
fn the_module_links_nothing_of_the_command() {
    let mut list = Command::new("nm");
    list.arg("--demangle").arg(crate::module::path());
    let symbols = run(list).succeeded().text;
    assert!(symbols.contains("cardea_pkcs11"), "the module is stripped: nothing can be said");
    for package in ["clap", "serde_json", "rustix"] {
        assert!(!symbols.contains(&format!("{package}::")), "{package} is in the module");
    }
}

/// A folder that goes with this value.
struct Folder(std::path::PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).unwrap();
    }
}

#[test]
fn every_subcommand_has_a_manual_page_and_shells_can_complete_it() {
    let folder = Folder(std::env::temp_dir().join(format!("cardea-documents-{}", std::process::id())));
    cardea(&["documents", folder.0.to_str().unwrap()]).succeeded();
    let page = |name: &str| std::fs::read_to_string(folder.0.join("man1").join(name)).unwrap();
    let first = page("cardea.1");
    for section in [".SH NAME", ".SH OPTIONS", ".SH \"EXIT STATUS\"", ".SH EXAMPLES"] {
        assert!(first.contains(section), "{section} is missing in:\n{first}");
    }
    let completion = std::fs::read_to_string(folder.0.join("completions/cardea.bash")).unwrap();
    let help = cardea(&["--help"]).succeeded().text;
    let commands = help.split_once("Commands:\n").unwrap().1.lines().take_while(|line| !line.is_empty());
    let names: Vec<&str> =
        commands.filter_map(|line| line.split_whitespace().next()).filter(|name| *name != "help").collect();
    assert!(names.len() > 10 && !names.contains(&"documents"), "{names:?}");
    for name in names {
        assert!(page(&format!("cardea-{name}.1")).contains(".SH SYNOPSIS"), "{name}");
        assert!(
            completion.contains(&format!("cardea__subcmd__{name}")) || completion.contains(&format!("cardea__{name}")),
            "{name}"
        );
    }
    assert!(page("cardea-pin-change.1").contains("pin\\-fd"));
    let mut bash = Command::new("bash");
    bash.arg("-n").arg(folder.0.join("completions/cardea.bash"));
    run(bash).succeeded();
}
