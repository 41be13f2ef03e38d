-- The same tables as SQLite's. Texts are compared byte by byte.
-- Times are microseconds since the epoch, ids and digests are text, booleans are 0 or 1.
-- Whatever lives is held by a foreign key: manifest_blobs -> repository_blobs -> blobs.

-- Facts about this store itself: its id, its epoch, its master key's fingerprint.
CREATE TABLE store (
    name  TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    value TEXT COLLATE "C" NOT NULL
);

-- One row that counts the transactions that changed what other processes keep in memory.
CREATE TABLE generation (
    value BIGINT NOT NULL
);
INSERT INTO generation (value) VALUES (0);

CREATE TABLE repositories (
    id         TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    name       TEXT COLLATE "C" NOT NULL,
    created_at BIGINT NOT NULL,
    created_by TEXT COLLATE "C",
    deleted_at BIGINT,
    policy     TEXT COLLATE "C",
    description    TEXT COLLATE "C",
    -- In ECR's words; the patterns of those tags that stay mutable stand between spaces.
    tag_mutability TEXT COLLATE "C" NOT NULL DEFAULT 'MUTABLE',
    tag_exclusions TEXT COLLATE "C" NOT NULL DEFAULT ''
);
CREATE UNIQUE INDEX repositories_by_name ON repositories (name) WHERE deleted_at IS NULL;

-- Bytes in the blob store, once for all repositories. A location is never used twice.
CREATE TABLE blobs (
    digest     TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    size       BIGINT NOT NULL,
    location   TEXT COLLATE "C" NOT NULL UNIQUE,
    created_at BIGINT NOT NULL,
    damaged_at BIGINT
);

-- Which repository may show which blob.
CREATE TABLE repository_blobs (
    repository_id TEXT COLLATE "C" NOT NULL REFERENCES repositories (id),
    digest        TEXT COLLATE "C" NOT NULL REFERENCES blobs (digest),
    created_at    BIGINT NOT NULL,
    PRIMARY KEY (repository_id, digest)
);
CREATE INDEX repository_blobs_by_digest ON repository_blobs (digest, repository_id);

-- The pushed bytes, never re-serialised. `subject` is the digest that was named, `subject_ref` the
-- manifest once it is here.
CREATE TABLE manifests (
    repository_id TEXT COLLATE "C" NOT NULL REFERENCES repositories (id),
    digest        TEXT COLLATE "C" NOT NULL,
    media_type    TEXT COLLATE "C" NOT NULL,
    artifact_type TEXT COLLATE "C",
    annotations   TEXT COLLATE "C",
    subject       TEXT COLLATE "C",
    subject_ref   TEXT COLLATE "C",
    size          BIGINT NOT NULL,
    pushed_at     BIGINT NOT NULL,
    pushed_by     TEXT COLLATE "C",
    pulled_at     BIGINT,
    untagged_at   BIGINT,
    deleted_at    BIGINT,
    content       BYTEA NOT NULL,
    PRIMARY KEY (repository_id, digest),
    FOREIGN KEY (repository_id, subject_ref) REFERENCES manifests (repository_id, digest)
);
CREATE INDEX manifests_by_subject ON manifests (repository_id, subject, digest) WHERE subject IS NOT NULL;

CREATE TABLE tags (
    repository_id TEXT COLLATE "C" NOT NULL,
    name          TEXT COLLATE "C" NOT NULL,
    digest        TEXT COLLATE "C" NOT NULL,
    updated_at    BIGINT NOT NULL,
    PRIMARY KEY (repository_id, name),
    FOREIGN KEY (repository_id, digest) REFERENCES manifests (repository_id, digest)
);
CREATE INDEX tags_by_digest ON tags (repository_id, digest);

-- What each tag pointed at and when; no digest: the tag was deleted.
CREATE TABLE tag_history (
    id            BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    repository_id TEXT COLLATE "C" NOT NULL REFERENCES repositories (id),
    name          TEXT COLLATE "C" NOT NULL,
    digest        TEXT COLLATE "C",
    changed_at    BIGINT NOT NULL,
    changed_by    TEXT COLLATE "C"
);
CREATE INDEX tag_history_by_name ON tag_history (repository_id, name, changed_at);

-- Edges. `wanted` is what the manifest names; the nullable column is the reference that keeps it
-- alive. NULL: a permitted absence, filled in when the content arrives.
CREATE TABLE manifest_blobs (
    repository_id TEXT COLLATE "C" NOT NULL,
    manifest      TEXT COLLATE "C" NOT NULL,
    wanted        TEXT COLLATE "C" NOT NULL,
    blob          TEXT COLLATE "C",
    PRIMARY KEY (repository_id, manifest, wanted),
    FOREIGN KEY (repository_id, manifest) REFERENCES manifests (repository_id, digest),
    FOREIGN KEY (repository_id, blob) REFERENCES repository_blobs (repository_id, digest)
);
CREATE INDEX manifest_blobs_by_blob ON manifest_blobs (repository_id, blob) WHERE blob IS NOT NULL;
CREATE INDEX manifest_blobs_absent ON manifest_blobs (repository_id, wanted) WHERE blob IS NULL;

CREATE TABLE manifest_children (
    repository_id TEXT COLLATE "C" NOT NULL,
    manifest      TEXT COLLATE "C" NOT NULL,
    wanted        TEXT COLLATE "C" NOT NULL,
    child         TEXT COLLATE "C",
    PRIMARY KEY (repository_id, manifest, wanted),
    FOREIGN KEY (repository_id, manifest) REFERENCES manifests (repository_id, digest),
    FOREIGN KEY (repository_id, child) REFERENCES manifests (repository_id, digest)
);
CREATE INDEX manifest_children_by_child ON manifest_children (repository_id, child) WHERE child IS NOT NULL;
CREATE INDEX manifest_children_absent ON manifest_children (repository_id, wanted) WHERE child IS NULL;

-- Upload sessions: everything another process needs to go on. `sealing` is set before the bytes
-- move to their final place, so that every byte is always named by some row.
CREATE TABLE uploads (
    id           TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    repository   TEXT COLLATE "C" NOT NULL,
    identity     TEXT COLLATE "C",
    received     BIGINT NOT NULL,
    algorithm    TEXT COLLATE "C" NOT NULL,
    hash         BYTEA NOT NULL,
    staged       TEXT COLLATE "C" NOT NULL,
    sealing      TEXT COLLATE "C",
    writer       TEXT COLLATE "C",
    writer_until BIGINT NOT NULL,
    started_at   BIGINT NOT NULL,
    expires_at   BIGINT NOT NULL
);
CREATE INDEX uploads_by_expiry ON uploads (expires_at);

-- Bytes that nothing names any more: removed from the blob store first, from here second.
-- Either a location that was sealed, or what an upload had staged (and was perhaps sealing).
CREATE TABLE condemned (
    id           TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    location     TEXT COLLATE "C",
    staged       TEXT COLLATE "C",
    sealing      TEXT COLLATE "C",
    condemned_at BIGINT NOT NULL,
    retry_at     BIGINT NOT NULL,
    attempts     BIGINT NOT NULL
);
CREATE INDEX condemned_by_retry ON condemned (retry_at);

-- Who may do what, as plain records.
CREATE TABLE identities (
    id                     TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    name                   TEXT COLLATE "C" NOT NULL UNIQUE,
    password               TEXT COLLATE "C" NOT NULL,
    created_at             BIGINT NOT NULL,
    disabled_at            BIGINT,
    credentials_changed_at BIGINT NOT NULL
);

-- Documents that administrators wrote; those that come with the program are not here.
CREATE TABLE policies (
    name       TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    document   TEXT COLLATE "C" NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
);

CREATE TABLE attachments (
    identity_id TEXT COLLATE "C" NOT NULL REFERENCES identities (id) ON DELETE CASCADE,
    policy      TEXT COLLATE "C" NOT NULL,
    prefix      TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (identity_id, policy, prefix)
);

CREATE TABLE user_groups (
    name       TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    created_at BIGINT NOT NULL
);

CREATE TABLE group_members (
    group_name  TEXT COLLATE "C" NOT NULL REFERENCES user_groups (name) ON DELETE CASCADE,
    identity_id TEXT COLLATE "C" NOT NULL REFERENCES identities (id) ON DELETE CASCADE,
    PRIMARY KEY (group_name, identity_id)
);
CREATE INDEX group_members_by_identity ON group_members (identity_id, group_name);

CREATE TABLE group_attachments (
    group_name TEXT COLLATE "C" NOT NULL REFERENCES user_groups (name) ON DELETE CASCADE,
    policy     TEXT COLLATE "C" NOT NULL,
    prefix     TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (group_name, policy, prefix)
);

-- Ids and secrets that stand for a user; the secret is sealed under the master key.
CREATE TABLE access_keys (
    id            TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    identity_id   TEXT COLLATE "C" NOT NULL REFERENCES identities (id) ON DELETE CASCADE,
    name          TEXT COLLATE "C",
    sealed_secret BYTEA NOT NULL,
    created_at    BIGINT NOT NULL,
    expires_at    BIGINT,
    used_at       BIGINT
);
CREATE INDEX access_keys_by_identity ON access_keys (identity_id);

-- Only the hash of a refresh token is kept. It is good for no longer than the access key that it
-- was asked for with, if it was one.
CREATE TABLE refresh_tokens (
    hash        TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    identity_id TEXT COLLATE "C" NOT NULL REFERENCES identities (id) ON DELETE CASCADE,
    access_key  TEXT COLLATE "C" REFERENCES access_keys (id) ON DELETE CASCADE,
    service     TEXT COLLATE "C" NOT NULL,
    created_at  BIGINT NOT NULL,
    expires_at  BIGINT NOT NULL
);
CREATE INDEX refresh_tokens_by_access_key ON refresh_tokens (access_key) WHERE access_key IS NOT NULL;
CREATE INDEX refresh_tokens_by_expiry ON refresh_tokens (expires_at);
CREATE INDEX refresh_tokens_by_identity ON refresh_tokens (identity_id);

-- Keys that sign tokens; the private part is sealed under the master key.
CREATE TABLE signing_keys (
    kid            TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    sealed_private BYTEA NOT NULL,
    created_at     BIGINT NOT NULL,
    retired_at     BIGINT
);

-- Whoever takes an id holds this lock until its end, so a reader can wait for those who have one.
CREATE SEQUENCE audit_ids;
CREATE FUNCTION next_audit_id() RETURNS BIGINT LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_advisory_xact_lock_shared(1);
    RETURN nextval('audit_ids');
END
$$;

-- What was done and what was refused, by whom. Ids rise in the order of writing, with gaps.
CREATE TABLE audit (
    id          BIGINT NOT NULL PRIMARY KEY DEFAULT next_audit_id(),
    at          BIGINT NOT NULL,
    action      TEXT COLLATE "C" NOT NULL,
    outcome     TEXT COLLATE "C" NOT NULL,
    identity_id TEXT COLLATE "C",
    user_name   TEXT COLLATE "C",
    access_key  TEXT COLLATE "C",
    address     TEXT COLLATE "C",
    request_id  TEXT COLLATE "C",
    repository  TEXT COLLATE "C",
    digest      TEXT COLLATE "C",
    -- Between spaces.
    tags        TEXT COLLATE "C" NOT NULL,
    subject     TEXT COLLATE "C",
    detail      TEXT COLLATE "C",
    times       BIGINT NOT NULL
);
CREATE INDEX audit_by_time ON audit (at);
