-- Each reset of a user's one-time codes with its date, numbered from 1 on for each user. Only the
-- last hundred are kept; the number of the last one tells how many there were.

CREATE TABLE totp_reset (
    organization_id TEXT NOT NULL,
    user_id BLOB NOT NULL,
    number BIGINT NOT NULL,
    reset_on BIGINT NOT NULL,
    PRIMARY KEY (organization_id, user_id, number),
    FOREIGN KEY (organization_id, user_id) REFERENCES "user"
);

-- Of those before this table, only the last one of each user is known.
INSERT INTO totp_reset (organization_id, user_id, number, reset_on)
SELECT organization_id, user_id, 1, reset_on FROM totp WHERE reset_on IS NOT NULL;
