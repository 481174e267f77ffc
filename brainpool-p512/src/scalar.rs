//! What points are multiplied by: integers modulo the order of the base point.

use elliptic_curve::bigint::U512;
use elliptic_curve::ff::PrimeField as _;
use elliptic_curve::scalar::{FromUintUnchecked, IsHigh};
use primefield::subtle::{Choice, ConstantTimeEq as _, ConstantTimeGreater as _, CtOption};

use crate::{BrainpoolP512r1, ORDER};

primefield::monty_field_params! {
    name: ScalarParams,
    modulus: ORDER,
    uint: U512,
    byte_order: primefield::ByteOrder::BigEndian,
    // The smallest number that is no square, which is what roots are drawn with.
    multiplicative_generator: 7,
    doc: "Parameters of Montgomery form modulo the order."
}

primefield::monty_field_element! {
    name: Scalar,
    params: ScalarParams,
    uint: U512,
    doc: "An integer modulo the order of the base point."
}

primefield::monty_field_arithmetic! {
    name: Scalar,
    params: ScalarParams,
    uint: U512
}

primefield::monty_field_reduce! {
    name: Scalar,
    params: ScalarParams,
    uint: U512,
}

elliptic_curve::scalar_impls!(BrainpoolP512r1, Scalar);
primeorder::wnaf::impl_wnaf_size_for_scalar!(Scalar);

impl AsRef<Scalar> for Scalar {
    fn as_ref(&self) -> &Scalar {
        self
    }
}

impl FromUintUnchecked for Scalar {
    type Uint = U512;

    fn from_uint_unchecked(uint: U512) -> Self {
        Self::from_uint_unchecked(uint)
    }
}

impl IsHigh for Scalar {
    fn is_high(&self) -> Choice {
        const HALF: U512 = ScalarParams::PARAMS.modulus().as_ref().shr_vartime(1);
        self.to_canonical().ct_gt(&HALF)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    primefield::test_primefield!(Scalar, U512);

    #[test]
    fn the_upper_half_begins_above_half_the_order() {
        let half = Scalar::from_uint_unchecked(ScalarParams::PARAMS.modulus().as_ref().shr_vartime(1));
        assert!(!bool::from(half.is_high()));
        assert!(bool::from((half + Scalar::ONE).is_high()));
    }
}
