"""One-time codes: set-up, and the keys that they release."""

import structlog

from parsec.crypto.keys import SecretKey
from parsec.data.ids import AccessToken, TOTPOpaqueKeyID, UserID
from parsec.data.people import OrganizationID
from parsec.protocol import totp as wire
from parsec.protocol.statuses import InvalidOneTimePassword, Ok, Throttled
from parsec.server.records import Failures, OpaqueKeyRecord, TotpRecord, TotpSecret
from parsec.server.rules import totp as rules
from parsec.server.service.context import AnonymousContext, AuthenticatedContext, Context
from parsec.server.store import totp as store
from parsec.server.store import user as users
from parsec.server.store.engine import Transaction
from parsec.server.store.stray_failures import StrayKey

_log = structlog.get_logger()


# --- Set-up by a device of the user ---


async def totp_setup_get_secret(
    context: AuthenticatedContext,
    request: wire.TotpSetupGetSecret,  # noqa: ARG001
) -> wire.TotpSetupGetSecretReply:
    async with context.writing() as (transaction, author):
        user_id = author.user.user_id
        setup = await _locked_setup(context, transaction, context.organization_id, user_id)
        rules.check_not_complete(setup)
        secret = await _secret(context, transaction, context.organization_id, user_id, setup)
    return wire.TotpSetupGetSecretOk(totp_secret=secret)


async def totp_setup_confirm(
    context: AuthenticatedContext, request: wire.TotpSetupConfirm
) -> wire.TotpSetupConfirmReply:
    async with context.writing() as (transaction, author):
        user_id = author.user.user_id
        setup = await _locked_setup(context, transaction, context.organization_id, user_id)
        rules.check_not_complete(setup)
        rules.check_confirmation(setup, request.one_time_password, now=context.now)
        await store.complete(transaction, context.organization_id, user_id, on=context.now)
    return Ok()


# --- Set-up by the holder of the token of a reset ---


async def anonymous_totp_setup_get_secret(
    context: AnonymousContext, request: wire.AnonymousTotpSetupGetSecret
) -> wire.AnonymousTotpSetupGetSecretReply:
    async with context.writing() as (transaction, _):
        setup = await _setup_of_token(context, transaction, request.user_id, request.token)
        secret = await _secret(
            context, transaction, context.organization_id, request.user_id, setup
        )
    return wire.AnonymousTotpSetupGetSecretOk(totp_secret=secret)


async def anonymous_totp_setup_confirm(
    context: AnonymousContext, request: wire.AnonymousTotpSetupConfirm
) -> wire.AnonymousTotpSetupConfirmReply:
    async with context.writing() as (transaction, _):
        setup = await _setup_of_token(context, transaction, request.user_id, request.token)
        rules.check_confirmation(setup, request.one_time_password, now=context.now)
        await store.complete(transaction, context.organization_id, request.user_id, on=context.now)
    return Ok()


async def _setup_of_token(
    context: AnonymousContext, transaction: Transaction, user_id: UserID, token: AccessToken
) -> TotpRecord:
    setup = await _locked_setup(context, transaction, context.organization_id, user_id)
    rules.check_reset_token(
        await users.user(transaction, context.organization_id, user_id),
        setup,
        token,
        now=context.now,
        lifetime=context.settings.totp_reset_lifetime,
    )
    return setup


async def _locked_setup(
    context: Context, transaction: Transaction, organization_id: OrganizationID, user_id: UserID
) -> TotpRecord:
    await transaction.lock(store.totp_lock(organization_id, user_id))
    return await store.setup(transaction, context.sealing, organization_id, user_id)


async def _secret(
    context: Context,
    transaction: Transaction,
    organization_id: OrganizationID,
    user_id: UserID,
    setup: TotpRecord,
) -> TotpSecret:
    """The secret of a set-up, made at the first request and the same until it is complete."""
    if setup.secret is not None:
        return setup.secret
    secret = TotpSecret.generate(context.entropy)
    await store.set_secret(transaction, context.sealing, organization_id, user_id, secret)
    return secret


# --- Keys ---


async def totp_create_opaque_key(
    context: AuthenticatedContext,
    request: wire.TotpCreateOpaqueKey,  # noqa: ARG001
) -> wire.TotpCreateOpaqueKeyReply:
    """May come before the set-up: the key is released once that is complete."""
    key = OpaqueKeyRecord(
        opaque_key_id=TOTPOpaqueKeyID.generate(context.entropy),
        opaque_key=SecretKey.generate(context.entropy),
        failures=Failures(),
    )
    if not await _add_key_at_once(context, key):
        async with context.writing() as (transaction, author):
            await _check_quota(context, transaction, author.user.user_id)
            await store.add_opaque_key(
                transaction,
                context.sealing,
                context.organization_id,
                author.user.user_id,
                key,
                created_on=context.now,
            )
    return wire.TotpCreateOpaqueKeyOk(opaque_key=key.opaque_key, opaque_key_id=key.opaque_key_id)


async def _add_key_at_once(context: AuthenticatedContext, key: OpaqueKeyRecord) -> bool:
    """Whether one statement could do it: no quota, and nobody changes the key of the server."""
    if context.settings.totp_opaque_keys_per_user is not None:
        return False
    async with context.writing_single() as (transaction, author):
        return await store.add_opaque_key_at_once(
            transaction,
            context.sealing,
            context.organization_id,
            author.user.user_id,
            key,
            created_on=context.now,
        )


async def _check_quota(
    context: AuthenticatedContext, transaction: Transaction, user_id: UserID
) -> None:
    quota = context.settings.totp_opaque_keys_per_user
    if quota is None:
        return
    await transaction.lock(store.totp_lock(context.organization_id, user_id))
    keys = await store.opaque_keys_count(transaction, context.organization_id, user_id)
    rules.check_may_create_key(keys, quota=quota)


async def totp_fetch_opaque_key(
    context: AnonymousContext, request: wire.TotpFetchOpaqueKey
) -> wire.TotpFetchOpaqueKeyReply:
    """The user is locked before its failures are read: of many codes at once, one is looked at."""
    organization_id, user_id = context.organization_id, request.user_id
    strays = context.server.stray_failures
    async with context.writing() as (transaction, _):
        setup = await _locked_setup(context, transaction, organization_id, user_id)
        user = await users.user(transaction, organization_id, user_id)
        key = await store.opaque_key(
            transaction, context.sealing, organization_id, user_id, request.opaque_key_id
        )
        # Before it is known to which kind of key the code belongs, so that both cost the same.
        stray = await strays.key(
            transaction,
            organization_id,
            user_id,
            request.opaque_key_id,
            entropy=context.entropy,
        )
        failures = await strays.failures(transaction, stray)
        if user is not None and not rules.can_release(user, setup):
            return InvalidOneTimePassword()
        if user is None or key is None:
            return await _judge_stray_code(context, transaction, request, stray, failures)
        return await _judge_code(context, transaction, request, setup, key)


async def _judge_code(
    context: AnonymousContext,
    transaction: Transaction,
    request: wire.TotpFetchOpaqueKey,
    setup: TotpRecord,
    key: OpaqueKeyRecord,
) -> wire.TotpFetchOpaqueKeyReply:
    names = (context.organization_id, request.user_id, request.opaque_key_id)
    decision = rules.judge_code(setup, key, request.one_time_password, now=context.now)
    match decision:
        case rules.Waits():
            return Throttled(wait_until=decision.until)
        case rules.Missed():
            await store.set_failures(transaction, *names, key=decision.key, user=decision.user)
            _warn("wrong one-time code", request, failures=decision.user.count)
            return InvalidOneTimePassword()
        case rules.Released():
            await store.set_success(transaction, *names, step=decision.step, on=context.now)
            if decision.is_used_again:
                _warn("one-time code used again", request)
            return wire.TotpFetchOpaqueKeyOk(opaque_key=key.opaque_key)


async def _judge_stray_code(
    context: AnonymousContext,
    transaction: Transaction,
    request: wire.TotpFetchOpaqueKey,
    stray: StrayKey,
    failures: Failures,
) -> wire.TotpFetchOpaqueKeyReply:
    """As for a real key, down to the commit and the number of rows: nothing tells it from one."""
    decision = rules.judge_stray_code(failures, request.one_time_password, now=context.now)
    match decision:
        case rules.Waits():
            return Throttled(wait_until=decision.until)
        case rules.Missed():
            await context.server.stray_failures.set_failures(transaction, stray, decision.key)
            await store.add_stray_failure(transaction, context.organization_id, on=context.now)
            _warn("one-time code for an unknown key", request, failures=decision.key.count)
            return InvalidOneTimePassword()


def _warn(event: str, request: wire.TotpFetchOpaqueKey, **more: object) -> None:
    _log.warning(event, user=request.user_id.hex(), key=request.opaque_key_id.hex(), **more)
