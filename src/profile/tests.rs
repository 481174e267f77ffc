use super::*;

fn parse(text: &str) -> Result<ReaderProfile, Malformed> {
    let folder = tempfile_folder();
    let path = folder.join("one.toml");
    fs::write(&path, text).unwrap();
    let outcome = read(&path);
    fs::remove_dir_all(folder).unwrap();
    outcome
}

/// A folder of this test alone.
fn tempfile_folder() -> PathBuf {
    use std::sync::atomic::{AtomicU32, Ordering};
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let folder = std::env::temp_dir().join(format!("cardea-profile-{}-{number}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    folder
}

#[test]
fn a_star_stands_for_any_text() {
    for (pattern, name, expected) in [
        ("SPR532", "SPR532", true),
        ("SPR532", "SPR532 00 00", false),
        ("SPR532*", "SPR532 00 00", true),
        ("*532*", "SCM SPR532 00 00", true),
        ("SCM*532*00", "SCM SPR532 00 00", true),
        ("SCM*532*01", "SCM SPR532 00 00", false),
        ("*ab", "aab", true),
        ("a*a", "a", false),
        ("*", "", true),
    ] {
        assert_eq!(matches(pattern, name), expected, "{pattern:?} on {name:?}");
    }
}

#[test]
fn a_malformed_file_is_reported_with_its_line_and_the_rest_is_used() {
    let folder = tempfile_folder();
    fs::write(folder.join("a.toml"), "family = 'A'\nids = ['1209:0001']\nlargest_comand = 300\n").unwrap();
    fs::write(folder.join("b.toml"), "family = 'B'\nids = ['1209:0002']\n").unwrap();
    fs::write(folder.join("c.toml"), [0x66, 0xFF, 0xFE]).unwrap();
    fs::write(folder.join("d.txt"), "not a profile").unwrap();
    let (profiles, ignored) = Profiles::load(&[folder.join("absent"), folder.clone()]);
    let id = |product| Some(UsbId { vendor: 0x1209, product });
    assert_eq!(profiles.find(id(2), "").unwrap().family, "B");
    assert!(profiles.find(id(1), "").is_none());
    assert_eq!(ignored.len(), 2, "{ignored:?}");
    let report = ignored[0].to_string();
    assert!(report.starts_with(&format!("{}:3: ", folder.join("a.toml").display())), "{report}");
    assert!(report.contains("largest_comand"), "{report}");
    assert_eq!((ignored[1].path.clone(), ignored[1].line), (folder.join("c.toml"), 1));
    fs::remove_dir_all(folder).unwrap();
}

#[test]
fn what_makes_no_sense_is_refused() {
    for (text, line, word) in [
        ("family = 'A'\n", 1, "neither ids nor names"),
        ("family = 'A'\nnames = ['*']\n", 1, "neither ids nor names"),
        ("family = 'A'\nids = ['1209-0001']\n", 2, "no USB id"),
        ("family = 'A'\nids = ['+209:0001']\n", 2, "no USB id"),
        ("family = 'A'\nids = ['1209:0001']\nlargest_command = 6\n", 1, "no room"),
        ("family = 'A'\nids = ['1209:0001']\nlargest_response = 2\n", 1, "no room"),
        ("family = 'A'\nids = ['1209:0001']\nexchange = 'long'\n", 3, "long"),
        ("family = 'A'\nids = ['1209:0001']\n[pin_pad]\nverify = true\nmodify = true\ndigits = [8, 4]\n", 1, "fewest"),
        ("family = 'A'\nids = ['1209:0001']\n[[faults]]\ndenies = ['all']\nwhat = ''\nevidence = []\n", 4, "all"),
        ("family = \n", 1, ""),
    ] {
        let malformed = parse(text).unwrap_err();
        assert_eq!(malformed.line, line, "{malformed}");
        assert!(malformed.message.contains(word), "{malformed}");
    }
}

#[test]
fn an_overlong_file_is_not_read_to_its_end() {
    let malformed = parse(&"#".repeat(70_000)).unwrap_err();
    assert!(malformed.message.contains("longer than"), "{malformed}");
}

#[test]
fn an_earlier_folder_goes_before_a_later_one_and_both_before_what_is_built_in() {
    let folder = tempfile_folder();
    let [user, system] = ["user", "system"].map(|name| folder.join(name));
    for (place, family, ids) in
        [(&user, "user's", "['076b:3031']"), (&system, "system's", "['076b:3031', '076b:3a21']")]
    {
        fs::create_dir(place).unwrap();
        fs::write(place.join("x.toml"), format!("family = \"{family}\"\nids = {ids}\n")).unwrap();
    }
    let (profiles, ignored) = Profiles::load(&[user, system]);
    assert_eq!(ignored, []);
    let family = |product| profiles.find(Some(UsbId { vendor: 0x076B, product }), "").unwrap().family.clone();
    assert_eq!((family(0x3031), family(0x3A21)), ("user's".into(), "system's".into()));
    assert_ne!(family(0x6632), "user's");
    fs::remove_dir_all(folder).unwrap();
}

#[test]
fn a_reader_without_ids_is_known_by_its_name_and_an_unknown_one_is_not_guessed() {
    let profiles = Profiles::default();
    let name = "REINER SCT cyberJack RFID komfort (1234567890) 00 00";
    assert_eq!(profiles.find(None, name).unwrap().largest_command, Some(1014));
    let unknown = Some(UsbId { vendor: 0x1209, product: 1 });
    assert_eq!(profiles.find(unknown, "Virtual Reader 00 00"), None);
}

#[test]
fn a_fault_denies_what_it_names_and_nothing_else() {
    let profiles = Profiles::default();
    let leaking = profiles.find(Some(UsbId { vendor: 0x03F0, product: 0x0036 }), "").unwrap();
    assert!(!leaking.allows(Ability::PinVerify) && !leaking.allows(Ability::PinModify));
    assert!(leaking.allows(Ability::ExtendedLength) && leaking.allows(Ability::Autosuspend));
}

#[test]
fn extended_length_needs_apdus_or_blocks() {
    use Exchange as E;
    let table =
        [(E::Character, false, false), (E::Short, false, false), (E::Tpdu, false, true), (E::Extended, true, true)];
    for (exchange, t0, t1) in table {
        assert_eq!(
            (exchange.carries_extended_length(false), exchange.carries_extended_length(true)),
            (t0, t1),
            "{exchange:?}"
        );
    }
}
