//! Very many sessions: each is found, all are closed, and their memory returns. What they cost in time is shown by
//! `make bench` (`benches/sessions.rs`).

use std::sync::Arc;

use cardea_pkcs11::error::Error;

use super::setting::Setting;
use crate::allocations::taken;

const FEW: usize = 10;
const MANY: usize = 100_000;
/// Bytes that may stay when all sessions are closed, whatever their number: a trace's line, a map's smallest table.
const STAYS: i64 = 16 * 1024;

fn open(setting: &Setting, count: usize) -> Vec<u64> {
    (0..count).map(|_| setting.library.open_session(0, true).unwrap()).collect()
}

fn count(setting: &Setting) -> u64 {
    setting.token_info().unwrap().session_count
}

/// How often memory is asked for while a session is found, which is work that must not grow with their number.
fn requests_of_a_search(setting: &Setting, handle: u64) -> u64 {
    let before = taken().times;
    assert_eq!(setting.library.session(handle).unwrap().handle(), handle);
    taken().times - before
}

#[test]
fn a_hundred_thousand_sessions_are_found_each_and_closed_all_at_once() {
    let setting = Setting::elliptic();
    let keeper = setting.logged_in();
    let few = open(&setting, FEW);
    let cost = requests_of_a_search(&setting, few[0]);
    setting.commands();
    let many = open(&setting, MANY);
    assert_eq!(count(&setting), (1 + FEW + MANY) as u64);
    for handle in few.iter().chain(&many) {
        assert_eq!(requests_of_a_search(&setting, *handle), cost, "session {handle}");
    }
    let distinct: std::collections::HashSet<_> = few.iter().chain(&many).collect();
    assert_eq!(distinct.len(), FEW + MANY);
    assert_eq!(setting.commands(), [[0_u8; 0]; 0], "sessions beside others cost no command");
    setting.library.close_all_sessions(0).unwrap();
    assert!(setting.commands().len() < 5, "one pass over the card, not one for each session");
    for handle in few.iter().chain(&many).chain(&[keeper.handle()]) {
        assert_eq!(setting.library.session(*handle).err(), Some(Error::SessionHandleInvalid));
    }
    assert_eq!(count(&setting), 0);
    assert!(open(&setting, 1)[0] > *many.last().unwrap(), "handles never come back");
}

/// Opens as many sessions as there are, closes them by `close`, and counts what has not returned.
fn all_returns(close: impl Fn(&Setting, Vec<u64>)) {
    let setting = Setting::elliptic();
    // What is read from the card and kept.
    close(&setting, open(&setting, FEW));
    let before = taken().bytes;
    let handles = open(&setting, MANY);
    let sessions: Vec<_> =
        handles.iter().step_by(97).map(|handle| Arc::downgrade(&setting.library.session(*handle).unwrap())).collect();
    assert!(taken().bytes - before > (MANY * size_of::<u64>()) as i64);
    close(&setting, handles);
    assert!(sessions.iter().all(|session| session.strong_count() == 0));
    drop(sessions);
    let stays = taken().bytes - before;
    assert!(stays < STAYS, "{stays} bytes stay");
    assert_eq!(count(&setting), 0);
}

#[test]
fn the_memory_of_a_hundred_thousand_sessions_returns_when_all_are_closed() {
    all_returns(|setting, _| setting.library.close_all_sessions(0).unwrap());
}

#[test]
fn the_memory_of_a_hundred_thousand_sessions_returns_when_each_is_closed() {
    all_returns(|setting, handles| {
        for handle in handles {
            setting.library.close_session(handle).unwrap();
        }
    });
}

#[test]
fn the_memory_of_a_hundred_thousand_sessions_returns_though_one_stays() {
    all_returns(|setting, handles| {
        for handle in &handles[1..] {
            setting.library.close_session(*handle).unwrap();
        }
        let map = taken().bytes;
        setting.library.close_session(handles[0]).unwrap();
        assert!(map - taken().bytes < STAYS, "with the last {} bytes return", map - taken().bytes);
    });
}
