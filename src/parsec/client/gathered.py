"""The shares of a recovery that is under way, from one run of a command to the next.

`recoveries` keeps bytes; here they are shares of a set-up. Several processes may recover an account
at once, so what is kept is read and written by one of them at a time.
"""

from collections.abc import Callable
from contextlib import suppress

import msgspec

from parsec.client.dialogue import Notice
from parsec.client.files import StorageFailed
from parsec.client.guards.keyring import KeyringUnavailable
from parsec.client.records import GatheredShares, RecoverySaves
from parsec.client.recoveries import Recoveries, RecoveryDamaged
from parsec.client.step import News
from parsec.data.ids import UserID
from parsec.data.local_device import LocalDevice
from parsec.wire.msgpack import MalformedError


class Gathered:
    """What the recoveries of this machine have so far."""

    def __init__(self, recoveries: Recoveries, hear: Callable[[News], None]) -> None:
        self._recoveries = recoveries
        self._hear = hear

    def of_same_setup(self, beginning: GatheredShares) -> GatheredShares | None:
        """The shares that an earlier run gathered for the same set-up, if any can be used.

        Raises KeyringUnavailable where they are there, and their key out of reach.
        """
        try:
            kept = self._kept(beginning.user_id)
        except (RecoveryDamaged, StorageFailed, MalformedError) as error:
            self._hear(Notice(f"The shares gathered before cannot be used: {error}"))
            return None
        if kept is not None and not kept.same_setup(beginning):
            self._hear(Notice("The shares gathered before are of another shared recovery"))
            return None
        return kept

    def add(self, record: GatheredShares) -> None:
        """Keep shares beside those that another process has kept for the same set-up.

        Raises StorageFailed or KeyringUnavailable.
        """
        with self._recoveries.alone(record.user_id):
            kept = self._readable(record.user_id)
            if kept is not None and kept.same_setup(record):
                record = kept.with_shares(record.shares)
            self._recoveries.save_recovery(record.user_id, record.dump())

    def note_saving(self, record: RecoverySaves) -> None:
        """Write down which device they have led to. Raises StorageFailed or KeyringUnavailable."""
        with self._recoveries.alone(record.user_id):
            kept = self._readable(record.user_id)
            if kept is not None:
                noted = msgspec.structs.replace(kept, device_id=record.device_id)
                self._recoveries.save_recovery(record.user_id, noted.dump())

    def forget(self, user_id: UserID) -> None:
        """Delete those of a user. Raises StorageFailed or KeyringUnavailable."""
        with self._recoveries.alone(user_id):
            self._recoveries.forget_recovery(user_id)

    def drop_used(self, device: LocalDevice) -> None:
        """Delete those that have led to this device, where the run was interrupted before."""
        if not self._recoveries.has_recovery(device.user_id):
            return
        # They are not what this command is about: what cannot be read or deleted stays.
        with (
            suppress(RecoveryDamaged, StorageFailed, MalformedError, KeyringUnavailable),
            self._recoveries.alone(device.user_id),
        ):
            kept = self._kept(device.user_id)
            if kept is not None and kept.device_id == device.device_id:
                self._recoveries.forget_recovery(device.user_id)

    def _kept(self, user_id: UserID) -> GatheredShares | None:
        payload = self._recoveries.load_recovery(user_id)
        return None if payload is None else GatheredShares.load(payload)

    def _readable(self, user_id: UserID) -> GatheredShares | None:
        """The same, where what cannot be read counts as not there."""
        with suppress(RecoveryDamaged, StorageFailed, MalformedError):
            return self._kept(user_id)
        return None
