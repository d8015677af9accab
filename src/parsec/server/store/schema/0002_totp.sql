-- One-time codes: the set-up of each user, and the keys that are released against a code.
-- Whatever is secret is read and written by `store.totp` alone, which may seal it.

CREATE TABLE totp (
    organization_id TEXT NOT NULL,
    user_id BLOB NOT NULL,
    secret BLOB,
    completed_on BIGINT,
    -- Of the token in the link that an administrator had made; NULL once it is used or void.
    reset_token_digest BLOB,
    reset_on BIGINT,
    -- Wrong codes in a row, over all keys of the user.
    failures BIGINT NOT NULL DEFAULT 0,
    last_failure_on BIGINT,
    -- When a code last released a key, and the time step of that code.
    last_success_on BIGINT,
    last_step BIGINT,
    PRIMARY KEY (organization_id, user_id),
    FOREIGN KEY (organization_id, user_id) REFERENCES "user"
);

-- Never deleted: a device file that nobody has opened for years may still need its key.
CREATE TABLE totp_opaque_key (
    organization_id TEXT NOT NULL,
    user_id BLOB NOT NULL,
    opaque_key_id BLOB NOT NULL,
    opaque_key BLOB NOT NULL,
    created_on BIGINT NOT NULL,
    -- Wrong codes in a row, for this key.
    failures BIGINT NOT NULL DEFAULT 0,
    last_failure_on BIGINT,
    PRIMARY KEY (organization_id, user_id, opaque_key_id),
    FOREIGN KEY (organization_id, user_id) REFERENCES "user"
);

-- How often a key was asked for that was never created. Written so that such a request costs what
-- a wrong code for a real key costs: the time of an answer must not tell one from the other.
CREATE TABLE totp_stray_failure (
    organization_id TEXT NOT NULL PRIMARY KEY REFERENCES organization,
    failures BIGINT NOT NULL,
    last_failure_on BIGINT NOT NULL
);
