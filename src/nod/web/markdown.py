"""Markdown from agents and people as safe HTML.

markdown-it-py reads it (CommonMark with tables, strikethrough and bare links), Pygments colours
code, and nh3 lets through only what is listed here: the text comes from outside. Pictures are
shown when they are ours; any other becomes a link, so that opening a chat calls nobody.
"""

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import nh3
from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.rules_core import StateCore
from markdown_it.token import Token
from markdown_it.utils import EnvType, OptionsDict
from markupsafe import Markup, escape
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import get_lexer_by_name
from pygments.util import ClassNotFound

_OUR_IMAGE = re.compile(r"(?:https?://[^/]+)?(?:/api)?/images/(img_[0-9a-z]+)")
# Colouring costs more the longer the code is; beyond this it is shown plain.
_COLOURED_CHARS = 20_000
# Rendered texts of usual length are kept, so that a chat is not rendered anew for each look.
_KEPT_CHARS = 8_000

_TAGS = {
    *("p", "br", "hr", "h3", "h4", "h5", "h6", "blockquote", "pre", "code", "span", "ul", "ol"),
    *("li", "em", "strong", "s", "a", "img", "div"),
    *("table", "thead", "tbody", "tr", "th", "td"),
}
_ATTRIBUTES = {
    "a": {"href", "title"},
    "img": {"src", "alt", "title", "loading"},
    "ol": {"start"},
    "code": {"class"},
    "span": {"class"},
    "div": {"class", "tabindex", "role", "aria-label"},
    "pre": {"tabindex"},
    "th": {"class"},
    "td": {"class"},
}
_FORMATTER = HtmlFormatter(nowrap=True, classprefix="hl-")


def to_html(text: str) -> Markup:
    """The text as HTML that may stand in a page."""
    return _kept(text) if len(text) <= _KEPT_CHARS else _render(text)


def headline(text: str, chars: int) -> str:
    """The first heading or paragraph as one line of at most `chars` characters."""
    first = next((each for each in _MARKDOWN.parse(text[: chars * 8]) if each.content), None)
    return "" if first is None else _cut(_words([first]), chars)


def below_headline(text: str, chars: int = 120) -> str:
    """The text without the heading it begins with, if `headline(text, chars)` shows all of it."""
    read = _MARKDOWN.parse(text[: chars * 8])
    if len(read) < 2 or read[0].type != "heading_open" or read[0].map is None:
        return text
    words = _words([read[1]])
    if not words or _cut(words, chars) != " ".join(words.split()):
        return text
    return "\n".join(re.split(r"\r\n?|\n", text)[read[0].map[1] :])


def plain(text: str, chars: int) -> str:
    """The first words of the text without its marks, for a line in a list; at most `chars`."""
    read = _MARKDOWN.parse(text[: chars * 8])
    return _cut(_words(read), chars)


def _cut(text: str, chars: int) -> str:
    words = " ".join(text.split())
    return words if len(words) <= chars else words[: chars - 1].rsplit(" ", 1)[0] + "…"


def _words(tokens: Sequence[Token]) -> str:
    found: list[str] = []
    for token in tokens:
        if token.type == "inline":
            found.append("".join(_inline(child) for child in token.children or ()))
        elif token.type in ("fence", "code_block"):
            found.append(token.content)
    return " · ".join(part.strip() for part in found if part.strip())


def _inline(token: Token) -> str:
    if token.type in ("softbreak", "hardbreak"):
        return " "
    return token.content


def _render(text: str) -> Markup:
    html = _MARKDOWN.render(text)
    return Markup(  # noqa: S704 - this is the one place that makes it safe
        nh3.clean(
            html,
            tags=_TAGS,
            attributes=_ATTRIBUTES,
            url_schemes={"http", "https", "mailto", "tel"},
            link_rel="noopener noreferrer nofollow",
            attribute_filter=_only_ours,
        )
    )


_kept = lru_cache(maxsize=2_000)(_render)


def _only_ours(tag: str, attribute: str, value: str) -> str | None:
    if tag == "img" and attribute == "src" and not value.startswith("/images/img_"):
        return None
    return value


# how single tokens are drawn


def _fence(
    _: RendererHTML, tokens: Sequence[Token], index: int, __: OptionsDict, ___: EnvType
) -> str:
    token = tokens[index]
    language = token.info.strip().split(" ")[0] if token.info else ""
    return (
        '<div class="code"><pre tabindex="0"><code>'
        f"{_coloured(token.content, language)}</code></pre></div>\n"
    )


def _coloured(code: str, language: str) -> str:
    if language and len(code) <= _COLOURED_CHARS:
        try:
            return str(highlight(code, get_lexer_by_name(language), _FORMATTER))
        except ClassNotFound:
            pass
    return str(escape(code))


def _image(
    _: RendererHTML, tokens: Sequence[Token], index: int, __: OptionsDict, ___: EnvType
) -> str:
    token = tokens[index]
    source, alt = str(token.attrGet("src") or ""), token.content
    ours = _OUR_IMAGE.fullmatch(source)
    if ours is not None:
        return f'<img src="/images/{ours[1]}" alt="{escape(alt)}" loading="lazy">'
    return f'<a href="{escape(source)}">{escape(alt or source)}</a>'


def _outline(state: StateCore) -> None:
    """The page has its own first two levels; below them no level is left out."""
    above: list[int] = []
    for token in state.tokens:
        if token.type == "heading_open":
            level = int(token.tag[1])
            above = [*(each for each in above if each < level), level]
        if token.type in ("heading_open", "heading_close"):
            token.tag = f"h{min(6, 2 + len(above))}"


def _table_open(*_: Any) -> str:
    return '<div class="table" tabindex="0" role="region" aria-label="Table"><table>\n'


def _table_close(*_: Any) -> str:
    return "</table></div>\n"


def _cell(
    self: RendererHTML, tokens: Sequence[Token], index: int, options: OptionsDict, env: EnvType
) -> str:
    # The policy of the page allows no style attributes.
    token = tokens[index]
    style = str(token.attrs.pop("style", ""))
    if "right" in style or "center" in style:
        token.attrSet("class", "right" if "right" in style else "center")
    return str(self.renderToken(tokens, index, options, env))


def _make() -> MarkdownIt:
    markdown = MarkdownIt("commonmark", {"html": False, "linkify": True})
    markdown.enable(["table", "strikethrough", "linkify"])
    markdown.core.ruler.push("outline", _outline)
    for name, rule in {
        "fence": _fence,
        "code_block": _fence,
        "image": _image,
        "table_open": _table_open,
        "table_close": _table_close,
        "th_open": _cell,
        "td_open": _cell,
    }.items():
        markdown.add_render_rule(name, rule)
    return markdown


_MARKDOWN = _make()
