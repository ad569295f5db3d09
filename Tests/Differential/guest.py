"""A case on the real ip_vs: the oracle's guest, with its clock in our hands."""
import importlib.util
import mmap
import os
import struct
import subprocess
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
STEP = 1.0        # a guest's clock jumps by no more at once, so that timers fire in their order
SETTLED = 0.020   # by then its kernel, which looks at the clock every 10 ms, has seen that
MOST_AHEAD = 0.5  # a guest's clock cannot go back
SLOWNESS = 16     # as in clock.c


def load_oracle(folder):
    """The oracle's own module, whose processes get our clock."""
    spec = importlib.util.spec_from_file_location('oracle', os.path.join(folder, 'oracle.py'))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    os.makedirs(os.path.join(folder, 'run'), exist_ok=True)
    return module


def build_clock(folder):
    """Compiles clock.c; returns the library."""
    library = os.path.join(folder, 'clock.so')
    subprocess.run(['cc', '-O2', '-shared', '-fPIC', '-o', library, os.path.join(HERE, 'clock.c')], check=True)
    return library


class TooSlow(Exception):
    """The machine was so busy that the guest's clock ran ahead of the case's: what it did cannot be compared."""


class Guest:
    """A booted guest that plays one case."""

    def __init__(self, folder):
        self.module = load_oracle(folder)
        self.scratch = tempfile.TemporaryDirectory(prefix='lbd-guest-')
        path = os.path.join(self.scratch.name, 'clock')
        with open(path, 'wb') as file:
            file.write(bytes(8))
        with open(path, 'r+b') as file:
            self.memory = mmap.mmap(file.fileno(), 8)
        self.ahead = 0
        self._boot({'LD_PRELOAD': build_clock(self.scratch.name), 'LBD_GUEST_CLOCK': path})
        self.start = self._now()
        self.due = 0.0     # the case's time; the guest's follows

    def _boot(self, more):
        plain = subprocess.Popen

        def with_clock(*arguments, **options):
            options['env'] = {**options['env'], **more}
            return plain(*arguments, **options)
        self.module.subprocess.Popen = with_clock
        try:
            self.oracle = self.module.Oracle()
        finally:
            self.module.subprocess.Popen = plain

    def _now(self):
        return time.monotonic() / SLOWNESS + self.ahead / 1e9

    def __enter__(self):
        return self

    def __exit__(self, *failure):
        self.oracle.__exit__(*failure)
        self.scratch.cleanup()

    def wait(self, seconds):
        """The case's time goes on, the guest's follows. Returns frames sent meanwhile, [(nic, bytes)]."""
        self.due += seconds
        frames = []
        while (late := self.start + self.due - self._now()) > 0:
            self.ahead += int(min(late, STEP) * 1e9)
            self.memory[:] = struct.pack('<q', self.ahead)
            time.sleep(SETTLED)
            frames += self.oracle.barrier(60)
        return frames + self.oracle.barrier(60)

    def run(self, command):
        """A command -> what it printed."""
        code, text = self.oracle.sh(command)
        self._check()
        return text

    def _check(self):
        if self._now() - self.start - self.due > MOST_AHEAD:
            raise TooSlow

    def inject(self, frame):
        """A frame in -> the frames it caused."""
        self._check()
        return [bytes for _, bytes in self.oracle.inject(frame)]

    def listings(self, statistics):
        """The listings in the form of a case's state.txt."""
        text = '# ipvsadm -Ln\n' + self.run('ipvsadm -Ln') + '# ipvsadm -Lnc\n' + self.run('ipvsadm -Lnc')
        if statistics:
            self.wait(5)     # counters reach the listing every 2 s
            text += '# ipvsadm -Ln --stats --exact\n' + self.run('ipvsadm -Ln --stats --exact')
        return text


def record(folder, case):
    """Plays a case; returns (outputs by input, state text)."""
    sent, state, number = {}, '', -1
    with Guest(folder) as guest:
        for event in case.events:
            if event.kind == 'frame':
                number += 1
                sent[number] = guest.inject(event.value)
            elif event.kind == 'show':
                state += '## after in #%d\n' % number + guest.listings(False)
            elif event.kind == 'command':
                state += '$ %s\n%s' % (event.value, guest.run(event.value))
            sent.setdefault(number, []).extend(frame for _, frame in guest.wait(event.seconds))
        state += '## final\n' + guest.listings(True)
    return sent, state
