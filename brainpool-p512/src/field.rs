//! The field over which the curve is defined: integers modulo p (RFC 5639 3.7).

use elliptic_curve::bigint::U512;
use elliptic_curve::ff::PrimeField as _;
use elliptic_curve::ops::BatchInvert;
use primefield::subtle::{Choice, ConstantTimeEq as _, CtOption};

/// p, which is 3 modulo 4.
const MODULUS: &str = "aadd9db8dbe9c48b3fd4e6ae33c9fc07cb308db3b3c9d20ed6639cca70330871\
                       7d4d9b009bc66842aecda12ae6a380e62881ff2f2d82c68528aa6056583a48f3";

primefield::monty_field_params! {
    name: FieldParams,
    modulus: MODULUS,
    uint: U512,
    byte_order: primefield::ByteOrder::BigEndian,
    // The smallest number that is no square, which is what roots are drawn with.
    multiplicative_generator: 2,
    doc: "Parameters of Montgomery form modulo p."
}

primefield::monty_field_element! {
    name: FieldElement,
    params: FieldParams,
    uint: U512,
    doc: "A coordinate: an integer modulo p."
}

primefield::monty_field_arithmetic! {
    name: FieldElement,
    params: FieldParams,
    uint: U512
}

impl BatchInvert for FieldElement {}

#[cfg(test)]
mod tests {
    use super::*;

    primefield::test_primefield!(FieldElement, U512);
}
