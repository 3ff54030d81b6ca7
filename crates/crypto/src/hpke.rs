//! A small secret for the holder of one P-384 key: HPKE (RFC 9180) in base mode, one message.
//!
//! | part | | |
//! |---|---|---|
//! | KEM | DHKEM(P-384, HKDF-SHA384) | `0x0011` |
//! | KDF | HKDF-SHA384 | `0x0002` |
//! | AEAD | AES-256-GCM | `0x0002` |
//!
//! `encapsulated key (97) ‖ ciphertext ‖ tag (16)`, no additional data. `info` says what the secret is for: under another one it does
//! not open. Nothing says who sent it; whoever opens it must know that from elsewhere.

use aws_lc_rs::agreement::{ECDH_P384, PrivateKey, UnparsedPublicKey, agree};
use aws_lc_rs::hmac;
use zeroize::Zeroizing;

use crate::seal::{IV_BYTES, SealingKey, TAG_BYTES};
use crate::{Error, KeyPair, PublicKey, Secret};

/// A point, uncompressed.
const POINT_BYTES: usize = 97;
/// Of SHA-384, and of what the KEM agrees on.
const HASH_BYTES: usize = 48;
const VERSION: &[u8] = b"HPKE-v1";
const KEM: &[u8] = b"KEM\x00\x11";
const SUITE: &[u8] = b"HPKE\x00\x11\x00\x02\x00\x02";
const BASE_MODE: u8 = 0;

type Hash = Zeroizing<[u8; HASH_BYTES]>;

/// Seals a secret for whoever has the private key of `to`.
pub fn seal_for(to: &PublicKey, info: &[u8], secret: &[u8]) -> Result<Vec<u8>, Error> {
    let ephemeral = PrivateKey::generate(&ECDH_P384).map_err(|_| Error::Provider("generate a P-384 key"))?;
    seal_with(&ephemeral, to, info, secret)
}

/// Opens what [`seal_for`] made for this key.
pub fn open(key: &KeyPair, info: &[u8], sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, Error> {
    let (encapsulated, rest) = sealed.split_first_chunk::<POINT_BYTES>().ok_or(Error::Sealed)?;
    let (ciphertext, tag) = rest.split_last_chunk::<TAG_BYTES>().ok_or(Error::Sealed)?;
    let own = PrivateKey::from_private_key_der(&ECDH_P384, &key.to_pkcs8_der()?)
        .map_err(|_| Error::Provider("agree with a P-384 key"))?;
    let shared = shared(&own, encapsulated, &[encapsulated, key.public().point()].concat())?;
    let (sealing, nonce) = schedule(&shared, info)?;
    let mut secret = Zeroizing::new(vec![0; ciphertext.len()]);
    sealing.open(nonce, &[], ciphertext, tag, &mut secret)?;
    Ok(secret)
}

fn seal_with(ephemeral: &PrivateKey, to: &PublicKey, info: &[u8], secret: &[u8]) -> Result<Vec<u8>, Error> {
    let public = ephemeral.compute_public_key().map_err(|_| Error::Provider("compute a public key"))?;
    let mut sealed = public.as_ref().to_vec();
    let shared = shared(ephemeral, to.point(), &[&sealed[..], to.point()].concat())?;
    let (sealing, nonce) = schedule(&shared, info)?;
    sealed.extend_from_slice(secret);
    let tag = sealing.seal(nonce, &[], &mut sealed[POINT_BYTES..])?;
    sealed.extend_from_slice(&tag);
    Ok(sealed)
}

/// What both ends agree on.
fn shared(own: &PrivateKey, other: &[u8], context: &[u8]) -> Result<Hash, Error> {
    let other = UnparsedPublicKey::new(&ECDH_P384, other);
    // A point that is not on the curve is what somebody changed.
    let agreed = agree(own, other, Error::Sealed, |agreed| Ok(Zeroizing::new(agreed.to_vec())))?;
    let key = extract(KEM, &[], b"eae_prk", &agreed);
    Ok(expand(KEM, &key, b"shared_secret", context, HASH_BYTES))
}

/// The key and the nonce of the one message.
fn schedule(shared: &Hash, info: &[u8]) -> Result<(SealingKey, [u8; IV_BYTES]), Error> {
    let no_key_before = extract(SUITE, &[], b"psk_id_hash", &[]);
    let info = extract(SUITE, &[], b"info_hash", info);
    let context = [&[BASE_MODE], &no_key_before[..], &info[..]].concat();
    let secret = extract(SUITE, &shared[..], b"secret", &[]);
    let key = expand(SUITE, &secret, b"key", &context, 32);
    let nonce = expand(SUITE, &secret, b"base_nonce", &context, IV_BYTES);
    let mut iv = [0; IV_BYTES];
    iv.copy_from_slice(&nonce[..IV_BYTES]);
    Ok((SealingKey::new(&Secret::from_slice(&key[..32])?)?, iv))
}

/// `LabeledExtract`.
fn extract(suite: &[u8], salt: &[u8], label: &[u8], input: &[u8]) -> Hash {
    mac(salt, &[VERSION, suite, label, input])
}

/// `LabeledExpand`, of `bytes` that one block has: the rest is for nobody.
fn expand(suite: &[u8], key: &Hash, label: &[u8], info: &[u8], bytes: usize) -> Hash {
    let bytes = u16::try_from(bytes).expect("a block has 48 bytes").to_be_bytes();
    mac(&key[..], &[&bytes, VERSION, suite, label, info, &[1]])
}

fn mac(key: &[u8], parts: &[&[u8]]) -> Hash {
    let mut mac = hmac::Context::with_key(&hmac::Key::new(hmac::HMAC_SHA384, key));
    parts.iter().for_each(|part| mac.update(part));
    let mut hash = Zeroizing::new([0; HASH_BYTES]);
    hash.copy_from_slice(mac.sign().as_ref());
    hash
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_opens_for_its_key_and_purpose_and_only_whole() {
        let (key, other) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
        let secret = Secret::random().unwrap();
        let sealed = seal_for(key.public(), b"purpose", secret.expose()).unwrap();
        assert_eq!(sealed.len(), POINT_BYTES + 32 + TAG_BYTES);
        assert_eq!(open(&key, b"purpose", &sealed).unwrap().as_slice(), secret.expose());
        assert_eq!(open(&key, b"another", &sealed), Err(Error::Sealed));
        assert_eq!(open(&other, b"purpose", &sealed), Err(Error::Sealed));
        for place in 0..sealed.len() {
            let mut bad = sealed.clone();
            bad[place] ^= 1;
            assert_eq!(open(&key, b"purpose", &bad), Err(Error::Sealed), "byte {place}");
            assert_eq!(open(&key, b"purpose", &sealed[..place]), Err(Error::Sealed));
        }
        assert_ne!(seal_for(key.public(), b"purpose", secret.expose()).unwrap(), sealed, "each time another key");
    }

    /// Made with pyhpke 0.6, an implementation in another language on another library.
    #[test]
    fn opens_what_another_implementation_sealed() {
        const KEY: &str = "3081b6020100301006072a8648ce3d020106052b8104002204819e30819b020101043005110e949128f1f2ee9bc0637fd7990f297f4653d918da\
         d2287d5327fb897285605e317ba8ae604d1ffa8abe58b68b7da1640362000407d25106d5356b881861200e58f9d987ac32f4286bfbe748b42426\
         655cd3368a6b533ada1cf3d93ebcb7decfad43b432fafc95df6be0c5e72aaddac24f94f2b419936701f68cabeee74423dc52136f5f32509947b3\
         fcd8a90d6efd44eabcd14f";
        const SEALED: &str = "047b42923d4f333a4cc5cdb6183e9f20c28a5cc1f0cc194ea41ce181ab74b8796b6fa640690f26868e80f1ac10e231a4b673611d1dfe33962bde\
         7b149e1f339d8a45e2bf312d9c4447ab345999b9497af994c14fa3abd79440a3da3058dc5d1b24a97f90350795764ac93942f32f631d5b1670fc\
         69b51a3f6a88b4641ef21f78e407549739ffb595faa9cf91ccf47bddce";
        let key = KeyPair::from_pkcs8_der(&const_hex::decode(KEY).unwrap()).unwrap();
        let secret: Vec<u8> = (0..32).collect();
        assert_eq!(*open(&key, b"coco known answer", &const_hex::decode(SEALED).unwrap()).unwrap(), secret);
    }
}
