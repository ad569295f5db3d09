"""Packets that ip_vs sends to nobody, since a server has one route for all of its methods.

The first packet after an edit of a server fetches its route, DR's with the server as the next hop, those of the other methods
without one. DR's packets by a route of those are for the VIP itself on the servers' side, where nobody has it: they are lost,
and answered as unreachable some seconds later. docs/differences-from-ipvs.md, "A server's method is edited to DR".
"""
import re

SERVER = re.compile(r'ipvsadm -[ae] (.*?) -r (\S+)')
NUMBER = re.compile(r'(\d+)\]?:\d+$')
UNREACHABLE = {b'\x08\0': (1, 3, 1), b'\x86\xdd': (58, 1, 3)}    # by the type of frame: protocol, ICMP's type and code


def methods(line):
    """What a command says of a server: (service, server, is it DR), or None."""
    found = SERVER.search(line)
    return (found[1], found[2], ' -g' in line) if found else None


class Mixed:
    """The servers that have been by DR and by other methods, command by command."""

    def __init__(self):
        self.seen, self.servers = {}, set()

    def note(self, line):
        said = methods(line)
        if said:
            self.seen.setdefault(said[:2], set()).add(said[2])
            if len(self.seen[said[:2]]) == 2:
                self.servers.add(said[:2])

    def numbers(self):
        """Of addresses, as they stand in MAC addresses too."""
        return {int(NUMBER.search(server)[1]) for _, server in self.servers}


class LostPackets:
    """Those of one case, input by input in their order."""

    def __init__(self, case):
        self.numbers, self.lost = [], []
        mixed = Mixed()
        for event in case.events:
            if event.kind == 'command':
                mixed.note(event.value)
            elif event.kind == 'frame':
                self.numbers.append(mixed.numbers())

    def explains(self, number, given, wanted, had):
        """Is it that packet, or the answer to one?"""
        if not wanted and len(had) == 1 and self.is_direct(number, given, had[0]):
            self.lost.append(had[0][14:])
            return True
        rest = [frame for frame in wanted if not self.is_answer(frame)]
        return len(rest) < len(wanted) and rest == had

    def is_direct(self, number, given, sent):
        """Sent by DR to a server that has had other methods: one hop less, nothing else."""
        at = 26 if given[12:14] == b'\x08\x00' else 22
        return (sent[:5] == b'\x02\0\0\0\x02' and sent[5] in self.numbers[number] and sent[12:14] == given[12:14]
                and len(sent) == len(given) and sent[at:] == given[at:])

    def is_answer(self, frame):
        """Unreachable, about a lost packet."""
        protocol, kind, code = UNREACHABLE[frame[12:14]]
        head, at = (14 + 20, 23) if protocol == 1 else (14 + 40, 20)
        if frame[at] != protocol or tuple(frame[head:head + 2]) != (kind, code):
            return False
        quoted = frame[head + 8:]
        return any(packet[:len(quoted)] == quoted[:len(packet)] for packet in self.lost)
