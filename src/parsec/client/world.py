"""Assembles transport, files, stores, clock and person, and carries out the steps of flows.

The one place of the client that reads the clock and draws random bytes.
"""

import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self, TypeVar, assert_never

from parsec.client.dialogue import ChooseProtection, Notice
from parsec.client.drive import drive
from parsec.client.files import (
    Directories,
    FoundDevice,
    StorageFailed,
    directories,
    ensure_writable,
    forget_device,
    in_use,
    list_devices,
    save_device_file,
)
from parsec.client.flows.certificate import Session
from parsec.client.guards import Guard, PreparedGuard
from parsec.client.records import (
    ForgottenCertificates,
    GatheredShares,
    NewDevice,
    RecoveryDone,
    VerifiedCertificates,
)
from parsec.client.recoveries import Recoveries, RecoveryDamaged
from parsec.client.rules.certificates import Ledger
from parsec.client.rules.device_file import open_device, protect
from parsec.client.step import Ask, Call, Flow, Keep, Means, News, Question, Step, Tell, Wait
from parsec.client.storage import (
    ChangedMeanwhile,
    CertificateStore,
    DamagedCertificates,
    StorageUnavailable,
)
from parsec.client.transport import AdminTransport, Http, Transport
from parsec.crypto.entropy import Entropy, system_entropy
from parsec.crypto.errors import CryptoError
from parsec.crypto.keys import SecretKey
from parsec.data.address import ServerAddr
from parsec.data.ids import DeviceID
from parsec.data.instant import Instant
from parsec.data.local_device import LocalDevice
from parsec.wire.msgpack import MalformedError

T = TypeVar("T")

_POLLING_VARIABLE = "_PARSEC_INVITE_POLLING_THROTTLE_MS"
