//! The module as a C program sees it: a shared object, three symbols, and tables of functions.

use std::ops::Deref;
use std::ptr;

use cryptoki_sys::*;
use libloading::{Library, Symbol};

use crate::module;

/// Calls a function of a list; evaluates to its CK_RV.
macro_rules! call {
    ($list:expr, $name:ident $(, $argument:expr)* $(,)?) => {{
        let function = $list.$name.expect(stringify!($name));
        // SAFETY: the arguments are what the specification demands, or what a test wants to be judged.
        unsafe { function($($argument),*) }
    }};
}

/// Calls a function of a list that must succeed.
macro_rules! ok {
    ($list:expr, $name:ident $(, $argument:expr)* $(,)?) => {
        $crate::boundary::cryptoki::assert_rv(call!($list, $name $(, $argument)*), cryptoki_sys::CKR_OK, stringify!($name))
    };
}

/// The loaded module; dereferences to its 3.2 list.
pub struct Module {
    list: *const CK_FUNCTION_LIST_3_2,
    library: Library,
}

// SAFETY: the list is a static of the module, which nobody writes to.
unsafe impl Send for Module {}
// SAFETY: as above.
unsafe impl Sync for Module {}

impl Module {
    /// Loads the module, as C_GetInterface of a client does.
    pub fn load() -> Self {
        // SAFETY: loading the module runs no code of ours but the standard library's.
        let library = unsafe { Library::new(module::path()) }.unwrap();
        let mut version = CK_VERSION { major: 3, minor: 2 };
        let mut interface: *mut CK_INTERFACE = ptr::null_mut();
        let rv = {
            let function = symbol::<
                unsafe extern "C" fn(*mut u8, *mut CK_VERSION, *mut *mut CK_INTERFACE, CK_FLAGS) -> CK_RV,
            >(&library, "C_GetInterface");
            // SAFETY: null, a version, a place for the interface.
            unsafe { function(ptr::null_mut(), &raw mut version, &raw mut interface, 0) }
        };
        assert_rv(rv, CKR_OK, "C_GetInterface");
        // SAFETY: the interface that the module has just given.
        let list = unsafe { (*interface).pFunctionList }.cast_const().cast();
        Self { list, library }
    }

    /// The 2.40 list.
    pub fn list_2_40(&self) -> &CK_FUNCTION_LIST {
        let mut list: *mut CK_FUNCTION_LIST = ptr::null_mut();
        let function =
            symbol::<unsafe extern "C" fn(*mut *mut CK_FUNCTION_LIST) -> CK_RV>(&self.library, "C_GetFunctionList");
        // SAFETY: a place for the list.
        assert_rv(unsafe { function(&raw mut list) }, CKR_OK, "C_GetFunctionList");
        // SAFETY: a static of the module.
        unsafe { &*list }
    }
}

impl Deref for Module {
    type Target = CK_FUNCTION_LIST_3_2;

    fn deref(&self) -> &CK_FUNCTION_LIST_3_2 {
        // SAFETY: a static of the module, which stays loaded as long as `library`.
        unsafe { &*self.list }
    }
}

fn symbol<'l, T>(library: &'l Library, name: &str) -> Symbol<'l, T> {
    // SAFETY: the specification's type for the symbol.
    unsafe { library.get(name.as_bytes()) }.unwrap()
}

/// Compares results; numbers are shown as the specification writes them.
#[track_caller]
pub fn assert_rv(found: CK_RV, expected: CK_RV, what: &str) {
    assert!(found == expected, "{what}: {found:#010x}, expected {expected:#010x}");
}

/// An attribute with the bytes of `value`.
pub fn attribute(kind: CK_ATTRIBUTE_TYPE, value: &[u8]) -> CK_ATTRIBUTE {
    CK_ATTRIBUTE { type_: kind, pValue: value.as_ptr().cast_mut().cast(), ulValueLen: value.len() as CK_ULONG }
}

/// A mechanism without parameter.
pub fn plain(mechanism: CK_MECHANISM_TYPE) -> CK_MECHANISM {
    CK_MECHANISM { mechanism, pParameter: ptr::null_mut(), ulParameterLen: 0 }
}

/// A mechanism with a parameter, which must outlive it.
pub fn with_parameter<T>(mechanism: CK_MECHANISM_TYPE, parameter: &T) -> CK_MECHANISM {
    CK_MECHANISM {
        mechanism,
        pParameter: ptr::from_ref(parameter).cast_mut().cast(),
        ulParameterLen: size_of::<T>() as CK_ULONG,
    }
}
