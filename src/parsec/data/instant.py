"""UTC timestamps as the wire has them: microseconds since 1970, over more years than datetime."""

import re
from typing import Self

from parsec.wire.msgpack import RawInstant

_SECOND = 1_000_000
_DAY = 86_400 * _SECOND
# The first and the last instant of wire.md 3.2, in the years -262143 and 262142.
_FIRST = -8_334_601_228_800_000_000
_LAST = 8_210_266_876_799_999_999

# Compiled when it is needed: most commands read no dates.
_TEXT = (
    r"(?P<year>[0-9]{4}|[+-][0-9]{4,6})-(?P<month>[0-9]{2})-(?P<day>[0-9]{2})"
    r"[Tt ]"
    r"(?P<hour>[0-9]{2}):(?P<minute>[0-9]{2}):(?P<second>[0-9]{2})(?:\.(?P<fraction>[0-9]+))?"
    r"(?:[Zz]|(?P<sign>[+-])(?P<offset_hour>[0-9]{2}):(?P<offset_minute>[0-9]{2}))"
)


class Instant(int):
    """A point in time, exact to the microsecond; raises ValueError outside the wire's range."""

    __slots__ = ()

    def __new__(cls, microseconds: int) -> Self:
        if not _FIRST <= microseconds <= _LAST:
            raise ValueError("this instant is outside the range of dates")
        return super().__new__(cls, microseconds)

    @classmethod
    def from_wire(cls, value: object) -> Self:
        """Take what the MessagePack decoder yields for a date; raises ValueError."""
        if type(value) is not RawInstant:
            raise ValueError("a date is an extension on the wire")
        return cls(value)

    def to_wire(self) -> RawInstant:
        return RawInstant(self)

    @classmethod
    def from_seconds(cls, seconds: int) -> Self:
        """The instant a whole number of seconds after the epoch; raises ValueError."""
        return cls(seconds * _SECOND)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read RFC 3339 with an offset (wire.md 4.5); raises ValueError."""
        match = re.fullmatch(_TEXT, text)
        if match is None:
            raise ValueError("not a date of RFC 3339")
        year, month, day = int(match["year"]), int(match["month"]), int(match["day"])
        if not (1 <= month <= 12 and 1 <= day <= _days_in_month(year, month)):
            raise ValueError("there is no such day")
        minutes = _minutes(match["hour"], match["minute"])
        seconds = int(match["second"])
        if seconds > 59:
            raise ValueError("there is no such second")
        if match["sign"]:
            offset = _minutes(match["offset_hour"], match["offset_minute"])
            minutes += offset if match["sign"] == "-" else -offset
        # Digits past the sixth are cut, not rounded.
        fraction = int(((match["fraction"] or "")[:6]).ljust(6, "0"))
        whole = _days_from_civil(year, month, day) * _DAY + (minutes * 60 + seconds) * _SECOND
        return cls(whole + fraction)

    @property
    def rfc3339(self) -> str:
        """The text of wire.md 4.5: in UTC, with the shortest exact fraction of 0, 3 or 6 digits."""
        days, rest = divmod(int(self), _DAY)
        year, month, day = _civil_from_days(days)
        seconds, fraction = divmod(rest, _SECOND)
        minutes, second = divmod(seconds, 60)
        hour, minute = divmod(minutes, 60)
        return (
            f"{_year_text(year)}-{month:02}-{day:02}"
            f"T{hour:02}:{minute:02}:{second:02}{_fraction_text(fraction)}Z"
        )

    @property
    def seconds(self) -> int:
        """Whole seconds since the epoch, rounded down (one microsecond before it is second -1)."""
        return int(self) // _SECOND

    def plus(
        self, *, seconds: float = 0, milliseconds: float = 0, microseconds: int = 0
    ) -> "Instant":
        """The instant so much later (earlier if negative); raises ValueError outside the range."""
        # Whole numbers stay whole: a float holds no microsecond of a far date exactly.
        added = int(seconds * _SECOND) + int(milliseconds * 1_000) + microseconds
        return Instant(int(self) + added)

    def seconds_since(self, other: "Instant") -> float:
        """How much later than `other` this is, negative if earlier."""
        return (int(self) - int(other)) / _SECOND

    def microseconds_since(self, other: "Instant") -> int:
        """How much later than `other` this is, exactly, negative if earlier."""
        return int(self) - int(other)

    def __str__(self) -> str:
        return self.rfc3339

    def __repr__(self) -> str:
        return f"Instant({self.rfc3339})"

    # An int would format itself as a number.
    def __format__(self, spec: str) -> str:
        return format(str(self), spec)


def _minutes(hour: str, minute: str) -> int:
    if int(hour) > 23 or int(minute) > 59:
        raise ValueError("there is no such time of day")
    return int(hour) * 60 + int(minute)


def _year_text(year: int) -> str:
    return f"{year:04}" if 0 <= year <= 9999 else f"{year:+05}"


def _fraction_text(microseconds: int) -> str:
    if microseconds == 0:
        return ""
    if microseconds % 1_000 == 0:
        return f".{microseconds // 1_000:03}"
    return f".{microseconds:06}"


def _days_in_month(year: int, month: int) -> int:
    if month == 2:
        leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
        return 29 if leap else 28
    return 30 if month in (4, 6, 9, 11) else 31


# The proleptic Gregorian calendar in years that begin in March, so that the leap day comes last,
# and in eras of 400 years, which all have 146097 days. Day 0 is 1970-01-01.
_ERA_DAYS = 146_097
_EPOCH = 719_468


def _days_from_civil(year: int, month: int, day: int) -> int:
    year -= month <= 2
    era, year_of_era = divmod(year, 400)
    day_of_year = (153 * ((month + 9) % 12) + 2) // 5 + day - 1
    day_of_era = year_of_era * 365 + year_of_era // 4 - year_of_era // 100 + day_of_year
    return era * _ERA_DAYS + day_of_era - _EPOCH


def _civil_from_days(days: int) -> tuple[int, int, int]:
    era, day_of_era = divmod(days + _EPOCH, _ERA_DAYS)
    year_of_era = (
        day_of_era - day_of_era // 1_460 + day_of_era // 36_524 - day_of_era // 146_096
    ) // 365
    day_of_year = day_of_era - (365 * year_of_era + year_of_era // 4 - year_of_era // 100)
    month_from_march = (5 * day_of_year + 2) // 153
    day = day_of_year - (153 * month_from_march + 2) // 5 + 1
    month = (month_from_march + 2) % 12 + 1
    return era * 400 + year_of_era + (month <= 2), month, day
