//! The numbers of an RSA private key (RFC 8017 3.2), completed from those that a caller has.

use crypto_bigint::modular::{BoxedMontyForm, BoxedMontyParams};
use crypto_bigint::{BoxedUint, ConcatenatingMul, Gcd, NonZero, Odd};
use zeroize::Zeroizing;

use crate::card::number::{of_length, significant};
use crate::error::Error;
use crate::mechanism::{Result, random};
use crate::secret::SecretBytes;

/// Random bases that are tried in looking for the primes; each fails with a probability of at most one half.
const ATTEMPTS: usize = 64;
/// Most bytes of a number: no card here takes a longer modulus.
const LONGEST: usize = 512;

type Number = Zeroizing<BoxedUint>;

/// What a caller has of a key, big-endian. The modulus is always there, and the public or the private exponent.
#[derive(Default)]
pub struct Given<'a> {
    /// n.
    pub modulus: &'a [u8],
    /// e.
    pub exponent: Option<&'a [u8]>,
    /// d.
    pub private_exponent: Option<&'a [u8]>,
    /// p.
    pub prime_1: Option<&'a [u8]>,
    /// q.
    pub prime_2: Option<&'a [u8]>,
    /// d mod p-1.
    pub exponent_1: Option<&'a [u8]>,
    /// d mod q-1.
    pub exponent_2: Option<&'a [u8]>,
    /// q⁻¹ mod p.
    pub coefficient: Option<&'a [u8]>,
}

/// All numbers of a key, big-endian: those of the primes as long as half the modulus.
pub struct Components {
    /// e, without leading zeros.
    pub exponent: Vec<u8>,
    /// d, as long as the modulus.
    pub private_exponent: SecretBytes,
    /// p.
    pub prime_1: SecretBytes,
    /// q.
    pub prime_2: SecretBytes,
    /// d mod p-1.
    pub exponent_1: SecretBytes,
    /// d mod q-1.
    pub exponent_2: SecretBytes,
    /// q⁻¹ mod p.
    pub coefficient: SecretBytes,
}

/// Completes a key. `TemplateIncomplete` where too little is given, `AttributeValueInvalid` where the numbers are of no
/// key or contradict one another.
pub fn complete(given: &Given<'_>) -> Result<Components> {
    let modulus = number(given.modulus)?;
    let length = significant(given.modulus).len();
    if [given.exponent, given.private_exponent].iter().flatten().any(|exponent| significant(exponent).len() > length) {
        return Err(Error::AttributeValueInvalid);
    }
    let (p, q) = match (given.prime_1, given.prime_2) {
        (Some(p), Some(q)) => (number(p)?, number(q)?),
        (Some(prime), None) | (None, Some(prime)) => {
            let prime = number(prime)?;
            let other = Zeroizing::new(modulus.div_rem_vartime(&*non_zero(&prime)?).0);
            if given.prime_1.is_some() { (prime, other) } else { (other, prime) }
        }
        (None, None) => factors(given, &modulus)?,
    };
    let one = BoxedUint::one();
    if *p <= one || *q <= one || p == q || p.concatenating_mul(&*q) != *modulus {
        return Err(Error::AttributeValueInvalid);
    }
    let (p1, q1) = (Zeroizing::new(p.wrapping_sub(&one)), Zeroizing::new(q.wrapping_sub(&one)));
    let (exponent, private) = exponents(given, &p1, &q1)?;
    let half = length.div_ceil(2).max(byte_len(&p)).max(byte_len(&q));
    let inverse = q.rem_vartime(&*non_zero(&p)?).invert_odd_mod(&*odd(&p)?);
    let components = Components {
        exponent: significant(&exponent.to_be_bytes()).to_vec(),
        private_exponent: bytes(&private, length)?,
        prime_1: bytes(&p, half)?,
        prime_2: bytes(&q, half)?,
        exponent_1: bytes(&Zeroizing::new(private.rem_vartime(&*non_zero(&p1)?)), half)?,
        exponent_2: bytes(&Zeroizing::new(private.rem_vartime(&*non_zero(&q1)?)), half)?,
        coefficient: bytes(&Zeroizing::new(Option::from(inverse).ok_or(Error::AttributeValueInvalid)?), half)?,
    };
    let agrees = |given: Option<&[u8]>, own: &[u8]| given.is_none_or(|given| significant(given) == significant(own));
    let all = agrees(given.exponent_1, &components.exponent_1)
        && agrees(given.exponent_2, &components.exponent_2)
        && agrees(given.coefficient, &components.coefficient);
    if all { Ok(components) } else { Err(Error::AttributeValueInvalid) }
}

/// e and d: one from the other where only one is given.
fn exponents(given: &Given<'_>, p1: &BoxedUint, q1: &BoxedUint) -> Result<(Number, Number)> {
    let common = Zeroizing::new(p1.gcd(q1));
    let order = Zeroizing::new(p1.concatenating_mul(q1).div_rem_vartime(&*non_zero(&common)?).0);
    let order = non_zero(&order)?;
    let inverse = |number: &Number| -> Result<Number> {
        let reduced = resized(&number.rem_vartime(&*order), order.bits_precision())?;
        let inverse: Option<BoxedUint> = reduced.invert_mod(&order).into();
        inverse.map(Zeroizing::new).ok_or(Error::AttributeValueInvalid)
    };
    let (exponent, private) = match (given.exponent, given.private_exponent) {
        (Some(exponent), Some(private)) => (number(exponent)?, number(private)?),
        (Some(exponent), None) => {
            let exponent = number(exponent)?;
            let private = inverse(&exponent)?;
            (exponent, private)
        }
        (None, Some(private)) => {
            let private = number(private)?;
            (inverse(&private)?, private)
        }
        (None, None) => return Err(Error::TemplateIncomplete),
    };
    let product = Zeroizing::new(exponent.concatenating_mul(&*private));
    if product.rem_vartime(&*order) == BoxedUint::one() {
        Ok((exponent, private))
    } else {
        Err(Error::AttributeValueInvalid)
    }
}

/// The primes from both exponents (SP 800-56B appendix C.1): a square root of 1 that is neither 1 nor -1.
fn factors(given: &Given<'_>, modulus: &Number) -> Result<(Number, Number)> {
    let (exponent, private) = given.exponent.zip(given.private_exponent).ok_or(Error::TemplateIncomplete)?;
    let one = BoxedUint::one();
    let product = Zeroizing::new(number(exponent)?.concatenating_mul(&*number(private)?));
    if *product <= one {
        return Err(Error::AttributeValueInvalid);
    }
    let multiple = Zeroizing::new(product.wrapping_sub(&one));
    let twos = multiple.trailing_zeros_vartime();
    let rest = Zeroizing::new(multiple.unbounded_shr_vartime(twos));
    let parameters = BoxedMontyParams::new_vartime((*odd(modulus)?).clone());
    let minus_one = modulus.wrapping_sub(&one);
    for _ in 0..ATTEMPTS {
        let mut base = Zeroizing::new(vec![0; byte_len(modulus)]);
        random::fill(&mut base)?;
        let base = number(&base)?.rem_vartime(&*non_zero(modulus)?);
        let base = resized(&base, modulus.bits_precision())?;
        let mut power = BoxedMontyForm::new(base, &parameters).pow(&rest);
        for _ in 0..twos {
            let root = Zeroizing::new(power.retrieve());
            power = power.square();
            let trivial = *root == one || *root == minus_one;
            if power.retrieve() == one && !trivial {
                let factor = Zeroizing::new(root.wrapping_sub(&one).gcd(&**modulus));
                let other = Zeroizing::new(modulus.div_rem_vartime(&*non_zero(&factor)?).0);
                return Ok(if *factor > *other { (factor, other) } else { (other, factor) });
            }
        }
        // Every base goes to 1 where the exponents are of this modulus.
        if power.retrieve() != one {
            break;
        }
    }
    Err(Error::AttributeValueInvalid)
}

fn number(bytes: &[u8]) -> Result<Number> {
    let bytes = significant(bytes);
    if bytes.is_empty() || bytes.len() > LONGEST {
        return Err(Error::AttributeValueInvalid);
    }
    Ok(Zeroizing::new(BoxedUint::from_be_slice_vartime(bytes)))
}

/// The number with so many bits of room.
fn resized(number: &BoxedUint, bits: u32) -> Result<BoxedUint> {
    let bytes = Zeroizing::new(number.to_be_bytes());
    BoxedUint::from_be_slice(significant(&bytes), bits).map_err(|_| Error::AttributeValueInvalid)
}

fn bytes(number: &BoxedUint, length: usize) -> Result<SecretBytes> {
    let all = Zeroizing::new(number.to_be_bytes());
    of_length(&all, length).map_err(|_| Error::AttributeValueInvalid)
}

fn byte_len(number: &BoxedUint) -> usize {
    usize::try_from(number.bits_vartime().div_ceil(8)).unwrap_or(LONGEST)
}

fn non_zero(number: &BoxedUint) -> Result<Zeroizing<NonZero<BoxedUint>>> {
    let number: Option<NonZero<BoxedUint>> = NonZero::new(number.clone()).into();
    number.map(Zeroizing::new).ok_or(Error::AttributeValueInvalid)
}

fn odd(number: &BoxedUint) -> Result<Zeroizing<Odd<BoxedUint>>> {
    let number: Option<Odd<BoxedUint>> = number.to_odd().into();
    number.map(Zeroizing::new).ok_or(Error::AttributeValueInvalid)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::mechanism::rsa::tests::key_pair;

    #[test]
    fn the_primes_follow_from_the_exponents_and_the_other_way_round() {
        for bits in ["1024", "2048"] {
            let key = key_pair(bits);
            let (n, e, d) = (&key.public.modulus, &key.public.exponent, &key.private.exponent);
            let from_exponents =
                complete(&Given { modulus: n, exponent: Some(e), private_exponent: Some(d), ..Given::default() });
            let whole = from_exponents.unwrap();
            let from_primes = complete(&Given {
                modulus: n,
                exponent: Some(e),
                prime_1: Some(&whole.prime_1),
                prime_2: Some(&whole.prime_2),
                exponent_1: Some(&whole.exponent_1),
                exponent_2: Some(&whole.exponent_2),
                coefficient: Some(&whole.coefficient),
                ..Given::default()
            });
            let again = from_primes.unwrap();
            assert_eq!(again.coefficient, whole.coefficient);
            let one_prime = complete(&Given {
                modulus: n,
                private_exponent: Some(d),
                prime_2: Some(&whole.prime_2),
                ..Given::default()
            });
            let one_prime = one_prime.unwrap();
            assert_eq!((&one_prime.prime_1, &one_prime.exponent), (&whole.prime_1, e));
        }
    }

    #[test]
    fn numbers_that_are_of_no_key_are_refused() {
        let key = key_pair("1024");
        let (n, e, d) = (&key.public.modulus, &key.public.exponent, &key.private.exponent);
        let refused = |given: Given<'_>| complete(&given).err();
        let modulus = n;
        assert_eq!(refused(Given { modulus, exponent: Some(e), ..Given::default() }), Some(Error::TemplateIncomplete));
        let mut wrong = d.clone();
        *wrong.last_mut().unwrap() ^= 2;
        let with = |d| Given { modulus, exponent: Some(e), private_exponent: Some(d), ..Given::default() };
        assert_eq!(refused(with(&wrong)), Some(Error::AttributeValueInvalid));
        assert_eq!(refused(with(&[])), Some(Error::AttributeValueInvalid));
        assert_eq!(
            refused(Given { prime_1: Some(&[3]), prime_2: Some(&[5]), ..with(d) }),
            Some(Error::AttributeValueInvalid)
        );
        let whole = complete(&with(d)).unwrap();
        let prime = Given {
            modulus: &whole.prime_1,
            exponent: Some(e),
            private_exponent: Some(&whole.exponent_1),
            ..Given::default()
        };
        assert_eq!(refused(prime), Some(Error::AttributeValueInvalid), "a prime for a modulus");
        let long = [&[1], d.as_slice(), d].concat();
        assert_eq!(refused(with(&long)), Some(Error::AttributeValueInvalid), "an exponent above the modulus");
        let longer = vec![0xFF; LONGEST + 1];
        let many = Given { modulus: &longer, ..with(d) };
        assert_eq!(refused(many), Some(Error::AttributeValueInvalid), "more bits than any card takes");
        let wrong = Given { coefficient: Some(&[1]), ..with(d) };
        assert_eq!(refused(wrong), Some(Error::AttributeValueInvalid));
        let even = [&n[..n.len() - 1], &[0]].concat();
        assert_eq!(refused(Given { modulus: &even, ..with(d) }), Some(Error::AttributeValueInvalid));
    }
}
