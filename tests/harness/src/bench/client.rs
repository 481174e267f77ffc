//! Another program at the card: a process of `pcsc-client`, told what to do line by line.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

/// How long a state of things may take to come about.
const PATIENCE: Duration = Duration::from_secs(20);

/// A running `pcsc-client`; it leaves its card alone when it ends.
pub struct Client {
    process: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
}

impl Client {
    /// Starts `program`, which finds its pcscd at `socket`.
    pub(super) fn start(program: &OsStr, socket: &Path) -> Self {
        let mut process = Command::new(program)
            .env("PCSCLITE_CSOCK_NAME", socket)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{} does not start: {error}", program.display()));
        let input = process.stdin.take();
        let output = BufReader::new(process.stdout.take().expect("a pipe from the client"));
        Self { process, input, output }
    }

    /// Says one line of `pcsc-client`'s language and returns the answer, `error …` included.
    pub fn say(&mut self, line: &str) -> String {
        self.tell(line);
        self.hear()
    }

    /// Says a line without waiting for the answer.
    ///
    /// # Panics
    /// When the client is gone.
    pub fn tell(&mut self, line: &str) {
        let input = self.input.as_mut().expect("the client's input");
        writeln!(input, "{line}").and_then(|()| input.flush()).expect("a living client");
    }

    /// Waits for the answer to a line.
    ///
    /// # Panics
    /// When the client is gone.
    pub fn hear(&mut self) -> String {
        let mut answer = String::new();
        self.output.read_line(&mut answer).expect("a living client");
        assert!(answer.ends_with('\n'), "the client ended in the middle: {answer}");
        answer.trim_end().to_owned()
    }

    /// Says a line that must succeed.
    ///
    /// # Panics
    /// With the answer when it is an error.
    pub fn must(&mut self, line: &str) -> String {
        let answer = self.say(line);
        assert!(!answer.starts_with("error"), "{line}: {answer}");
        answer
    }

    /// Connects to the card, shared, as a program does that can wait: who closes the last session has the card for
    /// itself while it finds out whether it is alone, and others get `SCARD_E_SHARING_VIOLATION` meanwhile.
    ///
    /// # Panics
    /// With the answer when it is another error, or that one for 20 s.
    pub fn connect(&mut self, reader: &str) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let answer = self.say(&format!("connect shared {reader}"));
            if !answer.starts_with("error") {
                return;
            }
            assert!(
                answer == "error SharingViolation" && Instant::now() < deadline,
                "connect shared {reader}: {answer}"
            );
        }
    }

    /// Says a line again and again until the answer is `wanted`.
    ///
    /// # Panics
    /// With the last answer when that does not come about within 20 s.
    pub fn until(&mut self, line: &str, wanted: &str) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let answer = self.say(line);
            if answer == wanted {
                return;
            }
            assert!(Instant::now() < deadline, "{line}: still {answer}, not {wanted}");
        }
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        drop(self.input.take());
        if let Err(error) = self.process.wait() {
            eprintln!("the client cannot be collected: {error}");
        }
    }
}
