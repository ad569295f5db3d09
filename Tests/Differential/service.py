"""A virtual service as a generator knows it."""


class Service:
    """By address, protocol and port (0: every port)."""
    mark = 0

    def __init__(self, family, address, protocol, port):
        self.family, self.address, self.protocol, self.port = family, address, protocol, port
        dash = '--' if len(protocol) > 1 else '-'
        self.key = '%s%s %s:%d' % (dash, protocol, '[%s]' % address if family == 6 else address, port)
        self.options, self.servers = '', []

    def server(self, number, port):
        """A server as ipvsadm names it."""
        host = '[fd00:2::%d]' % number if self.family == 6 else '10.2.0.%d' % number
        return '%s:%d' % (host, port)

    def arrival(self, random):
        """(protocol, port) of a packet for it."""
        return self.protocol, self.port or random.choice([80, 443, 81, 8080])


class Marked(Service):
    """By firewall mark: what a rule marks at an address and a port."""

    def __init__(self, family, address, mark, port):
        self.family, self.address, self.mark, self.port = family, address, mark, 0
        self.protocol, self.marked_port = 'tu'[mark - 1], port
        self.key = '-f %d%s' % (mark, ' -6' if family == 6 else '')
        self.options, self.servers = '', []

    def arrival(self, random):
        return self.protocol, self.marked_port
