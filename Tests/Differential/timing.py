"""When a case may go on: never while a timer that something earlier started is about to fire.

ip_vs's timers stand in a kernel's wheel, which is the coarser the longer they run (at 100 ticks a second, as in the guest:
5.12 s from 40 s on, 41 s from 323 s on), and lbd's expiry hand goes by half seconds: what happens within these margins may
rightly differ. So events come in bursts, each of which stays clear of every timer of those before it.

A template of persistence whose timer fires while it has connections goes on for 60 s: whether it has any is a matter of
the wheel again. So bursts come in groups, and between two groups either all connections end and no template does, or
everything ends.
"""
# Of states, in seconds: CLOSE, LAST_ACK, SYN_RECV, FIN_WAIT and TIME_WAIT, SCTP's; 3: a new connection's.
FIXED = [3, 4, 10, 30, 60, 61, 120, 900]
PERIOD = 13.0          # of the starts of bursts: the timers shorter than a group lie between two of them
GROUP = 3              # bursts in a group at most
BURST = 1.7            # seconds a burst lasts at most
MARGIN = 0.7           # of lbd, and of what the guest needs

# Values for `ipvsadm --set` and `-p` that fit.
ESTABLISHED = [56, 30]
FIN_WAIT = [120, 17, 43]
UDP = [30, 17, 56, 108]
PERSISTENCE = [190, 195, 200]
SCTP_PERSISTENCE = [100000]    # SCTP's connections last too long to be outlived within a case


def grain(seconds):
    """How late a timer of so many seconds may fire."""
    for limit, step in ((0.63, 0.01), (5.04, 0.08), (40.32, 0.64), (322.56, 5.12)):
        if seconds < limit:
            return step
    return 40.96


# Every time that may pass between an event and what it causes, with how late that may be.
TIMERS = sorted((span, grain(span)) for span in set(FIXED + ESTABLISHED + FIN_WAIT + UDP + PERSISTENCE))


def is_clear(start, bursts):
    """May a burst start now, after bursts [(start, end)]?"""
    return all(start > end + span + late + MARGIN or start + BURST < begin + span - MARGIN
               for begin, end in bursts for span, late in TIMERS)


def next_start(now, first, bursts, random):
    """The start of the next burst: in the same group, or of another one."""
    slot = int((now - first) // PERIOD)
    recent = sum(1 for begin, _ in bursts[-GROUP:] if begin > now - GROUP * PERIOD)
    if recent < GROUP and random.random() < 0.7 and is_clear(first + PERIOD * (slot + 1), bursts):
        return first + PERIOD * (slot + 1)
    # 10: by then the longest of the connections that can be short has ended.
    for step in range(random.choice([10, 10, 16, 22]), 1000):
        start = first + PERIOD * (slot + step)
        group = [start + PERIOD * number for number in range(GROUP)]
        if all(is_clear(begin, bursts) for begin in group):
            return start
    raise AssertionError('no time is clear')
