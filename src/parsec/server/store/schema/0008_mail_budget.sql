-- The mails with invitations of the last hour, against which the limits count. Older rows go
-- whenever one is added. Nobody is named longer than needed: of an address there is a digest.

CREATE TABLE invitation_email (
    -- Sixteen bytes by chance, that each row has a name.
    email_id BLOB NOT NULL PRIMARY KEY,
    organization_id TEXT NOT NULL,
    author BLOB NOT NULL,
    recipient_digest BLOB NOT NULL,
    sent_on BIGINT NOT NULL,
    FOREIGN KEY (organization_id, author) REFERENCES "user"
);
CREATE INDEX invitation_email_by_author ON invitation_email (organization_id, author, sent_on);
CREATE INDEX invitation_email_by_recipient ON invitation_email (recipient_digest, sent_on);
CREATE INDEX invitation_email_by_date ON invitation_email (sent_on);
