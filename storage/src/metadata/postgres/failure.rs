//! What PostgreSQL, or the way to it, did wrong.

use std::error::Error as StdError;
use std::fmt;
use std::io;

use deadpool_postgres::{PoolError, TimeoutType};
use tokio_postgres::error::SqlState;

use crate::error::Fault;

/// What is to be done about a [`Failure`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Remedy {
    /// Another transaction was in the way: run the unit again.
    RunAgain,
    /// The connection is gone: run the unit again on another one.
    Reconnect,
    /// It can't be reached now.
    Wait,
    /// Its disk is full.
    MakeRoom,
    /// None is known.
    None,
}

/// A failure of PostgreSQL, in one line.
#[derive(Debug)]
pub(crate) struct Failure {
    message: String,
    remedy: Remedy,
}

impl Failure {
    pub(super) fn new(message: impl Into<String>, remedy: Remedy) -> Self {
        Self { message: message.into(), remedy }
    }

    pub(crate) const fn remedy(&self) -> Remedy {
        self.remedy
    }

    /// What is to be done about `fault`, if it is one of PostgreSQL.
    pub(crate) fn remedy_of(fault: &Fault) -> Option<Remedy> {
        let source = fault.source()?;
        source.downcast_ref::<Self>().map(Self::remedy)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl StdError for Failure {}

impl From<tokio_postgres::Error> for Failure {
    fn from(error: tokio_postgres::Error) -> Self {
        let remedy = remedy_of(&error);
        let message = match error.as_db_error() {
            Some(refused) => {
                let detail = refused.detail().map(|detail| format!(" ({detail})")).unwrap_or_default();
                format!("{}{detail}, SQLSTATE {}", refused.message(), refused.code().code())
            }
            None => match error.source() {
                Some(source) => format!("{error}: {source}"),
                None => error.to_string(),
            },
        };
        Self { message: message.replace('\n', " "), remedy }
    }
}

impl From<PoolError> for Failure {
    fn from(error: PoolError) -> Self {
        let waited = |why: &str| Self::new(why, Remedy::Wait);
        match error {
            PoolError::Backend(error) => {
                let Self { message, remedy } = error.into();
                // There was no connection to lose.
                let remedy = if remedy == Remedy::Reconnect { Remedy::Wait } else { remedy };
                Self { message, remedy }
            }
            PoolError::Timeout(TimeoutType::Wait) => {
                waited("all connections were busy for too long; raise [metadata] connections")
            }
            PoolError::Timeout(TimeoutType::Create | TimeoutType::Recycle) => {
                waited("it did not answer in time")
            }
            PoolError::Closed | PoolError::NoRuntimeSpecified | PoolError::PostCreateHook(_) => {
                waited(&error.to_string())
            }
        }
    }
}

fn remedy_of(error: &tokio_postgres::Error) -> Remedy {
    let Some(state) = error.code() else {
        let by_io = error.source().is_some_and(|source| source.is::<io::Error>());
        return if by_io || error.is_closed() { Remedy::Reconnect } else { Remedy::None };
    };
    match *state {
        SqlState::T_R_SERIALIZATION_FAILURE | SqlState::T_R_DEADLOCK_DETECTED => Remedy::RunAgain,
        // A race may also show as a broken constraint; run again, the unit sees what was in its way.
        SqlState::FOREIGN_KEY_VIOLATION | SqlState::UNIQUE_VIOLATION => Remedy::RunAgain,
        SqlState::ADMIN_SHUTDOWN | SqlState::CRASH_SHUTDOWN | SqlState::IDLE_IN_TRANSACTION_SESSION_TIMEOUT => {
            Remedy::Reconnect
        }
        SqlState::CANNOT_CONNECT_NOW
        | SqlState::TOO_MANY_CONNECTIONS
        | SqlState::QUERY_CANCELED
        | SqlState::LOCK_NOT_AVAILABLE
        // What was the primary follows another one now.
        | SqlState::READ_ONLY_SQL_TRANSACTION => Remedy::Wait,
        SqlState::DISK_FULL => Remedy::MakeRoom,
        _ if state.code().starts_with("08") => Remedy::Reconnect,
        _ => Remedy::None,
    }
}
