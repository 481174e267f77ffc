//! The protocol of Firefox's remote control: `LENGTH:JSON` over TCP, requests `[0, id, command, parameters]`, answers
//! `[1, id, error, result]`.

use std::io::{BufReader, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

/// How long Firefox may take for one command.
const PATIENCE: Duration = Duration::from_secs(120);

/// A session with one Firefox.
pub struct Marionette {
    stream: BufReader<TcpStream>,
    id: u64,
}

impl Marionette {
    /// Opens a session at this port; `None` while nobody listens there.
    pub fn connect(port: u16) -> Option<Self> {
        let stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_nodelay(true).unwrap();
        let mut marionette = Self { stream: BufReader::new(stream), id: 0 };
        let greeting = marionette.read();
        assert_eq!(greeting["marionetteProtocol"], 3, "{greeting}");
        // its dialogs are answered in the browser
        let session =
            marionette.must("WebDriver:NewSession", json!({ "unhandledPromptBehavior": { "default": "ignore" } }));
        assert_eq!(session["capabilities"]["unhandledPromptBehavior"]["default"], "ignore", "{session}");
        Some(marionette)
    }

    /// Sends a command and waits for its result, or the error that Firefox answers.
    pub fn command(&mut self, name: &str, parameters: Value) -> Result<Value, Value> {
        self.id += 1;
        let request = json!([0, self.id, name, parameters]).to_string();
        write!(self.stream.get_mut(), "{}:{request}", request.len()).unwrap();
        loop {
            let mut answer = self.read();
            if answer[0] != 1 || answer[1] != self.id {
                continue;
            }
            return if answer[2].is_null() { Ok(answer[3].take()) } else { Err(answer[2].take()) };
        }
    }

    /// Sends a command that must succeed.
    #[track_caller]
    pub fn must(&mut self, name: &str, parameters: Value) -> Value {
        self.command(name, parameters).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    /// Runs a script with the rights of the browser itself; its value. While a dialog is open, it waits.
    #[track_caller]
    pub fn chrome(&mut self, script: &str, arguments: Value) -> Value {
        let deadline = Instant::now() + PATIENCE;
        self.must("Marionette:SetContext", json!({ "value": "chrome" }));
        let value = loop {
            match self.command("WebDriver:ExecuteAsyncScript", json!({ "script": script, "args": arguments })) {
                Ok(run) => break run["value"].clone(),
                Err(error) if error["error"] == "unexpected alert open" && Instant::now() < deadline => {
                    std::thread::sleep(Duration::from_millis(20));
                }
                Err(error) => panic!("{script}: {error}"),
            }
        };
        self.must("Marionette:SetContext", json!({ "value": "content" }));
        value
    }

    fn read(&mut self) -> Value {
        let mut length = 0;
        loop {
            let mut byte = [0];
            self.stream.read_exact(&mut byte).expect("an answer from Firefox");
            match byte[0] {
                b':' => break,
                digit => length = length * 10 + usize::from(digit - b'0'),
            }
        }
        let mut message = vec![0; length];
        self.stream.read_exact(&mut message).expect("an answer from Firefox");
        serde_json::from_slice(&message).expect("JSON from Firefox")
    }
}
