//! A secret in shares: any `threshold` of them give it back, fewer say nothing about it. CCF's form of Shamir's scheme.
//!
//! The secret is ten elements of the field of 2³¹ − 1, each hidden in a random polynomial of its own; a share is one point of
//! all ten. The point at 0 is the secret itself: the share of one who needs nobody else. What is protected with it is sealed under
//! a key that is derived from it ([`SharedSecret::wrap`]). Nothing in a share says that it is a good one: a wrong one gives another secret, which opens nothing.

use zeroize::Zeroizing;

use crate::seal::{IV_BYTES, SealingKey, TAG_BYTES};
use crate::{Error, MacKey, Secret, random};

/// 2³¹ − 1.
const PRIME: u64 = (1 << 31) - 1;
const LIMBS: usize = 10;
/// Of a share: where it lies, and its point in each limb.
pub const SHARE_BYTES: usize = 4 + 4 * LIMBS;
/// The most shares that are dealt at once.
pub const SHARES_MAX: usize = 255;

type Limbs = Zeroizing<[u32; LIMBS]>;

/// What is shared.
pub struct SharedSecret(Limbs);

/// A point of it.
#[derive(Clone)]
pub struct Share {
    x: u32,
    y: Limbs,
}

impl SharedSecret {
    /// A new secret.
    pub fn random() -> Result<Self, Error> {
        Ok(Self(elements()?))
    }

    /// The share that gives the secret by itself.
    #[must_use]
    pub fn whole(&self) -> Share {
        Share { x: 0, y: self.0.clone() }
    }

    /// Shares of which `threshold` are needed; each time others.
    pub fn deal(&self, threshold: usize, shares: usize) -> Result<Vec<Share>, Error> {
        if threshold == 0 || threshold > shares || shares > SHARES_MAX {
            return Err(Error::Malformed("number of shares"));
        }
        // Lowest power first, the secret at its beginning.
        let mut polynomials = vec![self.0.clone()];
        for _ in 1..threshold {
            polynomials.push(elements()?);
        }
        let share = |x: u32| {
            let mut y: Limbs = Zeroizing::new([0; LIMBS]);
            for (limb, value) in y.iter_mut().enumerate() {
                let next = |sum: u64, powers: &Limbs| (sum * u64::from(x) + u64::from(powers[limb])) % PRIME;
                *value = narrow(polynomials.iter().rev().fold(0, next));
            }
            Share { x, y }
        };
        Ok((1..).take(shares).map(share).collect())
    }

    /// The secret that these shares give. Takes them for good ones; more than were needed are welcome.
    pub fn combine(shares: &[Share]) -> Result<Self, Error> {
        if let Some(whole) = shares.iter().find(|share| share.x == 0) {
            return Ok(Self(whole.y.clone()));
        }
        let mut secret: Limbs = Zeroizing::new([0; LIMBS]);
        for (place, share) in shares.iter().enumerate() {
            // What this point counts at 0, by Lagrange.
            let (mut above, mut below) = (1, 1);
            for other in shares.iter().enumerate().filter(|(other, _)| *other != place).map(|(_, other)| other) {
                above = above * u64::from(other.x) % PRIME;
                below = below * (u64::from(other.x) + PRIME - u64::from(share.x)) % PRIME;
            }
            if below == 0 {
                return Err(Error::Malformed("set of shares: one is there twice"));
            }
            let weight = above * power(below, PRIME - 2) % PRIME;
            for (sum, y) in secret.iter_mut().zip(share.y.iter()) {
                *sum = narrow((u64::from(*sum) + weight * u64::from(*y)) % PRIME);
            }
        }
        if shares.is_empty() { Err(Error::Malformed("set of shares: it is empty")) } else { Ok(Self(secret)) }
    }

    /// Seals the one secret that this one protects: `tag ‖ IV ‖ ciphertext`. The IV is zero: the key is used once.
    pub fn wrap(&self, protected: &Secret) -> Result<Vec<u8>, Error> {
        let mut blob = vec![0; TAG_BYTES + IV_BYTES];
        blob.extend_from_slice(protected.expose());
        let sealed = &mut blob[TAG_BYTES + IV_BYTES..];
        let tag = SealingKey::new(&self.wrapping_key()?)?.seal([0; IV_BYTES], &[], sealed)?;
        blob[..TAG_BYTES].copy_from_slice(&tag);
        Ok(blob)
    }

    /// Opens it.
    pub fn unwrap(&self, blob: &[u8]) -> Result<Secret, Error> {
        Secret::from_slice(&crate::unwrap(&self.wrapping_key()?, blob)?)
    }

    /// HKDF-SHA256 of the limbs, with the limbs as `info` too.
    fn wrapping_key(&self) -> Result<Secret, Error> {
        let mut limbs = Zeroizing::new(Vec::with_capacity(4 * LIMBS + 1));
        self.0.iter().for_each(|limb| limbs.extend_from_slice(&limb.to_le_bytes()));
        let extracted = Zeroizing::new(MacKey::new(&[]).mac(&limbs));
        limbs.push(1);
        Secret::from_slice(&*Zeroizing::new(MacKey::new(&extracted[..]).mac(&limbs)))
    }
}

impl Share {
    /// As it is given to its holder: little-endian.
    #[must_use]
    pub fn to_bytes(&self) -> Zeroizing<Vec<u8>> {
        let mut bytes = Zeroizing::new(Vec::with_capacity(SHARE_BYTES));
        [self.x].iter().chain(self.y.iter()).for_each(|number| bytes.extend_from_slice(&number.to_le_bytes()));
        bytes
    }

    /// Reads a share.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Error> {
        let malformed = Error::Malformed("recovery share");
        let (numbers, []) = bytes.as_chunks::<4>() else { return Err(malformed) };
        let mut numbers = numbers.iter().map(|number| u32::from_le_bytes(*number));
        let x = numbers.next().ok_or(malformed)?;
        let mut y: Limbs = Zeroizing::new([0; LIMBS]);
        for limb in y.iter_mut() {
            *limb = numbers.next().filter(|number| u64::from(*number) < PRIME).ok_or(malformed)?;
        }
        if numbers.next().is_some() || u64::from(x) >= PRIME {
            return Err(malformed);
        }
        Ok(Self { x, y })
    }
}

/// Random elements of the field, each as likely as any other.
fn elements() -> Result<Limbs, Error> {
    let mut limbs: Limbs = Zeroizing::new([0; LIMBS]);
    for limb in limbs.iter_mut() {
        *limb = loop {
            let element = u32::from_le_bytes(random()?) >> 1;
            if u64::from(element) < PRIME {
                break element;
            }
        };
    }
    Ok(limbs)
}

fn power(base: u64, exponent: u64) -> u64 {
    let bits = (0..u64::BITS - exponent.leading_zeros()).rev();
    bits.fold(1, |result, bit| {
        let square = result * result % PRIME;
        if exponent >> bit & 1 == 1 { square * base % PRIME } else { square }
    })
}

fn narrow(element: u64) -> u32 {
    u32::try_from(element).expect("elements of the field have 31 bits")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proptest::sample::subsequence;

    use super::*;

    fn secret(limbs: [u32; LIMBS]) -> SharedSecret {
        SharedSecret(Zeroizing::new(limbs))
    }

    #[test]
    fn a_share_is_44_bytes_little_endian_and_nothing_else_is_one() {
        let share = Share { x: 258, y: Zeroizing::new([1, 2, 3, 4, 5, 6, 7, 8, 9, 0x7fff_fffe]) };
        let bytes = share.to_bytes();
        assert_eq!(bytes.len(), SHARE_BYTES);
        assert_eq!((&bytes[..8], &bytes[40..]), (&[2, 1, 0, 0, 1, 0, 0, 0][..], &[0xfe, 0xff, 0xff, 0x7f][..]));
        assert_eq!(Share::from_bytes(&bytes).unwrap().to_bytes(), bytes);
        for cut in 0..SHARE_BYTES {
            assert!(Share::from_bytes(&bytes[..cut]).is_err());
        }
        assert!(Share::from_bytes(&[&bytes[..], &[0; 4]].concat()).is_err());
        let mut beyond = bytes.to_vec();
        beyond[40] = 0xff;
        assert!(Share::from_bytes(&beyond).is_err(), "2^31 - 1 is no element");
    }

    #[test]
    fn points_lie_on_the_polynomial() {
        // By hand: 5 + 3x at 1 and 2 gives 8 and 11, and these give 5 back.
        let share = |x, y| Share { x, y: Zeroizing::new([y; LIMBS]) };
        assert_eq!(*SharedSecret::combine(&[share(1, 8), share(2, 11)]).unwrap().0, [5; LIMBS]);
        assert!(SharedSecret::combine(&[share(1, 8), share(1, 8)]).is_err());
        assert!(SharedSecret::combine(&[]).is_err());
        assert!(secret([1; LIMBS]).deal(0, 3).is_err() && secret([1; LIMBS]).deal(4, 3).is_err());
        assert!(secret([1; LIMBS]).deal(1, SHARES_MAX + 1).is_err());
    }

    #[test]
    fn the_wrapping_key_is_hkdf_with_the_limbs_twice() {
        // Python's cryptography: HKDF(SHA256, 32, salt=None, info=limbs).derive(limbs), limbs 1 to 10 in 4 bytes each.
        let key = secret([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]).wrapping_key().unwrap();
        assert_eq!(const_hex::encode(key.expose()), "7719fb3d2c782eed982b25cc39ef9da2659541b610f6a0c6976d23da67d2a585");
        let protected = Secret::from_slice(&[7; 32]).unwrap();
        let blob = secret([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]).wrap(&protected).unwrap();
        assert_eq!((blob.len(), &blob[16..28]), (60, &[0; 12][..]));
        assert_eq!(secret([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]).unwrap(&blob).unwrap().expose(), &[7; 32]);
        assert!(secret([1; LIMBS]).unwrap(&blob).is_err());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn any_that_are_enough_give_it_back(
            limbs in prop::array::uniform10(0..PRIME as u32),
            (threshold, count, chosen) in (1..9usize)
                .prop_flat_map(|threshold| (Just(threshold), threshold..12))
                .prop_flat_map(|(threshold, count)| {
                    (Just(threshold), Just(count), subsequence((0..count).collect::<Vec<_>>(), threshold..=count).prop_shuffle())
                }),
        ) {
            let shared = secret(limbs);
            let shares = shared.deal(threshold, count).unwrap();
            let of = |chosen: &[usize]| -> Vec<Share> { chosen.iter().map(|place| shares[*place].clone()).collect() };
            prop_assert_eq!(*SharedSecret::combine(&of(&chosen)).unwrap().0, limbs);
            prop_assert_eq!(*SharedSecret::combine(&[&of(&chosen[..1])[..], &[shared.whole()]].concat()).unwrap().0, limbs);
            if threshold > 1 {
                // One too few fits any secret as well: for this one there is a missing share, and for another one, too.
                let few = of(&chosen[..threshold - 1]);
                prop_assert_ne!(*SharedSecret::combine(&few).unwrap().0, limbs);
            }
        }
    }
}
