"""Why lbd and keepalived may say different things of one file. Each class has its reason; what fits none is a finding."""
import re

# What lbd refuses and keepalived 2.2.7 passes over, by lbd's message.
STRICTER = [
    (r'is not (an IP address|an address|a port|a weight|a threshold|a time in seconds|a protocol|a scheduler'
     r'|a forwarding method|a tunnel option|a firewall mark)|needs .tcp S|names a timeout|is not a timeout|gue tunnel'
     r'|a tunnel of type',
     'a value that decides where packets go is wrong: lbd refuses the file, keepalived drops the line or the block'),
    (r'there is no virtual_server_group',
     'a service of a group that does not exist: lbd refuses the file, keepalived leaves the service out without a word'),
    (r'needs persistence', 'port 0 without persistence: ip_vs would not take the service'),
    (r'includes itself|nest deeper|more than .* (files|alternatives)',
     'includes without end: lbd refuses the file, keepalived includes until it has no more file descriptors'),
]


# Lines that only keepalived complains about, by its message.
ONLY_THEIRS = [
    (r'cannot track route|for routes is deprecated|[Rr]ule has no preference|No action specified for rule',
     'routes and rules, which lbd reads and leaves to the machine'),
    (r"number '0' outside range \[1, 2678400\]",
     'persistence_timeout 0: lbd reads it as none, which keepalived makes of it after its complaint'),
    (r'No \w+ process( real-time)? priority specified|No \w+ process priority specified|Unknown umask bit|unsigned integer range',
     "a value of keepalived's own processes, which has no effect in lbd: a note says so"),
    (r'url has no path|has no urls specified',
     'a check without a page: lbd says so where the block begins, keepalived where it ends'),
    (r'empty notification_email block', 'a list without members, which lbd takes as none'),
]

# Lines that only lbd complains about, by lbd's message.
ONLY_OURS = [
    (r'has no (script|member|virtual_ipaddress|virtual_router_id|interface|misc_path)|is not tracked by anybody',
     'a block without what makes it useful: lbd says so where it begins, keepalived without a line or not at all'),
    (r'there is no password|quorum \d+ is more than', 'a contradiction that keepalived settles without naming the line'),
    (r'strict mode allows none', 'a contradiction of vrrp_strict, which keepalived settles without naming the line'),
    (r'there is no virtual_server_group',
     'a service of a group that does not exist: keepalived leaves the service out without a word'),
    (r'needs a value, the line is ignored', 'a keyword without its value, which keepalived takes as it is'),
    (r"'\d{10,}' does not fit", 'a value behind a keyword that has none in keepalived, which does not look at it'),
    (r'has no value, the line is left out', 'a keyword without its value in a part that keepalived does not read'),
    (r'is not an address, the line is left out', 'a line that keepalived hands to another of its processes'),
]


def first(classes, text):
    """The reason of the first class that fits; None when none does."""
    return next((why for pattern, why in classes if re.search(pattern, text)), None)


def of(case, theirs, ours):
    """The class of a disagreement about accepting or refusing; None when there is none."""
    if theirs.code < 0:
        return 'keepalived itself crashes on the file (signal %d)' % -theirs.code
    errors = [text for text in ours.lines.values() if text.startswith('error')]
    if theirs.code in (0, 5):
        lost = [place for place, text in ours.lines.items() if 'has no value, the line is left out' in text]
        if lost and len(lost) == len(errors) and structural(theirs, ours, max(lost)):
            return ('a keyword without its value in a part that keepalived does not read, because of braces that do not'
                    ' match before it')
        for pattern, why in STRICTER:
            if errors and any(re.search(pattern, text) for text in errors):
                return why
    return None


BRACES = r"missing|extra|[Uu]nexpected|no '\{'|[Uu]nknown keyword|is not known in|occurs twice|block is skipped"


def structural(theirs, ours, place):
    """True when either program has found braces or keywords out of place before."""
    return any(place_before(before, place) and re.search(BRACES, text)
               for lines in (theirs.lines, ours.lines) for before, text in lines.items())


def place_before(before, place):
    return before[0] != place[0] or before[1] < place[1]


def of_line(case, place, theirs, ours):
    """The class of a line that only keepalived complains about."""
    text = theirs.lines[place]
    lines = dict(case.others, **{'main.conf': case.text}).get(place[0], b'').split(b'\n')
    line = lines[place[1] - 1] if place[1] <= len(lines) else b''
    if b'\xc2\xa0' in line or b'\xe3\x80\x80' in line or line.startswith(b'\xef\xbb\xbf'):
        return 'a blank that is none: lbd reads it as one, and says so once for each file'
    if re.search(r"doesn't exist|not found|not accessible|unable to|[Ss]cript", text):
        return 'the machine is not as the file says (interfaces, scripts): lbd check looks at the file alone'
    if 'outside range [0.000001' in text:
        return 'an interval of 0: lbd reads it as off, which keepalived makes of it after its complaint'
    if 'alternative' in text or 'onfig files missing' in text or 'No config files matched' in text:
        return 'a pattern without matches is a note in lbd'
    if structural(theirs, ours, place) or re.search(BRACES, text):
        return 'follows from keywords or braces out of place: lbd skips or closes a block as a whole and says so there'
    return first(ONLY_THEIRS, text)


def of_our_line(case, place, theirs, ours):
    """The class of a line that only lbd complains about."""
    text = ours.lines[place]
    if re.search(r'missing|extra|has no .\{|unexpected|had to be closed', text):
        return 'braces: lbd names the block that is open, keepalived counts them at the end of the file'
    if 'the two are merged' in text or 'occurs twice' in text:
        return 'several blocks for one service, which keepalived hands to ip_vs one after the other'
    if "no 'protocol'" in text or 'has no real_server' in text:
        return 'a service without protocol or servers, which keepalived does not mention or mentions without a line'
    if 'byte order mark' in text or 'takes the quotes' in text:
        return 'text that lbd reads and keepalived does not'
    if 'has no value, the line is left out' in text and theirs.code == 2:
        return 'a value that is missing: keepalived ends at the first without naming a line'
    if theirs.code == 2 or theirs.code < 0:
        return 'keepalived had ended before it came to this line'
    if re.search(r'unknown keyword|is not known in', text):
        return 'keywords in a block that keepalived does not read (it reads each block in one of its processes)'
    if 'is ignored' in text and structural(theirs, ours, place):
        return 'lines that a missing brace has put into a list: lbd looks at their words, keepalived at their first'
    return first(ONLY_OURS, text)
