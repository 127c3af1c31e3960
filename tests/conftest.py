"""How all tests run."""

from hypothesis import settings

# A busy machine makes an example slow, not wrong.
settings.register_profile("nod", deadline=None)
settings.load_profile("nod")
