//! `udev/70-cardea.rules`: generated from the profiles, compared, and checked as udev would.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

use cardea_pkcs11::profile::{Ability, Profiles, UsbId};

fn path() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("udev/70-cardea.rules")
}

/// The head of the file: which devices are readers. The order is udev's: before 70-uaccess.rules and 73-seat-late.rules,
/// which act on the tag.
const HEAD: &str = r#"# Smartcard readers and tokens: access for who sits at the seat, names that stay, no autosuspend where it hurts.
# Generated from reader-profiles/ (UPDATE_GOLDEN=1 cargo test --test cardea profiles::); the next generation undoes edits.

ACTION=="remove", GOTO="cardea_end"
SUBSYSTEM!="usb", GOTO="cardea_end"
ENV{DEVTYPE}!="usb_device", GOTO="cardea_end"

# Interfaces of the smartcard class, CCID and ICCD alike.
ENV{ID_USB_INTERFACES}=="*:0b????:*", ENV{ID_SMARTCARD_READER}="1"

# Known readers and tokens, some of which have a vendor's interface class.
"#;

const ACCESS: &str = r#"
ENV{ID_SMARTCARD_READER}!="1", GOTO="cardea_end"
TAG+="uaccess"
ENV{ID_SERIAL}=="?*", SYMLINK+="smartcard/by-id/$env{ID_SERIAL}"

# No autosuspend: the reader does not come back from it. libccid's 92-libccid.rules leaves these alone as well.
"#;

const TAIL: &str = "\nLABEL=\"cardea_end\"\n";

fn generate() -> String {
    let profiles = Profiles::default();
    let known: BTreeMap<UsbId, _> =
        profiles.iter().flat_map(|profile| profile.ids.iter().map(move |id| (*id, profile))).collect();
    let mut text = HEAD.to_owned();
    for (id, profile) in &known {
        writeln!(
            text,
            "{}, ENV{{ID_SMARTCARD_READER}}=\"1\", ENV{{CARDEA_READER}}=\"{}\"",
            attributes(*id),
            profile.family
        )
        .unwrap();
    }
    text.push_str(ACCESS);
    for (id, _) in known.iter().filter(|(_, profile)| !profile.allows(Ability::Autosuspend)) {
        writeln!(text, "{}, TEST==\"power/control\", ATTR{{power/control}}=\"on\"", attributes(*id)).unwrap();
    }
    text + TAIL
}

fn attributes(id: UsbId) -> String {
    format!("ATTR{{idVendor}}==\"{:04x}\", ATTR{{idProduct}}==\"{:04x}\"", id.vendor, id.product)
}

/// One `KEY{attribute}operator"value"` of a rule.
struct Token<'a> {
    key: &'a str,
    attribute: Option<&'a str>,
    operator: &'a str,
    value: &'a str,
}

/// Takes a rule apart by udev's grammar (udev(7)); an error says what is wrong.
fn tokens(line: &str) -> Result<Vec<Token<'_>>, String> {
    let mut tokens = Vec::new();
    let mut rest = line;
    loop {
        let name = rest.find(|c: char| !c.is_ascii_uppercase() && c != '_').ok_or("no operator")?;
        let (key, after) = rest.split_at(name);
        let (attribute, after) = match after.strip_prefix('{') {
            Some(inside) => {
                inside.split_once('}').map(|(attribute, after)| (Some(attribute), after)).ok_or("open brace")?
            }
            None => (None, after),
        };
        let quote = after.find('"').ok_or("no value")?;
        let (operator, value) = after.split_at(quote);
        let (value, after) = value[1..].split_once('"').ok_or("open quote")?;
        tokens.push(Token { key, attribute, operator, value });
        match after {
            "" => return Ok(tokens),
            _ => rest = after.strip_prefix(", ").ok_or("tokens are separated by a comma and a blank")?,
        }
    }
}

/// Whether udev knows the key with this operator, and takes the value.
fn judge(token: &Token<'_>) -> Result<(), String> {
    let (matching, assigning) = (["==", "!="], ["=", "+="]);
    let (braces, operators): (bool, &[&str]) = match token.key {
        "ACTION" | "SUBSYSTEM" | "TEST" => (false, &matching),
        "ENV" | "ATTR" => (true, &["==", "!=", "="]),
        "TAG" | "SYMLINK" => (false, &assigning[1..]),
        "GOTO" | "LABEL" => (false, &assigning[..1]),
        other => return Err(format!("unknown key {other:?}")),
    };
    let attribute = token.attribute.is_some_and(|attribute| !attribute.is_empty());
    if attribute != braces || token.attribute.is_some() != braces {
        return Err(format!("{} and its braces", token.key));
    }
    if !operators.contains(&token.operator) {
        return Err(format!("{}{}", token.key, token.operator));
    }
    let substitutes = token.key == "SYMLINK";
    let strange = token.value.contains(['\\', '%']) || (!substitutes && token.value.contains('$'));
    if token.value.is_empty() || strange { Err(format!("value {:?}", token.value)) } else { Ok(()) }
}

fn rules(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.lines()
        .enumerate()
        .map(|(index, line)| (index + 1, line))
        .filter(|(_, line)| !line.is_empty() && !line.starts_with('#'))
}

#[test]
fn the_rules_are_what_the_profiles_make_of_them() {
    let generated = generate();
    if env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(path(), &generated).unwrap();
    }
    let written = fs::read_to_string(path()).unwrap();
    assert!(
        written == generated,
        "udev/70-cardea.rules is not of these profiles: run with UPDATE_GOLDEN=1 and look at the difference"
    );
}

#[test]
fn udev_understands_every_rule() {
    let text = fs::read_to_string(path()).unwrap();
    let (mut jumps, mut labels) = (Vec::new(), Vec::new());
    for (number, line) in rules(&text) {
        let tokens = tokens(line).unwrap_or_else(|fault| panic!("line {number}: {fault}"));
        for token in &tokens {
            judge(token).unwrap_or_else(|fault| panic!("line {number}: {fault}"));
        }
        let values = |key| tokens.iter().filter(move |token| token.key == key).map(|token| token.value);
        jumps.extend(values("GOTO").map(|label| (number, label)));
        labels.extend(values("LABEL").map(|label| (number, label)));
    }
    assert_eq!(labels.len(), 1);
    assert!(
        jumps.iter().all(|(number, label)| labels.iter().any(|(place, name)| name == label && place > number)),
        "{jumps:?}"
    );
}

#[test]
fn no_rule_is_there_twice_and_readers_are_sorted() {
    let text = fs::read_to_string(path()).unwrap();
    let readers: Vec<&str> = rules(&text).map(|(_, line)| line).filter(|line| line.contains("CARDEA_READER")).collect();
    assert!(readers.len() > 100, "{}", readers.len());
    assert!(readers.is_sorted());
    let mut all: Vec<&str> = rules(&text).map(|(_, line)| line).collect();
    let count = all.len();
    all.sort_unstable();
    all.dedup();
    assert_eq!(all.len(), count);
}

#[test]
fn a_malformed_rule_is_noticed() {
    for line in [
        r#"ACTION="remove", GOTO="x""#,
        r#"ATTR=="1""#,
        r#"TAG{x}+="uaccess""#,
        r#"TAGS+="uaccess""#,
        r#"TAG+="uaccess" LABEL="x""#,
        r#"TAG+="uaccess"#,
        r#"ENV{A="1""#,
        r#"ENV{A}=="$x""#,
        r#"TAG+="""#,
        "TAG",
    ] {
        let judged = tokens(line).and_then(|tokens| tokens.iter().try_for_each(judge));
        assert!(judged.is_err(), "{line}");
    }
}

#[test]
fn udevadm_verifies_the_rules_where_it_can() {
    let able = Command::new("udevadm").args(["verify", "--help"]).output().is_ok_and(|output| output.status.success());
    if !able {
        println!("skipped: no udevadm with `verify` (systemd 254)");
        return;
    }
    let verified = Command::new("udevadm").arg("verify").arg(path()).output().unwrap();
    assert!(verified.status.success(), "{}", String::from_utf8_lossy(&verified.stderr));
}
