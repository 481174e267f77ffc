//! The one static: which Library this process has between C_Initialize and C_Finalize.
//!
//! The cell belongs to a process. After fork a child finds its parent's cell, whose locks another thread of the
//! parent may have held at that moment, and connections that are the parent's. So every access compares process
//! ids before it takes a lock: a child sees "not initialized" until its own C_Initialize, which installs a fresh
//! cell. The parent's cell is then left alone for good: nothing in it is locked, dropped or finalized by the child.
//!
//! The locks are the standard library's, not `parking_lot`'s: those park in a process-wide table that may itself
//! be locked at fork, which no fresh cell could mend.
#![allow(unsafe_code)]

use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use super::Result;
use crate::error::Error;
use crate::library::Library;

#[cfg(test)]
mod tests;

/// The state of one process, never freed: a running call of another thread may be reading it.
struct Cell {
    process: u32,
    /// Held for all of C_Initialize and C_Finalize, so that one begins after the other has ended.
    lifecycle: Mutex<()>,
    /// Held only to clone or swap.
    library: RwLock<Option<Arc<Library>>>,
}

static CURRENT: AtomicPtr<Cell> = AtomicPtr::new(ptr::null_mut());

impl Cell {
    /// The cell of this process, if it has called C_Initialize before.
    fn existing() -> Option<&'static Self> {
        Self::own(CURRENT.load(Ordering::Acquire))
    }

    /// The cell behind `cell` if it is this process's. Of another process's cell only the id is read.
    fn own(cell: *mut Self) -> Option<&'static Self> {
        // SAFETY: null, or a cell that `installed` leaked; cells are never freed, their id never changes.
        let cell = unsafe { cell.as_ref() }?;
        (cell.process == std::process::id()).then_some(cell)
    }

    /// The cell of this process, created if there is none.
    fn installed() -> &'static Self {
        let seen = CURRENT.load(Ordering::Acquire);
        if let Some(cell) = Self::own(seen) {
            return cell;
        }
        let fresh: &'static Self = Box::leak(Box::new(Self {
            process: std::process::id(),
            lifecycle: Mutex::new(()),
            library: RwLock::new(None),
        }));
        let address = ptr::from_ref(fresh).cast_mut();
        match CURRENT.compare_exchange(seen, address, Ordering::AcqRel, Ordering::Acquire) {
            Ok(_) => fresh,
            // Another thread of this process was first; ours is a few bytes lost, once.
            Err(first) => Self::own(first).unwrap_or(fresh),
        }
    }

    fn lifecycle(&self) -> MutexGuard<'_, ()> {
        self.lifecycle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn library(&self) -> Option<Arc<Library>> {
        self.library.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn replace(&self, library: Option<Arc<Library>>) -> Option<Arc<Library>> {
        std::mem::replace(&mut *self.library.write().unwrap_or_else(PoisonError::into_inner), library)
    }
}

/// The Library for a call that begins now; the call runs on with it even when C_Finalize comes meanwhile.
pub(super) fn library() -> Result<Arc<Library>> {
    Cell::existing().and_then(Cell::library).ok_or(Error::CryptokiNotInitialized)
}

/// C_Initialize: `create` runs only when there is no Library.
pub(super) fn initialize(create: impl FnOnce() -> Result<Library>) -> Result<Arc<Library>> {
    let cell = Cell::installed();
    let _lifecycle = cell.lifecycle();
    if cell.library().is_some() {
        return Err(Error::CryptokiAlreadyInitialized);
    }
    let library = Arc::new(create()?);
    cell.replace(Some(Arc::clone(&library)));
    Ok(library)
}

/// C_Finalize: no call finds the Library any more, then `end` finalizes it.
pub(super) fn finalize(end: impl FnOnce(&Library)) -> Result<Arc<Library>> {
    let cell = Cell::existing().ok_or(Error::CryptokiNotInitialized)?;
    let _lifecycle = cell.lifecycle();
    let library = cell.replace(None).ok_or(Error::CryptokiNotInitialized)?;
    end(&library);
    Ok(library)
}
