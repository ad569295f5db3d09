"""Where lbd may differ from ip_vs: every exception this program makes, with its line of docs/differences-from-ipvs.md.

The rest of what is not compared differs between two runs of ip_vs itself: comparison.py masks it.
"""
import re
from collections import namedtuple

Explained = namedtuple('Explained', 'name line applies')


# Explained(name, line, applies); applies(profile, given, wanted, had, passed): an input frame, what ip_vs and lbd sent,
# whether lbd left it to the host. Of frames nothing is excused at present.
EXCEPTIONS = []

# The same of listings: applies(heading, lines that differ as [(service, server or None)], ip_vs's whole state text).
LISTING_EXCEPTIONS = [
    Explained('counters of a server that was added again',
              'ipvsadm: "`-L --stats` of a server that is added again"',
              lambda heading, names, state: '--stats' in heading and set(names) <= added_again(state)),
]

# Of listings of connections: applies(lines that only ip_vs has, those that only lbd has, all of lbd's), lines without times.
CONNECTION_EXCEPTIONS = [
    Explained('templates of one client that have ceased to lead to the same server',
              'Persistence: "Two templates of a client ... are one"',
              lambda want, have, every: not have and all(is_listed_once(line, every) for line in want)),
]

SERVICE = re.compile(r'(-t|-u|--sctp-service|-f) (\S+)( -6)?')
PROTOCOLS = {'-t': 'TCP', '-u': 'UDP', '--sctp-service': 'SCTP', '-f': 'FWM'}

# Not generated at all.
NOT_GENERATED = [
    ('twos', 'Schedulers: "`twos` draws by a generator of its own"'),
    ('traffic without any service', 'ipvs: the module leaves the path with its last service; one service always stays'),
]


def added_again(state):
    """The servers that were removed, by themselves or with their service, and added again: {(service, server)}."""
    gone, present, again = set(), set(), set()
    for line in state.split('\n'):
        if not line.startswith('$ ipvsadm -'):
            continue
        found, verb = SERVICE.search(line), line.split()[2]
        service = '%s %s%s' % (PROTOCOLS[found[1]], found[2], ' IPv6' if found[3] else '') if found else None
        server = (service, line.split(' -r ')[1].split()[0]) if ' -r ' in line else None
        if verb == '-a':
            if server in gone:
                again.add(server)
            present.add(server)
            continue
        left = {name for name in present
                if verb == '-C' or verb == '-d' and name == server or verb == '-D' and name[0] == service}
        present -= left
        gone |= left
    return again


def is_listed_once(line, lines):
    """A template that does not count, of which there is another one with the same ends."""
    ends = line.split()[2:]
    return ends[1].endswith(':65535') and any(other.split()[2:] == ends for other in lines)


def connection_explanation(want, have, every):
    """The exception that covers lines which only one of both has, or None."""
    for exception in CONNECTION_EXCEPTIONS:
        if (want or have) and exception.applies(want, have, every):
            return exception
    return None


def listing_explanation(heading, names, state):
    """The exception that covers what differs in a listing, or None."""
    for exception in LISTING_EXCEPTIONS:
        if names and exception.applies(heading, names, state):
            return exception
    return None


def explanation(profile, given, wanted, had, passed):
    """The exception that covers a difference, or None."""
    for exception in EXCEPTIONS:
        if exception.applies(profile, given, wanted, had, passed):
            return exception
    return None
