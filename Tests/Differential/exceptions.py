"""Where lbd may differ from ip_vs: every exception this program makes, with its line of docs/differences-from-ipvs.md.

The rest of what is not compared differs between two runs of ip_vs itself: comparison.py masks it.
"""
from collections import namedtuple

Explained = namedtuple('Explained', 'name line applies')


def is_icmp(data):
    """An ICMP or ICMPv6 packet."""
    return (data[12:14] == b'\x08\x00' and data[23] == 1) or (data[12:14] == b'\x86\xdd' and data[20] == 58)


def is_fragment(data):
    """A fragment of IPv4 or IPv6."""
    if data[12:14] == b'\x08\x00':
        return bool(data[20] & 0x3f or data[21])
    return data[12:14] == b'\x86\xdd' and data[20] == 44


# applies(profile, given, wanted, had, passed): an input frame, what ip_vs and lbd sent, whether lbd left it to the host.
EXCEPTIONS = [
    Explained('ICMP is left to the host', 'ICMP: "ICMP and ICMPv6, also errors about connections, are left to the host"',
              lambda profile, given, wanted, had, passed: is_icmp(given) and passed),
    Explained('fragments are forwarded one by one', 'Fragments: "lbd forwards fragments one by one"',
              lambda profile, given, wanted, had, passed: is_fragment(given)),
]

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
