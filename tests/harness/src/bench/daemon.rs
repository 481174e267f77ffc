//! One pcscd process.

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Sender};
use std::sync::{LazyLock, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

/// How long pcscd may take to end.
const END: Duration = Duration::from_secs(5);

/// Moves descriptor 0, the listening socket, where systemd's protocol wants it, and becomes pcscd. `setpriv` asks the
/// kernel for SIGTERM on the parent's death; pcscd then takes its process id out of `/run/pcscd`, where a stale one
/// could later be mistaken for a daemon to signal.
const LAUNCH: &str = r#"exec 3<&0 </dev/null
LISTEN_FDS=1 LISTEN_PID=$$ exec setpriv --pdeathsig TERM pcscd --foreground --debug --config "$1""#;

/// A running pcscd; dropped without [`Self::stop`] it runs on.
pub(super) struct Daemon(Child);

/// What the spawner is asked: a command, and where its process goes.
type Order = (Command, Sender<io::Result<Child>>);

/// Starts processes from a thread that never ends: the kernel takes the end of the starting *thread* for the parent's
/// death, and a bench may outlive the thread of the test that started it.
static SPAWNER: LazyLock<Mutex<Sender<Order>>> = LazyLock::new(|| {
    let (orders, inbox) = mpsc::channel::<Order>();
    thread::spawn(move || {
        for (mut command, reply) in inbox {
            if let Err(unclaimed) = reply.send(command.spawn())
                && let Ok(mut child) = unclaimed.0
            {
                end(&mut child);
            }
        }
    });
    Mutex::new(orders)
});

impl Daemon {
    /// Starts pcscd on `socket` with the readers in the directory `configuration`, whose sockets are in `sockets`; `log`
    /// is appended to.
    pub(super) fn start(socket: &Path, configuration: &Path, sockets: &Path, log: &Path) -> io::Result<Self> {
        if socket.exists() {
            std::fs::remove_file(socket)?;
        }
        let listener = UnixListener::bind(socket)?;
        let log = File::options().create(true).append(true).open(log)?;
        let path = std::env::var("PATH").unwrap_or_default();
        let mut command = Command::new("sh");
        command
            .args(["-c", LAUNCH, "sh"])
            .arg(configuration)
            .env("CARDEA_VIRTUAL_READERS", sockets)
            .env("PATH", format!("{path}:/usr/local/sbin:/usr/sbin:/sbin"))
            .stdin(OwnedFd::from(listener))
            .stdout(log.try_clone()?)
            .stderr(Stdio::from(log));
        let (reply, process) = mpsc::channel();
        let orders = SPAWNER.lock().unwrap_or_else(PoisonError::into_inner).clone();
        orders.send((command, reply)).map_err(io::Error::other)?;
        Ok(Self(process.recv().map_err(io::Error::other)??))
    }

    /// Ends pcscd by SIGTERM, and by force if that does not help.
    pub(super) fn stop(mut self) {
        let id = i32::try_from(self.0.id()).ok().and_then(Pid::from_raw).expect("a process id");
        if let Err(error) = kill_process(id, Signal::TERM) {
            eprintln!("pcscd takes no signal: {error}");
        }
        let deadline = Instant::now() + END;
        while Instant::now() < deadline {
            if !matches!(self.0.try_wait(), Ok(None)) {
                return;
            }
            thread::sleep(Duration::from_millis(5));
        }
        eprintln!("pcscd does not end; it is killed");
        end(&mut self.0);
    }
}

/// Kills a child and collects it.
fn end(child: &mut Child) {
    if child.kill().and_then(|()| child.wait()).is_err() {
        eprintln!("process {} cannot be ended", child.id());
    }
}
