-- Events that the processes of a server tell each other through the database (PostgreSQL; with
-- SQLite there is one process). Kept for a while, so that a process that was cut off loses none.

CREATE TABLE event (
    number BIGINT NOT NULL PRIMARY KEY,
    content BLOB NOT NULL
);

-- The number of the last event. Whoever publishes holds this row until the commit, so that numbers
-- have no holes and follow the order of the commits.
CREATE TABLE event_counter (
    last BIGINT NOT NULL
);
INSERT INTO event_counter (last) VALUES (0);
