//! The hardware under the applications: flash, random numbers, and the trussed service with the backends that they ask for.

use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};

use heapless::{Vec as Buffer, VecView as BufferView};
use iso7816::Status;
use iso7816::command::CommandView;
use littlefs2::consts::{U1, U512};
use littlefs2::driver::Storage;
use littlefs2::io::Result as IoResult;
use littlefs2_core::{PathBuf, path};
use piv_authenticator::Authenticator;
use rand_chacha::ChaCha8Rng;
use rand_core::{RngCore, SeedableRng};
use trussed::ClientImplementation;
use trussed::pipe::{ServiceEndpoint, TrussedChannel};
use trussed::platform::{Platform, Syscall};
use trussed::service::Service;
use trussed::types::CoreContext;
use trussed::virt::{StorageConfig, Store, UserInterface};

use super::dispatch::{Backends, Contexts, Dispatch};
use super::prepared::PreparedKey;
use crate::card::{Command, status};

/// The longest response data field that the application may build.
const MAX_RESPONSE: usize = 32 * 1024;

/// What the application answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) data: Vec<u8>,
    pub(crate) status: u16,
}

impl Answer {
    pub(crate) fn status(status: u16) -> Self {
        Self { data: Vec::new(), status }
    }

    pub(crate) fn success(data: Vec<u8>) -> Self {
        Self { data, status: status::SUCCESS }
    }

    pub(crate) fn is_success(&self) -> bool {
        self.status == status::SUCCESS
    }
}

/// The application between two losses of its volatile state.
pub(crate) trait Running {
    /// Processes one command; `None` means that the application crashed and has to be started anew.
    fn call(&mut self, command: &Command) -> Option<Answer>;
}

/// What is to happen after a session of the application.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum After {
    /// The application starts again with its persistent state only.
    Restart,
    /// The card is gone.
    End,
}

/// The applications that a card carries; each lives on the same service.
#[derive(Debug, Clone, Default)]
pub(crate) struct Installed {
    pub(crate) piv: Option<piv_authenticator::Options>,
    pub(crate) openpgp: Option<opcard::Options>,
}

/// The running applications, in the order PIV, OpenPGP.
pub(crate) type Applications<'a, 'r> = &'a mut [Box<dyn Running + 'r>];

/// Runs the applications over flash memory that lasts for the whole call, and one `session` after the other over volatile memory.
pub(crate) fn run(
    seed: [u8; 32],
    installed: &Installed,
    prepared: &PreparedKey,
    mut session: impl FnMut(Applications<'_, '_>) -> After,
) {
    let mut entropy = ChaCha8Rng::from_seed(seed);
    let mut internal = Flash::<128>::config();
    let mut external = Flash::<4096>::config();
    internal
        .with_fs(|internal| {
            external.with_fs(|external| {
                loop {
                    let mut volatile = Flash::<512>::config();
                    let after = volatile.with_fs(|volatile| {
                        let store = Store { internal, external, volatile };
                        start(store, &mut entropy, installed, prepared, &mut session)
                    });
                    if after.expect("volatile memory mounts") == After::End {
                        break;
                    }
                }
            })
        })
        .expect("internal flash mounts")
        .expect("external flash mounts");
}

fn start(
    store: Store<'_>,
    entropy: &mut ChaCha8Rng,
    installed: &Installed,
    prepared: &PreparedKey,
    session: &mut impl FnMut(Applications<'_, '_>) -> After,
) -> After {
    let mut seed = [0; 32];
    entropy.fill_bytes(&mut seed);
    let board = Board { rng: ChaCha8Rng::from_seed(seed), store, ui: UserInterface::new() };
    let service = RefCell::new(Service::with_dispatch(board, Dispatch::new(prepared.clone())));
    let channels = [TrussedChannel::new(), TrussedChannel::new()];
    let mut applications: Vec<Box<dyn Running + '_>> = Vec::new();
    if let Some(options) = &installed.piv {
        let client = client(&service, &channels[0], path!("piv").into());
        let application = Authenticator::new(client, options.clone());
        applications.push(Box::new(Application { application, reply: Box::default() }));
    }
    if let Some(options) = &installed.openpgp {
        let client = client(&service, &channels[1], path!("opcard").into());
        let application = opcard::Card::new(client, options.clone());
        applications.push(Box::new(Application { application, reply: Box::default() }));
    }
    session(&mut applications)
}

type Client<'a> = ClientImplementation<'a, Inline<'a>, Dispatch>;

/// A client of the service with endpoint and file system of its own.
fn client<'a>(
    service: &'a RefCell<Service<Board<'a>, Dispatch>>,
    channel: &'a TrussedChannel,
    name: PathBuf,
) -> Client<'a> {
    let (requester, responder) = channel.split().expect("the channel is unused");
    let endpoint = ServiceEndpoint::new(responder, CoreContext::new(name), Backends::ORDER);
    ClientImplementation::new(requester, Inline { service, endpoints: [endpoint] }, None)
}

/// An application as its crate has it.
trait Responds {
    fn respond(&mut self, command: CommandView<'_>, reply: &mut BufferView<u8>) -> Result<(), Status>;
}

impl Responds for Authenticator<Client<'_>> {
    fn respond(&mut self, command: CommandView<'_>, reply: &mut BufferView<u8>) -> Result<(), Status> {
        Authenticator::respond(self, command, reply)
    }
}

impl Responds for opcard::Card<Client<'_>> {
    fn respond(&mut self, command: CommandView<'_>, reply: &mut BufferView<u8>) -> Result<(), Status> {
        self.handle(command, reply)
    }
}

struct Application<A> {
    application: A,
    reply: Box<Buffer<u8, MAX_RESPONSE>>,
}

impl<A: Responds> Running for Application<A> {
    fn call(&mut self, command: &Command) -> Option<Answer> {
        let bytes = command.encode();
        let Ok(view) = CommandView::try_from(bytes.as_slice()) else {
            return Some(Answer::status(status::WRONG_LENGTH));
        };
        let Self { application, reply } = self;
        reply.clear();
        let result = catch_unwind(AssertUnwindSafe(|| application.respond(view, reply.as_mut_view())));
        match result {
            Ok(Ok(())) => Some(Answer::success(reply.to_vec())),
            Ok(Err(error)) => Some(Answer::status(error.into())),
            Err(_) => None,
        }
    }
}

/// A system call that is served on the caller's own stack.
struct Inline<'a> {
    service: &'a RefCell<Service<Board<'a>, Dispatch>>,
    endpoints: [ServiceEndpoint<'a, Backends, Contexts>; 1],
}

impl Syscall for Inline<'_> {
    fn syscall(&mut self) {
        self.service.borrow_mut().process(&mut self.endpoints);
    }
}

struct Board<'a> {
    rng: ChaCha8Rng,
    store: Store<'a>,
    ui: UserInterface,
}

impl<'a> Platform for Board<'a> {
    type R = ChaCha8Rng;
    type S = Store<'a>;
    type UI = UserInterface;

    fn rng(&mut self) -> &mut Self::R {
        &mut self.rng
    }

    fn store(&self) -> Self::S {
        self.store
    }

    fn user_interface(&mut self) -> &mut Self::UI {
        &mut self.ui
    }
}

/// Memory of `BLOCKS` blocks of 512 bytes.
struct Flash<const BLOCKS: usize>(Vec<u8>);

impl<const BLOCKS: usize> Flash<BLOCKS> {
    fn config() -> StorageConfig<'static> {
        StorageConfig { storage: Box::new(Self(vec![0xFF; BLOCKS * 512])), format: true }
    }
}

impl<const BLOCKS: usize> Storage for Flash<BLOCKS> {
    const READ_SIZE: usize = 16;
    const WRITE_SIZE: usize = 16;
    const BLOCK_SIZE: usize = 512;
    const BLOCK_COUNT: usize = BLOCKS;
    const BLOCK_CYCLES: isize = -1;
    type CACHE_SIZE = U512;
    type LOOKAHEAD_SIZE = U1;

    fn read(&mut self, offset: usize, buffer: &mut [u8]) -> IoResult<usize> {
        buffer.copy_from_slice(&self.0[offset..offset + buffer.len()]);
        Ok(buffer.len())
    }

    fn write(&mut self, offset: usize, data: &[u8]) -> IoResult<usize> {
        self.0[offset..offset + data.len()].copy_from_slice(data);
        Ok(data.len())
    }

    fn erase(&mut self, offset: usize, length: usize) -> IoResult<usize> {
        self.0[offset..offset + length].fill(0xFF);
        Ok(length)
    }
}
