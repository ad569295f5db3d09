"""A random case from a seed."""
import random

import case
import timing
import traffic
from profiles import PROFILES, SCHEDULERS, SETTINGS
from service import Marked, Service

VIPS = {4: ['10.1.0.100', '10.1.0.101', '10.1.0.102'], 6: ['fd00:1::100', 'fd00:1::101']}
PORTS = [80, 443, 53]
MARKS = [1, 2]
MOST_SERVICES = 7
FIRST = 20.0           # when the first burst starts


class Generator:
    """Draws services, edits and packets; knows what there is, so that most of it makes sense."""

    def __init__(self, seed, profile, count):
        self.random = random.Random('%s %d' % (profile, seed))
        self.profile = PROFILES[profile]
        self.count = count
        self.services = []
        self.gone = []
        self.now = 0.0
        self.events = []
        self.before, self.after = [], []     # commands at the next beginning, and the end, of a burst
        self.traffic = traffic.Traffic(self.random, self.profile)

    def add(self, event):
        self.events.append(event)
        self.now += event.seconds

    def command(self, text):
        self.add(case.command(text))

    def case(self):
        self.prepare()
        bursts = []
        while len(self.events) < self.count:
            start = timing.next_start(self.now, FIRST, bursts, self.random) if bursts else FIRST
            self.add(case.sleep(start - self.now))
            self.burst(start + timing.BURST)
            bursts.append((start, self.now))
        return case.Case(self.events)

    def prepare(self):
        for line in case.FIXTURE6:
            self.command(line)
        self.add(case.sleep(3))
        # Never deleted: without any service ip_vs leaves the path (the specification's "last service").
        self.command('ipvsadm -A -t 10.1.0.103:9 -s rr')
        for family, program in ((4, 'iptables-legacy'), (6, 'ip6tables-legacy')):
            for mark in MARKS:
                self.command('%s -t mangle -A PREROUTING -i eth0 -d %s -p %s --dport %d -j MARK --set-mark %d' % (
                    program, VIPS[family][-1], ('tcp', 'udp')[mark - 1], 8000 + mark, mark))
        draw = self.random.choice
        self.command('ipvsadm --set %d %d %d' % (draw(timing.ESTABLISHED), draw(timing.FIN_WAIT), draw(timing.UDP)))
        for _ in range(4):
            self.new_service()

    def burst(self, end):
        self.commands(self.before)
        while self.now < end - 0.3 and len(self.events) < self.count:
            if self.random.random() < 0.1:
                self.edit()
            else:
                for frame in self.traffic.frames(self.services + self.gone[-2:]):
                    self.add(case.frame(frame))
        self.add(case.show())
        self.commands(self.after)

    def commands(self, waiting):
        for text in waiting:
            self.command(text)
        waiting.clear()

    def edit(self):
        kinds = [(self.new_service, 6), (self.edit_service, 8), (self.delete_service, 2), (self.new_server, 14),
                 (self.edit_server, 24), (self.delete_server, 14), (self.set_setting, 6), (self.set_timeouts, 3),
                 (self.wrong, 4), (self.zero, 2), (self.clear, 0.2)]
        function, = self.random.choices([kind for kind, _ in kinds], [weight for _, weight in kinds])
        function()

    # Services

    def new_service(self):
        if len(self.services) >= MOST_SERVICES:
            return self.edit_service()
        service = self.gone.pop() if self.gone and self.random.random() < 0.5 else self.draw_service()
        if any(other.key == service.key for other in self.services):
            return self.edit_service()
        service.options = self.options(service)
        service.servers = []
        self.services.append(service)
        self.command('ipvsadm -A %s %s' % (service.key, service.options))
        for _ in range(self.random.randint(1, 4)):
            self.new_server(service)

    def draw_service(self):
        family = self.random.choice(self.profile.families)
        if self.random.random() < 0.15:
            mark = self.random.choice(MARKS)
            return Marked(family, VIPS[family][-1], mark, 8000 + mark)
        port = self.random.choice(PORTS + [0])
        return Service(family, self.random.choice(VIPS[family]), self.random.choice(['t', 't', 't', 'u', 'sctp-service']),
                       port)

    def options(self, service):
        words = ['-s', self.random.choice(SCHEDULERS)]
        if service.port == 0 and not service.mark or self.random.random() < 0.3:
            is_sctp = service.protocol == 'sctp-service'
            words += ['-p', str(self.random.choice(timing.SCTP_PERSISTENCE if is_sctp else timing.PERSISTENCE))]
            if self.random.random() < 0.5:
                words += ['-M', self.random.choice(
                    ['255.255.255.0', '255.255.0.0', '255.255.255.255'] if service.family == 4 else ['64', '48', '128'])]
        if service.protocol == 'u' and self.random.random() < 0.2:
            words.append('-o')
        return ' '.join(words)

    def edit_service(self):
        if self.services:
            service = self.random.choice(self.services)
            service.options = self.options(service)
            self.command('ipvsadm -E %s %s' % (service.key, service.options))

    def delete_service(self):
        if len(self.services) > 2:
            service = self.services.pop(self.random.randrange(len(self.services)))
            self.gone.append(service)
            self.command('ipvsadm -D %s' % service.key)

    def clear(self):
        self.gone += self.services
        self.services = []
        self.command('ipvsadm -C')
        self.command('ipvsadm -A -t 10.1.0.103:9 -s rr')
        for _ in range(3):
            self.new_service()

    # Servers

    def server_words(self):
        draw = self.random
        words = [draw.choice(self.profile.methods), '-w', str(draw.choice([0, 1, 1, 1, 1, 2, 3, 5, 10]))]
        if draw.random() < 0.15:
            upper = draw.randint(1, 6)
            words += ['-x', str(upper)]
            if draw.random() < 0.5:
                words += ['-y', str(draw.randint(1, upper))]
        return ' '.join(words)

    def new_server(self, service=None):
        if not self.services:
            return
        service = service or self.random.choice(self.services)
        free = [n for n in range(11, 17) if all(number != n for number, _ in service.servers)]
        if not free:
            return self.edit_server()
        number, words = self.random.choice(free), self.server_words()
        port = service.port
        if '-m' in words and self.random.random() < 0.5:
            port = self.random.choice([8080, 80, 53])
        service.servers.append((number, port))
        self.command('ipvsadm -a %s -r %s %s' % (service.key, service.server(number, port), words))

    def drawn_server(self):
        services = [service for service in self.services if service.servers]
        if not services:
            return None, None
        service = self.random.choice(services)
        return service, self.random.choice(service.servers)

    def edit_server(self):
        service, server = self.drawn_server()
        if service:
            self.command('ipvsadm -e %s -r %s %s' % (service.key, service.server(*server), self.server_words()))

    def delete_server(self):
        service, server = self.drawn_server()
        if service:
            service.servers.remove(server)
            self.command('ipvsadm -d %s -r %s' % (service.key, service.server(*server)))

    # The rest

    def set_setting(self):
        name, values = self.random.choice(SETTINGS)
        text = 'sysctl -w net.ipv4.vs.%s=%d' % (name, self.random.choice(values))
        if name == 'am_droprate':     # ip_vs looks at it once a second
            self.after.append(text)
        else:
            self.command(text)

    def set_timeouts(self):
        """Before the next burst: they are for packets from then on, which lbd tells to half a second."""
        draw = self.random.choice
        self.before.append('ipvsadm --set %d %d %d' % (
            draw([0] + timing.ESTABLISHED), draw([0] + timing.FIN_WAIT), draw([0] + timing.UDP)))

    def wrong(self):
        service = self.draw_service()
        if any(other.key == service.key for other in self.services):
            return self.command('ipvsadm -A %s -s rr%s' % (service.key, '' if service.port or service.mark else ' -p 35'))
        missing = service.server(17, service.port)
        self.command(self.random.choice([
            'ipvsadm -D %s' % service.key, 'ipvsadm -d %s -r %s' % (service.key, missing),
            'ipvsadm -a %s -r %s %s' % (service.key, missing, self.profile.methods[0]),
            'ipvsadm -E %s -s rr%s' % (service.key, '' if service.port or service.mark else ' -p 35')]))

    def zero(self):
        """Before the next burst: ip_vs goes by counters that are up to two seconds old."""
        if self.services:
            self.before.append('ipvsadm -Z %s' % self.random.choice(self.services).key)


def generate(seed, profile, count):
    """The case of a seed."""
    return Generator(seed, profile, count).case()
