//! ISO 7816-4 bytes.
