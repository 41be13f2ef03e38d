-- Rules by which images expire. scope: a repository's name, a prefix that ends in a slash, or '*' for all.
CREATE TABLE retention (
    scope    TEXT NOT NULL PRIMARY KEY,
    document TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- Rules look at images from the last pushed one on.
CREATE INDEX manifests_by_push ON manifests (repository_id, pushed_at, digest);
