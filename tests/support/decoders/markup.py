"""What a page or a mail is built of, for whom only names and links may differ."""

from html.parser import HTMLParser


def shape(markup: str) -> list[tuple[str, tuple[str, ...]]]:
    """The tags in their order, each with the names of its attributes; the texts left out."""
    reader = _Shape()
    reader.feed(markup)
    reader.close()
    return reader.found


class _Shape(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.found: list[tuple[str, tuple[str, ...]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, tuple(name for name, _ in attrs)))

    def handle_endtag(self, tag: str) -> None:
        self.found.append((f"/{tag}", ()))

    def handle_comment(self, data: str) -> None:
        self.found.append(("comment", ()))

    def handle_decl(self, decl: str) -> None:
        self.found.append(("declaration", ()))
