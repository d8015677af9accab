"""The templates of mails: those of the package, and those of an operator."""

from pathlib import Path

import pytest

from parsec.server.outbound.mail_templates import MailTemplates, TemplateFailure
from parsec.server.settings import Language

NAMES = [
    f"{name}.{form}"
    for name in (
        "user_invitation",
        "device_invitation",
        "shamir_recovery_invitation",
        "totp_reset",
    )
    for form in ("txt", "html")
]
VALUES = {"organization": "Org", "link": "https://x/?a=1&b=2", "greeter": "Al <b>"}


def fill(folder: Path, text: str = "{{ organization }} {{ link }}") -> None:
    folder.mkdir(exist_ok=True)
    for name in NAMES:
        (folder / name).write_text(text, encoding="utf-8")


@pytest.mark.parametrize("language", Language)
def test_those_of_the_package_are_whole_in_each_language(language: Language) -> None:
    MailTemplates(language).check()


def test_a_folder_with_all_of_them_is_good(tmp_path: Path) -> None:
    fill(tmp_path)

    MailTemplates(Language.EN, tmp_path).check()


def test_they_may_stand_in_a_folder_for_the_language(tmp_path: Path) -> None:
    fill(tmp_path / "fr")

    MailTemplates(Language.FR, tmp_path).check()


def test_a_text_in_the_language_wins(tmp_path: Path) -> None:
    fill(tmp_path, "any")
    fill(tmp_path / "fr", "français")

    found = {
        language: MailTemplates(language, tmp_path).texts("totp_reset", VALUES).plain
        for language in Language
    }

    assert found == {Language.EN: "any", Language.FR: "français"}


def test_all_that_are_missing_are_named(tmp_path: Path) -> None:
    fill(tmp_path)
    (tmp_path / "totp_reset.html").unlink()
    (tmp_path / "user_invitation.txt").unlink()

    with pytest.raises(TemplateFailure) as failure:
        MailTemplates(Language.EN, tmp_path).check()

    assert str(failure.value) == f"{tmp_path} lacks user_invitation.txt, totp_reset.html"


def test_those_of_another_language_do_not_count(tmp_path: Path) -> None:
    fill(tmp_path / "fr")

    with pytest.raises(TemplateFailure, match="lacks"):
        MailTemplates(Language.EN, tmp_path).check()


@pytest.mark.parametrize(
    "text",
    [
        "{{ unknown }}",
        "{% if %}",
        "{% include 'other.txt' %}",
        "{{ 1 / 0 }}",
        "{{ link + 1 }}",
        "{{ link.unknown.more }}",
    ],
)
def test_what_cannot_be_written_is_named(tmp_path: Path, text: str) -> None:
    fill(tmp_path)
    (tmp_path / "device_invitation.txt").write_text(text)

    with pytest.raises(TemplateFailure, match=r"^device_invitation\.txt: "):
        MailTemplates(Language.EN, tmp_path).check()


def test_a_file_that_is_no_text_is_named(tmp_path: Path) -> None:
    fill(tmp_path)
    (tmp_path / "device_invitation.txt").write_bytes(b"\xff\xfe")

    with pytest.raises(TemplateFailure, match=r"^device_invitation\.txt: "):
        MailTemplates(Language.EN, tmp_path).check()


def test_only_html_is_escaped(tmp_path: Path) -> None:
    fill(tmp_path, "{{ greeter }} {{ link }}")

    texts = MailTemplates(Language.EN, tmp_path).texts("user_invitation", VALUES)

    assert texts.plain == "Al <b> https://x/?a=1&b=2"
    assert texts.html == "Al &lt;b&gt; https://x/?a=1&amp;b=2"
