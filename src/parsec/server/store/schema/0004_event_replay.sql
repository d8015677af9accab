-- What clients that come back are told: the last events of each organization, of which everybody who
-- was concerned at that moment is written in the content. On PostgreSQL the table `event` carries
-- events to other processes in addition, and is forgotten by other rules.

CREATE TABLE remembered_event (
    organization_id TEXT NOT NULL,
    -- In the order of the commits.
    number BIGINT NOT NULL,
    event_id BLOB NOT NULL,
    content BLOB NOT NULL,
    PRIMARY KEY (organization_id, number)
);
CREATE UNIQUE INDEX remembered_event_id ON remembered_event (organization_id, event_id);
