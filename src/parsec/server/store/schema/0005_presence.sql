-- Who has an open event stream at which process, where several processes share the database and the
-- server tells who is there.

CREATE TABLE server_process (
    process_id BLOB NOT NULL PRIMARY KEY,
    -- Renewed while the process lives. One that was killed falls silent.
    seen_on BIGINT NOT NULL
);

CREATE TABLE presence (
    organization_id TEXT NOT NULL,
    user_id BLOB NOT NULL,
    process_id BLOB NOT NULL REFERENCES server_process ON DELETE CASCADE,
    PRIMARY KEY (organization_id, user_id, process_id)
);
CREATE INDEX presence_process ON presence (process_id);
