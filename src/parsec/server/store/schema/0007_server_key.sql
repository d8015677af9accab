-- Which key of the server seals what is secret: `totp.secret` and `totp_opaque_key.opaque_key`. The
-- key itself is not in the database. One row, written at the first start with this schema, which
-- also seals what is there; until then it is in clear.

CREATE TABLE server_key (
    key_id BLOB NOT NULL PRIMARY KEY
);

-- Tokens that are never shown again: from the same start on, their hashes.
ALTER TABLE organization RENAME COLUMN bootstrap_token TO bootstrap_token_digest;
ALTER TABLE shamir_setup RENAME COLUMN reveal_token TO reveal_token_digest;
