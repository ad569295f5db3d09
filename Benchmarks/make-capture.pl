#!/usr/bin/perl
# Writes an Ethernet capture of COUNT frames to standard output: client traffic for the four forwarding methods of
# instructions.conf, IPv4 TCP, FLOWS connections in an order like chance (fixed seed). The first FLOWS frames are the
# SYNs; then come data segments, one in eight of them a real server's answer (NAT, in bursts of eight), one in sixteen by IPv6.
use strict;
use warnings;
no warnings qw(portable);    # 64-bit constants

my ($count, $flows) = @ARGV;
die "usage: make-capture.pl COUNT FLOWS\n" unless defined $flows && $flows >= 16 && $count >= $flows;

my $state = 88172645463325252;
sub chance {    # xorshift, so that every run writes the same bytes
  my ($limit) = @_;
  $state ^= ($state << 13) & 0xffffffffffffffff;
  $state ^= $state >> 7;
  $state ^= ($state << 17) & 0xffffffffffffffff;
  return $state % $limit;
}

sub ones {
  my ($bytes) = @_;
  $bytes .= "\0" if length($bytes) & 1;
  my $sum = 0;
  $sum += $_ for unpack('n*', $bytes);
  $sum = ($sum & 0xffff) + ($sum >> 16) while $sum >> 16;
  return ~$sum & 0xffff;
}

sub tcp {
  my ($source, $sport, $destination, $dport, $flags) = @_;
  my $header = pack('nnNNCCnnn', $sport, $dport, 1000, $flags == 2 ? 0 : 5001, 0x50, $flags, 8192, 0, 0);
  my $pseudo = $source . $destination . (length $source == 4 ? pack('CCn', 0, 6, 20) : pack('NN', 20, 6));
  substr($header, 16, 2) = pack('n', ones($pseudo . $header));
  return $header;
}

my ($client_side, $server_side) = map { pack('H*', $_) } '020000000101', '020000000201';
my ($client_mac, $server_mac)   = map { pack('H*', $_) } '0200000001fe', '02000000020b';

sub frame4 {
  my ($to, $from, $source, $sport, $destination, $dport, $flags) = @_;
  my $header = pack('CCnnnCCn', 0x45, 0, 40, 1, 0x4000, 64, 6, 0) . $source . $destination;
  substr($header, 10, 2) = pack('n', ones($header));
  return $to . $from . pack('n', 0x0800) . $header . tcp($source, $sport, $destination, $dport, $flags);
}

sub frame6 {
  my ($to, $from, $source, $sport, $destination, $dport, $flags) = @_;
  my $header = pack('NnCC', 0x60000000, 20, 6, 64) . $source . $destination;
  return $to . $from . pack('n', 0x86dd) . $header . tcp($source, $sport, $destination, $dport, $flags);
}

sub request {
  my ($flow, $flags) = @_;
  my $port = 1024 + $flow % 60000;
  if ($flow % 16 == 15) {
    my $source = pack('NNNN', 0x20010db8, 0, 0, 1 + $flow);
    return frame6($client_side, $client_mac, $source, $port, pack('NNNN', 0xfd000001, 0, 0, 0x100), 80, $flags);
  }
  my $source = pack('N', 0xac100000 + $flow % 65000 + 1);
  my $vip    = pack('C4', 10, 1, 0, 100 + $flow % 4);
  return frame4($client_side, $client_mac, $source, $port, $vip, 80, $flags);
}

sub reply {    # flows 1 mod 4 are masqueraded, to one real server
  my ($flow) = @_;
  my $destination = pack('N', 0xac100000 + $flow % 65000 + 1);
  return frame4($server_side, $server_mac, pack('C4', 10, 2, 0, 11), 8080, $destination, 1024 + $flow % 60000, 0x10);
}

binmode STDOUT;
print pack('VvvVVVV', 0xa1b2c3d4, 2, 4, 0, 0, 65535, 1);
for my $number (0 .. $count - 1) {
  my $frame;
  if ($number < $flows) {
    $frame = request($number, 0x02);
  } elsif ($number % 64 >= 56) {    # in bursts, as frames come from an interface
    $frame = reply(8 * chance(int(($flows - 1) / 8)) + 1);
  } else {
    $frame = request(chance($flows), 0x10);
  }
  my $microseconds = 10 * $number;
  print pack('VVVV', int($microseconds / 1000000), $microseconds % 1000000, length $frame, length $frame) . $frame;
}
