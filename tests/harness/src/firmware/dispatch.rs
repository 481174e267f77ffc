//! Which backend serves which request and extension of the trussed service.

use trussed::backend::{Backend, BackendId};
use trussed::platform::Platform;
use trussed::serde_extensions::{ExtensionDispatch, ExtensionId, ExtensionImpl};
use trussed::service::ServiceResources;
use trussed::types::Context;
use trussed_auth::AuthExtension;
use trussed_auth_backend::{AuthBackend, AuthContext, FilesystemLayout};
use trussed_chunked::ChunkedExtension;
use trussed_core::Error;
use trussed_core::api::{Reply, Request, reply, request};
use trussed_core::types::Location;
use trussed_hpke::HpkeExtension;
use trussed_rsa_alloc::SoftwareRsa;
use trussed_staging::{StagingBackend, StagingContext};
use trussed_wrap_key_to_file::WrapKeyToFileExtension;

use super::prepared::PreparedKey;

/// The backends besides trussed's core.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Backends {
    Prepared,
    Rsa,
    Auth,
    Staging,
}

impl Backends {
    /// Asked in this order; the prepared key comes before everyone who could generate one.
    pub(crate) const ORDER: &'static [BackendId<Self>] = &[
        BackendId::Custom(Self::Prepared),
        BackendId::Custom(Self::Rsa),
        BackendId::Custom(Self::Auth),
        BackendId::Custom(Self::Staging),
        BackendId::Core,
    ];
}

/// What the backends remember per client.
#[derive(Default)]
pub(crate) struct Contexts {
    auth: AuthContext,
    staging: StagingContext,
}

pub(crate) struct Dispatch {
    prepared: PreparedKey,
    auth: AuthBackend,
    staging: StagingBackend,
}

impl Dispatch {
    pub(crate) fn new(prepared: PreparedKey) -> Self {
        Self {
            prepared,
            auth: AuthBackend::new(Location::Internal, FilesystemLayout::V1),
            staging: StagingBackend::new(),
        }
    }
}

/// The extensions by the number that travels with a request.
#[derive(Debug, Clone, Copy)]
#[repr(u8)]
pub(crate) enum Extensions {
    Auth = 0,
    Chunked = 1,
    Hpke = 2,
    WrapKeyToFile = 3,
}

impl From<Extensions> for u8 {
    fn from(extension: Extensions) -> Self {
        extension as u8
    }
}

impl TryFrom<u8> for Extensions {
    type Error = Error;

    fn try_from(id: u8) -> Result<Self, Error> {
        match id {
            0 => Ok(Self::Auth),
            1 => Ok(Self::Chunked),
            2 => Ok(Self::Hpke),
            3 => Ok(Self::WrapKeyToFile),
            _ => Err(Error::FunctionNotSupported),
        }
    }
}

macro_rules! extension_id {
    ($($extension:ty => $id:ident),* $(,)?) => {
        $(impl ExtensionId<$extension> for Dispatch {
            type Id = Extensions;
            const ID: Extensions = Extensions::$id;
        })*
    };
}

extension_id! {
    AuthExtension => Auth,
    ChunkedExtension => Chunked,
    HpkeExtension => Hpke,
    WrapKeyToFileExtension => WrapKeyToFile,
}

impl ExtensionDispatch for Dispatch {
    type BackendId = Backends;
    type Context = Contexts;
    type ExtensionId = Extensions;

    fn core_request<P: Platform>(
        &mut self,
        backend: &Backends,
        ctx: &mut Context<Contexts>,
        request: &Request,
        resources: &mut ServiceResources<P>,
    ) -> Result<Reply, Error> {
        match backend {
            Backends::Prepared => self.prepared.request(&mut ctx.core, &mut (), request, resources),
            Backends::Rsa => SoftwareRsa.request(&mut ctx.core, &mut (), request, resources),
            Backends::Auth => self.auth.request(&mut ctx.core, &mut ctx.backends.auth, request, resources),
            Backends::Staging => self.staging.request(&mut ctx.core, &mut ctx.backends.staging, request, resources),
        }
    }

    fn extension_request<P: Platform>(
        &mut self,
        backend: &Backends,
        extension: &Extensions,
        ctx: &mut Context<Contexts>,
        request: &request::SerdeExtension,
        resources: &mut ServiceResources<P>,
    ) -> Result<reply::SerdeExtension, Error> {
        let core = &mut ctx.core;
        let Contexts { auth, staging } = &mut ctx.backends;
        match (backend, extension) {
            (Backends::Auth, Extensions::Auth) => ExtensionImpl::<AuthExtension>::extension_request_serialized(
                &mut self.auth,
                core,
                auth,
                request,
                resources,
            ),
            (Backends::Staging, Extensions::Chunked) => {
                ExtensionImpl::<ChunkedExtension>::extension_request_serialized(
                    &mut self.staging,
                    core,
                    staging,
                    request,
                    resources,
                )
            }
            (Backends::Staging, Extensions::Hpke) => ExtensionImpl::<HpkeExtension>::extension_request_serialized(
                &mut self.staging,
                core,
                staging,
                request,
                resources,
            ),
            (Backends::Staging, Extensions::WrapKeyToFile) => {
                ExtensionImpl::<WrapKeyToFileExtension>::extension_request_serialized(
                    &mut self.staging,
                    core,
                    staging,
                    request,
                    resources,
                )
            }
            _ => Err(Error::RequestNotAvailable),
        }
    }
}
