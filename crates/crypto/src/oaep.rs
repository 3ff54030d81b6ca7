//! RSA-OAEP with SHA-256 and no label: how recovery shares go to members, whose keys these are.

use aws_lc_rs::rsa::{
    OAEP_SHA256_MGF1SHA256, OaepPrivateDecryptingKey, OaepPublicEncryptingKey, PrivateDecryptingKey,
    PublicEncryptingKey,
};
use zeroize::Zeroizing;

use crate::foreign_key::Numbers;
use crate::{Error, ForeignKey, pem};

const KEY: Error = Error::Malformed("RSA key of 2,048 bits at least");

/// Encrypts a few bytes for whoever has the private key of `to` (PEM).
pub fn encrypt(to: &str, bytes: &[u8]) -> Result<Vec<u8>, Error> {
    let key = ForeignKey::from_pem(to).map_err(|_| KEY)?;
    if !matches!(key.numbers(), Numbers::Rsa { .. }) {
        return Err(KEY);
    }
    let key = PublicEncryptingKey::from_der(key.spki_der()).map_err(|_| KEY)?;
    let key = OaepPublicEncryptingKey::new(key).map_err(|_| KEY)?;
    let mut out = vec![0; key.ciphertext_size()];
    let written = key.encrypt(&OAEP_SHA256_MGF1SHA256, bytes, &mut out, None);
    let written = written.map_err(|_| Error::Provider("encrypt with RSA"))?.len();
    out.truncate(written);
    Ok(out)
}

/// Decrypts what [`encrypt`] made, with a member's private key (PKCS#8, PEM).
pub fn decrypt(key: &str, bytes: &[u8]) -> Result<Zeroizing<Vec<u8>>, Error> {
    let key = PrivateDecryptingKey::from_pkcs8(&pem::decode("PRIVATE KEY", key)?).map_err(|_| KEY)?;
    let key = OaepPrivateDecryptingKey::new(key).map_err(|_| KEY)?;
    let mut out = Zeroizing::new(vec![0; key.min_output_size()]);
    let written = key.decrypt(&OAEP_SHA256_MGF1SHA256, bytes, &mut out, None).map_err(|_| Error::Sealed)?.len();
    out.truncate(written);
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::KeyPair;

    /// Made with OpenSSL, as members make theirs.
    const PRIVATE: &str = include_str!("oaep/private.pem");
    const PUBLIC: &str = include_str!("oaep/public.pem");

    #[test]
    fn what_is_encrypted_opens_with_its_key_alone() {
        let sealed = encrypt(PUBLIC, &[7; 44]).unwrap();
        assert_eq!(*decrypt(PRIVATE, &sealed).unwrap(), [7; 44]);
        assert_ne!(encrypt(PUBLIC, &[7; 44]).unwrap(), sealed);
        for place in [0, 100, sealed.len() - 1] {
            let mut bad = sealed.clone();
            bad[place] ^= 1;
            assert_eq!(decrypt(PRIVATE, &bad), Err(Error::Sealed));
        }
        assert!(decrypt(PRIVATE, &sealed[1..]).is_err());
    }

    #[test]
    fn opens_what_openssl_encrypted() {
        // openssl pkeyutl -encrypt -pkeyopt rsa_padding_mode:oaep -pkeyopt rsa_oaep_md:sha256
        let sealed = const_hex::decode(include_str!("oaep/sealed.hex").trim()).unwrap();
        assert_eq!(*decrypt(PRIVATE, &sealed).unwrap(), b"a share of forty-four bytes, as members have");
    }

    #[test]
    fn a_key_that_is_not_rsa_is_refused() {
        let curve = KeyPair::generate().unwrap();
        for key in [&curve.public().to_pem(), "", PRIVATE] {
            assert_eq!(encrypt(key, b"share"), Err(KEY));
        }
        assert!(decrypt(&curve.to_pkcs8_pem().unwrap(), &[0; 256]).is_err());
    }
}
