"""What ip_vs did against what lbd did."""
import re
from collections import namedtuple

import exceptions
import routes

Difference = namedtuple('Difference', 'input text explained')
DIRECTOR = {bytes([10, 1, 0, 1]), bytes([10, 2, 0, 1])} | {bytes([10, 1, 0, n]) for n in range(100, 104)}
GUE = b'\x17\xc0'
NOISE6 = (130, 131, 132, 133, 134, 135, 136, 143)    # what the guest's IPv6 stack sends by itself
EXPIRY_SLACK = 3


def is_noise(data):
    if data[12:14] == b'\x86\xdd':
        return (data[20] == 58 and data[54] in NOISE6) or (data[20] == 0 and data[54] == 58)
    return data[12:14] not in (b'\x08\x00', b'\x86\xdd')


def masked(data):
    """A frame without what differs between two runs of ip_vs: the IP id of packets the director makes, GUE's source port,
    flow labels of encapsulations and of ICMPv6, the id of fragments."""
    out = bytearray(data)
    if data[12:14] == b'\x08\x00':
        at = 14 + (data[14] & 15) * 4
        is_gue = data[23] == 17 and data[at + 2:at + 4] == GUE
        if data[26:30] in DIRECTOR and (data[23] in (1, 4, 41, 47) or is_gue):
            out[18:20] = out[24:26] = b'\0\0'
        if is_gue:
            out[at:at + 2] = b'\0\0'
            out[at + 6:at + 8] = bytes([0, any(data[at + 6:at + 8])])
    elif data[12:14] == b'\x86\xdd':
        if data[20] == 58 or data[22:26] == b'\xfd\0\0\2':
            out[15] &= 0xf0
            out[16:18] = b'\0\0'
        if data[20] == 17 and data[56:58] == GUE:
            out[54:56] = b'\0\0'
            out[60:62] = bytes([0, any(data[60:62])])
        if data[20] == 44:
            out[58:62] = bytes(4)
    return bytes(out)


def is_to_director(data):
    if data[12:14] == b'\x08\x00':
        return data[30:34] in DIRECTOR
    return data[12:14] == b'\x86\xdd' and data[38:42] == b'\xfd\0\0\1'


def must_be_answered(data):
    """The host's own stack would answer it: with a reset, or with port unreachable."""
    if not is_to_director(data):
        return False
    if data[12:14] == b'\x08\x00':
        at, protocol = 14 + (data[14] & 15) * 4, data[23]
        if data[20] & 0x3f or data[21]:
            return False
    else:
        at, protocol = 54, data[20]
    return protocol == 17 or (protocol == 6 and not data[at + 13] & 4)


def is_host_answer(data, given):
    """What the host's own stack may do with `given`: reset, echo reply, unreachable, time exceeded; plain forwarding, unless
    it is for the host itself."""
    if data[12:14] == b'\x08\x00':
        at = 14 + (data[14] & 15) * 4
        is_first = not (data[20] & 0x1f or data[21])
        if is_first and data[23] == 6 and data[at + 13] & 4:
            return True
        if is_first and data[23] == 1 and data[at] in (0, 3, 11):
            return True
        return data[26:34] == given[26:34] and not is_to_director(given)
    if data[20] == 58 or (data[20] == 6 and data[54 + 13] & 4):
        return True
    return data[22:54] == given[22:54] and not is_to_director(given)


def frame_differences(case, wanted, had, passed):
    """Input by input."""
    found, lost = [], routes.LostPackets(case)
    for number, data in enumerate(case.frames()):
        want = [masked(sent) for sent in wanted.get(number, []) if not is_noise(sent)]
        have = [masked(sent) for sent in had.get(number, [])]
        if number in passed:
            text = None
            if have or not all(is_host_answer(sent, data) for sent in want):
                text = 'passed to the host, ip_vs sent %s' % shown(want)
            elif not want and must_be_answered(data):
                text = 'passed to the host, ip_vs dropped it'
        else:
            text = None if want == have else 'ip_vs sent %s, lbd %s' % (shown(want), shown(have))
        if text:
            found.append(Difference(number, 'input %d (%s): %s' % (number, data[12:].hex()[:160], text),
                                    exceptions.explanation(lost, number, data, want, have)))
    return found


def shown(frames):
    return 'nothing' if not frames else ' + '.join(data.hex() for data in frames)


# Listings

def blocks(state):
    """A state.txt -> [(heading, lines, input before it)]."""
    out, mark, number = [], '', -1
    for line in state.split('\n'):
        if line.startswith('## '):
            mark = line
            found = re.search(r'#(-?\d+)$', line)
            number = int(found.group(1)) if found else None
        elif line.startswith('$ '):
            out.append((line, [], number))
        elif line.startswith('# '):
            out.append(('%s %s' % (mark, line[2:]), [], number))
        elif out and line.strip():
            out[-1][1].append(line.rstrip())
    return out


def connections(lines):
    """Lines of -Lnc -> sorted [(line without its time, seconds left)]."""
    out = []
    for line in lines:
        words = line.split()
        if words and words[0] not in ('IPVS', 'pro'):
            minutes, seconds = words[1].split(':') if ':' in words[1] else (0, 0)
            out.append((' '.join(words[:1] + words[2:]), int(minutes) * 60 + int(seconds)))
    return sorted(out)


def connection_difference(want, have):
    want, have = connections(want), connections(have)
    names, got = [name for name, _ in want], [name for name, _ in have]
    if names != got:
        return 'only ip_vs %s, only lbd %s' % (minus(names, got), minus(got, names))
    wrong = [(name, seconds, other) for (name, seconds), (_, other) in zip(want, have)
             if abs(seconds - other) > EXPIRY_SLACK]
    return 'seconds left (ip_vs, lbd): %s' % wrong[:3] if wrong else None


def connection_lines(want, have):
    """Lines that only one listing of connections has, and all of lbd's."""
    names, got = [name for name, _ in connections(want)], [name for name, _ in connections(have)]
    return minus(names, got, None), minus(got, names, None), got


def minus(some, others, most=4):
    rest = list(others)
    out = []
    for item in some:
        if item in rest:
            rest.remove(item)
        else:
            out.append(item)
    return out[:most]


def state_differences(wanted, had):
    """Listing by listing, and what commands printed."""
    found, want, have = [], blocks(wanted), blocks(had)
    ours = [block for block in have if not skipped(block[0])]
    theirs = [block for block in want if not skipped(block[0])]
    for index, (heading, lines, number) in enumerate(theirs):
        other = ours[index] if index < len(ours) else ('nothing', [], None)
        if other[0] != heading:
            found.append(Difference(number, '%s: lbd has %s there' % (heading, other[0]), None))
            break
        if '-Lnc' in heading:
            text = connection_difference(lines, other[1])
        else:
            text = None if lines == other[1] else 'only ip_vs %s, only lbd %s' % (
                minus(lines, other[1]), minus(other[1], lines))
        if text:
            if '-Lnc' in heading:
                explained = exceptions.connection_explanation(*connection_lines(lines, other[1]))
            else:
                explained = exceptions.listing_explanation(heading, differing_names(lines, other[1]), wanted)
            found.append(Difference(number, '%s: %s' % (heading, text), explained))
    return found


def differing_names(some, others):
    """What the lines of two listings of services are about that are not in both: [(service, server or None)]."""
    return sorted({name for name, _ in named(some) ^ named(others)}, key=str)


def named(lines):
    """A listing of services -> {((service, server or None), its line)}."""
    out, service = set(), None
    for line in lines:
        words = line.split()
        if words[0] == '->':
            out.add(((service, words[1]), line))
        elif words[0] in ('TCP', 'UDP', 'SCTP', 'FWM'):
            service = ' '.join(words[:3] if words[2] == 'IPv6' else words[:2])
            out.add(((service, None), line))
    return out


def skipped(heading):
    """Commands that are no part of ip_vs."""
    return heading.startswith('$ ') and not heading.startswith('$ ipvsadm')
