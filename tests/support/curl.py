"""As much of curl as the pages and examples use: what they show is parsed and sent, also where
there is no curl."""

import sys
from pathlib import Path

_CURL = """#!{python}
import argparse, sys, urllib.error, urllib.request
parser = argparse.ArgumentParser()
parser.add_argument("url")
parser.add_argument("-sf", action="store_true")
parser.add_argument("-H", action="append", default=[])
parser.add_argument("-d")
parser.add_argument("-X")
given = parser.parse_args()
headers = dict(each.split(": ", 1) for each in given.H)
body = None if given.d is None else given.d.encode()
request = urllib.request.Request(given.url, body, headers, method=given.X)
try:
    with urllib.request.urlopen(request) as answer:
        sys.stdout.write(answer.read().decode() + "\\n")
except urllib.error.HTTPError as error:
    sys.exit(f"{{given.url}}: {{error.code}} {{error.read().decode()}}")
"""


def install_curl(folder: Path) -> str:
    """Put it into the folder; the folder, for a PATH."""
    curl = folder / "curl"
    curl.write_text(_CURL.format(python=sys.executable), encoding="utf-8")
    curl.chmod(0o755)
    return str(folder)
