"""The time zones a person can choose from."""

from nod.domain.zones import timezones


def test_zones_are_offered_in_order_and_none_is_the_machines_own() -> None:
    offered = timezones()
    assert offered == sorted(offered)
    assert {"Europe/Berlin", "UTC"} <= set(offered)
    assert not {"localtime", "posixrules", "Factory"}.intersection(offered)
