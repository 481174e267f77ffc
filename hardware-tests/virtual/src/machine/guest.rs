//! The running machine and its agent.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use super::Image;

/// How long the machine may take to start: without acceleration, on a machine with other work.
const START: Duration = Duration::from_secs(300);
/// How long the agent may take for one thing.
const ANSWER: Duration = Duration::from_secs(180);

/// What the machine runs: the agent, the module and their company.
pub struct Agent {
    /// The program `cardea-guest`.
    pub program: PathBuf,
    /// The module, `/cardea/module.so` there.
    pub module: PathBuf,
    /// Other files: path in the machine without the leading `/`, and where they are.
    pub files: Vec<(&'static str, PathBuf)>,
}

/// A running machine; it ends with this value.
pub struct Guest {
    machine: Child,
    answers: BufReader<TcpStream>,
    directory: PathBuf,
}

impl Guest {
    /// Starts the machine and waits for its agent. `directory` receives its console's output.
    ///
    /// # Errors
    /// When it does not come up, with the end of what it said.
    pub fn start(image: &Image, agent: &Agent, directory: &Path) -> io::Result<Self> {
        fs::create_dir_all(directory)?;
        let mut files = vec![
            ("init", include_bytes!("../../../guest/init").to_vec()),
            ("cardea/cardea-guest", fs::read(&agent.program)?),
            ("cardea/module.so", fs::read(&agent.module)?),
        ];
        for (path, source) in &agent.files {
            files.push((path, fs::read(source)?));
        }
        let initrd = directory.join("initrd.cpio");
        image.write(&initrd, &files)?;
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let port = listener.local_addr()?.port();
        let console = directory.join("console.log");
        let mut machine = Command::new("qemu-system-x86_64")
            .args(["-nodefaults", "-no-user-config", "-no-reboot", "-display", "none", "-serial", "stdio"])
            .args(["-accel", "tcg", "-cpu", "qemu64", "-m", "1024"])
            .args(["-netdev", "user,id=host", "-device", "virtio-net-pci,netdev=host,romfile="])
            .arg("-kernel")
            .arg(image.kernel())
            .arg("-initrd")
            .arg(&initrd)
            .args(["-append", &format!("console=ttyS0 quiet panic=-1 net.ifnames=0 cardea.port={port}")])
            .stdin(Stdio::null())
            .stdout(File::create(&console)?)
            .stderr(File::create(directory.join("qemu.log"))?)
            .spawn()?;
        let stream = accept(&listener, &mut machine).map_err(|error| {
            // it may have ended by itself
            let _ = machine.kill();
            let _ = machine.wait();
            let said = [console, directory.join("qemu.log")].map(|path| fs::read_to_string(path).unwrap_or_default());
            io::Error::other(format!("the virtual machine does not come up: {error}\n{}{}", tail(&said[0]), said[1]))
        })?;
        stream.set_read_timeout(Some(ANSWER))?;
        stream.set_nodelay(true)?;
        Ok(Self { machine, answers: BufReader::new(stream), directory: directory.to_owned() })
    }

    /// Asks the agent for something (the table is in its source) and waits for the answer.
    ///
    /// # Errors
    /// What the agent says, or that it says nothing.
    pub fn ask(&mut self, word: &str, argument: &str) -> Result<String, String> {
        self.send(word, argument)?;
        self.receive()
    }

    /// Asks without waiting; [`Self::receive`] gets the answer.
    ///
    /// # Errors
    /// When the agent is gone.
    pub fn send(&mut self, word: &str, argument: &str) -> Result<(), String> {
        let line = format!("{word} {}\n", hex::encode(argument));
        self.answers.get_mut().write_all(line.as_bytes()).map_err(|error| format!("the agent is gone: {error}"))
    }

    /// Waits for the answer to [`Self::send`].
    ///
    /// # Errors
    /// As for [`Self::ask`].
    pub fn receive(&mut self) -> Result<String, String> {
        let mut line = String::new();
        self.answers.read_line(&mut line).map_err(|error| format!("the agent does not answer: {error}"))?;
        let (word, text) = line.trim_end().split_once(' ').unwrap_or((line.trim_end(), ""));
        let text = hex::decode(text).ok().and_then(|bytes| String::from_utf8(bytes).ok());
        match (word, text) {
            ("ok", Some(text)) => Ok(text),
            ("error", Some(text)) => Err(text),
            _ => Err("the agent is gone".to_owned()),
        }
    }

    /// Runs a shell command; its output.
    ///
    /// # Errors
    /// Its output, when it fails.
    pub fn run(&mut self, command: &str) -> Result<String, String> {
        let answer = self.ask("run", command)?;
        match answer.split_once('\n') {
            Some(("0", output)) => Ok(output.to_owned()),
            Some((status, output)) => Err(format!("{command}: status {status}\n{output}")),
            None => Err(answer),
        }
    }

    /// Keeps pcscd's log of the machine beside its console's; where.
    pub fn keep_log(&mut self) -> PathBuf {
        if let Ok(log) = self.run("cat /var/log/pcscd.log; dmesg | tail -n 60") {
            // what cannot be written is not there to be read
            let _ = fs::write(self.directory.join("pcscd.log"), log);
        }
        self.directory.clone()
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        // it may be gone already
        let _ = self.machine.kill();
        let _ = self.machine.wait();
        let _ = fs::remove_file(self.directory.join("initrd.cpio"));
    }
}

/// Waits for the agent's connection as long as the machine lives.
fn accept(listener: &TcpListener, machine: &mut Child) -> io::Result<TcpStream> {
    listener.set_nonblocking(true)?;
    let deadline = Instant::now() + START;
    loop {
        match listener.accept() {
            Ok((stream, _)) => {
                stream.set_nonblocking(false)?;
                return Ok(stream);
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
        if let Some(status) = machine.try_wait()? {
            return Err(io::Error::other(format!("QEMU ended: {status}")));
        }
        if Instant::now() > deadline {
            return Err(io::Error::other("no word from the agent"));
        }
        thread::sleep(Duration::from_millis(50));
    }
}

/// The end of a long text.
fn tail(text: &str) -> &str {
    let from = text.char_indices().rev().nth(4000).map_or(0, |(position, _)| position);
    &text[from..]
}
