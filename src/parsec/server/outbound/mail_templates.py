"""The texts of mails, from the templates of the package or of the operator."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from parsec.server.settings import Language

if TYPE_CHECKING:
    from jinja2 import Environment

INVITATIONS = ("user_invitation", "device_invitation", "shamir_recovery_invitation")
TOTP_RESET = "totp_reset"

_LINK = "https://parsec.example.com/redirect/Org?a=claim_user&p=xBA"
_WITHOUT_GREETER = ("device_invitation", TOTP_RESET)
_FORMS = ("txt", "html")


class TemplateFailure(Exception):
    """The operator's templates cannot be used as they are."""


class Texts(msgspec.Struct, frozen=True):
    """A mail's text, in both forms."""

    plain: str
    html: str

    def __repr__(self) -> str:
        """Nothing of it: there are links with tokens."""
        return "Texts(…)"


class MailTemplates:
    """A folder of templates, or those of the package; loaded at the first mail."""

    def __init__(self, language: Language, folder: Path | None = None) -> None:
        """`folder` replaces all templates of the package."""
        self._language = language
        self._folder = folder
        self._environment: Environment | None = None

    def texts(self, name: str, values: Mapping[str, str]) -> Texts:
        """The text of a mail. Raises TemplateFailure."""
        return Texts(*(self._rendered(f"{name}.{form}", values) for form in _FORMS))

    def check(self) -> None:
        """Write every mail once, for nobody. Raises TemplateFailure."""
        missing = self._missing()
        if missing:
            raise TemplateFailure(f"{self._folder} lacks {', '.join(missing)}")
        for name in (*INVITATIONS, TOTP_RESET):
            values = {"organization": "Org", "link": _LINK, "greeter": "Alice"}
            if name in _WITHOUT_GREETER:
                del values["greeter"]
            self.texts(name, values)

    def _missing(self) -> Sequence[str]:
        names = [f"{name}.{form}" for name in (*INVITATIONS, TOTP_RESET) for form in _FORMS]
        found = set(self._loaded().list_templates())
        return [name for name in names if not found.intersection(self._places(name))]

    def _rendered(self, name: str, values: Mapping[str, str]) -> str:
        from jinja2 import TemplateError

        try:
            template = self._loaded().select_template(self._places(name))
            return template.render(values, language=self._language.value)
        # Besides Jinja's own, whatever the expressions of an operator's template run into.
        except (TemplateError, OSError, ValueError, TypeError, ArithmeticError) as error:
            raise TemplateFailure(f"{name}: {type(error).__name__}: {error}") from error

    def _places(self, name: str) -> Sequence[str]:
        """A text in the language wins over one for all languages."""
        return f"{self._language.value}/{name}", name

    def _loaded(self) -> "Environment":
        if self._environment is None:
            self._environment = _environment(self._folder)
        return self._environment


def _environment(folder: Path | None) -> "Environment":
    # Imported at the first mail: most runs of the program send none.
    from jinja2 import (
        Environment,
        FileSystemLoader,
        PackageLoader,
        StrictUndefined,
        select_autoescape,
    )

    package = "parsec.server.outbound"
    return Environment(
        loader=PackageLoader(package) if folder is None else FileSystemLoader(folder),
        autoescape=select_autoescape(["html"]),
        undefined=StrictUndefined,
        keep_trailing_newline=True,
    )
