"""A case: what happens, event by event, in the form that the recorded vectors have."""
import os
import struct
from collections import namedtuple

FIXTURE6 = [
    'sysctl -qw net.ipv6.conf.eth0.router_solicitations=0 net.ipv6.conf.eth1.router_solicitations=0'
    ' net.ipv6.conf.eth0.disable_ipv6=0 net.ipv6.conf.eth1.disable_ipv6=0 net.ipv6.conf.all.forwarding=1'
    ' net.ipv6.icmp.ratelimit=0',
    'ip -6 addr add fd00:1::1/64 dev eth0 nodad', 'ip -6 addr add fd00:1::100/128 dev eth0 nodad',
    'ip -6 addr add fd00:1::101/128 dev eth0 nodad', 'ip -6 addr add fd00:2::1/64 dev eth1 nodad',
    'ip -6 neigh replace fd00:1::fe lladdr 02:00:00:00:01:fe dev eth0 nud permanent',
    'ip -6 route add default via fd00:1::fe',
] + ['ip -6 neigh replace fd00:2::%d lladdr 02:00:00:00:02:%02x dev eth1 nud permanent' % (n, n) for n in range(11, 19)]

FRAME_SECONDS = 0.012      # more than a tick of the guest's kernel: what is due at once is done by then
COMMAND_SECONDS = 0.04

Event = namedtuple('Event', 'kind value seconds')    # kind: command, frame, sleep, show


def command(text):
    return Event('command', text, COMMAND_SECONDS)


def frame(data):
    return Event('frame', data, FRAME_SECONDS)


def sleep(seconds):
    return Event('sleep', None, seconds)


def show():
    return Event('show', None, COMMAND_SECONDS)


class Case:
    """Events in order."""

    def __init__(self, events):
        self.events = list(events)

    def frames(self):
        return [event.value for event in self.events if event.kind == 'frame']

    def commands(self):
        """The lines of commands.txt. `lbd replay` gives a frame 1 ms by itself."""
        lines, waiting, frames = [], 0.0, 0

        def flush():
            nonlocal waiting, frames
            if frames:
                lines.append('@inject %d' % frames)
            if waiting > 1e-9:
                lines.append('@sleep %.3f' % waiting)
            waiting, frames = 0.0, 0

        for event in self.events:
            if event.kind != 'sleep':
                flush()
            if event.kind == 'frame':
                frames, waiting = 1, event.seconds - 0.001
                continue
            if event.kind != 'sleep':
                lines.append('@show' if event.kind == 'show' else event.value)
            waiting += event.seconds
        flush()
        return lines

    def write(self, folder, sent=None, state=None):
        """The case's folder; with what ip_vs made of it when that is known."""
        os.makedirs(folder, exist_ok=True)
        with open(os.path.join(folder, 'commands.txt'), 'w', encoding='utf-8') as file:
            file.write('\n'.join(self.commands()) + '\n')
        write_capture(os.path.join(folder, 'in.pcap'), list(enumerate(self.frames())))
        if sent is not None:
            stamped = [(k + 0.001 * (j + 1), data) for k in sorted(sent) if k >= 0 for j, data in enumerate(sent[k])]
            write_capture(os.path.join(folder, 'out.pcap'), stamped)
        if state is not None:
            with open(os.path.join(folder, 'state.txt'), 'w', encoding='utf-8') as file:
                file.write(state)


def write_capture(path, stamped):
    """A capture of [(seconds, bytes)]."""
    with open(path, 'wb') as file:
        file.write(struct.pack('<IHHiIII', 0xa1b2c3d4, 2, 4, 0, 0, 65535, 1))
        for seconds, data in stamped:
            file.write(struct.pack('<IIII', int(seconds + 1e-7), round(seconds % 1 * 1e6) % 1000000, len(data), len(data)))
            file.write(data)


def read_capture(path):
    """A capture of `lbd replay` -> {input: [bytes]}."""
    groups = {}
    if not os.path.exists(path):
        return groups
    with open(path, 'rb') as file:
        data = file.read()
    order = '<' if data[:4] in (b'\xd4\xc3\xb2\xa1', b'\x4d\x3c\xb2\xa1') else '>'
    scale = 1e9 if data[:4] in (b'\x4d\x3c\xb2\xa1', b'\xa1\xb2\x3c\x4d') else 1e6
    at = 24
    while at + 16 <= len(data):
        seconds, fraction, length, _ = struct.unpack(order + 'IIII', data[at:at + 16])
        groups.setdefault(int(seconds + fraction / scale + 1e-7), []).append(data[at + 16:at + 16 + length])
        at += 16 + length
    return groups
