#!/usr/bin/env python3
"""Random cases on lbd and on a real ip_vs: the same servers, states and listings. README.md says how to run it."""
import argparse
import filecmp
import os
import sys
import tempfile
import time

import comparison
import director
import exceptions
import generator
import guest
import profiles
import shrink
from case import Case, read_capture

ATTEMPTS = 4


def arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--oracle', required=True, help="the oracle's folder, set up and writable")
    parser.add_argument('--lbd', required=True, help='the program under test')
    parser.add_argument('--profile', default='dr', choices=sorted(profiles.PROFILES))
    parser.add_argument('--seeds', default='1-20', help='one seed, or from-to')
    parser.add_argument('--events', type=int, default=2000)
    parser.add_argument('--shrink', type=int, default=0, metavar='TRIES', help='make a differing case small')
    parser.add_argument('--keep', metavar='FOLDER', help='where cases with what ip_vs made of them go')
    parser.add_argument('--again', action='store_true', help='use what ip_vs did from the folder of --keep')
    parser.add_argument('--show', type=int, default=3, help='differences to print per seed')
    parser.add_argument('--exceptions', action='store_true', help='also print what is explained')
    return parser.parse_args()


def record(oracle, this):
    """What ip_vs does with a case; again when the machine was too busy to keep to its times."""
    for _ in range(ATTEMPTS - 1):
        try:
            return guest.record(oracle, this)
        except guest.TooSlow:
            print('  the machine is too busy, once more', flush=True)
    return guest.record(oracle, this)


def recorded(folder):
    """What ip_vs did with a case, kept from an earlier run."""
    with open(os.path.join(folder, 'state.txt'), encoding='utf-8') as file:
        return read_capture(os.path.join(folder, 'out.pcap')), file.read()


def require_same(this, folder):
    """A recording is of one case: another number of events, or another generator, makes another one."""
    with tempfile.TemporaryDirectory() as output:
        this.write(output)
        _, others, missing = filecmp.cmpfiles(output, folder, ['commands.txt', 'in.pcap'], shallow=False)
    if others or missing:
        sys.exit('%s: recorded of another case (--events, or the generator, has changed); record anew without --again' % folder)


def differences(options, events, folder, again=False):
    """All differences of a case, in their order."""
    this = Case(events)
    if again and os.path.exists(os.path.join(folder, 'state.txt')):
        require_same(this, folder)
        sent, state = recorded(folder)
    else:
        sent, state = record(options.oracle, this)
        this.write(folder, sent, state)
    with tempfile.TemporaryDirectory() as output:
        had, passed, own = director.replay(options.lbd, folder, output)
    found = comparison.frame_differences(this, sent, had, passed)
    found += comparison.state_differences(state, own)
    return sorted(found, key=lambda difference: 1 << 30 if difference.input is None else difference.input)


def is_unexplained(difference):
    return difference.explained is None


def run_seed(options, seed, folder):
    """One seed; returns the number of unexplained differences."""
    events = generator.generate(seed, options.profile, options.events).events
    began = time.monotonic()
    found = differences(options, events, folder, options.again)
    unexplained = list(filter(is_unexplained, found))
    print('profile %s seed %d: %d events, %d differences, %d explained, %.0f s' % (
        options.profile, seed, len(events), len(unexplained), len(found) - len(unexplained),
        time.monotonic() - began), flush=True)
    for difference in found if options.exceptions else unexplained[:options.show]:
        print('  %s%s' % (difference.text, ' [%s]' % difference.explained.name if difference.explained else ''))
    if unexplained and options.shrink:
        shrink_seed(options, events, unexplained[0], folder + '-small')
    return len(unexplained)


def shrink_seed(options, events, first, folder):
    def differs(candidate):
        return any(map(is_unexplained, differences(options, candidate, folder)))
    small = shrink.shrink(shrink.cut(events, first), differs, options.shrink, lambda text: print('  ', text, flush=True))
    left = differences(options, small, folder)
    print('  small: %d events in %s' % (len(small), folder))
    for difference in left[:options.show]:
        print('  ' + difference.text)


def main():
    options = arguments()
    low, _, high = options.seeds.partition('-')
    keep = options.keep or tempfile.mkdtemp(prefix='lbd-differential-')
    bad = 0
    for seed in range(int(low), int(high or low) + 1):
        bad += run_seed(options, seed, os.path.join(keep, '%s-%d' % (options.profile, seed))) > 0
    print('%d seeds differ; not generated: %s' % (bad, ', '.join(name for name, _ in exceptions.NOT_GENERATED)))
    return 1 if bad else 0


if __name__ == '__main__':
    sys.exit(main())
