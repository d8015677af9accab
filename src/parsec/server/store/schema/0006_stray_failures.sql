-- Wrong codes for keys that were never created, so that they wait as real ones do whichever process
-- is asked. There are as many rows as `store.stray_failures` has places, and never more: anybody can
-- make keys up.

CREATE TABLE stray_failure (
    place BIGINT NOT NULL PRIMARY KEY,
    -- Which key has the place now, and whose it would be.
    tag BLOB NOT NULL,
    owner BLOB NOT NULL,
    failures BIGINT NOT NULL,
    last_failure_on BIGINT NOT NULL
);

-- What places and tags are made with: nobody else can tell which keys share a place.
CREATE TABLE stray_failure_secret (
    -- The only one.
    number INTEGER NOT NULL PRIMARY KEY,
    secret BLOB NOT NULL
);
