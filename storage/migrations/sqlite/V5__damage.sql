-- Damaged blobs are few, and asked for with each push of a manifest.
CREATE INDEX blobs_damaged ON blobs (digest) WHERE damaged_at IS NOT NULL;
