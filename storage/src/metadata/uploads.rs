//! Upload sessions: everything another process needs to go on.

use berth_oci::{Digest, Hasher, HasherState, RepositoryName};
use bytes::Bytes;
use futures_util::future::BoxFuture;

use super::audit::{Deed, note};
use super::blobs::{self, Arrival};
use super::{Row, Tx, args, condemned, repositories, reviews};
use crate::error::{Error, Fault};
use crate::registry::Creation;
use crate::{Actor, Location, Staged, Timestamp, UploadId};

/// A session as its row keeps it.
#[derive(Debug, Clone)]
pub(crate) struct Session {
    pub(crate) staged: Staged,
    pub(crate) received: u64,
    pub(crate) hasher: Hasher,
    pub(crate) sealing: Option<Digest>,
}

fn session_of(row: &Row) -> Result<Session, Fault> {
    let state = HasherState { algorithm: row.parsed(2)?, bytes: row.bytes(3)?.to_vec() };
    let hasher = Hasher::restore(&state).map_err(|error| Fault::new("reading an upload session", error))?;
    Ok(Session {
        staged: Staged::from_json(row.text(0)?)?,
        received: row.size(1)?,
        hasher,
        sealing: row.parsed_or_null(4)?,
    })
}

/// A session that begins.
#[derive(Debug)]
pub(crate) struct Begin {
    pub(crate) id: UploadId,
    pub(crate) repository: RepositoryName,
    /// Hashes what arrives.
    pub(crate) hasher: Hasher,
    pub(crate) staged: Staged,
    pub(crate) creation: Creation,
    pub(crate) actor: Actor,
    pub(crate) now: Timestamp,
    pub(crate) expires_at: Timestamp,
}

/// Names the place before its first byte exists.
pub(crate) fn begin<'t>(tx: &'t mut Tx<'_>, begin: &'t Begin) -> BoxFuture<'t, Result<(), Error>> {
    Box::pin(async move {
        if begin.creation == Creation::Refused {
            repositories::get(tx, &begin.repository).await?;
        }
        let HasherState { algorithm, bytes: hash } = begin.hasher.save();
        let sql = "INSERT INTO uploads (id, repository, identity, received, algorithm, hash, staged,
                       writer_until, started_at, expires_at)
                   VALUES ($1, $2, $3, 0, $4, $5, $6, 0, $7, $8)";
        let args = args![
            &begin.id,
            &begin.repository,
            begin.actor.identity.as_deref(),
            algorithm.as_str(),
            Bytes::from(hash),
            &begin.staged.to_json()?,
            begin.now,
            begin.expires_at,
        ];
        tx.run(sql, args).await?;
        Ok(())
    })
}

/// How many bytes the session holds; none when there is no such session in the repository.
pub(crate) fn received<'t>(
    tx: &'t mut Tx<'_>,
    (repository, id): &'t (RepositoryName, UploadId),
) -> BoxFuture<'t, Result<Option<u64>, Error>> {
    Box::pin(async move {
        let sql = "SELECT received FROM uploads WHERE id = $1 AND repository = $2";
        let row = tx.row(sql, args![id, repository]).await?;
        row.map(|row| Ok(row.size(0)?)).transpose()
    })
}

/// One request's claim to be the only writer of a session.
#[derive(Debug)]
pub(crate) struct Claim {
    pub(crate) id: UploadId,
    pub(crate) repository: RepositoryName,
    pub(crate) writer: String,
    /// Where the request's bytes begin, if it says so.
    pub(crate) first: Option<u64>,
    /// What the session is about to be sealed as, if it is.
    pub(crate) sealing: Option<Digest>,
    pub(crate) now: Timestamp,
    pub(crate) until: Timestamp,
}

/// Makes one request the only writer until it saves, or until its claim runs out. Gives the session
/// as it was before, also in what it was perhaps being sealed as.
pub(crate) fn claim<'t>(tx: &'t mut Tx<'_>, claim: &'t Claim) -> BoxFuture<'t, Result<Session, Error>> {
    Box::pin(async move {
        let Claim { id, repository, writer, first, sealing, now, until } = claim;
        let sql =
            "SELECT writer, writer_until, received, sealing FROM uploads WHERE id = $1 AND repository = $2";
        let Some(row) = tx.row(sql, args![id, repository]).await? else {
            return Err(Error::UploadUnknown(*id));
        };
        if row.text_or_null(0)?.is_some() && row.int(1)? > now.0 {
            return Err(Error::UploadBusy);
        }
        let (received, sealing_before) = (row.size(2)?, row.parsed_or_null::<Digest>(3)?);
        let other = sealing_before.as_ref().zip(sealing.as_ref()).is_some_and(|(was, is)| was != is);
        if other {
            // A request that broke off may have sealed it as something else, and only this row
            // leads there: it can't be sealed as anything else.
            return Err(Error::UploadUnknown(*id));
        }
        if let Some(first) = first.filter(|first| *first != received) {
            return Err(Error::ChunkOutOfOrder { first, received });
        }
        let sql = "UPDATE uploads SET writer = $2, writer_until = $3, sealing = COALESCE($4, sealing)
                   WHERE id = $1 AND (writer IS NULL OR writer_until <= $5)";
        tx.run(sql, args![id, writer, *until, sealing.as_ref(), *now]).await?;
        let select = "SELECT staged, received, algorithm, hash, sealing
                      FROM uploads WHERE id = $1 AND writer = $2";
        let row = tx.row(select, args![id, writer]).await?.ok_or(Error::UploadBusy)?;
        Ok(Session { sealing: sealing_before, ..session_of(&row)? })
    })
}

/// A session as its writer leaves it.
#[derive(Debug)]
pub(crate) struct Save {
    pub(crate) id: UploadId,
    pub(crate) writer: String,
    pub(crate) staged: Staged,
    pub(crate) received: u64,
    pub(crate) hasher: Hasher,
    pub(crate) sealing: Option<Digest>,
    pub(crate) expires_at: Timestamp,
    /// Until when the writer stays the only one; none: it is done.
    pub(crate) keep_until: Option<Timestamp>,
}

/// Keeps how far the writer came; refused when the claim was lost to someone else.
pub(crate) fn save<'t>(tx: &'t mut Tx<'_>, save: &'t Save) -> BoxFuture<'t, Result<(), Error>> {
    Box::pin(async move {
        let HasherState { algorithm, bytes: hash } = save.hasher.save();
        let sql = "UPDATE uploads SET staged = $3, received = $4, algorithm = $5, hash = $6,
                       expires_at = $7, writer_until = $8, writer = $9, sealing = $10
                   WHERE id = $1 AND writer = $2 RETURNING id";
        let args = args![
            &save.id,
            &save.writer,
            &save.staged.to_json()?,
            save.received,
            algorithm.as_str(),
            Bytes::from(hash),
            save.expires_at,
            save.keep_until.unwrap_or(Timestamp(0)),
            save.keep_until.map(|_| &save.writer),
            save.sealing.as_ref(),
        ];
        tx.row(sql, args).await?.map(drop).ok_or(Error::UploadUnknown(save.id))
    })
}

/// Gives up a writer's claim; the session stays as it was saved last.
pub(crate) fn release<'t>(
    tx: &'t mut Tx<'_>,
    (id, writer): &'t (UploadId, String),
) -> BoxFuture<'t, Result<(), Error>> {
    Box::pin(async move {
        let sql = "UPDATE uploads SET writer = NULL, writer_until = 0 WHERE id = $1 AND writer = $2";
        tx.run(sql, args![id, writer]).await?;
        Ok(())
    })
}

/// A session whose bytes are sealed.
#[derive(Debug)]
pub(crate) struct Finish {
    pub(crate) id: UploadId,
    pub(crate) writer: String,
    pub(crate) repository: RepositoryName,
    pub(crate) digest: Digest,
    pub(crate) size: u64,
    pub(crate) location: Location,
    /// What it leaves in the blob store besides.
    pub(crate) leftovers: Vec<Location>,
    pub(crate) creation: Creation,
    pub(crate) actor: Actor,
    pub(crate) now: Timestamp,
    /// Until when the blob is kept though nothing names it.
    pub(crate) kept_until: Timestamp,
}

/// Turns the session into a blob of the repository.
pub(crate) fn finish<'t>(tx: &'t mut Tx<'_>, finish: &'t Finish) -> BoxFuture<'t, Result<(), Error>> {
    Box::pin(async move {
        let Finish { id, writer, digest, now, .. } = finish;
        let sql = "DELETE FROM uploads WHERE id = $1 AND writer = $2 RETURNING id";
        tx.row(sql, args![id, writer]).await?.ok_or(Error::UploadUnknown(*id))?;
        let repository =
            repositories::get_or_create(tx, &finish.repository, finish.creation, &finish.actor, *now).await?;
        let arrival = Arrival { digest, size: finish.size, location: &finish.location, now: *now };
        blobs::insert(tx, &arrival).await?;
        blobs::grant(tx, &repository, digest, *now).await?;
        for left in &finish.leftovers {
            condemned::location(tx, left, *now).await?;
        }
        reviews::blob(tx, &repository, digest, finish.kept_until).await?;
        let (repository, digest) = (Some(&finish.repository), Some(digest));
        let deed = Deed { action: "blob.put", repository, digest, ..Deed::default() };
        Ok(note(tx, &finish.actor, *now, deed).await?)
    })
}

/// Ends a session early; its bytes are condemned. Refused while someone writes to it.
pub(crate) fn cancel<'t>(
    tx: &'t mut Tx<'_>,
    (repository, id, now): &'t (RepositoryName, UploadId, Timestamp),
) -> BoxFuture<'t, Result<(), Error>> {
    Box::pin(async move {
        let sql = "SELECT writer, writer_until FROM uploads WHERE id = $1 AND repository = $2";
        let row = tx.row(sql, args![id, repository]).await?.ok_or(Error::UploadUnknown(*id))?;
        if row.text_or_null(0)?.is_some() && row.int(1)? > now.0 {
            return Err(Error::UploadBusy);
        }
        Ok(condemn(tx, id, *now).await?)
    })
}

/// Ends a session that its writer can't go on with; its bytes are condemned.
pub(crate) fn abandon<'t>(
    tx: &'t mut Tx<'_>,
    (id, writer, now): &'t (UploadId, String, Timestamp),
) -> BoxFuture<'t, Result<(), Error>> {
    Box::pin(async move {
        let sql = "SELECT id FROM uploads WHERE id = $1 AND writer = $2";
        tx.row(sql, args![id, writer]).await?.ok_or(Error::UploadUnknown(*id))?;
        Ok(condemn(tx, id, *now).await?)
    })
}

/// Ends the sessions that expired, at most `limit`; gives how many.
pub(crate) fn expire<'t>(
    tx: &'t mut Tx<'_>,
    (now, limit): &'t (Timestamp, u64),
) -> BoxFuture<'t, Result<u64, Error>> {
    Box::pin(async move {
        let sql = "SELECT id FROM uploads WHERE expires_at <= $1 AND writer_until <= $1 LIMIT $2";
        let expired = tx.rows(sql, args![*now, *limit]).await?;
        for row in &expired {
            condemn(tx, &row.parsed(0)?, *now).await?;
        }
        Ok(expired.len() as u64)
    })
}

/// Ends the sessions of a repository that is removed, but for those that are just written to: what
/// those bring comes after the removal.
pub(super) async fn end_all_of(
    tx: &mut Tx<'_>,
    repository: &RepositoryName,
    now: Timestamp,
) -> Result<(), Fault> {
    let sql = "SELECT id FROM uploads WHERE repository = $1 AND (writer IS NULL OR writer_until <= $2)";
    for row in tx.rows(sql, args![repository, now]).await? {
        condemn(tx, &row.parsed(0)?, now).await?;
    }
    Ok(())
}

async fn condemn(tx: &mut Tx<'_>, id: &UploadId, now: Timestamp) -> Result<(), Fault> {
    let sql = "DELETE FROM uploads WHERE id = $1 RETURNING staged, sealing";
    let Some(row) = tx.row(sql, args![id]).await? else { return Ok(()) };
    let sealing: Option<Digest> = row.parsed_or_null(1)?;
    condemned::staged(tx, row.text(0)?, sealing.as_ref(), now).await
}

/// Frees all sessions from writers of a process that is gone. Only for a store that one process
/// owns.
pub(crate) fn free_all<'t>(tx: &'t mut Tx<'_>, (): &'t ()) -> BoxFuture<'t, Result<(), Error>> {
    Box::pin(async move {
        tx.run("UPDATE uploads SET writer = NULL, writer_until = 0 WHERE writer IS NOT NULL", args![])
            .await?;
        Ok(())
    })
}

/// How many sessions are open.
pub(crate) fn count<'t>(tx: &'t mut Tx<'_>, (): &'t ()) -> BoxFuture<'t, Result<u64, Error>> {
    Box::pin(async move {
        let row = tx.row("SELECT COUNT(*) FROM uploads", args![]).await?;
        Ok(row.map_or(Ok(0), |row| row.size(0))?)
    })
}
