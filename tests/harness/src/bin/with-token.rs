//! Runs a command beside a private pcscd with one virtual reader and a provisioned card in it.
//!
//! `with-token CARD COMMAND [ARGUMENT…]`. The command finds in its environment:
//!
//! | variable | content |
//! |---|---|
//! | `PCSCLITE_CSOCK_NAME` | the socket of the private pcscd |
//! | `CARDEA_MODULE` | the module, as the script `tests/with-token` sets it |
//! | `CARDEA_PIN`, `CARDEA_SO_PIN` | the card's PIN and, of PIV, PUK, of MyEID, security officer's PIN, of OpenPGP, PW3 |
//! | `CARDEA_APDU_LOG` | the file with one line for each command to the card; a path that is set already is kept |
//! | `CARDEA_BENCH_DIR` | a directory with `ca.pem` and the card's certificates, removed at the end |
//!
//! The exit status is the command's, 128 + n when signal n ended it, 127 or 126 when it cannot be run, 2 for a wrong
//! call. SIGTERM and SIGHUP are passed on; SIGINT and SIGQUIT reach the command from the terminal.
#![allow(clippy::expect_used)]

use std::ffi::OsString;
use std::io;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, ExitStatus};
use std::thread;

use cardea_harness::bench::Bench;
use cardea_harness::card::VirtualCard;
use cardea_harness::myeid::{MyEidCard, MyEidLayout, MyEidOptions, provision_myeid};
use cardea_harness::openpgp::{OpenPgpCard, OpenPgpLayout, OpenPgpOptions, PW1, PW3, provision_openpgp};
use cardea_harness::piv::{PivCard, PivOptions};
use cardea_harness::provision::{Authority, Layout, provision};
use cardea_harness::reader::{PinPad, VirtualReader};
use cardea_harness::several::PivAndOpenPgpCard;
use rustix::process::{Pid, Signal, kill_process};
use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM};
use signal_hook::iterator::Signals;

/// The name of the reader; PC/SC appends ` 00 00`.
const READER: &str = "Cardea Virtual Reader";

/// A card that can be asked for.
struct Choice {
    name: &'static str,
    description: &'static str,
    make: fn() -> Token,
}

/// Writes certificates and public keys into a directory.
type WritePem = Box<dyn Fn(&Path) -> io::Result<()>>;

/// A card with what the command is told about it.
struct Token {
    card: Box<dyn VirtualCard>,
    pin: String,
    so_pin: String,
    pad: Option<PinPad>,
    write_pem: WritePem,
}

/// The first is the one that examples use.
const CARDS: [Choice; 16] = [
    Choice {
        name: "piv",
        description: "PIV, extended APDUs: 9A RSA-2048, 9C P-256, 9D RSA-2048, 9E P-256",
        make: || piv(PivOptions::extended(), &Layout::standard()),
    },
    Choice {
        name: "piv-short",
        description: "the same with short APDUs only",
        make: || piv(PivOptions::short(), &Layout::standard()),
    },
    Choice {
        name: "piv-varied",
        description: "PIV with larger keys, compressed certificates and retired keys",
        make: || piv(PivOptions::extended(), &Layout::varied()),
    },
    Choice {
        name: "piv-elliptic",
        description: "PIV with P-256 in every key reference, ready at once",
        make: || piv(PivOptions::extended(), &Layout::elliptic()),
    },
    Choice {
        name: "piv-pinpad",
        description: "the same in a reader with a PIN pad, on which somebody types the PIN",
        make: || with_pad(piv(PivOptions::extended(), &Layout::elliptic())),
    },
    Choice {
        name: "myeid",
        description: "MyEID 4.5: RSA-2048, P-256, P-384, AES-256",
        make: || myeid(MyEidOptions::default(), &MyEidLayout::standard()),
    },
    Choice {
        name: "myeid-channels",
        description: "the same with four logical channels",
        make: || myeid(MyEidOptions::with_channels(), &MyEidLayout::standard()),
    },
    Choice {
        name: "myeid-varied",
        description: "MyEID 4.5: RSA-4096, P-521, P-192, a key with user consent, AES-128, 3DES",
        make: || myeid(MyEidOptions::default(), &MyEidLayout::varied()),
    },
    Choice {
        name: "myeid-old",
        description: "MyEID 4.0.1 with the keys of myeid: no session objects, no command chaining",
        make: || myeid(MyEidOptions::old(), &MyEidLayout::standard()),
    },
    Choice {
        name: "myeid-blank",
        description: "MyEID 4.5 as it leaves the factory: no PIN, no file system",
        make: blank_myeid,
    },
    Choice {
        name: "openpgp",
        description: "OpenPGP 3.4: signature P-256 with a PIN each time, RSA-2048, RSA-2048",
        make: || openpgp(OpenPgpOptions::default(), &OpenPgpLayout::standard()),
    },
    Choice {
        name: "openpgp-short",
        description: "the same with short APDUs only",
        make: || openpgp(OpenPgpOptions::short(), &OpenPgpLayout::standard()),
    },
    Choice {
        name: "openpgp-modern",
        description: "OpenPGP 3.4: Ed25519, X25519, Ed25519, without certificates",
        make: || openpgp(OpenPgpOptions::default(), &OpenPgpLayout::modern()),
    },
    Choice {
        name: "openpgp-varied",
        description: "OpenPGP 3.4: RSA-4096, P-384, P-521",
        make: || openpgp(OpenPgpOptions::default(), &OpenPgpLayout::varied()),
    },
    Choice {
        name: "piv+openpgp",
        description: "one card with both: PIV with P-256 everywhere, OpenPGP with Ed25519 and X25519",
        make: piv_and_openpgp,
    },
    Choice { name: "openpgp-blank", description: "OpenPGP 3.4 without keys", make: blank_openpgp },
];

fn piv(options: PivOptions, layout: &Layout) -> Token {
    let mut card = PivCard::new(options);
    let provisioned = provision(&mut card, layout, &Authority::default());
    Token {
        card: Box::new(card),
        pin: provisioned.pin.clone(),
        so_pin: provisioned.puk.clone(),
        pad: None,
        write_pem: Box::new(move |directory| provisioned.write_pem(directory)),
    }
}

fn myeid(options: MyEidOptions, layout: &MyEidLayout) -> Token {
    let mut card = MyEidCard::new(options);
    let provisioned = provision_myeid(&mut card, layout, &Authority::default());
    Token {
        card: Box::new(card),
        pin: provisioned.pin.clone(),
        so_pin: provisioned.so_pin.clone(),
        pad: None,
        write_pem: Box::new(move |directory| provisioned.write_pem(directory)),
    }
}

/// The same token in a reader whose user knows its PIN.
fn with_pad(token: Token) -> Token {
    Token { pad: Some(PinPad::of(&token.pin)), ..token }
}

fn blank_myeid() -> Token {
    Token {
        card: Box::new(MyEidCard::new(MyEidOptions::default())),
        pin: String::new(),
        so_pin: String::new(),
        pad: None,
        write_pem: Box::new(|_| Ok(())),
    }
}

fn openpgp(options: OpenPgpOptions, layout: &OpenPgpLayout) -> Token {
    let mut card = OpenPgpCard::new(options);
    let provisioned = provision_openpgp(&mut card, layout, &Authority::default());
    Token {
        card: Box::new(card),
        pin: provisioned.pin.clone(),
        so_pin: provisioned.so_pin.clone(),
        pad: None,
        write_pem: Box::new(move |directory| provisioned.write_pem(directory)),
    }
}

/// The PIN is the same for both applications; the officer's is PIV's PUK and OpenPGP's PW3.
fn piv_and_openpgp() -> Token {
    let mut card = PivAndOpenPgpCard::new(PivOptions::extended(), OpenPgpOptions::default());
    let piv = provision(&mut card, &Layout::elliptic(), &Authority::default());
    let openpgp = provision_openpgp(&mut card, &OpenPgpLayout::modern(), &Authority::default());
    Token {
        card: Box::new(card),
        pin: piv.pin.clone(),
        so_pin: piv.puk.clone(),
        pad: None,
        write_pem: Box::new(move |directory| {
            openpgp.write_pem(directory)?;
            piv.write_pem(directory)
        }),
    }
}

fn blank_openpgp() -> Token {
    Token {
        card: Box::new(OpenPgpCard::new(OpenPgpOptions::default())),
        pin: PW1.to_owned(),
        so_pin: PW3.to_owned(),
        pad: None,
        write_pem: Box::new(|_| Ok(())),
    }
}

fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1);
    let (Some(card), Some(program)) = (arguments.next(), arguments.next()) else {
        return wrong_call("CARD and COMMAND are needed");
    };
    let Some(choice) = CARDS.iter().find(|choice| card == choice.name) else {
        return wrong_call(&format!("there is no card {}", card.display()));
    };
    match run(choice, &program, arguments.collect()) {
        Ok(status) => ExitCode::from(exit_code(status)),
        Err(error) => {
            eprintln!("with-token: {}: {error}", program.display());
            ExitCode::from(if error.kind() == io::ErrorKind::NotFound { 127 } else { 126 })
        }
    }
}

fn wrong_call(complaint: &str) -> ExitCode {
    eprintln!("with-token: {complaint}\nusage: with-token CARD COMMAND [ARGUMENT...]\ncards:");
    for Choice { name, description, .. } in &CARDS {
        eprintln!("  {name:<14} {description}");
    }
    ExitCode::from(2)
}

/// Starts the bench and runs `program` beside it.
fn run(choice: &Choice, program: &OsString, arguments: Vec<OsString>) -> io::Result<ExitStatus> {
    let mut signals = Signals::new([SIGTERM, SIGHUP, SIGINT, SIGQUIT])?;
    let token = (choice.make)();
    let reader = VirtualReader::with_card(token.card);
    reader.set_pin_pad(token.pad);
    let bench = Bench::start(vec![(READER, reader.clone())]);
    let log = std::env::var_os("CARDEA_APDU_LOG").map_or_else(|| bench.directory().join("apdu.log"), PathBuf::from);
    reader.log_to_file(&log)?;
    (token.write_pem)(bench.directory())?;
    let mut command: Command = bench.command(program);
    command
        .args(arguments)
        .env("CARDEA_PIN", &token.pin)
        .env("CARDEA_SO_PIN", &token.so_pin)
        .env("CARDEA_APDU_LOG", log)
        .env("CARDEA_BENCH_DIR", bench.directory());
    let mut child = command.spawn()?;
    let id = i32::try_from(child.id()).ok().and_then(Pid::from_raw).expect("a process id");
    let handle = signals.handle();
    let forwarding = thread::spawn(move || {
        for signal in &mut signals {
            let signal = match signal {
                SIGTERM => Signal::TERM,
                SIGHUP => Signal::HUP,
                _ => continue,
            };
            if let Err(error) = kill_process(id, signal) {
                eprintln!("with-token: the command takes no signal: {error}");
            }
        }
    });
    let status = child.wait();
    handle.close();
    forwarding.join().expect("the forwarding of signals ends");
    status
}

/// The status a shell would give.
fn exit_code(status: ExitStatus) -> u8 {
    let code = status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or(0));
    u8::try_from(code).unwrap_or(u8::MAX)
}
