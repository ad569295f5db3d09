"""Where lbd may differ from ip_vs: every exception this program makes, with its line of docs/differences-from-ipvs.md.

The rest of what is not compared differs between two runs of ip_vs itself: comparison.py masks it.
"""
import re
from collections import namedtuple

import routes

Explained = namedtuple('Explained', 'name line applies')


# Explained(name, line, applies); applies(lost, number, given, wanted, had): the case's routes.LostPackets, an input and its
# number, what ip_vs and lbd sent.
EXCEPTIONS = [
    Explained('one route for all methods of a server',
              'On purpose: "A server\'s method is edited to DR, or from it"',
              lambda lost, *input: lost.explains(*input)),
]

# The same of listings: applies(ip_vs's whole state text): the lines of --stats that it covers, {(service, server or None)}.
LISTING_EXCEPTIONS = [
    Explained('counters of a server that was added again',
              'ipvsadm: "`-L --stats` of a server that is added again"',
              lambda state: added_again(state)),
    Explained('answers to packets that were lost',
              'On purpose: "A server\'s method is edited to DR, or from it"',
              lambda state: answered(state)),
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
        service, verb = listed(line), line.split()[2]
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


def listed(command):
    """A command's service as listings name it; None without one."""
    found = SERVICE.search(command)
    return '%s %s%s' % (PROTOCOLS[found[1]], found[2], ' IPv6' if found[3] else '') if found else None


def answered(state):
    """The servers that may have lost packets, and their services: what answers them counts as sent by the server."""
    mixed = routes.Mixed()
    for line in state.split('\n'):
        mixed.note(line)
    names = {(listed(service), server) for service, server in mixed.servers}
    return names | {(service, None) for service, _ in names}


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
    """The exceptions that cover what differs in a listing, or None."""
    if '--stats' not in heading or not names:
        return None
    covering = [(exception, exception.applies(state)) for exception in LISTING_EXCEPTIONS]
    if not all(any(name in covered for _, covered in covering) for name in names):
        return None
    used = [exception for exception, covered in covering if covered & set(names)]
    return used[0]._replace(name=', '.join(exception.name for exception in used))


def explanation(*input):
    """The exception that covers a difference, or None."""
    for exception in EXCEPTIONS:
        if exception.applies(*input):
            return exception
    return None
