//! Connections to PostgreSQL, kept open for the next unit.

use std::time::Duration;

use deadpool_postgres::{
    Hook, HookError, Manager, ManagerConfig, Object, Pool, RecyclingMethod, Runtime, Transaction,
};

use super::failure::{Failure, Remedy};
use super::tls;
use super::url::PostgresUrl;
use crate::error::{Fault, OrFault};
use crate::metadata::{Row, Value};

/// How long a unit waits for a connection while all are busy, and for a new one.
const CONNECT_TIME: Duration = Duration::from_secs(5);
/// After so long a silence an idle connection is tried, and given up if nobody answers as long again.
const SILENCE: Duration = Duration::from_secs(10);

/// What every session runs under. Small tables would be scanned, and each scan takes part in a conflict
/// with every writer: so no scans, and no compiler for what only looks expensive. Commits are durable
/// also where the server was told otherwise.
const SESSION: &str = "SET statement_timeout = '30s'; SET lock_timeout = '20s';
    SET idle_in_transaction_session_timeout = '60s'; SET enable_seqscan = off; SET jit = off;
    SET client_min_messages = warning;
    SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'";

/// Opens no connection yet.
pub(super) fn open(url: &PostgresUrl, connections: usize) -> Result<Pool, Fault> {
    let mut config = url.config().clone();
    if config.get_application_name().is_none() {
        config.application_name("berth");
    }
    if config.get_connect_timeout().is_none() {
        config.connect_timeout(CONNECT_TIME);
    }
    config.keepalives_idle(SILENCE).keepalives_interval(SILENCE / 4).keepalives_retries(4);
    config.tcp_user_timeout(2 * SILENCE);
    let recycling = ManagerConfig { recycling_method: RecyclingMethod::Fast };
    Pool::builder(Manager::from_config(config, tls::connector(url)?, recycling))
        .max_size(connections)
        .wait_timeout(Some(CONNECT_TIME))
        .create_timeout(Some(2 * CONNECT_TIME))
        .runtime(Runtime::Tokio1)
        .post_create(Hook::async_fn(|client, _| {
            Box::pin(async move { client.batch_execute(SESSION).await.map_err(HookError::Backend) })
        }))
        .build()
        .or_fault(|| format!("preparing connections to {url}"))
}

/// Where a unit's statements run.
pub(in crate::metadata) enum Session<'c> {
    /// Each for itself.
    Each(&'c Object),
    /// All in one transaction, which is given up unless it is committed.
    All(Transaction<'c>),
}

impl std::fmt::Debug for Session<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Each(_) => "Each",
            Self::All(_) => "All",
        })
    }
}

impl Session<'_> {
    /// Commits the transaction.
    pub(in crate::metadata) async fn commit(self) -> Result<(), Failure> {
        let Self::All(transaction) = self else { return Ok(()) };
        transaction.commit().await.map_err(|error| {
            let failure = Failure::from(error);
            if failure.remedy() != Remedy::Reconnect {
                return failure;
            }
            // It may have been done: running it again could do it twice.
            Failure::new(format!("the connection broke at COMMIT, perhaps after it: {failure}"), Remedy::Wait)
        })
    }

    pub(in crate::metadata) async fn rows(&self, sql: &str, args: &[Value]) -> Result<Vec<Row>, Failure> {
        let args = args.iter().map(|value| value as &(dyn tokio_postgres::types::ToSql + Sync));
        let args: Vec<_> = args.collect();
        let found = match self {
            Self::Each(client) => client.query(&client.prepare_cached(sql).await?, &args).await?,
            Self::All(transaction) => {
                transaction.query(&transaction.prepare_cached(sql).await?, &args).await?
            }
        };
        let row_of = |row: tokio_postgres::Row| {
            let values: Result<Vec<Value>, _> = (0..row.len()).map(|column| row.try_get(column)).collect();
            values.map(Row::of)
        };
        Ok(found.into_iter().map(row_of).collect::<Result<_, _>>()?)
    }
}
