//! The two ways a use case fails: refused, with a code for the caller; or a fault, for the log alone.

use crate::crypto::{HashError, QrError, RingError, TotpError};
use crate::domain::{Code, FieldError, FieldErrors, Refusal};
use crate::metrics::MetricsError;
use crate::repositories::{DbError, Tx};

/// Why a use case has no result.
#[derive(Debug)]
pub enum Error {
    /// The caller is told why.
    Refused(Refusal),
    /// The caller is told nothing; the log everything.
    Internal {
        /// What failed.
        source: Box<dyn std::error::Error + Send + Sync>,
        /// Whether it passes by itself: a database that is away.
        passing: bool,
    },
}

/// What a use case gives.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    fn fault(source: impl std::error::Error + Send + Sync + 'static, passing: bool) -> Self {
        Self::Internal {
            source: Box::new(source),
            passing,
        }
    }
}

impl Error {
    /// Whether it may pass by itself.
    pub fn is_passing(&self) -> bool {
        matches!(self, Self::Internal { passing: true, .. })
    }

    /// The word for what is counted: the code that the caller is told.
    pub(super) fn outcome(&self) -> &'static str {
        let code = match self {
            Self::Refused(refusal) => refusal.code,
            Self::Internal { passing: true, .. } => Code::Unavailable,
            Self::Internal { passing: false, .. } => Code::InternalError,
        };
        code.as_str()
    }
}

impl std::fmt::Display for Error {
    /// For the log: a fault with everything that caused it.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Refused(refusal) => f.write_str(refusal.code.as_str()),
            Self::Internal { source, .. } => f.write_str(&chain(&**source)),
        }
    }
}

/// An error with everything that caused it, each told once.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |text, cause| {
        let cause = cause.to_string();
        if text.ends_with(&cause) {
            text
        } else {
            format!("{text}: {cause}")
        }
    })
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<Code> for Error {
    fn from(code: Code) -> Self {
        Self::Refused(code.into())
    }
}

impl From<FieldError> for Error {
    fn from(error: FieldError) -> Self {
        Self::Refused(error.into())
    }
}

impl From<FieldErrors> for Error {
    fn from(errors: FieldErrors) -> Self {
        Self::Refused(errors.into())
    }
}

impl From<DbError> for Error {
    fn from(error: DbError) -> Self {
        let passing = matches!(error, DbError::Unavailable(_));
        Self::fault(error, passing)
    }
}

impl From<RingError> for Error {
    fn from(error: RingError) -> Self {
        Self::fault(error, false)
    }
}

impl From<TotpError> for Error {
    fn from(error: TotpError) -> Self {
        Self::fault(error, false)
    }
}

impl From<QrError> for Error {
    fn from(error: QrError) -> Self {
        Self::fault(error, false)
    }
}

impl From<MetricsError> for Error {
    fn from(error: MetricsError) -> Self {
        Self::fault(error, false)
    }
}

impl From<HashError> for Error {
    fn from(error: HashError) -> Self {
        match error {
            HashError::Overloaded => Self::Refused(Refusal::overloaded()),
            HashError::Failed(_) => Self::fault(error, false),
        }
    }
}

/// Refuses, and keeps what was written: the trace is durable before the caller hears of it.
pub(super) async fn refuse_and_keep<T>(tx: Tx, refusal: impl Into<Refusal>) -> Result<T> {
    tx.commit().await?;
    Err(Error::Refused(refusal.into()))
}
