//! What sessions cost when there are many: finding one, opening and closing one, closing all. `make bench` runs it.
//!
//! The card is virtual and in this process, so that what is measured is the module's own work.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, missing_docs, unreachable_pub, dead_code)]

use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::{BatchSize, BenchmarkId, Criterion};

#[path = "../tests/in_process/link.rs"]
mod link;
#[path = "../tests/in_process/setting.rs"]
mod setting;

use setting::Setting;

/// How many sessions are open meanwhile.
const NUMBERS: [usize; 3] = [10, 1_000, 100_000];
/// What C_CloseAllSessions of the last of these may take.
const ALL: Duration = Duration::from_secs(1);

fn open(setting: &Setting, count: usize) -> Vec<u64> {
    (0..count).map(|_| setting.library.open_session(0, true).unwrap()).collect()
}

/// Handles in an order that no cache foresees.
fn shuffled(mut handles: Vec<u64>) -> Vec<u64> {
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    for last in (1..handles.len()).rev() {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        handles.swap(last, (state % (last as u64 + 1)) as usize);
    }
    handles
}

/// Finds one after the other of these, of all that are open.
fn finding(criterion: &mut Criterion, what: &str, choose: impl Fn(Vec<u64>) -> Vec<u64>) {
    let mut group = criterion.benchmark_group(what);
    for number in NUMBERS {
        let setting = Setting::elliptic();
        let handles = choose(open(&setting, number));
        let mut next = handles.iter().cycle();
        group.bench_function(BenchmarkId::from_parameter(number), |bencher| {
            bencher.iter(|| setting.library.session(black_box(*next.next().unwrap())).unwrap().handle());
        });
    }
    group.finish();
}

fn opening_and_closing(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("open and close one beside so many");
    for number in NUMBERS {
        let setting = Setting::elliptic();
        open(&setting, number);
        group.bench_function(BenchmarkId::from_parameter(number), |bencher| {
            bencher.iter(|| {
                let handle = setting.library.open_session(0, true).unwrap();
                setting.library.close_session(black_box(handle)).unwrap();
            });
        });
    }
    group.finish();
}

fn closing_all(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("C_CloseAllSessions of so many");
    group.sample_size(10);
    for number in NUMBERS {
        let setting = Setting::elliptic();
        group.bench_function(BenchmarkId::from_parameter(number), |bencher| {
            bencher.iter_batched(
                || drop(open(&setting, number)),
                |()| setting.library.close_all_sessions(0).unwrap(),
                BatchSize::PerIteration,
            );
        });
    }
    group.finish();
}

/// The best of a few: what the module needs, not what else the machine does.
fn limit() {
    let setting = Setting::elliptic();
    let number = NUMBERS[NUMBERS.len() - 1];
    let once = || {
        open(&setting, number);
        let began = Instant::now();
        setting.library.close_all_sessions(0).unwrap();
        began.elapsed()
    };
    let best = (0..3).map(|_| once()).min().unwrap();
    println!("C_CloseAllSessions of {number} sessions: {best:?}, of {ALL:?} that it may take");
    assert!(best < ALL);
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args().warm_up_time(Duration::from_secs(1));
    finding(&mut criterion, "find one of ten in use, of so many sessions", |handles| shuffled(handles)[..10].to_vec());
    // The sessions themselves are then more than a processor's cache holds.
    finding(&mut criterion, "find any of so many sessions, out of order", shuffled);
    opening_and_closing(&mut criterion);
    closing_all(&mut criterion);
    criterion.final_summary();
    limit();
}
