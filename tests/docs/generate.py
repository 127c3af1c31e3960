"""Draws the drawn parts of the documentation anew: `PYTHONPATH=tests python -m docs.generate`."""

import sys

from docs.book import pages, with_parts
from docs.drawings import drawings


def main() -> None:
    """Rewrites every page that has a drawn part, and names those that changed."""
    drawn = drawings()
    for path in pages():
        before = path.read_text(encoding="utf-8")
        after = with_parts(before, drawn)
        if after != before:
            path.write_text(after, encoding="utf-8")
            sys.stdout.write(f"{path.name}\n")


if __name__ == "__main__":
    main()
