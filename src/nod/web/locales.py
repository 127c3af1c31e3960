"""The languages and countries in which dates can be written, as CLDR has them."""

from functools import lru_cache

from babel import Locale, localedata

_SHOWN_IN = "en"


@lru_cache(maxsize=1)
def locales() -> dict[str, str]:
    """Names by locale, in the order of the names: `{"de_DE": "German (Germany)"}`."""
    found = {each: locale_name(each) for each in localedata.locale_identifiers() if "_" in each}
    return dict(sorted(found.items(), key=lambda each: each[1]))


def locale_name(locale: str) -> str:
    """The locale in words."""
    return Locale.parse(locale).get_display_name(_SHOWN_IN) or locale
