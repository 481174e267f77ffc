//! Writing to a MyEID card over the real pcscd: OpenSC's programs make, read and delete, and no process sees or touches
//! the session's key of another.

use std::io::Write;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use cardea_harness::bench::Bench;
use cardea_harness::myeid::{MyEidCard, MyEidLayout, MyEidOptions, MyEidProbe, PIN, SO_PIN, provision_myeid};
use cardea_harness::provision::Authority;
use cardea_harness::reader::VirtualReader;
use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::mechanism::Mechanism;
use cryptoki::object::{Attribute, ObjectClass, ObjectHandle};
use cryptoki::session::{Session, UserType};
use cryptoki::types::AuthPin;

use super::child::is_child;
use super::program::{installed, run};
use crate::module;

const READER: &str = "Cardea Virtual Reader";

fn bench() -> (Bench, MyEidProbe) {
    let mut card = MyEidCard::new(MyEidOptions::default());
    provision_myeid(&mut card, &MyEidLayout::standard(), &Authority::default());
    let chip = card.probe();
    (Bench::start(vec![(READER, VirtualReader::with_card(card))]), chip)
}

fn command(bench: &Bench, program: impl AsRef<std::ffi::OsStr>) -> Command {
    let mut command = bench.command(program);
    let home: &Path = bench.directory();
    command.current_dir(home).env("HOME", home).env("XDG_CONFIG_HOME", home).env("XDG_STATE_HOME", home);
    command.env("CARDEA_MODULE", module::path()).env("LC_ALL", "C.UTF-8");
    command
}

#[test]
fn opensc_wraps_and_unwraps_keys_of_the_card_through_this_module() {
    if !installed("pkcs11-tool", "opensc") {
        return;
    }
    let (bench, _chip) = bench();
    let script = r#"set -e; exec 2>&1
        user="pkcs11-tool --module $CARDEA_MODULE --login --pin $PIN"
        how="-m AES-CBC-PAD --iv 000102030405060708090a0b0c0d0e0f --id 61"
        $user --keygen --key-type aes:32 --id 61 --label wrapping --usage-wrap
        $user --keygen --key-type aes:16 --id 62 --label leaving --sensitive --extractable --usage-decrypt
        $user --keygen --key-type aes:16 --id 63 --label staying --sensitive --usage-decrypt
        $user --wrap $how --application-id 62 -o wrapped
        ! $user --wrap $how --application-id 63 -o refused
        $user --unwrap $how -i wrapped --key-type AES:16 --application-id 64 --usage-decrypt
        printf 'sixteen bytes...' > text
        $user --encrypt -m AES-ECB --id 62 -i text -o before
        $user --encrypt -m AES-ECB --id 64 -i text -o after
        cmp before after && echo the same key"#;
    let mut shell = command(&bench, "sh");
    shell.args(["-c", script]).env("PIN", PIN);
    run(shell).succeeded().says("Key wrapped").says("CKR_KEY_UNEXTRACTABLE").says("Key unwrapped").says("the same key");
}

#[test]
fn opensc_makes_objects_through_this_module_and_reads_them_with_its_own() {
    if !installed("pkcs11-tool", "opensc") || !installed("pkcs15-tool", "opensc") {
        return;
    }
    let (bench, _chip) = bench();
    let script = r#"set -e; exec 2>&1
        tool="pkcs11-tool --module $CARDEA_MODULE"; user="$tool --login --pin $PIN"
        $user --keypairgen --key-type rsa:1024 --id 77 --label made
        openssl genrsa -out k.pem 2048
        openssl rsa -in k.pem -outform DER -out k.der -traditional
        openssl req -new -x509 -key k.pem -subj /CN=test -outform DER -out c.der
        $user --write-object k.der --type privkey --id 79 --label brought
        $user --write-object c.der --type cert --id 79 --label brought
        echo hello > note; $user --write-object note --type data --label note --application-label bench
        pkcs15-tool -D | tee listed; pkcs15-tool --read-certificate 79 > c.pem
        openssl x509 -in c.pem -outform DER | cmp - c.der
        openssl rand 32 > hash
        pkcs11-tool --login --pin $PIN --sign -m RSA-PKCS --id 79 -i hash -o signature
        openssl pkeyutl -verify -inkey k.pem -in hash -sigfile signature
        $user --delete-object --type privkey --id 77
        $user --delete-object --type cert --id 79
        $user --delete-object --type data --label note --application-label bench
        pkcs15-tool -D > after
        ! grep -e '\[made\]' -e 'Certificate \[brought\]' -e "'note'" after
        $tool --init-token --so-pin $SO_PIN --label fresh
        $tool --login --login-type so --so-pin $SO_PIN --init-pin --new-pin 314159
        $tool --login --pin 314159 --keypairgen --key-type EC:prime256v1 --id 01 --label anew
        pkcs15-tool -D"#;
    let mut shell = command(&bench, "sh");
    shell.args(["-c", script]).env("PIN", PIN).env("SO_PIN", SO_PIN);
    run(shell)
        .succeeded()
        .says("Private RSA Key [made]")
        .says("X.509 Certificate [brought]")
        .says("Signature Verified Successfully")
        .says("PKCS#15 Card [fresh]")
        .says("Private EC Key [anew]");
}

/// The function that runs in this process, where several may.
const PART: &str = "CARDEA_TEST_PART";
const OF_TWO: &str = "clients::writing::a_key_of_one_process_is_invisible_to_another_and_untouched_by_it";

/// An AES key for this session, which stays in the card.
fn own_key(pkcs11: &Pkcs11, label: &str) -> (Session, ObjectHandle) {
    let slot = pkcs11.get_slots_with_token().unwrap()[0];
    let session = pkcs11.open_rw_session(slot).unwrap();
    session.login(UserType::User, Some(&AuthPin::new(PIN.into()))).unwrap();
    let wish = [
        Attribute::ValueLen(16.into()),
        Attribute::Sensitive(true),
        Attribute::Extractable(false),
        Attribute::Token(false),
        Attribute::Label(label.into()),
    ];
    let key = session.generate_key(&Mechanism::AesKeyGen, &wish).unwrap();
    (session, key)
}

/// Makes a key, sees no other's, and waits for a line before each thing that it does with it.
fn one_of_two(part: &str) {
    let wait = || assert!(std::io::stdin().read_line(&mut String::new()).unwrap() > 0);
    let pkcs11 = Pkcs11::new(module::path()).unwrap();
    pkcs11.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK)).unwrap();
    let (session, key) = own_key(&pkcs11, part);
    let found = session.find_objects(&[Attribute::Token(false), Attribute::Class(ObjectClass::SECRET_KEY)]).unwrap();
    assert_eq!(found, [key], "only its own");
    assert_eq!(session.encrypt(&Mechanism::AesEcb, key, &[7; 16]).unwrap().len(), 16);
    wait();
    session.close().unwrap();
    wait();
    pkcs11.finalize().unwrap();
}

fn part(bench: &Bench, part: &str) -> Child {
    let mut child = command(bench, std::env::current_exe().unwrap());
    child.args([OF_TWO, "--exact", "--nocapture", "--test-threads=1"]).env("CARDEA_TEST_CHILD", "1").env(PART, part);
    child.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap()
}

fn await_keys(chip: &MyEidProbe, count: usize) -> Vec<u16> {
    let begun = Instant::now();
    while chip.volatile_files().len() != count {
        assert!(begun.elapsed() < Duration::from_secs(30), "{count} expected: {:04X?}", chip.volatile_files());
        std::thread::sleep(Duration::from_millis(2));
    }
    chip.volatile_files()
}

#[test]
fn a_key_of_one_process_is_invisible_to_another_and_untouched_by_it() {
    if is_child() {
        return one_of_two(&std::env::var(PART).unwrap());
    }
    let (bench, chip) = bench();
    let journal = || std::fs::read_to_string(bench.directory().join("cardea/volatile-objects")).unwrap_or_default();
    let go_on = |child: &mut Child| child.stdin.as_mut().unwrap().write_all(b"\n").unwrap();
    let mut first = part(&bench, "first");
    let of_first = await_keys(&chip, 1);
    let mut second = part(&bench, "second");
    let of_both = await_keys(&chip, 2);
    assert!(of_both.contains(&of_first[0]), "the first's entry in the journal is no orphan: {of_both:04X?}");
    go_on(&mut second);
    assert_eq!(await_keys(&chip, 1), of_first, "the second deletes its own");
    assert!(journal().lines().count() == 1 && journal().contains(&first.id().to_string()), "{}", journal());
    go_on(&mut second);
    assert!(second.wait().unwrap().success());
    assert_eq!(chip.volatile_files(), of_first, "and its end is not the first's");
    go_on(&mut first);
    await_keys(&chip, 0);
    go_on(&mut first);
    assert!(first.wait().unwrap().success());
    assert_eq!(journal(), "");
}
