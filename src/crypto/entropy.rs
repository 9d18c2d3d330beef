//! The operating system's randomness: the one place that asks for it.

use crate::domain::Entropy;

/// Random bytes from the operating system.
#[derive(Debug, Clone, Copy)]
pub struct OsEntropy;

impl Entropy for OsEntropy {
    #[expect(clippy::disallowed_methods, reason = "the one place that may")]
    fn fill(&self, out: &mut [u8]) {
        if aws_lc_rs::rand::fill(out).is_err() {
            // A secret that is not random would be worse than no service.
            std::process::abort();
        }
    }
}
