"""Records for what nearly every command loads.

Python takes more than a millisecond to define a frozen dataclass, a tenth of what an empty program
takes.
"""

from typing import Any, ClassVar, Self, dataclass_transform


@dataclass_transform(kw_only_default=True, frozen_default=True)
class Record:
    """What a class derived from it annotates, given by name, or else as the class has it.

    It shows none of its values, some of which are secrets.
    """

    _known: ClassVar[frozenset[str]] = frozenset()
    _required: ClassVar[frozenset[str]] = frozenset()

    def __init_subclass__(cls) -> None:
        own = frozenset(vars(cls).get("__annotations__", ()))
        cls._known |= own
        cls._required |= {name for name in own if not hasattr(cls, name)}

    def __init__(self, **values: Any) -> None:
        if not self._required <= values.keys() <= self._known:
            wrong = sorted((self._required - values.keys()) | (values.keys() - self._known))
            raise TypeError(f"{type(self).__name__}: missing or unknown are {', '.join(wrong)}")
        vars(self).update(values)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"{type(self).__name__} does not change")

    def but(self, **changes: Any) -> Self:
        """The same with other values."""
        return type(self)(**{**vars(self), **changes})
