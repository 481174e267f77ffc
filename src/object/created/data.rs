//! Data objects (PKCS#11 3.2 section 4.5).

use cryptoki_sys::*;

use super::{Creator, Rule, named};
use crate::error::Error;
use crate::object::rule::{Change, Form, Given, STORAGE, parse, rule};
use crate::object::template::Template;
use crate::object::{Content, Object};

/// What holds for data objects.
pub(in crate::object) const RULES: &[Rule] = &[
    rule(CKA_APPLICATION, Form::Text, Given::Empty, Change::Never),
    rule(CKA_OBJECT_ID, Form::Identifier, Given::Empty, Change::Never),
    rule(CKA_VALUE, Form::Bytes, Given::Empty, Change::Never),
];

pub(super) fn create(template: &Template, creator: Creator, handle: u64) -> Result<Object, Error> {
    let attributes = parse(template, &[STORAGE, RULES], creator)?;
    Ok(Object::new(named(attributes, CKO_DATA, handle), Content::Plain))
}
