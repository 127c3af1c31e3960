"""A form as a browser reads it from a page and sends it back."""

from html.parser import HTMLParser


class _Forms(HTMLParser):
    """The fields of each form by the form's action."""

    def __init__(self) -> None:
        super().__init__()
        self.found: dict[str, dict[str, str]] = {}
        self._form: dict[str, str] | None = None
        self._select: str | None = None
        self._text: str | None = None
        self._chunks: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "form":
            self._form = self.found.setdefault(given.get("action", ""), {})
        elif self._form is None:
            return
        elif tag == "input":
            self._input(given, self._form)
        elif tag == "textarea":
            self._text, self._chunks = given["name"], []
        elif tag == "select":
            self._select = given["name"]
        elif tag == "option" and self._select is not None:
            self._option(given, self._form, self._select)

    def _input(self, given: dict[str, str], form: dict[str, str]) -> None:
        is_box = given.get("type") in ("checkbox", "radio")
        if "name" in given and (not is_box or "checked" in given):
            form[given["name"]] = given.get("value", "on")

    def _option(self, given: dict[str, str], form: dict[str, str], name: str) -> None:
        # Without a value it has its text, which these pages write for zones alone.
        self._text, self._chunks = None, []
        self._pending = (name, "selected" in given, given.get("value"))
        if given.get("value") is not None and ("selected" in given or name not in form):
            form[name] = given["value"]

    def handle_data(self, data: str) -> None:
        self._chunks.append(data)

    def handle_endtag(self, tag: str) -> None:
        if self._form is None:
            return
        if tag == "textarea" and self._text is not None:
            # The line break right after the tag does not count; others go out as two characters.
            text = "".join(self._chunks).removeprefix("\n")
            self._form[self._text] = text.replace("\n", "\r\n")
            self._text = None
        elif tag == "option":
            name, is_chosen, value = self._pending
            if value is None and (is_chosen or name not in self._form):
                self._form[name] = "".join(self._chunks).strip()
        elif tag == "select":
            self._select = None
        elif tag == "form":
            self._form = None


def form_of(page: str, action: str) -> dict[str, str]:
    """What a browser would send for the form with this action, untouched."""
    read = _Forms()
    read.feed(page)
    read.close()
    return read.found[action]
