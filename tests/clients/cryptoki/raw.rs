//! C_GetAttributeValue in bytes: the crate knows no mechanism of some that a key allows, and then shows none of them.
#![allow(unsafe_code)]

use cryptoki::object::ObjectHandle;
use cryptoki::session::Session;
use cryptoki_sys::{
    CK_ATTRIBUTE, CK_ATTRIBUTE_TYPE, CK_C_GetFunctionList, CK_FUNCTION_LIST, CK_OBJECT_HANDLE, CK_RV, CKR_OK,
};
use libloading::{Library, Symbol};

use crate::module;

/// The module that the crate has loaded already.
pub struct Raw {
    functions: *mut CK_FUNCTION_LIST,
    /// Keeps the functions where they are.
    _library: Library,
}

impl Raw {
    pub fn new() -> Self {
        // SAFETY: a Cryptoki module has no initializer that could do harm.
        let library = unsafe { Library::new(module::path()) }.unwrap();
        let mut functions = std::ptr::null_mut();
        // SAFETY: the type is that of the symbol (PKCS#11 3.2 5.4.4).
        let list: Symbol<'_, CK_C_GetFunctionList> = unsafe { library.get(b"C_GetFunctionList\0") }.unwrap();
        let list = list.unwrap();
        // SAFETY: the argument is a valid place for the pointer.
        assert_eq!(unsafe { list(&raw mut functions) }, CKR_OK);
        Self { functions, _library: library }
    }

    /// The bytes of an attribute, or why there are none.
    pub fn attribute(
        &self,
        session: &Session,
        object: ObjectHandle,
        kind: CK_ATTRIBUTE_TYPE,
    ) -> Result<Vec<u8>, CK_RV> {
        // ObjectHandle shows its number in text only.
        let object: CK_OBJECT_HANDLE = object.to_string().parse().unwrap();
        let mut attribute = CK_ATTRIBUTE { type_: kind, pValue: std::ptr::null_mut(), ulValueLen: 0 };
        self.get(session, object, &mut attribute)?;
        let mut value = vec![0_u8; usize::try_from(attribute.ulValueLen).unwrap()];
        attribute.pValue = value.as_mut_ptr().cast();
        self.get(session, object, &mut attribute)?;
        assert_eq!(usize::try_from(attribute.ulValueLen), Ok(value.len()), "{kind:#X}");
        Ok(value)
    }

    fn get(&self, session: &Session, object: CK_OBJECT_HANDLE, attribute: &mut CK_ATTRIBUTE) -> Result<(), CK_RV> {
        // SAFETY: the function list lives as long as the library.
        let function = unsafe { (*self.functions).C_GetAttributeValue }.unwrap();
        // SAFETY: one attribute, whose pointer is null or to as many bytes as it says.
        match unsafe { function(session.handle(), object, attribute, 1) } {
            CKR_OK => Ok(()),
            code => Err(code),
        }
    }
}
