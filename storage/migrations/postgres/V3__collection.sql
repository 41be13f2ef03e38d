-- What may have died and is to be looked at when its time has come. Whatever may orphan something puts
-- it here; nothing else is ever looked at, so the cost follows what changed.
-- kind: 0 a manifest, 1 a blob in a repository, 2 a repository that was removed (its digest is empty).
-- cause: of a manifest, whether it only has no tag ('untagged'), or went with what held it ('orphaned').
CREATE TABLE reviews (
    repository_id TEXT COLLATE "C" NOT NULL,
    kind          BIGINT NOT NULL,
    digest        TEXT COLLATE "C" NOT NULL,
    cause         TEXT COLLATE "C" NOT NULL,
    review_after  BIGINT NOT NULL,
    PRIMARY KEY (repository_id, kind, digest)
);
CREATE INDEX reviews_by_due ON reviews (review_after, kind);

-- How long untagged manifests are kept, in microseconds; NULL: as the server is configured, -1: for ever.
ALTER TABLE repositories ADD COLUMN untagged_after BIGINT;

-- What earlier versions left: all of it is looked at once, a day from now.
INSERT INTO reviews
SELECT id, 2, '', 'deleted', CAST(extract(epoch FROM now()) AS BIGINT) * 1000000 + 86400000000
FROM repositories WHERE deleted_at IS NOT NULL;
INSERT INTO reviews
SELECT repository_id, 0, digest, 'untagged', CAST(extract(epoch FROM now()) AS BIGINT) * 1000000 + 86400000000
FROM manifests WHERE deleted_at IS NOT NULL OR untagged_at IS NOT NULL;
INSERT INTO reviews
SELECT repository_id, 1, digest, 'unreferenced', CAST(extract(epoch FROM now()) AS BIGINT) * 1000000 + 86400000000
FROM repository_blobs
WHERE NOT EXISTS (SELECT 1 FROM manifest_blobs
                  WHERE manifest_blobs.repository_id = repository_blobs.repository_id
                    AND manifest_blobs.blob = repository_blobs.digest);
INSERT INTO condemned (id, location, condemned_at, retry_at, attempts)
SELECT replace(gen_random_uuid()::text, '-', ''), location, CAST(extract(epoch FROM now()) AS BIGINT) * 1000000,
       CAST(extract(epoch FROM now()) AS BIGINT) * 1000000 + 86400000000, 0
FROM blobs WHERE NOT EXISTS (SELECT 1 FROM repository_blobs WHERE repository_blobs.digest = blobs.digest);
DELETE FROM blobs
WHERE NOT EXISTS (SELECT 1 FROM repository_blobs WHERE repository_blobs.digest = blobs.digest);
