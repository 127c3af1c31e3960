"""What agents write is shown as they meant it, and does nothing in the page."""

import re
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nod.web.markdown import below_headline, headline, plain, to_html

ALLOWED: dict[str, set[str]] = {
    **{tag: set() for tag in ("p", "br", "hr", "h3", "h4", "h5", "h6", "blockquote", "ul", "li")},
    **{tag: set() for tag in ("em", "strong", "s", "table", "thead", "tbody", "tr")},
    "a": {"href", "title", "rel"},
    "img": {"src", "alt", "title", "loading"},
    "ol": {"start"},
    "code": {"class"},
    "span": {"class"},
    "div": {"class", "tabindex", "role", "aria-label"},
    "pre": {"tabindex"},
    "th": {"class"},
    "td": {"class"},
}
PIECES = [
    *("<script>", "</p>", "<img src=x onerror=alert(1)>", "<a style='x' onclick=y>", "<!--", "]]>"),
    *("[x](", "![x](", ")", "javascript:alert(1)", "data:text/html,x", "https://e.org/", '"', "'"),
    *("/images/img_1", "```", "```html\n", "\n", "\n\n", "| a |\n|--:|\n| b |", "    ", "> ", "# "),
    *("&lt;", "&#x6a;avascript:", "<javascript:a>", "<https://e.org>", "[a]: vbscript:x\n", "[a]"),
    *("www.e.org", "~~", "**", "\\", "\0", "\u202e", "*", "1. ", "- "),
]


class Tags(HTMLParser):
    """Every tag of a text with its attributes."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


def tags(text: str) -> list[tuple[str, dict[str, str | None]]]:
    return Tags(str(to_html(text))).found


@given(st.lists(st.sampled_from(PIECES) | st.text(max_size=12), max_size=25).map("".join))
def test_whatever_is_written_no_tag_attribute_or_scheme_beyond_the_list_comes_out(
    text: str,
) -> None:
    for tag, attributes in tags(text):
        assert tag in ALLOWED, (tag, text)
        assert set(attributes) <= ALLOWED[tag], (tag, attributes)
        scheme = re.match(r"\s*([a-z0-9+.-]+):", attributes.get("href") or "", re.IGNORECASE)
        assert scheme is None or scheme[1].lower() in {"http", "https", "mailto", "tel"}
        if tag == "img" and "src" in attributes:
            assert (attributes["src"] or "").startswith("/images/img_")


@pytest.mark.parametrize(
    "text",
    [
        "<script>alert(1)</script>",
        "<img src=x onerror=alert(1)>",
        '<b style="color:red">bold</b>',
        "<!-- hidden -->",
    ],
)
def test_raw_html_is_shown_as_it_was_written(text: str) -> None:
    html = str(to_html(f"Before {text} after"))
    assert [tag for tag, _ in tags(f"Before {text} after")] == ["p"]
    assert html.count("&lt;") == text.count("<")


@pytest.mark.parametrize(
    "address",
    [
        "javascript:alert(1)",
        "JaVaScRiPt:alert(1)",
        "&#x6a;avascript:alert(1)",
        "data:text/html,hi",
        "data:image/png;base64,aaaa",
        "vbscript:x",
        "file:///etc/passwd",
    ],
)
@pytest.mark.parametrize("form", ["[x]({})", "![x]({})", "<{}>", "[x]\n\n[x]: {}"])
def test_a_link_that_would_do_more_than_lead_elsewhere_leads_nowhere(
    form: str, address: str
) -> None:
    assert [found for _, found in tags(form.format(address)) if "href" in found] == []
    assert "img" not in dict(tags(form.format(address)))


def test_links_lead_out_without_saying_where_from() -> None:
    for text in ("[x](https://e.org/a)", "https://e.org/a", "<https://e.org/a>"):
        assert dict(tags(text))["a"] == {
            "href": "https://e.org/a",
            "rel": "noopener noreferrer nofollow",
        }
    assert dict(tags("www.e.org"))["a"]["href"] == "http://www.e.org"


@pytest.mark.parametrize(
    "source", ["https://e.org/x.png", "//e.org/x.png", "/logout", "/images/img_1/../../x"]
)
def test_a_foreign_picture_is_a_link_so_that_nobody_is_called(source: str) -> None:
    found = dict(tags(f"![A cat]({source})"))
    assert found["a"]["href"] == source
    assert "img" not in found
    assert "A cat" in to_html(f"![A cat]({source})")
    assert f">{source}</a>" in to_html(f"![]({source})")


@pytest.mark.parametrize(
    "source",
    ["/images/img_1a", "/api/images/img_1a", "https://nod.example.org/api/images/img_1a"],
)
def test_our_pictures_are_shown_from_here(source: str) -> None:
    assert tags(f'![A "cat"]({source})')[1:] == [
        ("img", {"src": "/images/img_1a", "alt": 'A "cat"', "loading": "lazy"})
    ]


def test_a_table_scrolls_by_itself_and_is_aligned_by_classes_not_styles() -> None:
    html = str(to_html("| a | b | c |\n|--:|:-:|---|\n| 1 | 2 | 3 |"))
    assert html.startswith('<div class="table" tabindex="0" role="region" aria-label="Table">')
    assert '<td class="right">1</td>\n<td class="center">2</td>\n<td>3</td>' in html
    assert '<th class="right">a</th>' in html
    assert "style" not in html


def test_code_is_coloured_by_classes() -> None:
    html = str(to_html("```python\nx = 1\n```"))
    assert '<span class="hl-n">x</span>' in html
    assert '<pre tabindex="0">' in html
    assert "style" not in html


@pytest.mark.parametrize(
    "text", ["```nonesuch\nif <b>:\n```", "```\nif <b>:\n```", "    if <b>:", "```  \nif <b>:\n```"]
)
def test_code_of_no_known_language_is_shown_plain(text: str) -> None:
    assert "<code>if &lt;b&gt;:\n</code>" in to_html(text)


def test_long_code_is_shown_plain_and_whole() -> None:
    code = "x = 1\n" * 5_000
    assert f"<code>{code}</code>" in to_html(f"```python\n{code}```")


def test_headings_stand_below_those_of_the_page_and_leave_no_level_out() -> None:
    html = str(to_html("## One\n\n###### Six\n\n### Three\n\n# Uno"))
    assert html == "<h3>One</h3>\n<h4>Six</h4>\n<h4>Three</h4>\n<h3>Uno</h3>\n"


def test_the_usual_marks_are_drawn() -> None:
    html = str(to_html("**a** *b* ~~c~~ `d`\n\n> e\n\n3. f\n\n---\n"))
    for part in ("<strong>a", "<em>b", "<s>c", "<code>d", "<blockquote>", '<ol start="3">', "<hr>"):
        assert part in html


@pytest.mark.parametrize("piece", ["[", ">", "*a ", "`", "- ", "![", "<", "[a](b", "_a_*b*", "&"])
def test_a_huge_text_of_nothing_but_marks_is_drawn(piece: str) -> None:
    # What grew faster than by the square of the length would outlast the patience of the suite.
    assert to_html(piece * (40_000 // len(piece)))


def test_a_huge_text_is_shown_whole() -> None:
    assert str(to_html("word " * 100_000)).count("word") == 100_000


# first words


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("# A *b* `c`\n\nrest", "A b c"),
        ("First\nline\n\nrest", "First line"),
        ("---\n\nhello", "hello"),
        ("\n\n- one\n- two", "one"),
        ("![A cat](https://e.org/x)", "A cat"),
        ("```\ncode\n```\nrest", "code"),
        ("", ""),
        ("---", ""),
    ],
)
def test_the_headline_is_the_first_line_without_marks(text: str, line: str) -> None:
    assert headline(text, 80) == line


def test_a_list_shows_the_first_words_of_all_parts() -> None:
    assert plain("# A\n\n- x\n- y\n\n```\ncode\n```", 80) == "A · x · y · code"
    assert plain("[Nod](https://e.org) **is** here  \nnow &amp; then", 80) == (
        "Nod is here now & then"
    )
    assert plain("<b>hi</b>", 80) == "<b>hi</b>"


@given(st.text(max_size=300), st.integers(2, 60))
def test_first_words_are_never_longer_than_asked_for(text: str, chars: int) -> None:
    for words in (plain(text, chars), headline(text, chars)):
        assert len(words) <= chars
        assert "\n" not in words


def test_words_are_cut_between_words_where_that_is_possible() -> None:
    assert plain("one two three", 9) == "one two…"
    assert plain("x" * 30, 10) == "x" * 9 + "…"
    assert plain("one two", 7) == "one two"


@pytest.mark.parametrize(
    ("text", "rest"),
    [
        ("# Head\n\nrest\n", "\nrest\n"),
        ("\n\n## Head ##\nrest", "rest"),
        ("Head\n====\nrest", "rest"),
        ("# Head", ""),
        ("# Head\x0c\u2028\r\nrest", "rest"),
        ("no head\n\nrest", "no head\n\nrest"),
        ("#hashtag first\nrest", "#hashtag first\nrest"),
        ("rest\n\n# Later", "rest\n\n# Later"),
        ("#\n\nrest", "#\n\nrest"),
        ("", ""),
    ],
)
def test_a_heading_that_stands_above_is_not_said_twice(text: str, rest: str) -> None:
    assert below_headline(text) == rest


def test_a_heading_that_had_to_be_cut_is_still_there_below() -> None:
    text = f"# {'word ' * 50}\n\nrest"
    assert headline(text, 120).endswith("…")
    assert below_headline(text) == text
