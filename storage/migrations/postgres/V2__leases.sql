-- What one process has to itself for a while.
CREATE TABLE leases (
    name       TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    holder     TEXT COLLATE "C" NOT NULL,
    shown      TEXT COLLATE "C" NOT NULL,
    held_until BIGINT NOT NULL
);
