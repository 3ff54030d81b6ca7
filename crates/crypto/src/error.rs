//! What can go wrong. No variant carries a secret, or says more about a failed check than that it failed.

/// Why a cryptographic operation did not succeed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Error {
    /// The signature does not belong to this key and message.
    #[error("the signature does not verify")]
    Signature,
    /// The ciphertext, its tag, its IV or its public part was changed, or the key is another.
    #[error("the sealed bytes do not open: they were changed, or sealed under another key")]
    Sealed,
    /// Bytes are not what they claim to be.
    #[error("not a valid {0}")]
    Malformed(&'static str),
    /// The provider failed where only a broken machine can make it fail (no entropy, no memory).
    #[error("the cryptographic library failed to {0}")]
    Provider(&'static str),
}
