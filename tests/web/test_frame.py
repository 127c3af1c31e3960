"""What holds for every page: its policy, its files, its weight, the way in, and the app's shell."""

import gzip
import io
import re
from collections.abc import AsyncIterator
from html.parser import HTMLParser
from pathlib import Path

import httpx
import msgspec
import pytest
from PIL import Image

from nod import web
from nod.actions import decisions
from nod.actions.agents import Credentials
from nod.actions.decisions import DecisionFields
from support.browser import signed_in
from support.inprocess import PATIENCE_S, InProcess

STATIC = Path(web.__file__).with_name("static")
MOST_BYTES = 100_000
POLICY = {
    "default-src": "'none'",
    "script-src": "'self'",
    "style-src": "'self'",
    "connect-src": "'self'",
    "form-action": "'self'",
    "base-uri": "'none'",
    "frame-ancestors": "'none'",
}


class Read(HTMLParser):
    """A page's tags, and the text that stands inside its scripts and styles."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.inline = ""
        self._within = ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))
        self._within = tag

    def handle_data(self, data: str) -> None:
        if self._within in ("script", "style"):
            self.inline += data.strip()

    def handle_endtag(self, tag: str) -> None:
        self._within = "" if tag == self._within else self._within

    def loaded(self) -> list[str]:
        """The addresses of what the page loads by itself."""
        links = [found["href"] for tag, found in self.tags if tag == "link"]
        return links + [found["src"] for _, found in self.tags if "src" in found]


@pytest.fixture
async def stranger(nod: InProcess) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=nod.url, timeout=PATIENCE_S) as client:
        yield client


async def paths(nod: InProcess, ada: Credentials) -> list[str]:
    """A chat with a run and a question in it, and the run's page."""
    [run_id] = await nod.fire(await nod.add_task(ada))
    asked = msgspec.convert({"title": "May I?", "text": "**Now**"}, DecisionFields)
    await nod.nod.store.write(lambda tx: decisions.open_decision(tx, ada.agent, asked))
    talk = await nod.nod.store.read(lambda tx: tx.chat.default_conversation(ada.agent.id))
    return [f"/chats/{talk.id}", f"/runs/{run_id}"]


async def test_no_page_holds_a_script_or_a_style_and_each_says_so(
    nod: InProcess, ada: Credentials, ann: httpx.AsyncClient
) -> None:
    for path in [
        *("/", "/requests", "/more", "/settings", "/offline", "/chats/nothing"),
        *await paths(nod, ada),
    ]:
        page = await ann.get(path)
        assert page.status_code == (404 if path.endswith("nothing") else 200), path
        rules = dict(
            rule.strip().split(" ", 1)
            for rule in page.headers["content-security-policy"].split(";")
        )
        assert rules.items() >= POLICY.items(), path
        assert "unsafe" not in page.headers["content-security-policy"]
        assert page.headers["x-content-type-options"] == "nosniff"
        read = Read(page.text)
        assert read.inline == "", path
        for tag, found in read.tags:
            assert tag != "style"
            names = [name for name in found if name == "style" or name.startswith(("on", "hx-on"))]
            assert names == [], (path, tag)
            assert not found.get("href", "").startswith("javascript:")


async def test_all_that_a_page_loads_is_served_by_nod_and_is_light(
    nod: InProcess, ada: Credentials, ann: httpx.AsyncClient
) -> None:
    for path in ["/", "/requests", "/more", "/settings", *await paths(nod, ada)]:
        page = await ann.get(path)
        assert page.headers["cache-control"] == "private, no-store"
        weight, known = len(gzip.compress(page.content)), set(Read(page.text).loaded())
        left = sorted(known)
        while left:
            address = left.pop()
            assert address.startswith("/"), address
            assert not address.startswith("//"), address
            found = await ann.get(address)
            assert found.status_code == 200, address
            if address.endswith((".js", ".css", ".svg", ".webmanifest")):
                weight += len(gzip.compress(found.content))
            else:
                weight += len(found.content)
            if address.endswith(".js"):
                folder = address.rpartition("/")[0]
                imported = re.findall(r'^import .*?"\./([\w.-]+)";', found.text, re.MULTILINE)
                new = {f"{folder}/{name}" for name in imported} - known
                known |= new
                left += sorted(new)
        assert any(address.endswith("live.js") for address in known)
        assert weight < MOST_BYTES, (path, weight)


async def test_files_are_kept_for_good_until_an_upgrade(ann: httpx.AsyncClient) -> None:
    [sheet] = [each for each in Read((await ann.get("/")).text).loaded() if each.endswith(".css")]
    zipped = await ann.get(sheet, headers={"Accept-Encoding": "gzip"})
    plain = await ann.get(sheet, headers={"Accept-Encoding": "identity"})
    assert zipped.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert zipped.headers["content-encoding"] == "gzip"
    assert zipped.headers["vary"] == plain.headers["vary"] == "Accept-Encoding"
    assert "content-encoding" not in plain.headers
    assert zipped.content == plain.content
    assert zipped.headers["content-type"] == "text/css; charset=utf-8"
    former = await ann.get("/static/former/app.css")
    assert former.content == plain.content
    assert former.headers["cache-control"] == "no-cache"


@pytest.mark.parametrize("name", ["none.js", "vendor/VENDORED.md", "..%2F..%2Fview.py", "css"])
async def test_only_the_apps_own_files_are_served(stranger: httpx.AsyncClient, name: str) -> None:
    assert (await stranger.get(f"/static/x/{name}")).status_code == 404


async def test_the_app_can_be_installed_with_pictures_of_the_size_they_are_said_to_have(
    stranger: httpx.AsyncClient,
) -> None:
    answer = await stranger.get("/manifest.webmanifest")
    assert answer.headers["content-type"] == "application/manifest+json"
    manifest = answer.json()
    assert (manifest["start_url"], manifest["scope"], manifest["display"]) == (
        *("/", "/"),
        "standalone",
    )
    assert {(icon["sizes"], icon["purpose"]) for icon in manifest["icons"]} == {
        ("192x192", "any"),
        ("512x512", "any"),
        ("512x512", "maskable"),
    }
    for icon in manifest["icons"]:
        picture = await stranger.get(icon["src"])
        assert picture.headers["content-type"] == icon["type"] == "image/png"
        width, height = Image.open(io.BytesIO(picture.content)).size
        assert f"{width}x{height}" == icon["sizes"]


async def test_the_service_worker_is_asked_for_anew_and_keeps_only_what_there_is(
    stranger: httpx.AsyncClient,
) -> None:
    answer = await stranger.get("/sw.js")
    assert answer.headers["cache-control"] == "no-cache"
    assert answer.headers["content-type"].startswith("text/javascript")
    kept = re.findall(r"'(/[^']*)'", answer.text.splitlines()[1])
    assert "/offline" in kept
    assert len(kept) > 5
    for address in kept:
        assert (await stranger.get(address)).status_code == 200, address


async def test_the_page_without_a_connection_is_there_for_everybody(
    stranger: httpx.AsyncClient,
) -> None:
    page = await stranger.get("/offline")
    assert page.status_code == 200
    assert "You are offline" in page.text


@pytest.mark.parametrize(
    ("path", "then"),
    [
        ("/", "/"),
        ("/requests", "/requests"),
        ("/chats/conv_1", "/chats/conv_1"),
        ("/requests?before=7&x=%26", "/requests%3Fbefore%3D7%26x%3D%2526"),
    ],
)
async def test_who_is_not_signed_in_is_led_to_the_form_and_back(
    stranger: httpx.AsyncClient, path: str, then: str
) -> None:
    answer = await stranger.get(path)
    assert answer.status_code == 303
    assert answer.headers["location"] == f"/login?next={then}"


async def test_a_page_whose_session_ended_leads_to_the_form(stranger: httpx.AsyncClient) -> None:
    answer = await stranger.get("/requests", headers={"HX-Request": "true", "HX-Target": "main"})
    assert answer.headers["hx-redirect"] == "/login"
    assert answer.content == b""


async def test_what_is_somebody_elses_is_nowhere_to_be_found(
    nod: InProcess, ada: Credentials
) -> None:
    theirs = await paths(nod, ada)
    async with await signed_in(nod, "bob@example.org") as bob:
        for path in theirs:
            page = await bob.get(path)
            assert page.status_code == 404, path
            assert "There is nothing here" in page.text
            assert ada.agent.name not in page.text
            part = await bob.get(path, headers={"HX-Request": "true", "HX-Target": "sheet"})
            assert part.status_code == 404
            assert part.headers["hx-retarget"] == "#toasts"


def test_what_is_vendored_is_listed_with_its_version_and_licence() -> None:
    vendor = STATIC / "vendor"
    note = (vendor / "VENDORED.md").read_text(encoding="utf-8")
    listed = set(re.findall(r"`([^`/ ]+\.(?:js|txt))`", note))
    assert listed == {path.name for path in vendor.iterdir()} - {"VENDORED.md"}
    code = (vendor / "htmx.min.js").read_text(encoding="utf-8")
    version = re.search(r'version:"([\d.]+)"', code) or re.search(r'"(2\.\d+\.\d+)"', code)
    assert version is not None
    assert f"| {version[1]} |" in note
    for licence in vendor.glob("*.LICENSE.txt"):
        assert "Zero-Clause BSD" in licence.read_text(encoding="utf-8")
