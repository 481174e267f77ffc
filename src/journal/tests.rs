//! What is noted, by whom it is found and by whom it is struck out.

use std::os::unix::fs::MetadataExt;
use std::path::Path;

use super::*;

const KEY: KeyReference = KeyReference(0x4D01);

/// The journal's file, which goes with its folder.
struct Place(PathBuf);

impl std::ops::Deref for Place {
    type Target = Path;

    fn deref(&self) -> &Path {
        &self.0
    }
}

impl AsRef<Path> for Place {
    fn as_ref(&self) -> &Path {
        &self.0
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Some(folder) = self.0.parent().and_then(Path::parent) {
            let _ = fs::remove_dir_all(folder);
        }
    }
}

fn journal(name: &str) -> (Journal, Place) {
    let folder = std::env::temp_dir().join(format!("cardea-journal-{name}-{}", std::process::id()));
    let _ = fs::remove_dir_all(&folder);
    let path = folder.join("state/volatile-objects");
    (Journal::at(path.clone()), Place(path))
}

/// The journal as a process sees it that started when this one did not.
fn of_another(path: &Path) -> Journal {
    Journal::new(Some(path.to_owned()), Owner { process: std::process::id(), started: 1 })
}

#[test]
fn what_a_dead_process_left_is_found_by_the_next_and_by_it_alone() {
    let (journal, path) = journal("dead");
    let dead = of_another(&path);
    dead.add("0001", KEY, 1).unwrap();
    journal.add("0001", KeyReference(0x4D02), 1).unwrap();
    assert_eq!(journal.orphans("0001"), [KEY]);
    assert_eq!(journal.orphans("0002"), []);
    assert_eq!(dead.orphans("0001"), [], "a process that lives is left alone");
    journal.remove("0001", KEY, 1).unwrap();
    assert_eq!(journal.orphans("0001"), []);
}

#[test]
fn an_emptied_card_takes_only_the_lines_of_this_process() {
    let (journal, path) = journal("emptied");
    of_another(&path).add("0001", KEY, 1).unwrap();
    journal.add("0001", KeyReference(0x4D02), 1).unwrap();
    journal.emptied("0001", 2).unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap().lines().count(), 1);
    assert_eq!(journal.orphans("0001"), [KEY]);
}

#[test]
fn a_place_that_was_taken_anew_is_its_new_owners() {
    let (journal, path) = journal("anew");
    of_another(&path).add("0001", KEY, 1).unwrap();
    journal.add("0001", KEY, 1).unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap().lines().count(), 1);
    let third = of_another(&path);
    assert_eq!(third.orphans("0001"), []);
    third.remove("0001", KEY, 1).unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap().lines().count(), 1, "the process lives");
    journal.remove("0001", KEY, 1).unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap().lines().count(), 0);
}

#[test]
fn what_was_made_since_a_reset_is_not_struck_out_with_what_that_reset_took() {
    let (journal, path) = journal("since");
    let lines = || fs::read_to_string(&path).unwrap().lines().count();
    journal.add("0001", KEY, 1).unwrap();
    journal.add("0001", KeyReference(0x4D02), 1).unwrap();
    // The reset was seen by one thread, and another has made a key before the first gets to strike out the lost.
    journal.add("0001", KEY, 2).unwrap();
    journal.emptied("0001", 2).unwrap();
    assert_eq!(lines(), 1);
    journal.remove("0001", KEY, 1).unwrap();
    assert_eq!(lines(), 1, "what was deleted is not what is there");
    journal.emptied("0002", 3).unwrap();
    assert_eq!(lines(), 1, "another card");
    journal.remove("0001", KEY, 2).unwrap();
    assert_eq!(lines(), 0);
}

#[test]
fn what_is_disowned_is_found_by_the_same_process() {
    let (journal, path) = journal("disowned");
    assert!(journal.disown().is_err(), "there is no file");
    of_another(&path).add("0001", KEY, 1).unwrap();
    journal.add("0001", KeyReference(0x4D02), 1).unwrap();
    assert_eq!(journal.orphans("0001"), [KEY]);
    journal.disown().unwrap();
    assert_eq!(journal.orphans("0001"), [KEY, KeyReference(0x4D02)]);
}

#[test]
fn a_lasting_key_is_unfinished_until_it_is_listed() {
    let (journal, path) = journal("unfinished");
    let dead = of_another(&path);
    dead.begin("0001", KEY).unwrap();
    dead.add("0001", KeyReference(0x4D02), 1).unwrap();
    assert_eq!((journal.unfinished("0001"), journal.orphans("0001")), (vec![KEY], vec![KeyReference(0x4D02)]));
    assert_eq!(journal.unfinished("0002"), [], "another card");
    dead.emptied("0001", 2).unwrap();
    dead.remove("0001", KEY, 2).unwrap();
    assert_eq!(dead.unfinished("0001"), [KEY], "no reset takes it, and no deletion of a volatile one");
    assert!(dead.has_begun("0001", KEY) && !journal.has_begun("0001", KEY));
    journal.begin("0001", KEY).unwrap();
    dead.finish("0001", KEY).unwrap();
    assert_eq!(journal.unfinished("0001"), [KEY], "the place is another's, who lives");
    assert_eq!(dead.unfinished("0001"), [], "who is left alone");
    journal.finish("0001", KEY).unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), "");
}

#[test]
fn the_file_is_the_users_alone() {
    let (journal, path) = journal("mode");
    journal.add("0001", KEY, 1).unwrap();
    assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
    assert_eq!(fs::metadata(path.parent().unwrap()).unwrap().mode() & 0o777, 0o700);
}

#[test]
fn a_missing_truncated_or_foreign_file_is_survived() {
    let (journal, path) = journal("damaged");
    assert_eq!(journal.orphans("0001"), []);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, "1 1 1 4D01 30303031\n1 1 1 4D0\n1 77 x\n\u{0}\u{1}\n3 newer words\n1 1 1 4D05 zz\n1 1 1 4D0")
        .unwrap();
    assert_eq!(journal.orphans("0001"), [KEY]);
    journal.add("0001", KeyReference(0x4D09), 1).unwrap();
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.contains("3 newer words\n"), "a newer version's line stays: {text}");
    assert!(!text.contains("zz"), "a damaged line goes: {text}");
}

#[test]
fn who_keeps_the_file_locked_keeps_nobody_waiting_for_ever() {
    let (journal, path) = journal("locked");
    journal.add("0001", KEY, 1).unwrap();
    let held = File::open(&path).unwrap();
    held.lock().unwrap();
    let refused = journal.add("0001", KeyReference(0x4D02), 1);
    assert_eq!(refused.unwrap_err().kind(), io::ErrorKind::WouldBlock);
    drop(held);
    journal.add("0001", KeyReference(0x4D02), 1).unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap().lines().count(), 2);
}

#[test]
fn a_symbolic_link_is_not_followed() {
    let (journal, path) = journal("link");
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let elsewhere = path.with_extension("elsewhere");
    fs::write(&elsewhere, "precious").unwrap();
    std::os::unix::fs::symlink(&elsewhere, &path).unwrap();
    assert!(journal.add("0001", KEY, 1).is_err());
    assert_eq!(fs::read_to_string(&elsewhere).unwrap(), "precious");
}

#[test]
fn a_serial_number_cannot_break_a_line() {
    let (journal, path) = journal("serial");
    of_another(&path).add("1\n1 1 1 4D01 30", KEY, 1).unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap().lines().count(), 1);
    assert_eq!(journal.orphans("1\n1 1 1 4D01 30"), [KEY]);
}
