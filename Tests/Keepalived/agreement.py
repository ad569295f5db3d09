#!/usr/bin/env python3
"""lbd check held against keepalived -t. See README.md."""
import argparse
import collections
import json
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile

import classes
import corpus

Verdict = collections.namedtuple('Verdict', 'code lines text')


def keepalived(folder, case, program):
    run = subprocess.run([program, '-t', '-f', os.path.join(folder, 'main.conf')] + case.options, cwd=folder,
                         stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60)
    text = run.stdout.decode('utf-8', 'replace')
    lines = {}
    for line in text.splitlines():
        found = re.match(r'\((?:(.*): )?Line (\d+)\) (.*)', line)
        if found:
            name = os.path.basename(found.group(1) or 'main.conf')
            lines.setdefault((name, int(found.group(2))), found.group(3)[:200])
    return Verdict(run.returncode, lines, text)


def lbd(folder, case, program):
    run = subprocess.run([program, 'check', '--json', '-c', os.path.join(folder, 'main.conf')] + case.options,
                         cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60)
    text = run.stdout.decode('utf-8', 'replace')
    report = json.loads(text)
    lines = {}
    for finding in report.get('findings', []):
        if finding['severity'] == 'note':
            continue
        place = (os.path.basename(finding['file']), finding['line'])
        if place not in lines or finding['severity'] == 'error':
            lines[place] = '%s: %s' % (finding['severity'], finding['message'][:200])
    return Verdict(run.returncode, lines, text)


def write(folder, case):
    for name, text in dict(case.others, **{'main.conf': case.text}).items():
        path = os.path.join(folder, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, 'wb') as file:
            file.write(text)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--lbd', default='.build/debug/lbd')
    parser.add_argument('--keepalived', default=shutil.which('keepalived', path=os.environ['PATH'] + ':/usr/sbin'))
    parser.add_argument('--samples', default='/usr/share/doc/keepalived/samples', help="keepalived's own sample files")
    parser.add_argument('--files', type=int, default=260)
    parser.add_argument('--seed', type=int, default=1)
    parser.add_argument('--only', help='a regular expression for the names of files')
    parser.add_argument('-v', action='store_true', help='every disagreement with what both say')
    parser.add_argument('--lines', action='store_true', help='lines that only one of them complains about')
    options = parser.parse_args()
    if not options.keepalived:
        sys.exit('agreement: there is no keepalived; install the package')

    print('seed %d' % options.seed)
    chosen = corpus.cases(random.Random(options.seed), options.samples, options.files)
    if options.only:
        chosen = [case for case in chosen if re.search(options.only, case.name)]
    agreed, explained, unexplained = 0, collections.Counter(), []
    both, only_theirs, only_ours = 0, collections.Counter(), collections.Counter()
    for case in chosen:
        with tempfile.TemporaryDirectory() as folder:
            write(folder, case)
            theirs = keepalived(folder, case, options.keepalived)
            ours = lbd(folder, case, os.path.abspath(options.lbd))
        if (theirs.code in (0, 5)) == (ours.code in (0, 5)):
            agreed += 1
        else:
            why = classes.of(case, theirs, ours)
            explained[why] += 1
            if not why:
                unexplained.append(case.name)
            if options.v or not why:
                print('%s: keepalived %d, lbd %d: %s' % (case.name, theirs.code, ours.code, why or 'NOT EXPLAINED'))
                print('    ' + '\n    '.join('%s:%d %s' % (*place, text) for place, text in sorted(ours.lines.items())
                                           if text.startswith('error') or theirs.code not in (0, 5))[:2000])
        both += len(theirs.lines.keys() & ours.lines.keys())
        for place in sorted(theirs.lines.keys() - ours.lines.keys()):
            why = classes.of_line(case, place, theirs, ours)
            only_theirs[why] += 1
            if options.lines or not why:
                print('%s: only keepalived, line %d: %s [%s]' % (case.name, place[1], theirs.lines[place], str(why)[:30]))
        for place in sorted(ours.lines.keys() - theirs.lines.keys()):
            why = classes.of_our_line(case, place, theirs, ours)
            only_ours[why] += 1
            if options.lines or not why:
                print('%s: only lbd, line %d: %s [%s]' % (case.name, place[1], ours.lines[place], str(why)[:30]))

    print('%d files: %d agree, %d do not' % (len(chosen), agreed, len(chosen) - agreed))
    for why, count in explained.most_common():
        print('  %4d  %s' % (count, why or 'NOT EXPLAINED'))
    print('%d lines that both complain about' % both)
    for title, lines in (('keepalived', only_theirs), ('lbd', only_ours)):
        print('%d lines that only %s complains about' % (sum(lines.values()), title))
        for why, count in lines.most_common():
            print('  %4d  %s' % (count, why or 'NOT EXPLAINED'))
    if unexplained:
        print('not explained: ' + ' '.join(unexplained))
    return 1 if unexplained or only_theirs[None] or only_ours[None] else 0


if __name__ == '__main__':
    sys.exit(main())
