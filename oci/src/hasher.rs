//! Hashing while bytes arrive, with a state that can be put away and taken up elsewhere.

use sha2::digest::Digest as _;
use sha2::digest::common::hazmat::{SerializableState, SerializedState};
use sha2::{Sha256, Sha512};

use crate::{Algorithm, Digest, ParseError};

/// An incremental hash of one algorithm.
#[derive(Debug, Clone)]
pub enum Hasher {
    /// SHA-256.
    Sha256(Sha256),
    /// SHA-512.
    Sha512(Sha512),
}

/// A [`Hasher`] between two chunks, as bytes that any process of the same version can take up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HasherState {
    /// The algorithm the state belongs to.
    pub algorithm: Algorithm,
    /// The state as the `sha2` crate serialises it.
    pub bytes: Vec<u8>,
}

impl Hasher {
    /// A hasher that has seen nothing yet.
    pub fn new(algorithm: Algorithm) -> Self {
        match algorithm {
            Algorithm::Sha256 => Self::Sha256(Sha256::new()),
            Algorithm::Sha512 => Self::Sha512(Sha512::new()),
        }
    }

    /// The algorithm of this hasher.
    pub const fn algorithm(&self) -> Algorithm {
        match self {
            Self::Sha256(_) => Algorithm::Sha256,
            Self::Sha512(_) => Algorithm::Sha512,
        }
    }

    /// Takes in the next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        match self {
            Self::Sha256(hasher) => hasher.update(bytes),
            Self::Sha512(hasher) => hasher.update(bytes),
        }
    }

    /// The digest of everything taken in.
    pub fn finish(self) -> Digest {
        match self {
            Self::Sha256(hasher) => Digest::from_hash(Algorithm::Sha256, &hasher.finalize()),
            Self::Sha512(hasher) => Digest::from_hash(Algorithm::Sha512, &hasher.finalize()),
        }
    }

    /// The state after everything taken in.
    pub fn save(&self) -> HasherState {
        let bytes = match self {
            Self::Sha256(hasher) => hasher.serialize().to_vec(),
            Self::Sha512(hasher) => hasher.serialize().to_vec(),
        };
        HasherState { algorithm: self.algorithm(), bytes }
    }

    /// The hasher that `state` was saved from.
    ///
    /// # Errors
    /// When the bytes are no state of that algorithm.
    pub fn restore(state: &HasherState) -> Result<Self, ParseError> {
        let invalid = || ParseError::Algorithm(format!("{} (damaged hash state)", state.algorithm));
        match state.algorithm {
            Algorithm::Sha256 => {
                let bytes = SerializedState::<Sha256>::try_from(state.bytes.as_slice());
                let hasher = Sha256::deserialize(&bytes.map_err(|_| invalid())?);
                Ok(Self::Sha256(hasher.map_err(|_| invalid())?))
            }
            Algorithm::Sha512 => {
                let bytes = SerializedState::<Sha512>::try_from(state.bytes.as_slice());
                let hasher = Sha512::deserialize(&bytes.map_err(|_| invalid())?);
                Ok(Self::Sha512(hasher.map_err(|_| invalid())?))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_saved_state_goes_on_where_it_was_left() {
        for algorithm in [Algorithm::Sha256, Algorithm::Sha512] {
            let content: Vec<u8> = (0..1000u32).map(|n| (n % 251) as u8).collect();
            for cut in [0, 1, 63, 64, 65, 128, 999, 1000] {
                let mut hasher = Hasher::new(algorithm);
                hasher.update(&content[..cut]);
                let mut resumed = Hasher::restore(&hasher.save()).unwrap();
                resumed.update(&content[cut..]);
                assert_eq!(resumed.finish(), Digest::of(algorithm, &content), "{algorithm} {cut}");
            }
        }
    }

    #[test]
    fn a_damaged_state_is_refused() {
        let state = HasherState { algorithm: Algorithm::Sha256, bytes: vec![1, 2, 3] };
        assert!(Hasher::restore(&state).is_err());
    }
}
