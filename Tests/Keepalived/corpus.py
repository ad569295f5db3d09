"""Configuration files to hold lbd and keepalived against each other: the samples, keepalived's own, cases of the language,
keywords without their value, and what chance makes of all of them."""
import collections
import glob
import gzip
import os

# text: of the main file; others: further files by name; options: for both programs.
Case = collections.namedtuple('Case', 'name text others options')

SAMPLES = os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'ConfigTests', 'Samples')

SERVICE = b'''virtual_server 10.0.0.1 80 {
  delay_loop 6
  lb_algo rr
  lb_kind NAT
  protocol TCP
  %s
  real_server 10.1.0.1 80 {
    weight 1
    %s
    TCP_CHECK {
      connect_timeout 3
      %s
    }
  }
}
'''

INSTANCE = b'''vrrp_instance VI_1 {
  interface lo
  virtual_router_id 51
  priority 100
  advert_int 1
  %s
  virtual_ipaddress {
    10.0.0.100
  }
}
'''

LANGUAGE = [
    ('comments', b'# a\n! b\nglobal_defs { # c\n router_id a#b\n router_id "a#b" ! d\n}\n'),
    ('glued-braces', b'global_defs{\nrouter_id a}\nglobal_defs\n{ router_id b }\n'),
    ('crlf', b'global_defs {\r\n router_id a\r\n}\r\n'),
    ('no-break-space', 'global_defs {\n\u00a0\u00a0router_id a\n}\n'.encode()),
    ('byte-order-mark', '\ufeffglobal_defs {\n router_id a\n}\n'.encode()),
    ('open-quote', b'global_defs {\n router_id "abc\n}\n'),
    ('extra-closing-brace', b'global_defs {\n router_id a\n}\n}\n'),
    ('missing-closing-brace', b'global_defs {\n router_id a\n'),
    ('missing-opening-brace', b'global_defs\n router_id a\n}\n'),
    ('stray-opening-brace', b'{\nglobal_defs {\n router_id a\n}\n'),
    ('brace-behind-value', b'global_defs {\n router_id a {\n x 1\n }\n}\n'),
    ('unknown-block', b'foo a {\n bar 1\n}\nglobal_defs {\n router_id a\n}\n'),
    ('unknown-keyword', b'global_defs {\n router_di a\n}\n'),
    ('wrong-case', b'Global_Defs {\n router_id a\n}\n'),
    ('quoted-keyword', b'"global_defs" {\n router_id a\n}\n'),
    ('two-directives-on-a-line', SERVICE % (b'', b'weight 1 uthreshold 5', b'')),
    ('condition', b'@one global_defs {\n@one router_id a\n@two routerid b\n@^one routerid c\n}\n'),
    ('variable', b'$A=a\n$B=${A}b\nglobal_defs {\n router_id $A\n router_id x${B}\n}\n'),
    ('undefined-variable', b'global_defs {\n router_id $A\n}\n'),
    ('variable-with-braces', b'$A=global_defs {\n$A\n router_id a\n}\n'),
    ('multi-line-variable', b'$A= \\\n global_defs { \\\n router_id a \\\n }\n$A\n'),
    ('blank-before-equals', b'$A =a\nglobal_defs {\n}\n'),
    ('sequence', b'~SEQ(i,1,3) vrrp_track_file t$i { file /tmp/x$i }\n'),
    ('bad-sequence', b'~SEQ(i) foo\nglobal_defs {\n}\n'),
    ('list', b'~LST(i,a,b) vrrp_track_file t$i { file /tmp/x$i }\n'),
    ('backslash', b'global_defs {\n router_id\\ a\n}\n'),
    ('empty', b''),
    ('only-comments', b'# a\n'),
    ('merged-service', SERVICE % (b'', b'', b'') + (SERVICE % (b'', b'', b'')).replace(b'10.1.0.1', b'10.1.0.2')),
    ('no-protocol', (SERVICE % (b'', b'', b'')).replace(b'protocol TCP', b'')),
    ('group', b'virtual_server_group g {\n 10.0.0.1 80\n 10.0.0.2-4 80\n fwmark 3\n}\n'
     + (SERVICE % (b'', b'', b'')).replace(b'10.0.0.1 80', b'group g')),
    ('unknown-group', (SERVICE % (b'', b'', b'')).replace(b'10.0.0.1 80', b'group h')),
    ('fwmark', (SERVICE % (b'', b'', b'')).replace(b'10.0.0.1 80', b'fwmark 7')),
    ('bad-address', (SERVICE % (b'', b'', b'')).replace(b'10.0.0.1', b'10.0.0.256')),
    ('bad-server-address', (SERVICE % (b'', b'', b'')).replace(b'10.1.0.1', b'ten')),
    ('no-servers', b'virtual_server 10.0.0.1 80 {\n lb_algo rr\n lb_kind NAT\n protocol TCP\n}\n'),
    ('persistence-zero', SERVICE % (b'persistence_timeout 0', b'', b'')),
    ('nb_get_retry', SERVICE % (b'', b'', b'nb_get_retry 3')),
]

INCLUDES = [
    ('include', b'include a.conf\n', {'a.conf': b'global_defs {\n router_id a\n}\n'}),
    ('include-braces', b'include {a,b}.conf\n', {'a.conf': b'global_defs {\n', 'b.conf': b' router_id a\n}\n'}),
    ('include-nested', b'include d/a.conf\n', {'d/a.conf': b'include b.conf\n', 'd/b.conf': b'global_defs {\n}\n'}),
    ('include-missing', b'include nope.conf\nglobal_defs {\n}\n', {}),
    ('include-nothing-matches', b'include *.nope\nglobal_defs {\n}\n', {}),
    ('includer-missing', b'includer nope.conf\nglobal_defs {\n}\n', {}),
    ('includem-missing', b'includem nope.conf\nglobal_defs {\n}\n', {}),
    ('includew-nothing-matches', b'includew *.nope\nglobal_defs {\n}\n', {}),
    ('includeb-one-missing', b'includeb {a,b}.conf\n', {'a.conf': b'global_defs {\n}\n'}),
    ('includea', b'includea a.conf\n', {'a.conf': b'global_defs {\n}\n'}),
    ('include-check', b'global_defs {\n include_check\n}\ninclude nope.conf\n', {}),
    ('include-itself', b'global_defs {\n}\ninclude a.conf\n', {'a.conf': b'include a.conf\n'}),
    ('include-with-errors', b'include a.conf\n', {'a.conf': b'global_defs {\n router_di a\n}\n'}),
    ('include-condition', b'@one include a.conf\n', {'a.conf': b'global_defs {\n}\n'}),
    ('include-variable', b'$A=a\ninclude $A.conf\ninclude ${A}.conf\n', {'a.conf': b'global_defs {\n}\n'}),
]

# Keywords that take a value, by the place they go.
GLOBALS = b'''router_id notification_email_from smtp_server smtp_helo_name smtp_connect_timeout vrrp_version vrrp_mcast_group4
default_interface vrrp_garp_master_delay vrrp_garp_interval script_user lvs_timeouts lvs_sync_daemon vrrp_startup_delay
vrrp_rt_priority checker_priority umask notify_fifo startup_script'''.split()
INSTANCES = b'''state interface virtual_router_id priority advert_int mcast_src_ip unicast_src_ip garp_master_delay
preempt_delay debug notify notify_master version use_vmac nopreempt'''.split()
SERVICES = b'''delay_loop lb_algo lb_kind protocol persistence_timeout persistence_granularity virtualhost alpha quorum
hysteresis quorum_up sorry_server retry weight'''.split()
SERVERS = b'weight notify_up uthreshold lvs_method inhibit_on_failure'.split()
CHECKS = b'connect_timeout connect_port bindto retry delay_before_retry warmup connect_ip'.split()
WRONG = [b'', b' x', b' -1', b' 5x', b' 99999999999', b' 0', b' "', b' 1.5']


def placed(place, line):
    if place == 'global_defs':
        return b'global_defs {\n ' + line + b'\n}\n'
    if place == 'vrrp_instance':
        return INSTANCE % line
    holes = {'virtual_server': (line, b'', b''), 'real_server': (b'', line, b''), 'TCP_CHECK': (b'', b'', line)}
    return SERVICE % holes[place]


def values(random, count):
    """Each keyword without its value, then others that do not fit, up to a number of files."""
    table = [(place, word) for place, words in (
        ('global_defs', GLOBALS), ('vrrp_instance', INSTANCES), ('virtual_server', SERVICES), ('real_server', SERVERS),
        ('TCP_CHECK', CHECKS)) for word in words]
    rows = [(place, word, b'') for place, word in table]
    while len(rows) < count:
        rows.append(random.choice(table) + (random.choice(WRONG[1:]),))
    for place, word, value in rows[:count]:
        name = 'value-%s-%s-%s' % (place, word.decode(), value.decode().strip().strip('"') or 'none')
        yield Case(name, placed(place, word + value), {}, [])


def mutated(random, text):
    """A text with one to three slips as people make them."""
    lines = text.split(b'\n')
    for _ in range(random.randint(1, 3)):
        index = random.randrange(len(lines))
        line = lines[index]
        words = line.split()
        kind = random.choice(['drop', 'double', 'swap', 'typo', 'word', 'open', 'close', 'number', 'quote', 'cut', 'glue'])
        if kind == 'drop':
            del lines[index]
        elif kind == 'double':
            lines.insert(index, line)
        elif kind == 'swap' and index + 1 < len(lines):
            lines[index], lines[index + 1] = lines[index + 1], line
        elif kind == 'typo' and words and len(words[0]) > 3:
            place = random.randrange(1, len(words[0]) - 1)
            bent = words[0][:place] + words[0][place + 1:place + 2] + words[0][place:place + 1] + words[0][place + 2:]
            lines[index] = line.replace(words[0], bent, 1)
        elif kind == 'word' and len(words) > 1:
            lines[index] = b' '.join(words[:-1])
        elif kind == 'open':
            lines[index] = line + b' {'
        elif kind == 'close':
            lines[index] = line + b' }'
        elif kind == 'number' and len(words) > 1 and words[-1].isdigit():
            lines[index] = line.replace(words[-1], random.choice([b'-1', b'x', b'9' * 12, b'5x', b'0', b'']), 1)
        elif kind == 'quote':
            lines[index] = line + b' "'
        elif kind == 'cut':
            lines[index] = line[:random.randrange(len(line) + 1)]
        elif kind == 'glue' and index + 1 < len(lines):
            lines[index:index + 2] = [line + b' ' + lines[index + 1].strip()]
        if not lines:
            lines = [b'']
    return b'\n'.join(lines)


def generated(random):
    """A sound file with a bit of everything."""
    text = b'$P=%d\n' % random.randint(1, 65535)
    if random.random() < 0.5:
        text += INSTANCE % random.choice([b'nopreempt', b'garp_master_delay 2', b'state BACKUP', b'@one debug 1', b''])
    for number in range(random.randint(1, 3)):
        service = SERVICE % (
            random.choice([b'persistence_timeout 60', b'quorum 1', b'alpha', b'', b'sorry_server 10.9.0.1 $P']),
            random.choice([b'inhibit_on_failure', b'uthreshold 10', b'']),
            random.choice([b'retry 2', b'connect_port 80', b'']))
        service = service.replace(b'10.0.0.1 80', b'10.0.0.%d $P' % (number + 1))
        text += service.replace(b'rr', random.choice([b'rr', b'wrr', b'wlc', b'sh', b'lc', b'mh', b'sed']))
    return text


def read(path):
    with (gzip.open if path.endswith('.gz') else open)(path, 'rb') as file:
        return file.read()


def cases(random, keepalived_samples, count):
    samples = [(os.path.basename(path), read(path)) for path in sorted(glob.glob(os.path.join(SAMPLES, '*.conf')))]
    theirs = [(os.path.basename(path), read(path))
              for path in sorted(glob.glob(os.path.join(keepalived_samples, 'keepalived.conf.*')))]
    all_cases = [Case(name, text, {}, []) for name, text in samples + theirs]
    all_cases += [Case('language-' + name, text, {}, ['-i', 'one']) for name, text in LANGUAGE]
    all_cases += [Case('language-' + name, text, others, ['-i', 'one']) for name, text, others in INCLUDES]
    all_cases += values(random, 80)
    while len(all_cases) < count:
        if random.random() < 0.25:
            all_cases.append(Case('generated-%d' % len(all_cases), generated(random), {}, ['-i', 'one']))
        else:
            name, text = random.choice(samples + theirs)
            all_cases.append(Case('mutated-%d-%s' % (len(all_cases), name), mutated(random, text), {}, []))
    return all_cases
