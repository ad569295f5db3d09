"""Where lbd may differ from ip_vs: every exception this program makes, with its line of docs/differences-from-ipvs.md.

The rest of what is not compared differs between two runs of ip_vs itself: comparison.py masks it.
"""
from collections import namedtuple

Explained = namedtuple('Explained', 'name line applies')


# Explained(name, line, applies); applies(profile, given, wanted, had, passed): an input frame, what ip_vs and lbd sent,
# whether lbd left it to the host. Nothing that is generated is excused at present.
EXCEPTIONS = []

# Not generated at all.
NOT_GENERATED = [
    ('twos', 'Schedulers: "`twos` draws by a generator of its own"'),
    ('traffic without any service', 'ipvs: the module leaves the path with its last service; one service always stays'),
]


def explanation(profile, given, wanted, had, passed):
    """The exception that covers a difference, or None."""
    for exception in EXCEPTIONS:
        if exception.applies(profile, given, wanted, had, passed):
            return exception
    return None
