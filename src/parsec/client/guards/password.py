"""The protection by a password."""

from parsec.client.protection import PasswordFields
from parsec.client.rules.device_file import CostlyPassword, KeyUnavailable, WrongProtection
from parsec.crypto.entropy import Entropy
from parsec.crypto.errors import PasswordParametersError
from parsec.crypto.keys import SecretKey
from parsec.crypto.password import (
    DEFAULT_MEMLIMIT_KB,
    DEFAULT_OPSLIMIT,
    DEFAULT_PARALLELISM,
    SALT_SIZE,
    argon2id,
)
from parsec.data.device_file import AnyDeviceFile, Argon2id, PasswordDeviceFile

# A device file is its own authority on the cost (client.md 2.3), but whoever can write one must not
# be able to exhaust the machine that opens it (client.md 18, number 19).
HIGHEST_MEMORY_KB = 1024 * 1024
HIGHEST_WORK_KB = 32 * HIGHEST_MEMORY_KB
"""Memory times passes, half a minute or so."""


class PasswordGuard:
    """The key is derived from a password by Argon2id."""

    def __init__(self, password: str, *, accept_any_cost: bool = False) -> None:
        self._password = password
        self._accept_any_cost = accept_any_cost

    def new(self, entropy: Entropy) -> tuple[SecretKey, PasswordFields]:
        """A key by the default cost and a new salt. Raises KeyUnavailable."""
        algorithm = Argon2id(
            memlimit_kb=DEFAULT_MEMLIMIT_KB,
            opslimit=DEFAULT_OPSLIMIT,
            parallelism=DEFAULT_PARALLELISM,
            salt=entropy(SALT_SIZE),
        )
        return self._derive(algorithm), PasswordFields(algorithm)

    def key(self, file: AnyDeviceFile) -> SecretKey:
        """The key by the cost and the salt of the file.

        Raises WrongProtection, CostlyPassword (unless any cost is accepted) or KeyUnavailable.
        """
        if not isinstance(file, PasswordDeviceFile):
            raise WrongProtection(
                f"This device is not protected by a password but by {file.PROTECTION}"
            )
        if not self._accept_any_cost:
            _check_cost(file.algorithm)
        return self._derive(file.algorithm)

    def __repr__(self) -> str:
        return "PasswordGuard(…)"

    def _derive(self, algorithm: Argon2id) -> SecretKey:
        try:
            raw = argon2id(
                self._password,
                salt=algorithm.salt,
                opslimit=algorithm.opslimit,
                memlimit_kb=algorithm.memlimit_kb,
                parallelism=algorithm.parallelism,
            )
        except PasswordParametersError as error:
            raise KeyUnavailable(f"No key can be derived from the password: {error}") from error
        return SecretKey(raw)


def _check_cost(algorithm: Argon2id) -> None:
    work_kb = algorithm.memlimit_kb * algorithm.opslimit
    if algorithm.memlimit_kb > HIGHEST_MEMORY_KB or work_kb > HIGHEST_WORK_KB:
        raise CostlyPassword(
            f"This device file asks for {algorithm.memlimit_kb // 1024} MiB of memory and "
            f"{algorithm.opslimit} passes to derive its key, far more than usual",
            hint="go on only if you trust where the file comes from",
        )
