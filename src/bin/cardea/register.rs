//! `cardea register` and `cardea unregister`: tells programs of the module, and takes that back.
//!
//! What is written bears a mark, and only what bears it is ever taken away. A place that knows the module already,
//! whoever told it, is left as it is. Files are replaced as a whole, so that a program that reads one meanwhile sees
//! the old or the new.

pub(crate) mod module;
mod nss;
mod p11kit;
mod places;
mod replace;

use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::failure::{Exit, Failure};
use crate::output::{Colour, Output, printable};
pub(crate) use places::Program;

/// Where to register, and what.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The module, where it is not installed beside this command
    #[arg(long, value_name = "FILE")]
    module: Option<PathBuf>,

    /// Only for this program; may be repeated
    #[arg(long, value_name = "PROGRAM")]
    only: Vec<Program>,

    /// Say what would be done, and do nothing
    #[arg(long)]
    dry_run: bool,
}

/// Where to take it back.
#[derive(Debug, clap::Args)]
pub(crate) struct Undo {
    /// Only for this program; may be repeated
    #[arg(long, value_name = "PROGRAM")]
    only: Vec<Program>,

    /// Say what would be done, and do nothing
    #[arg(long)]
    dry_run: bool,
}

/// How a place stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum State {
    /// Our own entry, for the module in this file.
    Ours(PathBuf),
    /// Somebody else's entry for the module in this file.
    Foreign(PathBuf),
    /// No entry, though there may be one.
    Absent,
    /// Nothing can be written there, for this reason.
    Unready(&'static str),
}

/// One place where the module may be registered.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    pub(crate) program: Program,
    /// The file with the entry.
    pub(crate) file: PathBuf,
    pub(crate) state: State,
    /// The program runs in a sandbox.
    sandboxed: bool,
}

/// What was done at a place, or would be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
enum Action {
    Added,
    Updated,
    Removed,
    Unchanged,
    Skipped,
    Failed,
}

#[derive(Serialize)]
struct Step {
    program: &'static str,
    file: PathBuf,
    action: Action,
    remark: Option<String>,
}

/// Every place of this user, with its state.
pub(crate) fn survey(home: &Path) -> Vec<Place> {
    let mut places: Vec<Place> = places::databases(home)
        .into_iter()
        .map(|database| Place {
            program: database.program,
            state: nss::state(&database.file),
            sandboxed: database.sandboxed,
            file: database.file,
        })
        .collect();
    let (file, state) = p11kit::place(home);
    places.push(Place { program: Program::P11Kit, state, file, sandboxed: false });
    places
}

/// The home directory.
pub(crate) fn home() -> Result<PathBuf, Failure> {
    let home = std::env::var_os("HOME").map(PathBuf::from).filter(|home| home.is_absolute());
    home.ok_or_else(|| Failure::new(Exit::Failure, "HOME does not name a directory"))
}

/// Registers.
pub(crate) fn run(arguments: &Arguments, output: &Output) -> Result<(), Failure> {
    let module = module::find(arguments.module.as_deref())?;
    let places = chosen(survey(&home()?), &arguments.only);
    let steps = places.iter().map(|place| add(place, &module, arguments.dry_run)).collect();
    report(steps, arguments.dry_run, output)
}

/// Takes it back.
pub(crate) fn undo(arguments: &Undo, output: &Output) -> Result<(), Failure> {
    let places = chosen(survey(&home()?), &arguments.only);
    let steps = places.iter().map(|place| remove(place, arguments.dry_run)).collect();
    report(steps, arguments.dry_run, output)
}

fn chosen(mut places: Vec<Place>, only: &[Program]) -> Vec<Place> {
    places.retain(|place| only.is_empty() || only.contains(&place.program));
    places
}

fn add(place: &Place, module: &Path, dry_run: bool) -> Step {
    let write = |action| match if dry_run { Ok(()) } else { write(place, module) } {
        Ok(()) => (action, None),
        Err(error) => (Action::Failed, Some(error.to_string())),
    };
    let (action, remark) = match &place.state {
        State::Ours(path) if path == module => (Action::Unchanged, None),
        State::Ours(_) => write(Action::Updated),
        State::Foreign(path) => (Action::Unchanged, Some(format!("somebody else has registered {}", path.display()))),
        State::Unready(reason) => (Action::Skipped, Some((*reason).to_owned())),
        State::Absent => write(Action::Added),
    };
    let remark = remark.or_else(|| remark_on(place).filter(|_| action == Action::Added).map(str::to_owned));
    Step { program: place.program.title(), file: place.file.clone(), action, remark }
}

/// What a new entry may still want.
fn remark_on(place: &Place) -> Option<&'static str> {
    match place.program {
        Program::P11Kit if rustix::process::geteuid().is_root() => {
            Some("p11-kit ignores a user's own entries in programs that root runs")
        }
        _ if place.sandboxed => Some("a sandboxed program may need leave to read the module and to reach pcscd"),
        _ => None,
    }
}

fn write(place: &Place, module: &Path) -> std::io::Result<()> {
    match place.program {
        Program::P11Kit => p11kit::write(&place.file, module),
        _ => nss::write(&place.file, module),
    }
}

fn remove(place: &Place, dry_run: bool) -> Step {
    let erase = || match place.program {
        _ if dry_run => Ok(()),
        Program::P11Kit => p11kit::remove(&place.file),
        _ => nss::remove(&place.file),
    };
    let (action, remark) = match &place.state {
        State::Ours(_) => match erase() {
            Ok(()) => (Action::Removed, None),
            Err(error) => (Action::Failed, Some(error.to_string())),
        },
        State::Foreign(_) => {
            (Action::Unchanged, Some("`cardea register` has not written the entry, or it was changed since".to_owned()))
        }
        State::Absent | State::Unready(_) => (Action::Unchanged, None),
    };
    Step { program: place.program.title(), file: place.file.clone(), action, remark }
}

fn report(steps: Vec<Step>, dry_run: bool, output: &Output) -> Result<(), Failure> {
    if output.is_json() {
        output.value(&serde_json::json!({ "dry_run": dry_run, "steps": steps }))?;
    } else {
        for step in &steps {
            show(step, dry_run, output)?;
        }
    }
    match steps.iter().filter(|step| step.action == Action::Failed).count() {
        0 => Ok(()),
        failed => Err(Failure::new(Exit::Failure, format!("{failed} of {} places could not be written", steps.len()))),
    }
}

fn show(step: &Step, dry_run: bool, output: &Output) -> Result<(), Failure> {
    let (colour, text) = match (step.action, dry_run) {
        (Action::Added, false) => (Colour::Green, "registered"),
        (Action::Added, true) => (Colour::Green, "would be registered"),
        (Action::Updated, false) => (Colour::Green, "updated"),
        (Action::Updated, true) => (Colour::Green, "would be updated"),
        (Action::Removed, false) => (Colour::Green, "removed"),
        (Action::Removed, true) => (Colour::Green, "would be removed"),
        (Action::Unchanged, _) => (Colour::Faint, "as it was"),
        (Action::Skipped, _) => (Colour::Yellow, "skipped"),
        (Action::Failed, _) => (Colour::Red, "failed"),
    };
    let remark = step.remark.as_ref().map(|remark| format!(" ({})", printable(remark))).unwrap_or_default();
    output.line(format!(
        "{:<11} {} {}{remark}",
        step.program,
        output.paint(colour, text),
        printable(&step.file.display().to_string())
    ))
}
