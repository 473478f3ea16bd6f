"""What holds for all tests.

A property's examples have no deadline of their own: on a machine that does other things
one in a thousand takes longer than any, and each test is bounded as a whole.
"""

from hypothesis import settings

settings.register_profile("unhurried", deadline=None)
settings.load_profile("unhurried")
