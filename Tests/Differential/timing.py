"""When a case may go on: never while a timer that something earlier started is about to fire.

ip_vs's timers fire late by up to an eighth of a kernel's wheel step, lbd's expiry hand goes by half seconds: what happens
within these margins may rightly differ. So events come in bursts, and the burst after stays clear of every timer.
"""
# Of states (docs of ip_vs: CLOSE, LAST_ACK, SYN_RECV, FIN_WAIT, ESTABLISHED, SCTP's), by half seconds; 3: a new one's.
FIXED = [3, 4, 10, 30, 60, 61, 120, 900]
PERIOD = 13.0          # of the starts of bursts: all FIXED timers from one start lie between two others
BURST = 1.7            # seconds a burst lasts at most
EARLY = 0.7

# Values for `ipvsadm --set` and `-p` that fit the period.
ESTABLISHED = [900, 56, 30]
FIN_WAIT = [120, 17, 43]
UDP = [30, 17, 56, 108]
PERSISTENCE = [22, 35, 48, 100, 373]
REARMED = 60           # a template with connections left goes on for so long


def late(seconds):
    """How late a timer of so many seconds may fire."""
    return 0.7 + (0.1 if seconds < 30 else 0.7 if seconds < 400 else 5.5)


def timers():
    """Every time that may pass between an event and what it causes."""
    spans = set(FIXED + ESTABLISHED + FIN_WAIT + UDP + PERSISTENCE)
    for first in PERSISTENCE:
        spans.update(first + REARMED * times for times in (1, 2))
    return sorted(spans)


TIMERS = timers()


def is_clear(start, bursts):
    """May a burst start now, after bursts [(start, end)]?"""
    return all(start > end + span + late(span) or start + BURST < begin + span - EARLY
               for begin, end in bursts for span in TIMERS)


def conflicts(start, bursts):
    return sum(1 for begin, end in bursts for span in TIMERS
               if not (start > end + span + late(span) or start + BURST < begin + span - EARLY))


def next_start(now, first, bursts, random):
    """The start of the next burst: clear of all timers, or of as many as can be."""
    steps = [1, 1, 1, 2, 2, 3, 4, 5, 6, 10, 24]
    random.shuffle(steps)
    slot = int((now - first) // PERIOD)
    options = [first + PERIOD * (slot + step) for step in steps]
    return min(options, key=lambda start: conflicts(start, bursts))
