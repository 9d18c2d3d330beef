//! Randomness, handed in, so that a test owns it. The real source is `crypto::OsEntropy`.

/// Where keys, salts, secrets and ids take their random bytes from.
pub trait Entropy: Send + Sync {
    /// Fills `out` with bytes nobody can predict.
    fn fill(&self, out: &mut [u8]);
}

impl dyn Entropy + '_ {
    /// `N` random bytes.
    pub fn bytes<const N: usize>(&self) -> [u8; N] {
        let mut out = [0; N];
        self.fill(&mut out);
        out
    }
}
