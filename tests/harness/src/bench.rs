//! A private pcscd with virtual readers in it; any number of them side by side.
//!
//! pcscd gets its listening socket by systemd's activation protocol, its readers from a configuration directory of its
//! own, and dies with this process. A client follows `PCSCLITE_CSOCK_NAME`, which libpcsclite reads once per process:
//! a program under test gets it in its environment ([`Bench::command`]); a test that speaks PC/SC itself does so in a
//! process of its own.
//!
//! # How pcscd 1.9.9 behaves, measured
//!
//! | what | polled reader | reader with `interrupts` |
//! |---|---|---|
//! | insertion seen by SCardGetStatusChange | up to 0.40 s | 0.2 ms |
//! | removal seen | up to 0.40 s | 0.2 ms |
//!
//! - pcscd starts every reader before it accepts the first client, so a client never sees a part of them; the cards
//!   that are in them are powered up meanwhile, and a client that is quicker sees empty readers.
//! - An inserted card is powered up at once and, when nobody connects, switched off at the next poll.
//! - A card pulled and pushed back between two polls goes unnoticed; its next command fails for want of power with
//!   `SCARD_E_NOT_TRANSACTED`.
//! - A failed command costs nothing but that command: pcscd neither resets the card nor gives it up, and the next
//!   command on the same handle reaches it.
//! - A command that fails because the card is gone marks the reader as empty at once, but only the next poll takes note
//!   of the removal. A card that is back before that poll stays unseen until it is pulled again; wait for
//!   `Card Removed` by [`Bench::await_log`].
//! - The holder of a card that was pulled gets `SCARD_E_NO_SMARTCARD` before that poll and `SCARD_W_REMOVED_CARD` from
//!   then on, also with a card in the reader again, until it reconnects.
//! - A reader that answers "no such device" ([`VirtualReader::unplug`]) stays in the list, in state unknown; its
//!   holders get `SCARD_E_READER_UNAVAILABLE`. Plugged in again, it counts as a card insertion. Debian's pcscd never
//!   rescans its configuration (with libudev, SIGUSR1 does nothing), so a reader that really comes or goes takes a
//!   restart ([`Bench::add_reader`]) or a USB reader in a virtual machine.
//! - SIGTERM ends pcscd without switching any card off; the reader does so when its driver is gone.

mod client;
mod daemon;
mod directory;
mod driver;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use crate::reader::VirtualReader;
pub use client::Client;
use daemon::Daemon;
use directory::Directory;
pub use driver::Interface;

/// How long pcscd may take to open its readers.
const START: Duration = Duration::from_secs(20);
/// pcscd logs a card's ATR a few instructions before it tells clients of the card.
const SETTLING: Duration = Duration::from_millis(10);
/// pcscd's `PCSCLITE_MAX_READERS_CONTEXTS`.
const MAX_READERS: usize = 16;

/// A running pcscd and its readers.
pub struct Bench {
    readers: Vec<Configured>,
    daemon: Option<Daemon>,
    driver: PathBuf,
    directory: Directory,
}

/// A reader in pcscd's configuration.
struct Configured {
    name: String,
    reader: VirtualReader,
}

impl Bench {
    /// Starts pcscd with these readers and waits until it has opened them. PC/SC names them as given, followed by
    /// ` 00 00`, ` 01 00` and so on.
    ///
    /// # Panics
    /// With pcscd's log when it does not start or misses a reader.
    #[must_use]
    pub fn start<N: Into<String>>(readers: Vec<(N, VirtualReader)>) -> Self {
        Self::start_with(Interface::Version3, readers)
    }

    /// The same with a driver of this interface.
    ///
    /// # Panics
    /// As for [`Self::start`].
    #[must_use]
    pub fn start_with<N: Into<String>>(interface: Interface, readers: Vec<(N, VirtualReader)>) -> Self {
        let readers = readers.into_iter().map(|(name, reader)| Configured { name: name.into(), reader });
        let mut bench = Self {
            readers: readers.collect(),
            daemon: None,
            driver: driver::find(interface),
            directory: Directory::create().expect("a directory for the bench"),
        };
        for (index, configured) in bench.readers.iter().enumerate() {
            configured.reader.listen(&bench.reader_socket(index)).expect("a socket for the reader");
        }
        bench.start_pcscd();
        bench
    }

    /// The socket for `PCSCLITE_CSOCK_NAME`.
    #[must_use]
    pub fn socket_path(&self) -> PathBuf {
        self.directory.path().join("pcscd")
    }

    /// The bench's own directory, removed with it unless `CARDEA_KEEP_BENCH` is set.
    #[must_use]
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// What pcscd has logged.
    #[must_use]
    pub fn pcscd_log(&self) -> String {
        let log = std::fs::read(self.log_path()).unwrap_or_default();
        String::from_utf8_lossy(&log).into_owned()
    }

    /// Waits until pcscd's log contains `text`; whether it does in time.
    #[must_use]
    pub fn await_log(&self, text: &str, timeout: Duration) -> bool {
        let deadline = Instant::now() + timeout;
        while !self.pcscd_log().contains(text) {
            if Instant::now() > deadline {
                return false;
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        true
    }

    /// A command for `program` that finds this pcscd.
    #[must_use]
    pub fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new(program);
        command.env("PCSCLITE_CSOCK_NAME", self.socket_path());
        command
    }

    /// Starts `program`, a `pcsc-client`, at this pcscd: in this package's tests
    /// `env!("CARGO_BIN_EXE_pcsc-client")`.
    ///
    /// # Panics
    /// When it does not start.
    #[must_use]
    pub fn client(&self, program: impl AsRef<std::ffi::OsStr>) -> Client {
        Client::start(program.as_ref(), &self.socket_path())
    }

    /// Starts another program at this pcscd, for tests outside this package.
    ///
    /// # Panics
    /// When it does not start or does not build.
    #[must_use]
    pub fn another_program(&self) -> Client {
        self.client(driver::find_client())
    }

    /// The reader configured as `name`.
    #[must_use]
    pub fn reader(&self, name: &str) -> Option<&VirtualReader> {
        self.readers.iter().find(|configured| configured.name == name).map(|configured| &configured.reader)
    }

    /// Starts pcscd, unless it runs, and waits until it has opened every reader.
    ///
    /// # Panics
    /// As for [`Self::start`].
    pub fn start_pcscd(&mut self) {
        if self.daemon.is_some() {
            return;
        }
        let configuration = self.directory.path().join("reader.conf.d");
        std::fs::create_dir_all(&configuration).expect("a configuration directory");
        std::fs::write(configuration.join("readers"), self.configuration()).expect("pcscd's configuration");
        let earlier = self.cards_started();
        let daemon = Daemon::start(&self.socket_path(), &configuration, self.directory.path(), &self.log_path());
        self.daemon = Some(daemon.unwrap_or_else(|error| panic!("pcscd does not start: {error}")));
        self.await_readers();
        self.await_cards(earlier);
    }

    /// Ends pcscd, and waits for its end. Its clients lose every handle.
    pub fn stop_pcscd(&mut self) {
        if let Some(daemon) = self.daemon.take() {
            daemon.stop();
        }
        for Configured { reader, .. } in &self.readers {
            assert!(reader.await_attached(0, START), "a reader still has a driver");
        }
    }

    /// Ends pcscd and starts it again.
    ///
    /// # Panics
    /// As for [`Self::start`].
    pub fn restart_pcscd(&mut self) {
        self.stop_pcscd();
        self.start_pcscd();
    }

    /// Adds a reader and restarts pcscd, which reads its configuration only once.
    ///
    /// # Panics
    /// As for [`Self::start`], and when pcscd has 16 readers already.
    pub fn add_reader(&mut self, name: &str, reader: VirtualReader) {
        reader.listen(&self.reader_socket(self.readers.len())).expect("a socket for the reader");
        self.readers.push(Configured { name: name.to_owned(), reader });
        self.restart_pcscd();
    }

    /// Waits until every plugged reader has its driver.
    fn await_readers(&self) {
        for Configured { name, reader } in &self.readers {
            if reader.is_plugged() && !reader.await_attached(1, START) {
                panic!("pcscd has no reader {name}; its log:\n{}", self.pcscd_log());
            }
        }
    }

    /// Waits until pcscd has powered up the cards that are there: it takes clients before that, and tells them of empty
    /// readers.
    fn await_cards(&self, earlier: usize) {
        let present = self.readers.iter().filter(|configured| {
            let reader = &configured.reader;
            reader.is_plugged() && reader.is_present()
        });
        let wanted = earlier + present.count();
        let deadline = Instant::now() + START;
        while self.cards_started() < wanted && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(2));
        }
        std::thread::sleep(SETTLING);
    }

    /// How many cards pcscd has powered up, or tried to, since its log began.
    fn cards_started(&self) -> usize {
        let log = self.pcscd_log();
        log.matches("Card ATR:").count() + log.matches("Error powering up card").count()
    }

    fn reader_socket(&self, index: usize) -> PathBuf {
        self.directory.path().join(format!("reader-{index}"))
    }

    fn log_path(&self) -> PathBuf {
        self.directory.path().join("pcscd.log")
    }

    fn configuration(&self) -> String {
        assert!(self.readers.len() <= MAX_READERS, "pcscd takes {MAX_READERS} readers");
        let entries = self.readers.iter().enumerate().map(|(index, configured)| {
            let (name, driver) = (&configured.name, self.driver.display());
            let socket = self.reader_socket(index);
            format!(
                "FRIENDLYNAME \"{name}\"\nCHANNELID {index}\nDEVICENAME unix:{}\nLIBPATH {driver}\n\n",
                socket.display()
            )
        });
        entries.collect()
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let log = self.pcscd_log();
            let from = log.char_indices().rev().nth(8000).map_or(0, |(position, _)| position);
            eprintln!("the end of pcscd's log:\n{}", &log[from..]);
        }
        if let Some(daemon) = self.daemon.take() {
            daemon.stop();
        }
        for Configured { reader, .. } in &self.readers {
            reader.stop_listening();
        }
    }
}
