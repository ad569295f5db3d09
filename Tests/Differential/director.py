"""A case on lbd."""
import os
import subprocess

import case

FIXTURE = os.path.join(os.path.dirname(os.path.abspath(__file__)), '../ConformanceTests/Vectors/fixture.txt')


def replay(program, folder, output):
    """Plays a case's folder; returns (outputs by input, inputs left to the host, state text)."""
    done = subprocess.run([program, 'replay', '--topology', FIXTURE, folder, '--output', output],
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=600, check=False)
    if done.returncode:
        raise RuntimeError('lbd replay: exit %d: %s' % (done.returncode, done.stdout.decode(errors='replace')[-400:]))
    with open(os.path.join(output, 'state.txt'), encoding='utf-8') as file:
        state = file.read()
    return (case.read_capture(os.path.join(output, 'out.pcap')), case.read_capture(os.path.join(output, 'passed.pcap')),
            state)
