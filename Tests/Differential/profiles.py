"""What a random case consists of: the profiles."""
from collections import namedtuple

Profile = namedtuple('Profile', 'methods families icmp fragments odd')

GUE = '-i --tun-type gue --tun-port 6080'
GRE = '-i --tun-type gre'

# methods: ipvsadm's words, drawn per server. icmp, fragments, odd: of 100 frames, how many are such.
PROFILES = {
    'dr': Profile(['-g'], (4, 6), 0, 0, 5),
    'nat': Profile(['-m'], (4, 6), 0, 0, 10),
    'tun': Profile(['-i', '-i', '-i', '-g'], (4, 6), 0, 0, 10),
    'mixed': Profile(['-g', '-m', '-i'], (4, 6), 0, 0, 10),
    'gue-gre': Profile(['-i', GUE, GUE + ' --tun-csum', GUE + ' --tun-remcsum', GRE, GRE + ' --tun-csum'],
                       (4, 6), 0, 0, 10),
    'icmp': Profile(['-g', '-m', '-i'], (4, 6), 25, 0, 5),
    'frag': Profile(['-g', '-m', '-i'], (4, 6), 0, 25, 5),
}

# twos draws by lot in both: docs/differences-from-ipvs.md, "Schedulers".
SCHEDULERS = ['rr', 'wrr', 'lc', 'wlc', 'sed', 'nq', 'sh', 'sh -b sh-port', 'sh -b sh-fallback',
              'sh -b sh-port,sh-fallback', 'dh', 'lblc', 'lblcr', 'fo', 'ovf', 'mh', 'mh -b mh-port',
              'mh -b mh-fallback', 'mh -b mh-port,mh-fallback']

SETTINGS = [('expire_nodest_conn', (0, 1)), ('expire_quiescent_template', (0, 1)), ('conn_reuse_mode', (0, 1, 2, 3)),
            ('sloppy_tcp', (0, 1)), ('sloppy_sctp', (0, 1)), ('secure_tcp', (0, 3)), ('drop_packet', (0, 0, 3)),
            ('am_droprate', (2, 5, 10)), ('pmtu_disc', (0, 1)), ('nat_icmp_send', (0, 1))]
