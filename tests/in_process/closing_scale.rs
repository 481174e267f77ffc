//! Very many sessions: opening, looking up and closing them costs each the same however many there are.

use std::sync::Arc;
use std::time::{Duration, Instant};

use cardea_pkcs11::error::Error;

use super::setting::Setting;

const FEW: usize = 10_000;
const MANY: usize = 100_000;
/// What ten times as many may cost: ten times as much, and as much again for what does not fit into the processor's cache.
/// Quadratic growth is 100.
const MOST: u32 = 25;
/// The best of so many counts.
const ATTEMPTS: usize = 5;

/// Time that this thread has had a processor for (proc(5)), which does not depend on what else the machine does.
fn busy() -> Duration {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    Duration::from_nanos(text.split(' ').next().unwrap().parse().unwrap())
}

fn timed(work: impl FnOnce()) -> Duration {
    let before = busy();
    work();
    busy() - before
}

/// Processor time for opening, finding and closing so many sessions.
#[derive(Debug, Clone, Copy)]
struct Cost {
    opening: Duration,
    finding: Duration,
    closing: Duration,
}

fn cost(setting: &Setting, count: usize) -> Cost {
    let mut handles = Vec::with_capacity(count);
    let opening = timed(|| handles.extend((0..count).map(|_| setting.library.open_session(0, true).unwrap())));
    let finding = timed(|| {
        for handle in handles.iter().step_by(count / FEW) {
            assert_eq!(setting.library.session(*handle).unwrap().handle(), *handle);
        }
    });
    let closing = timed(|| setting.library.close_all_sessions(0).unwrap());
    for handle in handles.iter().step_by(997) {
        assert_eq!(setting.library.session(*handle).err(), Some(Error::SessionHandleInvalid));
    }
    assert_eq!(setting.token_info().unwrap().session_count, 0);
    Cost { opening, finding, closing }
}

fn best(setting: &Setting, count: usize, attempts: usize) -> Cost {
    let costs: Vec<Cost> = (0..attempts).map(|_| cost(setting, count)).collect();
    let least = |part: fn(&Cost) -> Duration| costs.iter().map(part).min().unwrap();
    Cost {
        opening: least(|cost| cost.opening),
        finding: least(|cost| cost.finding),
        closing: least(|cost| cost.closing),
    }
}

#[test]
fn a_hundred_thousand_sessions_cost_ten_times_what_ten_thousand_cost() {
    let setting = Setting::elliptic();
    let few = best(&setting, FEW, ATTEMPTS);
    let began = Instant::now();
    let many = best(&setting, MANY, 2);
    println!("{FEW}: {few:?}; {MANY}: {many:?}; {:?} in all", began.elapsed());
    assert!(many.opening < few.opening * MOST, "opening: {few:?}, {many:?}");
    assert!(many.closing < few.closing * MOST, "closing: {few:?}, {many:?}");
    // As many are looked up among many as among few.
    assert!(many.finding < few.finding * 3, "finding: {few:?}, {many:?}");
}

#[test]
fn the_memory_of_sessions_returns_when_they_are_closed() {
    let setting = Setting::elliptic();
    let opened: Vec<_> = (0..FEW).map(|_| Arc::downgrade(&setting.open())).collect();
    let alive = || opened.iter().filter(|session| session.strong_count() > 0).count();
    assert_eq!(alive(), FEW);
    for session in opened.iter().step_by(2) {
        setting.library.close_session(session.upgrade().unwrap().handle()).unwrap();
    }
    assert_eq!(alive(), FEW / 2);
    setting.library.close_all_sessions(0).unwrap();
    assert_eq!(alive(), 0);
}
