"""Frames, made by hand: a client's towards the director, a real server's through it."""
import ipaddress
import struct

TCP, UDP, SCTP, ICMP, ICMP6 = 6, 17, 132, 1, 58
CLIENT_SIDE = bytes.fromhex('0200000001010200000001fe')
FLAGS = {'F': 1, 'S': 2, 'R': 4, 'P': 8, 'A': 16, 'U': 32}
CRC32C = []
for _index in range(256):
    _value = _index
    for _ in range(8):
        _value = _value >> 1 ^ (0x82f63b78 if _value & 1 else 0)
    CRC32C.append(_value)


def crc32c(data):
    value = 0xffffffff
    for byte in data:
        value = value >> 8 ^ CRC32C[(value ^ byte) & 255]
    return struct.pack('<I', value ^ 0xffffffff)


def checksum(data):
    if len(data) & 1:
        data += b'\0'
    total = sum(struct.unpack('>%dH' % (len(data) // 2), data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


def packed(address):
    return ipaddress.ip_address(address).packed


def filled(segment, at, source, target, protocol):
    """The segment with its checksum at `at`."""
    pseudo = packed(source) + packed(target) + struct.pack('>IHBB', len(segment), 0, 0, protocol)
    value = checksum(pseudo + segment)
    if protocol == UDP and value == 0:
        value = 0xffff
    return segment[:at] + struct.pack('>H', value) + segment[at + 2:]


def tcp(flags, source_port, target_port, payload=b''):
    bits = sum(FLAGS[flag] for flag in flags)
    acknowledged = 5001 if 'A' in flags else 0
    head = struct.pack('>HHIIBBHHH', source_port, target_port, 1000, acknowledged, 0x50, bits, 8192, 0, 0)
    return TCP, 16, head + payload


def udp(source_port, target_port, payload=b'', has_checksum=True):
    head = struct.pack('>HHHH', source_port, target_port, 8 + len(payload), 0)
    return UDP, 6 if has_checksum else None, head + payload


def sctp(kind, source_port, target_port, payload=b''):
    body = payload + bytes(-len(payload) % 4)
    chunk = struct.pack('>BBH', kind, 0, 4 + len(payload)) + body
    head = struct.pack('>HHI', source_port, target_port, 7)
    return SCTP, None, head + crc32c(head + bytes(4) + chunk) + chunk


def packet(source, target, transport, identification=1, ttl=64, tos=0, is_whole=False, options=b''):
    """An IP packet around (protocol, where its checksum goes, segment)."""
    protocol, at, segment = transport
    if at is not None:
        segment = filled(segment, at, source, target, protocol)
    if ':' in source:
        head = struct.pack('>IHBB', 6 << 28 | tos << 20, len(segment), protocol, ttl) + packed(source) + packed(target)
        return head + segment
    words = 5 + len(options) // 4
    head = struct.pack('>BBHHHBBH', 0x40 | words, tos, words * 4 + len(segment), identification,
                       0x4000 if is_whole else 0, ttl, protocol, 0) + packed(source) + packed(target) + options
    return head[:10] + struct.pack('>H', checksum(head)) + head[12:] + segment


def fragments(data, size):
    """An IPv4 packet in fragments of at most `size` bytes of payload."""
    length = (data[0] & 15) * 4
    size &= ~7
    pieces = []
    for start in range(0, len(data) - length, size):
        part = data[length + start:length + start + size]
        more = start + size < len(data) - length
        head = data[:2] + struct.pack('>H', length + len(part)) + data[4:6]
        head += struct.pack('>H', (0x2000 if more else 0) | start // 8) + data[8:10] + b'\0\0' + data[12:length]
        pieces.append(head[:10] + struct.pack('>H', checksum(head)) + head[12:] + part)
    return pieces


def fragments6(data, size, identification):
    """The same of an IPv6 packet without extension headers."""
    size &= ~7
    body, pieces = data[40:], []
    for start in range(0, len(body), size):
        part = body[start:start + size]
        more = start + size < len(body)
        extension = struct.pack('>BBHI', data[6], 0, start | more, identification)
        pieces.append(data[:4] + struct.pack('>HB', 8 + len(part), 44) + data[7:40] + extension + part)
    return pieces


def icmp(kind, code, rest, quoted, source, target):
    """An ICMP or ICMPv6 message with a packet quoted in it; `rest` is the word after the checksum."""
    body = struct.pack('>BBHI', kind, code, 0, rest) + quoted
    if ':' in source:
        return ICMP6, 2, body
    return ICMP, None, body[:2] + struct.pack('>H', checksum(body)) + body[4:]


def ethernet(data):
    return b'\x86\xdd' if data[0] >> 4 == 6 else b'\x08\x00'


def from_client(data):
    """In at the client side."""
    return CLIENT_SIDE + ethernet(data) + data


def from_server(number, data):
    """In at the server side, sent by server `number`."""
    return bytes.fromhex('020000000201') + bytes([2, 0, 0, 0, 2, number]) + ethernet(data) + data
