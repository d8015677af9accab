-- Organizations, users, devices, invitations, greeting, shared recovery.
-- One text for SQLite and PostgreSQL (where `store.dialect` spells BLOB and TEXT): instants are
-- microseconds since 1970, truths are 0 or 1, identifiers and tokens are their sixteen bytes.

CREATE TABLE organization (
    organization_id TEXT NOT NULL PRIMARY KEY,
    bootstrap_token BLOB,
    created_on BIGINT NOT NULL,
    bootstrapped_on BIGINT,
    root_verify_key BLOB,
    is_expired INTEGER NOT NULL DEFAULT 0,
    active_users_limit BIGINT,
    user_profile_outsider_allowed INTEGER NOT NULL,
    realm_minimum_archiving_period BIGINT NOT NULL,
    tos_per_locale_urls TEXT,
    tos_updated_on BIGINT,
    -- Kept beside the users so that no creation has to count them.
    active_users BIGINT NOT NULL DEFAULT 0
);

-- The last timestamp of each topic; creating a certificate locks and replaces it.
CREATE TABLE topic (
    organization_id TEXT NOT NULL REFERENCES organization,
    topic TEXT NOT NULL,
    last_timestamp BIGINT NOT NULL,
    PRIMARY KEY (organization_id, topic)
);

-- In the order in which a client is told: a user comes before its first device.
CREATE TABLE common_certificate (
    organization_id TEXT NOT NULL REFERENCES organization,
    timestamp BIGINT NOT NULL,
    position INTEGER NOT NULL,
    certificate BLOB NOT NULL,
    -- What OUTSIDERs get; NULL where it is the same.
    redacted_certificate BLOB,
    PRIMARY KEY (organization_id, timestamp, position)
);

CREATE TABLE sequester_certificate (
    organization_id TEXT NOT NULL REFERENCES organization,
    timestamp BIGINT NOT NULL,
    certificate BLOB NOT NULL,
    PRIMARY KEY (organization_id, timestamp)
);

CREATE TABLE "user" (
    organization_id TEXT NOT NULL REFERENCES organization,
    user_id BLOB NOT NULL,
    email TEXT NOT NULL,
    label TEXT NOT NULL,
    profile TEXT NOT NULL,
    created_on BIGINT NOT NULL,
    revoked_on BIGINT,
    is_frozen INTEGER NOT NULL DEFAULT 0,
    tos_accepted_on BIGINT,
    PRIMARY KEY (organization_id, user_id)
);
CREATE UNIQUE INDEX user_email ON "user" (organization_id, email) WHERE revoked_on IS NULL;
CREATE INDEX user_profile ON "user" (organization_id, profile);

-- Which profile a user had from when on, for the statistics of a past date.
CREATE TABLE user_profile_since (
    organization_id TEXT NOT NULL,
    user_id BLOB NOT NULL,
    since BIGINT NOT NULL,
    profile TEXT NOT NULL,
    PRIMARY KEY (organization_id, user_id, since),
    FOREIGN KEY (organization_id, user_id) REFERENCES "user"
);

CREATE TABLE device (
    organization_id TEXT NOT NULL,
    device_id BLOB NOT NULL,
    user_id BLOB NOT NULL,
    verify_key BLOB NOT NULL,
    created_on BIGINT NOT NULL,
    PRIMARY KEY (organization_id, device_id),
    FOREIGN KEY (organization_id, user_id) REFERENCES "user"
);
CREATE INDEX device_user ON device (organization_id, user_id);

-- A set-up is named by its owner and the timestamp of its brief.
CREATE TABLE shamir_setup (
    organization_id TEXT NOT NULL,
    user_id BLOB NOT NULL,
    created_on BIGINT NOT NULL,
    threshold INTEGER NOT NULL,
    brief_certificate BLOB NOT NULL,
    reveal_token BLOB NOT NULL,
    -- Erased by the deletion.
    ciphered_data BLOB,
    deleted_on BIGINT,
    deletion_certificate BLOB,
    PRIMARY KEY (organization_id, user_id, created_on),
    FOREIGN KEY (organization_id, user_id) REFERENCES "user"
);
CREATE UNIQUE INDEX shamir_setup_active ON shamir_setup (organization_id, user_id)
    WHERE deleted_on IS NULL;

CREATE TABLE shamir_share (
    organization_id TEXT NOT NULL,
    user_id BLOB NOT NULL,
    created_on BIGINT NOT NULL,
    recipient_id BLOB NOT NULL,
    shares INTEGER NOT NULL,
    share_certificate BLOB NOT NULL,
    PRIMARY KEY (organization_id, user_id, created_on, recipient_id),
    FOREIGN KEY (organization_id, user_id, created_on) REFERENCES shamir_setup,
    FOREIGN KEY (organization_id, recipient_id) REFERENCES "user"
);
CREATE INDEX shamir_share_recipient ON shamir_share (organization_id, recipient_id);

CREATE TABLE invitation (
    organization_id TEXT NOT NULL REFERENCES organization,
    token BLOB NOT NULL,
    type TEXT NOT NULL,
    created_on BIGINT NOT NULL,
    created_by BLOB NOT NULL,
    -- USER.
    claimer_email TEXT,
    -- DEVICE and SHAMIR_RECOVERY.
    claimer_user_id BLOB,
    -- SHAMIR_RECOVERY.
    setup_created_on BIGINT,
    status TEXT NOT NULL DEFAULT 'PENDING',
    ended_on BIGINT,
    PRIMARY KEY (organization_id, token),
    FOREIGN KEY (organization_id, created_by) REFERENCES "user",
    FOREIGN KEY (organization_id, claimer_user_id) REFERENCES "user",
    FOREIGN KEY (organization_id, claimer_user_id, setup_created_on) REFERENCES shamir_setup
);
CREATE INDEX invitation_created_on ON invitation (organization_id, type, created_on);
CREATE INDEX invitation_claimer ON invitation (organization_id, claimer_user_id, setup_created_on);
CREATE UNIQUE INDEX invitation_pending_user ON invitation (organization_id, claimer_email)
    WHERE status = 'PENDING' AND type = 'USER';
CREATE UNIQUE INDEX invitation_pending_device ON invitation (organization_id, claimer_user_id)
    WHERE status = 'PENDING' AND type = 'DEVICE';
CREATE UNIQUE INDEX invitation_pending_shamir
    ON invitation (organization_id, claimer_user_id, setup_created_on)
    WHERE status = 'PENDING' AND type = 'SHAMIR_RECOVERY';

CREATE TABLE greeting_attempt (
    organization_id TEXT NOT NULL,
    greeting_attempt_id BLOB NOT NULL,
    token BLOB NOT NULL,
    greeter BLOB NOT NULL,
    greeter_joined_on BIGINT,
    claimer_joined_on BIGINT,
    cancelled_origin TEXT,
    cancelled_reason TEXT,
    cancelled_on BIGINT,
    PRIMARY KEY (organization_id, greeting_attempt_id),
    FOREIGN KEY (organization_id, token) REFERENCES invitation,
    FOREIGN KEY (organization_id, greeter) REFERENCES "user"
);
CREATE INDEX greeting_attempt_greeter ON greeting_attempt (organization_id, token, greeter);
CREATE UNIQUE INDEX greeting_attempt_active ON greeting_attempt (organization_id, token, greeter)
    WHERE cancelled_on IS NULL;

CREATE TABLE greeting_step (
    organization_id TEXT NOT NULL,
    greeting_attempt_id BLOB NOT NULL,
    step INTEGER NOT NULL,
    -- Empty bytes for a step that carries nothing; NULL until it is submitted.
    greeter_data BLOB,
    claimer_data BLOB,
    PRIMARY KEY (organization_id, greeting_attempt_id, step),
    FOREIGN KEY (organization_id, greeting_attempt_id) REFERENCES greeting_attempt
);
