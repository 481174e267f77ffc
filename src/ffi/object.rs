//! Object management functions (PKCS#11 5.7).

use cryptoki_sys::*;

use super::pointer::{Out, OutArray, Pointer};
use super::template::{AttributeArray, TemplateArgument};
use super::text::{number, ulong};
use super::{Result, in_session};
use crate::library::Library;
use crate::session::{objects, search};

/// C_CreateObject (5.7.1).
pub(super) fn create(
    library: &Library,
    session: CK_SESSION_HANDLE,
    template: Pointer<CK_ATTRIBUTE>,
    count: CK_ULONG,
    object: Pointer<CK_OBJECT_HANDLE>,
) -> Result<()> {
    let arguments = || Ok((TemplateArgument::new(template, count)?, Out::new(object)?));
    in_session(library, session, arguments, |session, (template, out)| {
        out.write(ulong(objects::create(session, template.copy()?)?));
        Ok(())
    })
}

/// C_CopyObject (5.7.2).
pub(super) fn copy(
    library: &Library,
    session: CK_SESSION_HANDLE,
    object: CK_OBJECT_HANDLE,
    template: Pointer<CK_ATTRIBUTE>,
    count: CK_ULONG,
    new_object: Pointer<CK_OBJECT_HANDLE>,
) -> Result<()> {
    let arguments = || Ok((TemplateArgument::new(template, count)?, Out::new(new_object)?));
    in_session(library, session, arguments, |session, (template, out)| {
        out.write(ulong(objects::copy(session, number(object), template.copy()?)?));
        Ok(())
    })
}

/// C_DestroyObject (5.7.3).
pub(super) fn destroy(library: &Library, session: CK_SESSION_HANDLE, object: CK_OBJECT_HANDLE) -> Result<()> {
    in_session(library, session, || Ok(()), |session, ()| objects::destroy(session, number(object)))
}

/// C_GetObjectSize (5.7.4).
pub(super) fn size(
    library: &Library,
    session: CK_SESSION_HANDLE,
    object: CK_OBJECT_HANDLE,
    size: Pointer<CK_ULONG>,
) -> Result<()> {
    in_session(
        library,
        session,
        || Out::new(size),
        |session, out| {
            out.write(ulong(objects::size(session, number(object))?));
            Ok(())
        },
    )
}

/// C_GetAttributeValue (5.7.5).
pub(super) fn attribute_values(
    library: &Library,
    session: CK_SESSION_HANDLE,
    object: CK_OBJECT_HANDLE,
    template: Pointer<CK_ATTRIBUTE>,
    count: CK_ULONG,
) -> Result<()> {
    in_session(
        library,
        session,
        || AttributeArray::new(template, count),
        |session, attributes| {
            let values = objects::attribute_values(session, number(object), &attributes.types()?)?;
            attributes.write(&values)
        },
    )
}

/// C_SetAttributeValue (5.7.6).
pub(super) fn set_attributes(
    library: &Library,
    session: CK_SESSION_HANDLE,
    object: CK_OBJECT_HANDLE,
    template: Pointer<CK_ATTRIBUTE>,
    count: CK_ULONG,
) -> Result<()> {
    in_session(
        library,
        session,
        || TemplateArgument::new(template, count),
        |session, template| objects::set_attributes(session, number(object), template.copy()?),
    )
}

/// C_FindObjectsInit (5.7.7).
pub(super) fn find_init(
    library: &Library,
    session: CK_SESSION_HANDLE,
    template: Pointer<CK_ATTRIBUTE>,
    count: CK_ULONG,
) -> Result<()> {
    in_session(
        library,
        session,
        || TemplateArgument::new(template, count),
        |session, template| search::find_init(session, template.copy()?),
    )
}

/// C_FindObjects (5.7.8).
pub(super) fn find(
    library: &Library,
    session: CK_SESSION_HANDLE,
    objects: Pointer<CK_OBJECT_HANDLE>,
    capacity: CK_ULONG,
    count: Pointer<CK_ULONG>,
) -> Result<()> {
    in_session(
        library,
        session,
        || OutArray::new(objects, capacity, count),
        |session, out| out.write(search::find(session, out.capacity())?.into_iter().map(ulong)),
    )
}

/// C_FindObjectsFinal (5.7.9).
pub(super) fn find_final(library: &Library, session: CK_SESSION_HANDLE) -> Result<()> {
    in_session(library, session, || Ok(()), |session, ()| search::find_final(session))
}
