//! Applications found, files read and changed, counted in commands.

use super::card::{Card, File};
use super::vectors as v;
use super::*;
use crate::card::CardError;
use crate::card::pkcs15::application::AID;
use crate::card::pkcs15::binary::{
    INS_READ_BINARY, INS_READ_BINARY_ODD, INS_READ_RECORD, INS_UPDATE_BINARY, INS_UPDATE_BINARY_ODD,
};

/// A MyEID card as OpenSC leaves it: directory files of 1024 bytes, a few of them empty.
fn myeid() -> Card {
    let mut card = Card::new();
    card.aid = Some(AID.to_vec());
    card.put_bytes("3F0050155031", &bytes(v::OBJECT_DIRECTORY), 256);
    card.put_bytes("3F0050155032", &bytes(v::TOKEN_INFO), 192);
    card.put_bytes("3F0050154401", &[bytes(v::PIN), bytes(v::SO_PIN)].concat(), 1024);
    card.put_bytes("3F0050154402", &[bytes(v::RSA_PRIVATE), bytes(v::EC_PRIVATE_OPENSC)].concat(), 1024);
    card.put_bytes("3F0050154403", &bytes(v::CERTIFICATE), 1024);
    for path in ["3F0050154404", "3F0050154405", "3F0050154406", "3F0050154407"] {
        card.put_bytes(path, &[], 1024);
    }
    card
}

fn read(card: &mut Card) -> (Application, Directory) {
    card.with(|channel| {
        let mut application = Application::find(channel).unwrap().unwrap();
        let directory = Directory::read(channel, &mut application).unwrap();
        (application, directory)
    })
}

const PRIVATE_KEYS: &str = "3F0050154402";

fn files() -> (Files, Path) {
    (Files::new(None), Path::new(bytes(PRIVATE_KEYS)))
}

/// A change that adds this entry.
fn added(entry: PrivateKeyEntry) -> impl FnOnce(&mut DirectoryFile<PrivateKeyEntry>) -> Result<(), CardError> {
    |file| {
        file.push(entry);
        Ok(())
    }
}

#[test]
fn a_directory_is_read_with_two_commands_for_each_file() {
    let mut card = myeid();
    let (_, directory) = read(&mut card);
    assert_eq!(entries(&directory.private_keys).count(), 2);
    assert_eq!(entries(&directory.certificates).count(), 1);
    assert_eq!(directory.certificates.len(), 2, "the user's and the trusted ones");
    assert_eq!(entries(&directory.authentication).count(), 2);
    assert_eq!(entries(&directory.secret_keys).count(), 0);
    assert_eq!(directory.pin(&[1]).map(PinEntry::reference), Some(1));
    assert!(directory.pin(&[9]).is_none());
    assert_eq!(directory.token_info.as_ref().map(|info| info.label.as_str()), Some("MyEID (alice)"));
    assert_eq!(directory.file_for(ObjectClass::SecretKeys), Some(&Path::new(bytes("3F0050154407"))));
    assert_eq!(card.commands.len(), 1 + 2 * 9, "the application, then SELECT and READ BINARY for nine files");
}

#[test]
fn a_file_that_wants_the_pin_or_is_missing_takes_no_other_away() {
    let mut card = myeid();
    card.guarded.push(bytes("3F0050154406"));
    card.files.remove(&bytes("3F0050154407"));
    card.put_bytes("3F0050154403", &[0x30, 0x82, 0x7F, 0xFF], 1024);
    let (mut application, directory) = read(&mut card);
    assert_eq!(directory.data[0].content, Err(CardError::SecurityStatus));
    assert_eq!(directory.secret_keys[0].content, Err(CardError::NotFound));
    assert_eq!(directory.certificates[0].content, Err(CardError::Malformed { what: "certificate directory" }));
    assert_eq!(entries(&directory.private_keys).count(), 2);
    card.guarded.clear();
    let Listing { class, place, .. } = directory.data[0].clone();
    let again: Listing<DataEntry> = card.with(|channel| application.list(channel, class, &place)).unwrap();
    assert_eq!(again.content, Ok(DirectoryFile::default()));
}

#[test]
fn entries_may_be_in_the_object_directory_itself() {
    let mut card = myeid();
    let direct = [vec![0xA0, 0x3C, 0xA0, 0x3A], bytes(v::RSA_PRIVATE)].concat();
    card.put_bytes("3F0050155031", &direct, 256);
    let (_, directory) = read(&mut card);
    assert_eq!(entries(&directory.private_keys).count(), 1);
    assert_eq!(directory.file_for(ObjectClass::PrivateKeys), None);
}

#[test]
fn an_application_is_found_by_the_records_or_the_bytes_of_ef_dir() {
    let other = bytes("6109 4F07A0000001160300");
    let record = |encoded: &[u8]| [encoded, &[0; 8]].concat();
    for records in [true, false] {
        let mut card = myeid();
        card.aid = None;
        let ours = bytes(v::TEMPLATE);
        if records {
            card.put("3F002F00", File::Records(vec![record(&other), record(&ours)]));
        } else {
            card.put_bytes("3F002F00", &[other.clone(), ours].concat(), 128);
        }
        let (application, directory) = read(&mut card);
        assert_eq!(application.template.label, "RSA DSI");
        assert_eq!(entries(&directory.private_keys).count(), 2);
        assert_eq!(card.sent(INS_READ_RECORD).len(), if records { 3 } else { 0 });
    }
}

#[test]
fn an_application_is_found_at_its_customary_place() {
    let mut card = myeid();
    card.aid = None;
    let (application, directory) = read(&mut card);
    assert_eq!(application.template.path, [0x50, 0x15]);
    assert_eq!(entries(&directory.private_keys).count(), 2);
}

#[test]
fn a_card_without_the_application_costs_few_commands() {
    let mut card = Card::new();
    card.files.remove(&bytes("3F005015"));
    for takes_paths in [true, false] {
        (card.takes_paths, card.commands) = (takes_paths, Vec::new());
        assert_eq!(card.with(Application::find), Ok(None));
        assert!(card.commands.len() <= 5, "{} commands", card.commands.len());
    }
}

#[test]
fn a_card_that_takes_no_paths_is_asked_file_by_file_and_once_only_for_paths() {
    let mut card = myeid();
    card.takes_paths = false;
    let (_, directory) = read(&mut card);
    assert_eq!(entries(&directory.private_keys).count(), 2);
    assert_eq!(card.sent(0xA4).iter().filter(|command| command[2] == 0x08).count(), 1);
}

#[test]
fn a_long_file_is_read_in_as_few_commands_as_lengths_allow() {
    let certificate = [vec![0x30, 0x82, 0x06, 0x0E], vec![0x5A; 0x60E]].concat();
    let path = Path::new(bytes("3F0050154301"));
    let reads = |tells_sizes, extended, longest_answer| {
        let mut card = Card::new();
        (card.tells_sizes, card.extended, card.longest_answer) = (tells_sizes, extended, longest_answer);
        card.put_bytes("3F0050154301", &certificate, 2048);
        let content = card.with(|channel| Files::new(None).read_object(channel, &path)).unwrap();
        assert_eq!(content.as_slice(), certificate);
        card.sent(INS_READ_BINARY).len()
    };
    assert_eq!(reads(true, false, 256), 7, "1554 bytes of 2048, 256 at a time");
    assert_eq!(reads(false, false, 256), 7);
    assert_eq!(reads(true, true, 65_536), 1);
    assert_eq!(reads(false, true, 65_536), 1);
    assert_eq!(reads(true, false, 240), 7);
    assert_eq!(reads(false, false, 200), 8);
}

#[test]
fn a_file_whose_size_is_not_told_ends_where_the_card_says() {
    for size in [1, 255, 256, 257, 512, 700] {
        let mut card = Card::new();
        card.tells_sizes = false;
        let content: Vec<u8> = (0..size).map(|number| number as u8).collect();
        card.put_bytes("3F0050154501", &content, size);
        let read = card.with(|channel| Files::new(None).read(channel, &Path::new(bytes("3F0050154501"))));
        assert_eq!(read.unwrap().as_slice(), content, "{size} bytes");
    }
}

#[test]
fn a_part_of_a_file_is_read_where_it_is() {
    let mut card = Card::new();
    let content: Vec<u8> = (0..1000_u32).map(|number| number as u8).collect();
    card.put_bytes("3F0050154501", &content, 1000);
    let part = Path { file: bytes("3F0050154501"), index: Some(300), length: Some(400) };
    let read = card.with(|channel| Files::new(None).read(channel, &part)).unwrap();
    assert_eq!(read.as_slice(), &content[300..700]);
    let beyond = Path { index: Some(900), length: Some(400), ..part };
    let read = card.with(|channel| Files::new(None).read(channel, &beyond)).unwrap();
    assert_eq!(read.as_slice(), &content[900..]);
}

#[test]
fn offsets_beyond_fifteen_bits_take_the_odd_instruction_code() {
    let mut card = Card::new();
    let content: Vec<u8> = (0..40_000_u32).map(|number| (number / 7) as u8).collect();
    card.put_bytes("3F0050154501", &content, 40_000);
    let path = Path::new(bytes("3F0050154501"));
    let read = card.with(|channel| Files::new(None).read(channel, &path)).unwrap();
    assert_eq!(read.as_slice(), content);
    assert!(!card.sent(INS_READ_BINARY_ODD).is_empty());
    let mut changed = content.clone();
    changed[39_000..39_999].fill(0xEE);
    card.with(|channel| Files::new(None).replace(channel, &path, &changed)).unwrap();
    assert_eq!(card.bytes("3F0050154501"), changed);
    assert!(card.sent(INS_UPDATE_BINARY).is_empty() && !card.sent(INS_UPDATE_BINARY_ODD).is_empty());
}

#[test]
fn a_card_that_gives_a_byte_at_a_time_is_given_up() {
    let mut card = Card::new();
    card.longest_answer = 1;
    card.put_bytes("3F0050154501", &[0x5A; 30_000], 30_000);
    let read = card.with(|channel| Files::new(None).read(channel, &Path::new(bytes("3F0050154501"))));
    assert_eq!(read, Err(CardError::Malformed { what: "file" }));
    assert!(card.commands.len() < 1100);
}

#[test]
fn an_added_entry_is_the_only_thing_written() {
    let mut card = myeid();
    let (mut files, path) = files();
    let new: PrivateKeyEntry = entry(v::EC_PRIVATE_STANDARD);
    card.with(|channel| files.change_directory(channel, &path, added(new))).unwrap();
    let before = [bytes(v::RSA_PRIVATE), bytes(v::EC_PRIVATE_OPENSC)].concat();
    let sent = card.sent(INS_UPDATE_BINARY);
    let added = bytes(v::EC_PRIVATE_STANDARD);
    assert_eq!(sent, [[&[0x00, 0xD6, 0x00, before.len() as u8, added.len() as u8][..], &added].concat()]);
    assert!(card.bytes(PRIVATE_KEYS).starts_with(&[before, added].concat()));
}

#[test]
fn a_removed_entry_leaves_zeros_behind_the_last_one() {
    let mut card = myeid();
    let (mut files, path) = files();
    let removed = card.with(|channel| {
        files.change_directory(channel, &path, |file: &mut DirectoryFile<PrivateKeyEntry>| {
            Ok(file.remove(|key| key.algorithm == KeyAlgorithm::Rsa))
        })
    });
    assert_eq!(removed, Ok(1));
    let mut expected = bytes(v::EC_PRIVATE_OPENSC);
    expected.resize(1024, 0);
    assert_eq!(card.bytes(PRIVATE_KEYS), expected);
}

#[test]
fn the_last_entry_of_a_file_can_go() {
    let mut card = myeid();
    let (mut files, path) = files();
    let all = |file: &mut DirectoryFile<PrivateKeyEntry>| Ok(file.remove(|_| true));
    assert_eq!(card.with(|channel| files.change_directory(channel, &path, all)), Ok(2));
    assert_eq!(card.bytes(PRIVATE_KEYS), [0; 1024]);
}

#[test]
fn a_changed_label_is_written_from_where_it_differs() {
    let mut card = myeid();
    let (mut files, path) = files();
    let rename = |file: &mut DirectoryFile<PrivateKeyEntry>| {
        Ok(file.update(|key| {
            let wanted = key.key.id == [0x46];
            if wanted {
                key.common.label = "ec key".to_owned();
            }
            wanted
        }))
    };
    assert_eq!(card.with(|channel| files.change_directory(channel, &path, rename)), Ok(1));
    assert_eq!(card.sent(INS_UPDATE_BINARY), [[0x00, 0xD6, 0x00, 64, 2, b'e', b'c']]);
}

#[test]
fn entries_behind_a_gap_are_kept_by_a_change() {
    let mut card = myeid();
    let content = [bytes(v::RSA_PRIVATE), vec![0; 300], bytes(v::EC_PRIVATE_OPENSC)].concat();
    card.put_bytes(PRIVATE_KEYS, &content, 1024);
    let (mut files, path) = files();
    let new: PrivateKeyEntry = entry(v::EC_PRIVATE_STANDARD);
    card.with(|channel| files.change_directory(channel, &path, added(new))).unwrap();
    let expected = [bytes(v::RSA_PRIVATE), bytes(v::EC_PRIVATE_OPENSC), bytes(v::EC_PRIVATE_STANDARD)].concat();
    let written = card.bytes(PRIVATE_KEYS);
    assert!(written.starts_with(&expected));
    assert!(written[expected.len()..].iter().all(|&byte| byte == 0));
}

#[test]
fn what_does_not_fit_changes_nothing() {
    let mut card = myeid();
    let content = [bytes(v::RSA_PRIVATE), bytes(v::EC_PRIVATE_OPENSC)].concat();
    card.put_bytes(PRIVATE_KEYS, &content, 120);
    let (mut files, path) = files();
    let new: PrivateKeyEntry = entry(v::RSA_PRIVATE_FULL);
    let changed = card.with(|channel| files.change_directory(channel, &path, added(new)));
    assert_eq!(changed, Err(CardError::Memory));
    let refused = card.with(|channel| {
        files.change_directory(channel, &path, |file: &mut DirectoryFile<PrivateKeyEntry>| {
            file.remove(|_| true);
            Err::<(), _>(CardError::Input)
        })
    });
    assert_eq!(refused, Err(CardError::Input));
    assert!(card.sent(INS_UPDATE_BINARY).is_empty());
}

#[test]
fn a_long_change_is_written_in_pieces_of_short_commands() {
    let mut card = myeid();
    let (mut files, path) = files();
    let add = |file: &mut DirectoryFile<PrivateKeyEntry>| {
        (0..5).for_each(|_| file.push(entry(v::RSA_PRIVATE_FULL)));
        Ok(())
    };
    card.with(|channel| files.change_directory(channel, &path, add)).unwrap();
    let lengths: Vec<_> = card.sent(INS_UPDATE_BINARY).iter().map(|command| command[4]).collect();
    assert_eq!(lengths, [255, 255, 185]);
    let read = card.with(|channel| files.read_directory::<PrivateKeyEntry>(channel, &path)).unwrap();
    assert_eq!(read.entries().count(), 7);
}

#[test]
fn a_file_is_described_by_what_select_answers() {
    let control = FileControl::parse(&bytes("6F17 81020400 820101 83024402 860311FFFF 85020000 8A0100 8000"));
    assert_eq!((control.size, control.identifier, control.has_records()), (Some(0x400), Some(0x4402), false));
    assert!(FileControl::parse(&bytes("6204 82024241")).has_records());
    assert!(!FileControl::parse(&bytes("6203 820138")).has_records());
    for broken in ["", "6F", "6F0480", "6F80", "8002", "9000", "6F03 800102"] {
        assert_eq!(FileControl::parse(&bytes(broken)).identifier, None, "{broken}");
    }
}
