//! Keys on the NIST curves: generation, import, ECDSA and ECDH.

use p256::elliptic_curve::bigint::Encoding;
use p256::elliptic_curve::group::Curve as _;
use p256::elliptic_curve::ops::{Invert, Reduce};
use p256::elliptic_curve::point::AffineCoordinates;
use p256::elliptic_curve::sec1::{FromEncodedPoint, ModulusSize, ToEncodedPoint};
use p256::elliptic_curve::{
    AffinePoint, CurveArithmetic, Field, FieldBytes, FieldBytesSize, Group, ProjectivePoint, PublicKey, Scalar,
    SecretKey,
};
use rand_core::OsRng;

use super::status::INVALID_DATA;
use super::tlv;

/// A curve that the card knows, by the size of its key file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Curve {
    P192,
    P256,
    P384,
    P521,
}

/// Calls a function that is generic over the curve.
macro_rules! on_curve {
    ($curve:expr, $function:ident($($argument:expr),*)) => {
        match $curve {
            Curve::P192 => $function::<p192::NistP192>($($argument),*),
            Curve::P256 => $function::<p256::NistP256>($($argument),*),
            Curve::P384 => $function::<p384::NistP384>($($argument),*),
            Curve::P521 => $function::<p521::NistP521>($($argument),*),
        }
    };
}

impl Curve {
    pub(super) fn from_bits(bits: u16) -> Option<Self> {
        Some(match bits {
            192 => Self::P192,
            256 => Self::P256,
            384 => Self::P384,
            521 => Self::P521,
            _ => return None,
        })
    }

    /// Bytes of a coordinate.
    pub(super) fn field_bytes(self) -> usize {
        match self {
            Self::P192 => 24,
            Self::P256 => 32,
            Self::P384 => 48,
            Self::P521 => 66,
        }
    }

    /// A fresh private key.
    pub(super) fn generate(self) -> Vec<u8> {
        on_curve!(self, generate())
    }

    /// The uncompressed point of a private key; 6984 if it is no number from 1 to n − 1.
    pub(super) fn public_point(self, private: &[u8]) -> Result<Vec<u8>, u16> {
        on_curve!(self, public_point(private))
    }

    /// 6984 if `point` is no uncompressed point of the curve.
    pub(super) fn check_point(self, point: &[u8]) -> Result<(), u16> {
        on_curve!(self, check_point(point))
    }

    /// ECDSA over a hash of at most the field's length: an Ecdsa-Sig-Value in DER.
    pub(super) fn sign(self, private: &[u8], hash: &[u8]) -> Result<Vec<u8>, u16> {
        let length = self.field_bytes();
        let mut number = vec![0; length.saturating_sub(hash.len())];
        number.extend_from_slice(hash);
        // 66 bytes hold numbers of more than 521 bits, which no hash has
        if number.len() != length || self == Self::P521 && number[0] > 1 {
            return Err(INVALID_DATA);
        }
        on_curve!(self, sign(private, &number))
    }

    /// ECDH: the x coordinate of the common point (SP 800-56A 5.7.1.2).
    pub(super) fn agree(self, private: &[u8], point: &[u8]) -> Result<Vec<u8>, u16> {
        self.check_point(point)?;
        on_curve!(self, agree(private, point))
    }
}

fn generate<C: CurveArithmetic>() -> Vec<u8> {
    SecretKey::<C>::random(&mut OsRng).to_bytes().to_vec()
}

fn public_point<C>(private: &[u8]) -> Result<Vec<u8>, u16>
where
    C: CurveArithmetic,
    AffinePoint<C>: FromEncodedPoint<C> + ToEncodedPoint<C>,
    FieldBytesSize<C>: ModulusSize,
{
    let key = secret_key::<C>(private)?;
    Ok(key.public_key().to_encoded_point(false).as_bytes().to_vec())
}

fn check_point<C>(point: &[u8]) -> Result<(), u16>
where
    C: CurveArithmetic,
    AffinePoint<C>: FromEncodedPoint<C> + ToEncodedPoint<C>,
    FieldBytesSize<C>: ModulusSize,
{
    match PublicKey::<C>::from_sec1_bytes(point) {
        Ok(_) if point.first() == Some(&4) => Ok(()),
        _ => Err(INVALID_DATA),
    }
}

fn secret_key<C: CurveArithmetic>(private: &[u8]) -> Result<SecretKey<C>, u16> {
    let order = C::ORDER.to_be_bytes();
    // from_slice pads what is short, and an exact length is wanted
    if private.len() > order.as_ref().len() {
        return Err(INVALID_DATA);
    }
    SecretKey::<C>::from_slice(private).map_err(|_| INVALID_DATA)
}

/// FIPS 186-4 6.4 with a random k.
fn sign<C>(private: &[u8], number: &[u8]) -> Result<Vec<u8>, u16>
where
    C: CurveArithmetic,
{
    let key = *secret_key::<C>(private)?.to_nonzero_scalar();
    let hash = reduced::<C>(number);
    loop {
        let secret = Scalar::<C>::random(&mut OsRng);
        let Some(inverse) = Option::<Scalar<C>>::from(Invert::invert(&secret)) else { continue };
        let point = (ProjectivePoint::<C>::generator() * secret).to_affine();
        let r = reduced::<C>(&point.x());
        let s = inverse * (hash + r * key);
        if bool::from(r.is_zero()) || bool::from(s.is_zero()) {
            continue;
        }
        let (r, s): (FieldBytes<C>, FieldBytes<C>) = (r.into(), s.into());
        return Ok(tlv::object(0x30, &[integer(&r), integer(&s)].concat()));
    }
}

fn reduced<C: CurveArithmetic>(number: &[u8]) -> Scalar<C> {
    <Scalar<C> as Reduce<C::Uint>>::reduce_bytes(FieldBytes::<C>::from_slice(number))
}

fn agree<C>(private: &[u8], point: &[u8]) -> Result<Vec<u8>, u16>
where
    C: CurveArithmetic,
    AffinePoint<C>: FromEncodedPoint<C> + ToEncodedPoint<C>,
    FieldBytesSize<C>: ModulusSize,
{
    let key = *secret_key::<C>(private)?.to_nonzero_scalar();
    let point = PublicKey::<C>::from_sec1_bytes(point).map_err(|_| INVALID_DATA)?;
    Ok((point.to_projective() * key).to_affine().x().to_vec())
}

/// A positive INTEGER in DER.
fn integer(bytes: &[u8]) -> Vec<u8> {
    let start = bytes.iter().position(|byte| *byte != 0).unwrap_or(bytes.len());
    let mut value = bytes[start..].to_vec();
    if value.first().is_none_or(|byte| byte & 0x80 != 0) {
        value.insert(0, 0);
    }
    tlv::object(0x02, &value)
}
