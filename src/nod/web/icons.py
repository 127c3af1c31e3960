"""The app's icons: lines on a grid of 24, drawn in the colour of the text beside them."""

from markupsafe import Markup

_PATHS = {
    "chats": "M4 5h16v11H9l-5 4z",
    "alarm": "M12 21a7.5 7.5 0 1 0 0-15 7.5 7.5 0 0 0 0 15M12 9.5v4l2.5 1.5M3.5 7 7 4M20.5 7 17 4",
    "calendar": "M4 6h16v14H4zM4 10.5h16M8.5 3.5V8M15.5 3.5V8",
    "more": "M4.5 12h1M11.5 12h1M18.5 12h1M5 11.5v1M12 11.5v1M19 11.5v1",
    "requests": "M5 12l5 5L20 7",
    "plus": "M12 5v14M5 12h14",
    "back": "M15 5l-7 7 7 7",
    "next": "M9 5l7 7-7 7",
    "close": "M6 6l12 12M18 6L6 18",
    "send": "M12 20V5M6 11l6-6 6 6",
    "copy": "M9 9h11v11H9zM5 15H4V4h11v1",
    "download": "M12 4v11m-5-5 5 5 5-5M4 20h16",
    "share": "M12 15V4m-4 4 4-4 4 4M5 12v8h14v-8",
    "picture": "M4 5h16v14H4zM4 16l5-5 4 4 2-2 5 4M15.5 9.5h.01",
    "play": "M8 5l11 7-11 7z",
    "pause": "M8.5 5v14M15.5 5v14",
    "key": "M15 13a4 4 0 1 0-3.9-5L3 16v4h4v-3h3v-3l2-1.5a4 4 0 0 0 3 .5",
    "check": "M5 12l5 5L20 7",
    "cross": "M7 7l10 10M17 7L7 17",
    "clock": "M12 20a8 8 0 1 0 0-16 8 8 0 0 0 0 16M12 8v4l3 2",
    "skip": "M5 12h14M14 7l5 5-5 5",
    "hourglass": "M7 4h10M7 20h10M8 4c0 5 8 6 8 8s-8 3-8 8M16 4c0 5-8 6-8 8s8 3 8 8",
    "agent": "M5 8h14v11H5zM12 8V4M9 13h.01M15 13h.01M9 16h6",
    "sign-out": "M10 4H5v16h5M10 12h10m-4-4 4 4-4 4",
    "search": "M11 18a7 7 0 1 0 0-14 7 7 0 0 0 0 14M16 16l4.5 4.5",
    "link": "M10 14a4 4 0 0 0 6 0l3-3a4 4 0 0 0-6-6l-1 1M14 10a4 4 0 0 0-6 0l-3 3a4 4 0 0 0 6 6",
    "plug": "M9 3v5M15 3v5M6.5 8h11v3.5a5.5 5.5 0 0 1-11 0zM12 17v4",
    "hook": "M4 12h11m-4-4 4 4-4 4M14 5h6v14h-6",
    "bell": "M6 17h12l-1.5-2.5V11a4.5 4.5 0 0 0-9 0v3.5zM10.5 20h3",
    "again": "M5 12a7 7 0 1 1 2 5M5 12l-2.5-2.5M5 12l2.5-2.5",
    "warn": "M12 4l9 16H3zM12 10v4M12 17h.01",
    "activity": "M3 12h4l3 7 4-14 3 7h4",
    "person": "M12 11a4 4 0 1 0 0-8 4 4 0 0 0 0 8M4 21a8 8 0 0 1 16 0",
    "code": "M9 7l-5 5 5 5M15 7l5 5-5 5",
    "device": "M7 3h10v18H7zM11 18h2",
    "sun": "M12 16a4 4 0 1 0 0-8 4 4 0 0 0 0 8M12 2v2M12 20v2M4 12H2M22 12h-2"
    "M5 5l1.4 1.4M19 5l-1.4 1.4M5 19l1.4-1.4M19 19l-1.4-1.4",
    "moon": "M20 14.5A8.5 8.5 0 0 1 9.5 4a8.5 8.5 0 1 0 10.5 10.5",
    "info": "M12 20a8 8 0 1 0 0-16 8 8 0 0 0 0 16M12 11.5V16M12 8.5h.01",
}


def icon(name: str, label: str = "") -> Markup:
    """The icon `name`; with a label it says so to those who do not see it."""
    hidden = Markup('aria-hidden="true"')
    said = Markup('role="img" aria-label="{}"').format(label) if label else hidden
    return Markup('<svg class="icon" viewBox="0 0 24 24" {}><path d="{}"/></svg>').format(
        said, _PATHS[name]
    )
