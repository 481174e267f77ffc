//! What a template may say of each attribute of an object (PKCS#11 3.2 section 4.1, table "Common footnotes").

use cryptoki_sys::*;

use super::attribute::Attributes;
use super::template::Template;
use crate::card::Role;
use crate::error::Error;

/// Who makes or changes an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Creator {
    /// Who is logged in.
    pub role: Option<Role>,
    /// Whether the session is read/write.
    pub read_write: bool,
}

impl Creator {
    /// Whether a template asks for an object on the token, which takes a session that may write.
    pub fn lasting(self, template: &Template) -> Result<bool, Error> {
        match template.boolean(CKA_TOKEN)? {
            Some(true) if self.read_write => Ok(true),
            Some(true) => Err(Error::SessionReadOnly),
            _ => Ok(false),
        }
    }

    /// Objects made here live in their session. On the token they would need a session that may write, and a token
    /// that can.
    pub(super) fn session_object(self, template: &Template) -> Result<(), Error> {
        match template.boolean(CKA_TOKEN)? {
            Some(true) if self.read_write => Err(Error::TokenWriteProtected),
            Some(true) => Err(Error::SessionReadOnly),
            _ => Ok(()),
        }
    }
}

/// How the value of an attribute is made up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// CK_BBOOL.
    Boolean,
    /// CK_ULONG.
    Number,
    /// An array of CK_ULONG.
    Numbers,
    /// Any bytes.
    Bytes,
    /// UTF-8.
    Text,
    /// CK_DATE, or nothing.
    Date,
    /// DER OBJECT IDENTIFIER, or nothing.
    Identifier,
    /// An array of attributes.
    Template,
}

/// Whether and what a template says when an object is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Given {
    /// It must say something (footnote 1).
    Required,
    /// It must say nothing (footnotes 2, 4, 6).
    Never,
    /// The module knows better than a default what an attribute is that is not given.
    Absent,
    /// Nothing given is an empty value.
    Empty,
    /// Nothing given is this boolean.
    Boolean(bool),
    /// Nothing given is this number.
    Number(CK_ULONG),
}

/// Whether an attribute changes after the object was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Change {
    /// It does not.
    Never,
    /// By C_SetAttributeValue and in copying (footnote 8).
    Free,
    /// In copying only (section 4.4).
    Copy,
    /// As `Free`, but not back from true (footnote 11).
    OnceTrue,
    /// As `Free`, but not back from false (footnote 12).
    OnceFalse,
    /// As `Free`, but the security officer alone makes it true (footnote 10).
    Officer,
}

/// What holds for one attribute.
pub(super) struct Rule {
    pub(super) attribute: CK_ATTRIBUTE_TYPE,
    pub(super) form: Form,
    pub(super) given: Given,
    pub(super) change: Change,
}

/// A rule in one line.
pub(super) const fn rule(attribute: CK_ATTRIBUTE_TYPE, form: Form, given: Given, change: Change) -> Rule {
    Rule { attribute, form, given, change }
}

/// Storage objects (section 4.4).
pub(super) const STORAGE: &[Rule] = &[
    rule(CKA_CLASS, Form::Number, Given::Absent, Change::Never),
    rule(CKA_TOKEN, Form::Boolean, Given::Boolean(false), Change::Copy),
    rule(CKA_PRIVATE, Form::Boolean, Given::Boolean(false), Change::Copy),
    rule(CKA_MODIFIABLE, Form::Boolean, Given::Boolean(true), Change::Copy),
    rule(CKA_LABEL, Form::Text, Given::Empty, Change::Free),
    rule(CKA_COPYABLE, Form::Boolean, Given::Boolean(true), Change::OnceFalse),
    rule(CKA_DESTROYABLE, Form::Boolean, Given::Boolean(true), Change::Copy),
    rule(CKA_UNIQUE_ID, Form::Text, Given::Never, Change::Never),
];

/// Keys of every kind (section 4.7).
pub(super) const KEY: &[Rule] = &[
    rule(CKA_KEY_TYPE, Form::Number, Given::Absent, Change::Never),
    rule(CKA_ID, Form::Bytes, Given::Empty, Change::Free),
    rule(CKA_START_DATE, Form::Date, Given::Empty, Change::Free),
    rule(CKA_END_DATE, Form::Date, Given::Empty, Change::Free),
    rule(CKA_DERIVE, Form::Boolean, Given::Boolean(false), Change::Free),
    rule(CKA_LOCAL, Form::Boolean, Given::Never, Change::Never),
    rule(CKA_KEY_GEN_MECHANISM, Form::Number, Given::Never, Change::Never),
    rule(CKA_ALLOWED_MECHANISMS, Form::Numbers, Given::Absent, Change::Never),
];

/// The rules of a class of objects, in groups.
pub(super) type Rules<'r> = &'r [&'r [Rule]];

/// The rule for an attribute; `AttributeTypeInvalid` where objects of the class have no such attribute.
pub(super) fn find<'r>(rules: Rules<'r>, attribute: CK_ATTRIBUTE_TYPE) -> Result<&'r Rule, Error> {
    let mut all = rules.iter().copied().flatten();
    all.find(|rule| rule.attribute == attribute).ok_or(Error::AttributeTypeInvalid)
}

/// The attributes of an object that `creator` makes of `template`, with the defaults for what is not given.
///
/// `AttributeTypeInvalid`, `AttributeReadOnly` and `AttributeValueInvalid` for what is given and should not be so;
/// then `TemplateIncomplete` for what is not given and should be; then `TemplateInconsistent`.
pub(super) fn parse(template: &Template, rules: Rules<'_>, creator: Creator) -> Result<Attributes, Error> {
    template.consistent()?;
    let mut attributes = Attributes::default();
    for (attribute, value) in template.iter() {
        let rule = find(rules, attribute)?;
        let officer =
            rule.change == Change::Officer && value == [CK_TRUE] && creator.role != Some(Role::SecurityOfficer);
        if rule.given == Given::Never || officer {
            return Err(Error::AttributeReadOnly);
        }
        judge(rule, value)?;
        attributes = attributes.bytes(attribute, value);
    }
    for rule in rules.iter().copied().flatten().filter(|rule| template.bytes(rule.attribute).is_none()) {
        attributes = match rule.given {
            Given::Required => return Err(Error::TemplateIncomplete),
            Given::Never | Given::Absent => attributes,
            Given::Empty => attributes.bytes(rule.attribute, &[]),
            Given::Boolean(value) => attributes.boolean(rule.attribute, value),
            Given::Number(value) => attributes.ulong(rule.attribute, value),
        };
    }
    in_order(&attributes)?;
    Ok(attributes)
}

/// Refuses a value of another form: `AttributeValueInvalid`.
pub(super) fn judge(rule: &Rule, value: &[u8]) -> Result<(), Error> {
    let fits = match rule.form {
        Form::Boolean => matches!(value, [CK_FALSE | CK_TRUE]),
        Form::Number => value.len() == size_of::<CK_ULONG>(),
        Form::Numbers => value.len().is_multiple_of(size_of::<CK_ULONG>()),
        Form::Bytes => true,
        Form::Text => core::str::from_utf8(value).is_ok(),
        Form::Template => Template::from_bytes(value).is_some(),
        Form::Date => value.is_empty() || is_date(value),
        Form::Identifier => value.is_empty() || <const_oid::ObjectIdentifier as der::Decode>::from_der(value).is_ok(),
    };
    if fits { Ok(()) } else { Err(Error::AttributeValueInvalid) }
}

/// Whether these are eight digits that name a day; the year and month decide nothing beyond 31 days.
fn is_date(value: &[u8]) -> bool {
    let number = |range: core::ops::Range<usize>| {
        let digits = value.get(range).filter(|digits| digits.iter().all(u8::is_ascii_digit));
        digits.and_then(|digits| core::str::from_utf8(digits).ok()?.parse::<u32>().ok())
    };
    let (month, day) = (number(4..6), number(6..8));
    value.len() == 8
        && number(0..4).is_some()
        && month.is_some_and(|month| (1..=12).contains(&month))
        && day.is_some_and(|day| (1..=31).contains(&day))
}

/// An object whose time ends before it begins is none.
pub(super) fn in_order(attributes: &Attributes) -> Result<(), Error> {
    let date = |attribute| attributes.shown(attribute).filter(|date| !date.is_empty());
    match (date(CKA_START_DATE), date(CKA_END_DATE)) {
        (Some(start), Some(end)) if end < start => Err(Error::TemplateInconsistent),
        _ => Ok(()),
    }
}
