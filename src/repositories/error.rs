//! Failures of the database, in the three kinds that matter: a constraint with its name, a database that is away,
//! and a fault of ours.

/// A failed statement. Its text may hold data: it is logged, and shown to nobody.
#[derive(Debug, thiserror::Error)]
pub enum DbError {
    /// A named constraint was violated.
    #[error("constraint {name} was violated")]
    Constraint {
        /// As the migration names it.
        name: String,
    },
    /// Gone, stopping, too slow or out of resources: trying again may help.
    #[error("the database is not available")]
    Unavailable(#[source] Option<sqlx::Error>),
    /// Anything else.
    #[error("a statement failed")]
    Failed(#[source] sqlx::Error),
    /// A row holds what no code of ours writes.
    #[error("a row is not readable: {0}")]
    Unreadable(&'static str),
    /// A migration could not be applied.
    #[error("the schema could not be migrated")]
    Migration(#[source] sqlx::migrate::MigrateError),
}

impl DbError {
    /// The deadline passed.
    pub(super) fn late() -> Self {
        Self::Unavailable(None)
    }

    /// Whether this constraint was violated.
    pub fn is_on(&self, constraint: &str) -> bool {
        matches!(self, Self::Constraint { name } if name == constraint)
    }
}

impl From<sqlx::Error> for DbError {
    fn from(error: sqlx::Error) -> Self {
        use sqlx::Error as E;
        match &error {
            E::Database(answer) => match answer.constraint() {
                Some(name) => Self::Constraint {
                    name: name.to_owned(),
                },
                None if answer.code().is_some_and(|code| may_pass(&code)) => {
                    Self::Unavailable(Some(error))
                }
                None => Self::Failed(error),
            },
            E::Io(_) | E::Tls(_) | E::Protocol(_) => Self::Unavailable(Some(error)),
            _ => Self::Failed(error),
        }
    }
}

/// SQLSTATE codes of conditions that pass: connection, resources, shutdown, timeouts, locks, read-only, disk.
fn may_pass(code: &str) -> bool {
    ["08", "40", "53", "57", "58"]
        .iter()
        .any(|class| code.starts_with(class))
        || matches!(
            code,
            "25006" | "55P03" | "25P03" | "3D000" | "28000" | "28P01"
        )
}
