-- Times are microseconds since the epoch, ids and digests are text, booleans are 0 or 1.
-- Whatever lives is held by a foreign key: manifest_blobs -> repository_blobs -> blobs.

-- Facts about this store itself: its id, its epoch, its master key's fingerprint.
CREATE TABLE store (
    name  TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- What one process has to itself for a while.
CREATE TABLE leases (
    name       TEXT NOT NULL PRIMARY KEY,
    holder     TEXT NOT NULL,
    shown      TEXT NOT NULL,
    held_until INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE repositories (
    id         TEXT NOT NULL PRIMARY KEY,
    name       TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    created_by TEXT,
    deleted_at INTEGER,
    policy     TEXT,
    description    TEXT,
    -- In ECR's words; the patterns of those tags that stay mutable stand between spaces.
    tag_mutability TEXT NOT NULL DEFAULT 'MUTABLE',
    tag_exclusions TEXT NOT NULL DEFAULT ''
) STRICT;
CREATE UNIQUE INDEX repositories_by_name ON repositories (name) WHERE deleted_at IS NULL;

-- Bytes in the blob store, once for all repositories. A location is never used twice.
CREATE TABLE blobs (
    digest     TEXT NOT NULL PRIMARY KEY,
    size       INTEGER NOT NULL,
    location   TEXT NOT NULL UNIQUE,
    created_at INTEGER NOT NULL,
    damaged_at INTEGER
) STRICT;

-- Which repository may show which blob.
CREATE TABLE repository_blobs (
    repository_id TEXT NOT NULL REFERENCES repositories (id),
    digest        TEXT NOT NULL REFERENCES blobs (digest),
    created_at    INTEGER NOT NULL,
    PRIMARY KEY (repository_id, digest)
) STRICT, WITHOUT ROWID;
CREATE INDEX repository_blobs_by_digest ON repository_blobs (digest, repository_id);

-- The pushed bytes, never re-serialised. `subject` is the digest that was named, `subject_ref` the
-- manifest once it is here.
CREATE TABLE manifests (
    repository_id TEXT NOT NULL REFERENCES repositories (id),
    digest        TEXT NOT NULL,
    media_type    TEXT NOT NULL,
    artifact_type TEXT,
    annotations   TEXT,
    subject       TEXT,
    subject_ref   TEXT,
    size          INTEGER NOT NULL,
    pushed_at     INTEGER NOT NULL,
    pushed_by     TEXT,
    pulled_at     INTEGER,
    untagged_at   INTEGER,
    deleted_at    INTEGER,
    content       BLOB NOT NULL,
    PRIMARY KEY (repository_id, digest),
    FOREIGN KEY (repository_id, subject_ref) REFERENCES manifests (repository_id, digest)
) STRICT;
CREATE INDEX manifests_by_subject ON manifests (repository_id, subject, digest) WHERE subject IS NOT NULL;

CREATE TABLE tags (
    repository_id TEXT NOT NULL,
    name          TEXT NOT NULL,
    digest        TEXT NOT NULL,
    updated_at    INTEGER NOT NULL,
    PRIMARY KEY (repository_id, name),
    FOREIGN KEY (repository_id, digest) REFERENCES manifests (repository_id, digest)
) STRICT, WITHOUT ROWID;
CREATE INDEX tags_by_digest ON tags (repository_id, digest);

-- What each tag pointed at and when; no digest: the tag was deleted.
CREATE TABLE tag_history (
    id            INTEGER PRIMARY KEY,
    repository_id TEXT NOT NULL REFERENCES repositories (id),
    name          TEXT NOT NULL,
    digest        TEXT,
    changed_at    INTEGER NOT NULL,
    changed_by    TEXT
) STRICT;
CREATE INDEX tag_history_by_name ON tag_history (repository_id, name, changed_at);

-- Edges. `wanted` is what the manifest names; the nullable column is the reference that keeps it
-- alive. NULL: a permitted absence, filled in when the content arrives.
CREATE TABLE manifest_blobs (
    repository_id TEXT NOT NULL,
    manifest      TEXT NOT NULL,
    wanted        TEXT NOT NULL,
    blob          TEXT,
    PRIMARY KEY (repository_id, manifest, wanted),
    FOREIGN KEY (repository_id, manifest) REFERENCES manifests (repository_id, digest),
    FOREIGN KEY (repository_id, blob) REFERENCES repository_blobs (repository_id, digest)
) STRICT, WITHOUT ROWID;
CREATE INDEX manifest_blobs_by_blob ON manifest_blobs (repository_id, blob) WHERE blob IS NOT NULL;
CREATE INDEX manifest_blobs_absent ON manifest_blobs (repository_id, wanted) WHERE blob IS NULL;

CREATE TABLE manifest_children (
    repository_id TEXT NOT NULL,
    manifest      TEXT NOT NULL,
    wanted        TEXT NOT NULL,
    child         TEXT,
    PRIMARY KEY (repository_id, manifest, wanted),
    FOREIGN KEY (repository_id, manifest) REFERENCES manifests (repository_id, digest),
    FOREIGN KEY (repository_id, child) REFERENCES manifests (repository_id, digest)
) STRICT, WITHOUT ROWID;
CREATE INDEX manifest_children_by_child ON manifest_children (repository_id, child) WHERE child IS NOT NULL;
CREATE INDEX manifest_children_absent ON manifest_children (repository_id, wanted) WHERE child IS NULL;

-- Upload sessions: everything another process needs to go on. `sealing` is set before the bytes
-- move to their final place, so that every byte is always named by some row.
CREATE TABLE uploads (
    id           TEXT NOT NULL PRIMARY KEY,
    repository   TEXT NOT NULL,
    identity     TEXT,
    received     INTEGER NOT NULL,
    algorithm    TEXT NOT NULL,
    hash         BLOB NOT NULL,
    staged       TEXT NOT NULL,
    sealing      TEXT,
    writer       TEXT,
    writer_until INTEGER NOT NULL,
    started_at   INTEGER NOT NULL,
    expires_at   INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX uploads_by_expiry ON uploads (expires_at);

-- Bytes that nothing names any more: removed from the blob store first, from here second.
-- Either a location that was sealed, or what an upload had staged (and was perhaps sealing).
CREATE TABLE condemned (
    id           TEXT NOT NULL PRIMARY KEY,
    location     TEXT,
    staged       TEXT,
    sealing      TEXT,
    condemned_at INTEGER NOT NULL,
    retry_at     INTEGER NOT NULL,
    attempts     INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX condemned_by_retry ON condemned (retry_at);

-- Who may do what, as plain records.
CREATE TABLE identities (
    id                     TEXT NOT NULL PRIMARY KEY,
    name                   TEXT NOT NULL UNIQUE,
    password               TEXT NOT NULL,
    created_at             INTEGER NOT NULL,
    disabled_at            INTEGER,
    credentials_changed_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Documents that administrators wrote; those that come with the program are not here.
CREATE TABLE policies (
    name       TEXT NOT NULL PRIMARY KEY,
    document   TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE attachments (
    identity_id TEXT NOT NULL REFERENCES identities (id) ON DELETE CASCADE,
    policy      TEXT NOT NULL,
    prefix      TEXT NOT NULL,
    PRIMARY KEY (identity_id, policy, prefix)
) STRICT, WITHOUT ROWID;

CREATE TABLE user_groups (
    name       TEXT NOT NULL PRIMARY KEY,
    created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE group_members (
    group_name  TEXT NOT NULL REFERENCES user_groups (name) ON DELETE CASCADE,
    identity_id TEXT NOT NULL REFERENCES identities (id) ON DELETE CASCADE,
    PRIMARY KEY (group_name, identity_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX group_members_by_identity ON group_members (identity_id, group_name);

CREATE TABLE group_attachments (
    group_name TEXT NOT NULL REFERENCES user_groups (name) ON DELETE CASCADE,
    policy     TEXT NOT NULL,
    prefix     TEXT NOT NULL,
    PRIMARY KEY (group_name, policy, prefix)
) STRICT, WITHOUT ROWID;

-- Ids and secrets that stand for a user; the secret is sealed under the master key.
CREATE TABLE access_keys (
    id            TEXT NOT NULL PRIMARY KEY,
    identity_id   TEXT NOT NULL REFERENCES identities (id) ON DELETE CASCADE,
    name          TEXT,
    sealed_secret BLOB NOT NULL,
    created_at    INTEGER NOT NULL,
    expires_at    INTEGER,
    used_at       INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX access_keys_by_identity ON access_keys (identity_id);

-- Only the hash of a refresh token is kept. It is good for no longer than the access key that it
-- was asked for with, if it was one.
CREATE TABLE refresh_tokens (
    hash        TEXT NOT NULL PRIMARY KEY,
    identity_id TEXT NOT NULL REFERENCES identities (id) ON DELETE CASCADE,
    access_key  TEXT REFERENCES access_keys (id) ON DELETE CASCADE,
    service     TEXT NOT NULL,
    created_at  INTEGER NOT NULL,
    expires_at  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX refresh_tokens_by_access_key ON refresh_tokens (access_key) WHERE access_key IS NOT NULL;
CREATE INDEX refresh_tokens_by_expiry ON refresh_tokens (expires_at);
CREATE INDEX refresh_tokens_by_identity ON refresh_tokens (identity_id);

-- Keys that sign tokens; the private part is sealed under the master key.
CREATE TABLE signing_keys (
    kid            TEXT NOT NULL PRIMARY KEY,
    sealed_private BLOB NOT NULL,
    created_at     INTEGER NOT NULL,
    retired_at     INTEGER
) STRICT, WITHOUT ROWID;

-- What was done and what was refused, by whom. Ids rise in the order of writing; the newest row is
-- never trimmed, so that no id is given twice.
CREATE TABLE audit (
    id          INTEGER PRIMARY KEY,
    at          INTEGER NOT NULL,
    action      TEXT NOT NULL,
    outcome     TEXT NOT NULL,
    identity_id TEXT,
    user_name   TEXT,
    access_key  TEXT,
    address     TEXT,
    request_id  TEXT,
    repository  TEXT,
    digest      TEXT,
    -- Between spaces.
    tags        TEXT NOT NULL,
    subject     TEXT,
    detail      TEXT,
    times       INTEGER NOT NULL
) STRICT;
CREATE INDEX audit_by_time ON audit (at);
