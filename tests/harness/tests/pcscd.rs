//! The virtual reader under a real pcscd, asked by another process.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::time::{Duration, Instant};

use cardea_harness::bench::{Bench, Client};
use cardea_harness::card::VirtualCard;
use cardea_harness::reader::{Action, Failure, Fault, Key, PinPad, Properties, VirtualReader};

/// A card that answers each command with its own bytes and 9000, and `00 CA` with the number of commands since its
/// last reset.
#[derive(Default)]
struct Echo {
    commands: u8,
}

impl VirtualCard for Echo {
    fn atr(&self) -> Vec<u8> {
        vec![0x3B, 0x80, 0x80, 0x01, 0x01]
    }

    fn power_on(&mut self) {
        self.commands = 0;
    }

    fn reset(&mut self) {
        self.commands = 0;
    }

    fn power_off(&mut self) {
        self.commands = 0;
    }

    fn transmit(&mut self, command: &[u8]) -> Vec<u8> {
        self.commands += 1;
        match command {
            [0x00, 0xCA, ..] => vec![self.commands, 0x90, 0x00],
            _ => [command, &[0x90, 0x00]].concat(),
        }
    }
}

fn client(bench: &Bench) -> Client {
    bench.client(env!("CARGO_BIN_EXE_pcsc-client"))
}

#[test]
fn two_readers_in_one_pcscd_are_two_cards() {
    let (left, right) = (VirtualReader::with_card(Echo::default()), VirtualReader::with_card(Echo::default()));
    let bench = Bench::start(vec![("Left", left.clone()), ("Right", right.clone())]);
    let (mut one, mut other) = (client(&bench), client(&bench));
    assert_eq!(one.must("list"), "Left 00 00\tRight 01 00");
    assert_eq!(one.must("connect shared Left 00 00"), "3B80800101");
    assert_eq!(other.must("connect shared Right 01 00"), "3B80800101");
    assert_eq!(one.must("transmit 00B0000001"), "00B00000019000");
    assert_eq!(other.must("transmit 00B0000002"), "00B00000029000");
    assert_eq!(left.commands(), [[0x00, 0xB0, 0x00, 0x00, 0x01]]);
    assert_eq!(right.commands(), [[0x00, 0xB0, 0x00, 0x00, 0x02]]);
}

/// Milliseconds until an insertion and the removal after it are seen, three times.
fn movements(properties: Properties) -> Vec<f64> {
    let reader = VirtualReader::new(properties);
    let bench = Bench::start(vec![("Reader", reader.clone())]);
    let mut client = client(&bench);
    client.must("await absent Reader 00 00");
    let mut times = Vec::new();
    for _ in 0..3 {
        client.tell("await present Reader 00 00");
        reader.insert(Echo::default());
        times.push(client.hear());
        client.tell("await absent Reader 00 00");
        reader.remove();
        times.push(client.hear());
    }
    println!("{times:?}");
    times.iter().map(|time| time.parse().expect(time)).collect()
}

#[test]
fn insertion_and_removal_are_seen_by_polling() {
    assert_eq!(movements(Properties::default()).len(), 6);
}

#[test]
fn insertion_and_removal_are_seen_at_once_when_the_reader_reports_them() {
    let times = movements(Properties { interrupts: true, ..Properties::default() });
    let quickest = times.into_iter().fold(f64::MAX, f64::min);
    assert!(quickest < 200.0, "the quickest took {quickest} ms, as if polled");
}

#[test]
fn a_slow_card_delays_no_other_reader() {
    let (slow, quick) = (VirtualReader::with_card(Echo::default()), VirtualReader::with_card(Echo::default()));
    slow.set_latency(Duration::from_secs(3));
    let bench = Bench::start(vec![("Slow", slow), ("Quick", quick)]);
    let (mut waiting, mut working) = (client(&bench), client(&bench));
    waiting.must("connect shared Slow 00 00");
    working.must("connect shared Quick 01 00");
    let start = Instant::now();
    waiting.tell("transmit 00B0000001");
    for _ in 0..50 {
        working.must("transmit 00B0000002");
    }
    let worked = start.elapsed();
    assert!(worked < Duration::from_secs(2), "50 commands took {worked:?} beside a slow one");
    assert_eq!(waiting.hear(), "00B00000019000");
    assert!(start.elapsed() >= Duration::from_secs(3));
}

#[test]
fn a_fault_strikes_the_nth_command_and_pcscd_carries_on() {
    let reader = VirtualReader::with_card(Echo::default());
    let bench = Bench::start(vec![("Reader", reader.clone())]);
    let mut client = client(&bench);
    client.must("connect shared Reader 00 00");
    reader.fault(Fault::at(2, Action::Mute));
    reader.fault(Fault::on(0xB2, Action::LoseResponse));
    assert_eq!(client.must("transmit 00B0000001"), "00B00000019000");
    assert!(client.say("transmit 00B0000001").starts_with("error"));
    assert_eq!(client.must("transmit 00CA0000"), "029000");
    assert!(client.say("transmit 00B20000").starts_with("error"));
    assert_eq!(client.must("transmit 00CA0000"), "049000");
    assert_eq!(reader.pending_faults(), 0);
    assert_eq!(reader.counters().failures, 2);
}

#[test]
fn a_card_pulled_at_a_command_is_gone_for_its_user() {
    let reader = VirtualReader::with_card(Echo::default());
    let bench = Bench::start(vec![("Reader", reader.clone())]);
    let mut client = client(&bench);
    client.must("connect shared Reader 00 00");
    reader.fault(Fault::at(1, Action::RemoveCard));
    assert_eq!(client.say("transmit 00B0000001"), "error NoSmartcard");
    client.until("transmit 00B0000001", "error RemovedCard");
    assert!(reader.reinsert());
    client.must("await present Reader 00 00");
    assert_eq!(client.say("transmit 00B0000001"), "error RemovedCard");
    client.must("reconnect leave");
    assert_eq!(client.must("transmit 00CA0000"), "019000");
}

#[test]
fn the_largest_apdu_and_the_ids_are_readable_by_control() {
    let properties = Properties { vendor_id: 0x08E6, product_id: 0x3437, ..Properties::short() };
    let reader = VirtualReader::new(properties);
    reader.insert(Echo::default());
    let bench = Bench::start(vec![("Reader", reader)]);
    let mut client = client(&bench);
    client.must("connect shared Reader 00 00");
    assert_eq!(client.must("control 42000D48"), "120442330012");
    assert_eq!(client.must("control 42330012"), "0A04000000000B02E6080C023734");
    assert!(client.say("control 42330006").starts_with("error"));
    assert_eq!(client.must("attribute vendor-name"), "436172646561");
}

#[test]
fn a_pin_pad_completes_the_command_that_the_host_describes() {
    let reader = VirtualReader::with_card(Echo::default());
    let mut pad = PinPad::typing(&["123456"]);
    pad.user.push_back(Key::Cancel);
    reader.set_pin_pad(Some(pad));
    let bench = Bench::start(vec![("Reader", reader.clone())]);
    let mut client = client(&bench);
    client.must("connect shared Reader 00 00");
    let features = "120442330012060442330006\
                    0A044233000A070442330007";
    assert_eq!(client.must("control 42000D48"), features);
    let structure = "1E1E82080008040201090400000000\
                     0D000000\
                     0020008008FFFFFFFFFFFFFFFF";
    let verify = format!("control 42330006 {structure}");
    assert_eq!(client.must(&verify), "0020008008313233343536FFFF9000");
    assert_eq!(client.must(&verify), "6401");
    assert_eq!(reader.commands().len(), 1);
    assert_eq!(reader.pin_pad().unwrap().prompts, 2);
}

#[test]
fn a_short_reader_fails_extended_commands_and_an_extended_one_carries_64_kib() {
    let (short, extended) = (VirtualReader::new(Properties::short()), VirtualReader::default());
    short.insert(Echo::default());
    extended.insert(Echo::default());
    let bench = Bench::start(vec![("Short", short), ("Extended", extended)]);
    let mut client = client(&bench);
    let data = "5A".repeat(0xFFF0);
    let command = format!("00D6000000FFF0{data}");
    client.must("connect shared Short 00 00");
    assert!(client.say(&format!("transmit {command}")).starts_with("error"));
    assert!(client.say("transmit 00B00000000100").starts_with("error"));
    assert_eq!(client.must("transmit 00B0000000"), "00B00000009000");
    client.must("disconnect leave");
    client.must("connect shared Extended 01 00");
    assert_eq!(client.must(&format!("transmit {command}")), format!("{command}9000"));
}

#[test]
fn disconnecting_does_to_the_card_what_was_asked() {
    let reader = VirtualReader::with_card(Echo::default());
    let bench = Bench::start(vec![("Reader", reader.clone())]);
    let mut client = client(&bench);
    for (disposition, resets, power_downs) in [("leave", 0, 0), ("eject", 0, 0), ("reset", 1, 0), ("unpower", 0, 1)] {
        client.must("connect shared Reader 00 00");
        reader.clear_log();
        client.must(&format!("disconnect {disposition}"));
        let counters = reader.counters();
        assert_eq!((counters.resets, counters.power_downs), (resets, power_downs), "{disposition}");
    }
}

#[test]
fn a_restarted_pcscd_serves_the_same_card() {
    let reader = VirtualReader::with_card(Echo::default());
    let mut bench = Bench::start(vec![("Reader", reader.clone())]);
    let mut before = client(&bench);
    before.must("connect shared Reader 00 00");
    bench.restart_pcscd();
    assert!(before.say("transmit 00B0000001").starts_with("error"));
    let mut after = client(&bench);
    after.must("connect shared Reader 00 00");
    assert_eq!(after.must("transmit 00CA0000"), "019000");
}

#[test]
fn a_reader_whose_other_side_vanishes_is_empty_until_it_returns() {
    let reader = VirtualReader::with_card(Echo::default());
    let bench = Bench::start(vec![("Reader", reader.clone())]);
    let mut client = client(&bench);
    client.must("await present Reader 00 00");
    reader.stop_listening();
    client.must("await absent Reader 00 00");
    reader.listen(&bench.directory().join("reader-0")).unwrap();
    client.must("await present Reader 00 00");
    client.must("connect shared Reader 00 00");
    assert_eq!(client.must("transmit 00CA0000"), "019000");
}

#[test]
fn an_unplugged_reader_is_unavailable_until_it_is_plugged_in() {
    let reader = VirtualReader::with_card(Echo::default());
    let bench = Bench::start(vec![("Reader", reader.clone())]);
    let mut client = client(&bench);
    client.must("connect shared Reader 00 00");
    reader.fault(Fault::at(1, Action::Unplug));
    assert_eq!(client.say("transmit 00B0000001"), "error ReaderUnavailable");
    client.until("transmit 00B0000001", "error ReaderUnavailable");
    client.must("await unknown Reader 00 00");
    reader.plug();
    client.must("await present Reader 00 00");
    client.must("reconnect leave");
    assert_eq!(client.must("transmit 00CA0000"), "019000");
}

#[test]
fn an_added_reader_takes_a_restart() {
    let mut bench = Bench::start(vec![("First", VirtualReader::with_card(Echo::default()))]);
    bench.add_reader("Second", VirtualReader::with_card(Echo::default()));
    let mut client = client(&bench);
    assert_eq!(client.must("list"), "First 00 00\tSecond 01 00");
    client.must("connect shared Second 01 00");
    assert_eq!(client.must("transmit 00CA0000"), "019000");
}

#[test]
fn a_bench_outlives_the_thread_that_started_it() {
    let bench = std::thread::spawn(|| Bench::start(vec![("Reader", VirtualReader::with_card(Echo::default()))]));
    let bench = bench.join().unwrap();
    let mut client = client(&bench);
    client.must("connect shared Reader 00 00");
    assert_eq!(client.must("transmit 00CA0000"), "019000");
}

#[test]
fn two_benches_side_by_side_do_not_see_each_other() {
    let (here, there) = (VirtualReader::with_card(Echo::default()), VirtualReader::with_card(Echo::default()));
    let one = Bench::start(vec![("Here", here.clone())]);
    let other = Bench::start(vec![("There", there.clone())]);
    assert_eq!(client(&one).must("list"), "Here 00 00");
    let mut guest = client(&other);
    assert_eq!(guest.must("list"), "There 00 00");
    guest.must("connect shared There 00 00");
    drop(one);
    assert_eq!(guest.must("transmit 00CA0000"), "019000");
    assert_eq!(here.counters().commands, 0);
    assert_eq!(there.counters().commands, 1);
}

#[test]
fn in_process_and_through_pcscd_a_fault_is_the_same() {
    let reader = VirtualReader::with_card(Echo::default());
    assert_eq!(reader.transmit(&[0, 0xB0, 0, 0]), Err(Failure::Unpowered));
    assert_eq!(reader.power_on().unwrap(), Echo::default().atr());
    reader.fault(Fault::at(2, Action::RemoveCardAfter));
    assert_eq!(reader.transmit(&[0, 0xCA, 0, 0]), Ok(vec![1, 0x90, 0]));
    assert_eq!(reader.transmit(&[0, 0xCA, 0, 0]), Err(Failure::NoCard));
    assert!(!reader.is_present() && !reader.is_powered());
}
