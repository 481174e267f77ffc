//! Calls that race for one session handle.

use std::sync::Barrier;
use std::time::Duration;

use cardea_pkcs11::error::Error;

use super::setting::Setting;

#[test]
fn of_two_calls_that_race_for_one_handle_one_closes_and_the_other_learns_that_it_was_closed() {
    let setting = Setting::elliptic();
    let session = setting.logged_in();
    // Logging out takes commands, so that the second call begins before the first has finished.
    setting.reader.virtual_reader().set_latency(Duration::from_millis(300));
    let barrier = Barrier::new(2);
    let close = || {
        barrier.wait();
        setting.library.close_session(session.handle())
    };
    let results = std::thread::scope(|scope| [scope.spawn(close), scope.spawn(close)].map(|call| call.join().unwrap()));
    assert!(results.contains(&Ok(())), "{results:?}");
    assert!(results.contains(&Err(Error::SessionClosed)), "{results:?}");
    assert_eq!(
        setting.library.close_session(session.handle()),
        Err(Error::SessionHandleInvalid),
        "it began afterwards"
    );
}
