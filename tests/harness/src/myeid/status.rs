//! Status words that only this card answers with, besides those of [`crate::card::status`].

/// 6282: end of file reached before Ne bytes were read.
pub(super) const END_OF_FILE: u16 = 0x6282;
/// 63C0: verification failed, the low nibble counts the tries left.
pub(super) const TRIES_LEFT: u16 = 0x63C0;
/// 6884: command chaining not supported.
pub(super) const CHAINING_NOT_SUPPORTED: u16 = 0x6884;
/// 6981: command incompatible with file structure.
pub(super) const INCOMPATIBLE_FILE: u16 = 0x6981;
/// 6982: security status not satisfied.
pub(super) const SECURITY_STATUS_NOT_SATISFIED: u16 = 0x6982;
/// 6984: reference data not usable; this card says so of anything wrong in a data field.
pub(super) const INVALID_DATA: u16 = 0x6984;
/// 6986: command not allowed, no current EF.
pub(super) const NO_CURRENT_FILE: u16 = 0x6986;
/// 6A81: function not supported.
pub(super) const FUNCTION_NOT_SUPPORTED: u16 = 0x6A81;
/// 6A84: not enough memory space.
pub(super) const NOT_ENOUGH_MEMORY: u16 = 0x6A84;
/// 6A87: Nc inconsistent with P1-P2.
pub(super) const LENGTH_INCONSISTENT: u16 = 0x6A87;
/// 6A89: file already exists.
pub(super) const FILE_EXISTS: u16 = 0x6A89;
/// 6B00: wrong parameters P1-P2, here an offset outside the file.
pub(super) const OUTSIDE_FILE: u16 = 0x6B00;
