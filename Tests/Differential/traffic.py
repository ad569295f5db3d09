"""Random packets: of clients to services, of real servers to clients."""
import packet

CLIENTS = {4: ['172.16.1.1', '172.16.1.2', '172.16.2.1', '172.17.0.9', '10.1.0.50'],
           6: ['2001:db8::5', '2001:db8::6', '2001:db8:0:1::5', '2001:db8:9::5']}
PORTS = range(40000, 40012)
CLIENT_SEGMENTS = ['S'] * 8 + ['A'] * 6 + ['PA'] * 3 + ['FA'] * 3 + ['F', 'R', 'RA', 'SA', 'FPU', 'U', 'S', 'SR']
SERVER_SEGMENTS = ['SA'] * 6 + ['A'] * 4 + ['PA'] * 3 + ['FA'] * 3 + ['R', 'RA', 'S']
CHUNKS = [0, 1, 1, 1, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 14, 12, 13, 192]
ODD_SIZES = [0, 1, 2, 3, 7, 100, 101, 333, 1001, 1371, 1399, 1400]


class Traffic:
    """Draws frames."""

    def __init__(self, random, profile):
        self.random, self.profile, self.identification = random, profile, 0

    def frames(self, services):
        """The next frame; fragments come together."""
        if not services:
            return []
        random = self.random
        service = random.choice(services)
        protocol, port = service.arrival(random)
        if random.random() < 0.02:
            port = 9999
        client = random.choice(CLIENTS[service.family])
        client_port = random.choice(PORTS)
        if random.random() < 0.01:
            client_port = 20
        kind = random.random() * 100
        if kind < self.profile.icmp:
            return [self.icmp(service, protocol, client, client_port, port)]
        is_fragmented = kind < self.profile.icmp + self.profile.fragments
        if '-m' in self.profile.methods and service.servers and random.random() < 0.45:
            number, server_port = random.choice(service.servers)
            source = self.server_address(service, number)
            segment = self.segment(protocol, server_port or port, client_port, SERVER_SEGMENTS, is_fragmented)
            return self.wrapped(source, client, segment, lambda data: packet.from_server(number, data), is_fragmented)
        segment = self.segment(protocol, client_port, port, CLIENT_SEGMENTS, is_fragmented)
        return self.wrapped(client, service.address, segment, packet.from_client, is_fragmented)

    @staticmethod
    def server_address(service, number):
        return ('fd00:2::%d' if service.family == 6 else '10.2.0.%d') % number

    def payload(self, is_fragmented):
        if is_fragmented:
            return bytes(range(256)) * self.random.choice([6, 8, 12])
        size = self.random.choice(ODD_SIZES) if self.random.random() * 100 < self.profile.odd else 16
        return bytes(index & 255 for index in range(size))

    def segment(self, protocol, source, target, segments, is_fragmented):
        random = self.random
        if protocol == 't':
            flags = random.choice(segments)
            return packet.tcp(flags, source, target, self.payload(is_fragmented) if 'P' in flags or is_fragmented else b'')
        if protocol == 'u':
            return packet.udp(source, target, self.payload(is_fragmented), has_checksum=random.random() < 0.9)
        return packet.sctp(random.choice(CHUNKS), source, target, self.payload(is_fragmented))

    def wrapped(self, source, target, segment, in_frame, is_fragmented):
        random = self.random
        self.identification = self.identification % 60000 + 1
        if ':' in source and segment[0] == packet.UDP and segment[1] is None:
            segment = (segment[0], 6, segment[2])
        options = b'\x94\x04\0\0' if ':' not in source and random.random() * 400 < self.profile.odd else b''
        data = packet.packet(
            source, target, segment, self.identification, ttl=random.choice([64, 64, 64, 64, 64, 64, 2, 1, 255]),
            tos=random.choice([0, 0, 0, 0xb8]), is_whole=not is_fragmented and random.random() < 0.5, options=options)
        if not is_fragmented:
            return [in_frame(data)]
        size = random.choice([1480, 776, 512])
        pieces = packet.fragments6(data, size, self.identification) if ':' in source else packet.fragments(data, size)
        return [in_frame(piece) for piece in pieces]

    def icmp(self, service, protocol, client, client_port, port):
        """An error about a packet of a connection, or an echo request."""
        random = self.random
        is_new = service.family == 6
        if random.random() < 0.1:
            echo = packet.icmp(128 if is_new else 8, 0, 0x10001, b'echo', client, service.address)
            return self.wrapped(client, service.address, echo, packet.from_client, False)[0]
        kind, code = random.choice([(1, 0), (1, 4), (2, 0), (3, 0), (4, 1)] if is_new else
                                   [(3, 0), (3, 1), (3, 3), (3, 4), (4, 0), (11, 0), (12, 0)])
        rest = 1300 if (is_new and kind == 2) or (not is_new and (kind, code) == (3, 4)) else 0
        length = random.choice([28, 48, 200]) if not is_new else random.choice([48, 68, 300])
        if random.random() < 0.5 and service.servers:
            number, server_port = random.choice(service.servers)
            source = self.server_address(service, number)
            seen = source if '-m' in self.profile.methods else service.address
            inner = self.segment(protocol, client_port, server_port or port, ['S', 'A', 'PA'], False)
            quoted = packet.packet(client, seen, inner)[:length]
            message = packet.icmp(kind, code, rest, quoted, source, client)
            return self.wrapped(source, client, message, lambda data: packet.from_server(number, data), False)[0]
        inner = self.segment(protocol, port, client_port, SERVER_SEGMENTS, False)
        quoted = packet.packet(service.address, client, inner)[:length]
        message = packet.icmp(kind, code, rest, quoted, client, service.address)
        return self.wrapped(client, service.address, message, packet.from_client, False)[0]
