//! Key management functions (PKCS#11 5.18).

use cryptoki_sys::*;

use super::mechanism::MechanismArgument;
use super::pointer::{InBuffer, Out, OutBuffer, Pointer};
use super::template::TemplateArgument;
use super::text::{number, ulong};
use super::{Result, in_session, not_supported};
use crate::library::Library;
use crate::session::{derive, generate, wrap};

/// C_GenerateKey (5.18.1).
pub(super) fn generate(
    library: &Library,
    session: CK_SESSION_HANDLE,
    mechanism: Pointer<CK_MECHANISM>,
    template: Pointer<CK_ATTRIBUTE>,
    count: CK_ULONG,
    key: Pointer<CK_OBJECT_HANDLE>,
) -> Result<()> {
    let arguments = || {
        let mechanism = MechanismArgument::new(mechanism)?;
        Ok((mechanism, TemplateArgument::new(template, count)?, Out::new(key)?))
    };
    in_session(library, session, arguments, |session, (mechanism, template, out)| {
        out.write(ulong(generate::key(session, mechanism.read()?, template.copy()?)?));
        Ok(())
    })
}

/// C_GenerateKeyPair (5.18.2).
#[allow(clippy::too_many_arguments)]
pub(super) fn generate_pair(
    library: &Library,
    session: CK_SESSION_HANDLE,
    mechanism: Pointer<CK_MECHANISM>,
    public_template: Pointer<CK_ATTRIBUTE>,
    public_count: CK_ULONG,
    private_template: Pointer<CK_ATTRIBUTE>,
    private_count: CK_ULONG,
    public_key: Pointer<CK_OBJECT_HANDLE>,
    private_key: Pointer<CK_OBJECT_HANDLE>,
) -> Result<()> {
    let arguments = || {
        let mechanism = MechanismArgument::new(mechanism)?;
        let public = (TemplateArgument::new(public_template, public_count)?, Out::new(public_key)?);
        let private = (TemplateArgument::new(private_template, private_count)?, Out::new(private_key)?);
        Ok((mechanism, public, private))
    };
    in_session(library, session, arguments, |session, (mechanism, public, private)| {
        let templates = (public.0.copy()?, private.0.copy()?);
        let keys = generate::key_pair(session, mechanism.read()?, templates.0, templates.1)?;
        public.1.write(ulong(keys.0));
        private.1.write(ulong(keys.1));
        Ok(())
    })
}

/// C_WrapKey (5.18.3).
pub(super) fn wrap(
    library: &Library,
    session: CK_SESSION_HANDLE,
    mechanism: Pointer<CK_MECHANISM>,
    wrapping_key: CK_OBJECT_HANDLE,
    key: CK_OBJECT_HANDLE,
    wrapped: Pointer<CK_BYTE>,
    wrapped_length: Pointer<CK_ULONG>,
) -> Result<()> {
    let arguments = || Ok((MechanismArgument::new(mechanism)?, OutBuffer::new(wrapped, wrapped_length)?));
    in_session(library, session, arguments, |session, (mechanism, out)| {
        let (wrapping_key, key) = (number(wrapping_key), number(key));
        out.answer(wrap::wrap(session, mechanism.read()?, wrapping_key, key, out.capacity())?)
    })
}

/// C_UnwrapKey (5.18.4).
#[allow(clippy::too_many_arguments)]
pub(super) fn unwrap(
    library: &Library,
    session: CK_SESSION_HANDLE,
    mechanism: Pointer<CK_MECHANISM>,
    unwrapping_key: CK_OBJECT_HANDLE,
    wrapped: Pointer<CK_BYTE>,
    wrapped_length: CK_ULONG,
    template: Pointer<CK_ATTRIBUTE>,
    count: CK_ULONG,
    key: Pointer<CK_OBJECT_HANDLE>,
) -> Result<()> {
    let arguments = || {
        let input = (MechanismArgument::new(mechanism)?, InBuffer::new(wrapped, wrapped_length)?);
        Ok((input, TemplateArgument::new(template, count)?, Out::new(key)?))
    };
    in_session(library, session, arguments, |session, ((mechanism, wrapped), template, out)| {
        let (mechanism, template) = (mechanism.read()?, template.copy()?);
        let key = wrap::unwrap(session, mechanism, number(unwrapping_key), wrapped.as_slice(), template)?;
        out.write(ulong(key));
        Ok(())
    })
}

/// C_DeriveKey (5.18.5).
pub(super) fn derive(
    library: &Library,
    session: CK_SESSION_HANDLE,
    mechanism: Pointer<CK_MECHANISM>,
    base_key: CK_OBJECT_HANDLE,
    template: Pointer<CK_ATTRIBUTE>,
    count: CK_ULONG,
    key: Pointer<CK_OBJECT_HANDLE>,
) -> Result<()> {
    let arguments = || {
        let mechanism = MechanismArgument::new(mechanism)?;
        Ok((mechanism, TemplateArgument::new(template, count)?, Out::new(key)?))
    };
    in_session(library, session, arguments, |session, (mechanism, template, out)| {
        let (parameters, more) = (mechanism.read()?, mechanism.derived_keys()?);
        let templates = std::iter::once(&template).chain(more.iter().map(|key| &key.template));
        let templates = templates.map(TemplateArgument::copy).collect::<Result<_>>()?;
        let handles = std::iter::once(&out).chain(more.iter().map(|key| &key.handle));
        match derive::derive_all(session, parameters, number(base_key), templates) {
            Ok(keys) => handles.zip(keys).for_each(|(out, key)| out.write(ulong(key))),
            Err(error) => {
                more.iter().for_each(|key| key.handle.write(CK_INVALID_HANDLE));
                return Err(error);
            }
        }
        Ok(())
    })
}

/// C_WrapKeyAuthenticated (3.2 5.18.6).
#[allow(clippy::too_many_arguments)]
pub(super) fn wrap_authenticated(
    library: &Library,
    session: CK_SESSION_HANDLE,
    mechanism: Pointer<CK_MECHANISM>,
    _wrapping_key: CK_OBJECT_HANDLE,
    _key: CK_OBJECT_HANDLE,
    associated: Pointer<CK_BYTE>,
    associated_length: CK_ULONG,
    wrapped: Pointer<CK_BYTE>,
    wrapped_length: Pointer<CK_ULONG>,
) -> Result<()> {
    not_supported(library, session, || {
        let input = (MechanismArgument::new(mechanism)?, InBuffer::new(associated, associated_length)?);
        Ok((input, OutBuffer::new(wrapped, wrapped_length)?))
    })
}

/// C_UnwrapKeyAuthenticated (3.2 5.18.7).
#[allow(clippy::too_many_arguments)]
pub(super) fn unwrap_authenticated(
    library: &Library,
    session: CK_SESSION_HANDLE,
    mechanism: Pointer<CK_MECHANISM>,
    _unwrapping_key: CK_OBJECT_HANDLE,
    wrapped: Pointer<CK_BYTE>,
    wrapped_length: CK_ULONG,
    template: Pointer<CK_ATTRIBUTE>,
    count: CK_ULONG,
    associated: Pointer<CK_BYTE>,
    associated_length: CK_ULONG,
    key: Pointer<CK_OBJECT_HANDLE>,
) -> Result<()> {
    not_supported(library, session, || {
        let input = (MechanismArgument::new(mechanism)?, InBuffer::new(wrapped, wrapped_length)?);
        let associated = InBuffer::new(associated, associated_length)?;
        Ok((input, TemplateArgument::new(template, count)?, associated, Out::new(key)?))
    })
}

/// C_EncapsulateKey (3.2 5.18.8).
#[allow(clippy::too_many_arguments)]
pub(super) fn encapsulate(
    library: &Library,
    session: CK_SESSION_HANDLE,
    mechanism: Pointer<CK_MECHANISM>,
    _public_key: CK_OBJECT_HANDLE,
    template: Pointer<CK_ATTRIBUTE>,
    count: CK_ULONG,
    ciphertext: Pointer<CK_BYTE>,
    ciphertext_length: Pointer<CK_ULONG>,
    key: Pointer<CK_OBJECT_HANDLE>,
) -> Result<()> {
    not_supported(library, session, || {
        let input = (MechanismArgument::new(mechanism)?, TemplateArgument::new(template, count)?);
        Ok((input, OutBuffer::new(ciphertext, ciphertext_length)?, Out::new(key)?))
    })
}

/// C_DecapsulateKey (3.2 5.18.9).
#[allow(clippy::too_many_arguments)]
pub(super) fn decapsulate(
    library: &Library,
    session: CK_SESSION_HANDLE,
    mechanism: Pointer<CK_MECHANISM>,
    _private_key: CK_OBJECT_HANDLE,
    template: Pointer<CK_ATTRIBUTE>,
    count: CK_ULONG,
    ciphertext: Pointer<CK_BYTE>,
    ciphertext_length: CK_ULONG,
    key: Pointer<CK_OBJECT_HANDLE>,
) -> Result<()> {
    not_supported(library, session, || {
        let input = (MechanismArgument::new(mechanism)?, TemplateArgument::new(template, count)?);
        Ok((input, InBuffer::new(ciphertext, ciphertext_length)?, Out::new(key)?))
    })
}
