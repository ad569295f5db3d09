import CShims
import Glibc
import Testing
import Wire

@testable import Kernel

private let host = "10.99.0.2"
private let peer = "10.99.0.1"

private func datagram(to port: Int, address: String = host, _ payload: [UInt8]) -> [UInt8] {
  BPFFrame.ipv4(peer, address, BPFFrame.udp, BPFFrame.datagram(4000, port, payload))
}

/// Real frames over a veth pair: `near` sends them, `far` is the host whose stack has 10.99.0.2.
@Suite(.enabled(if: BPFPrivilege.isGranted, "attaching BPF programs needs CAP_BPF, CAP_NET_ADMIN and CAP_SYS_ADMIN"))
struct BPFTrafficTests {
  private static func fillOurs(_ object: borrowing BPFObject) throws {
    try OursMap(object.map("lb_ours")).synchronize(to: [
      OursEntry(
        address: IPAddress(host)!, port: 7777, protocolNumber: BPFFrame.udp, side: .destination,
        flags: LB_OURS_ENDPOINT)
    ])
  }

  private static func attach(
    _ program: Int32, to name: String, _ direction: TrafficControlAttachment.Direction
  ) throws -> TrafficControlAttachment {
    try TrafficControlAttachment(
      interfaceIndex: if_nametoindex(name), interfaceName: name, program: program, direction: direction)
  }

  @Test("packet socket: ours reaches it and nobody else, the rest the host alone")
  func guardAndFilter() throws {
    try BPFNamespace.with { namespace in
      try namespace.run("ip addr add \(host)/24 dev far")
      let object = try BPFObject.director(.packet)
      try Self.fillOurs(object)
      let attachment = try Self.attach(object.programDescriptor("lb_guard"), to: "far", .ingress)
      let sender = try BPFPacketSocket("near")
      let taken = try BPFPacketSocket("far", filter: object.programDescriptor("lb_filter"))
      let balanced = try BPFDatagramSocket(port: 7777)
      let other = try BPFDatagramSocket(port: 8888)

      let frame = BPFFrame.ethernet(0x0800, datagram(to: 7777, [1, 1, 1]))
      try sender.send(frame)
      #expect(taken.receive(endingIn: [1, 1, 1])?.bytes == frame)
      #expect(balanced.receive() == nil)
      try sender.send(BPFFrame.ethernet(0x0800, datagram(to: 8888, [2, 2, 2])))
      #expect(other.receive() == [2, 2, 2])
      #expect(taken.receive(endingIn: [2, 2, 2]) == nil)

      let mirror = try BPFPacketSocket("far")
      try mirror.send(frame)
      #expect(taken.receive(endingIn: [1, 1, 1]) == nil, "what the host sends is not ours")
      attachment.detach()
      try sender.send(frame)
      #expect(balanced.receive() == [1, 1, 1], "the guard is gone")
    }
  }

  @Test("XDP without a socket: silence for ours, the rest passes")
  func orphaned() throws {
    try BPFNamespace.with { namespace in
      try namespace.run("ip addr add \(host)/24 dev far")
      let object = try BPFObject.director(.xdp)
      try Self.fillOurs(object)
      let attachment = try XDPAttachment(
        interfaceIndex: namespace.index("far"), interfaceName: "far", program: object.programDescriptor("lb_director"),
        mode: .native)
      let sender = try BPFPacketSocket("near")
      let balanced = try BPFDatagramSocket(port: 7777)
      let other = try BPFDatagramSocket(port: 8888)
      try sender.send(BPFFrame.ethernet(0x0800, datagram(to: 7777, [1])))
      try sender.send(BPFFrame.ethernet(0x0800, datagram(to: 8888, [2])))
      #expect(other.receive() == [2])
      #expect(balanced.receive() == nil)
      #expect(try object.map("lb_counters").sum(at: UInt32(LB_COUNTER_ORPHANED)) == 1)
      attachment.detach()
    }
  }

  @Test("a real server's stack sees what was in the tunnel", arguments: [XDPMode.native, .generic])
  func decapsulation(mode: XDPMode) throws {
    try BPFNamespace.with { namespace in
      try namespace.run("ip addr add \(host)/24 dev far")
      try namespace.run("ip addr add 10.200.0.1/32 dev lo")
      let object = try BPFObject.realServer()
      try AddressMap(object.map("lb_tunnel_endpoints")).insert(IPAddress(host)!)
      let attachment = try XDPAttachment(
        interfaceIndex: namespace.index("far"), interfaceName: "far",
        program: object.programDescriptor("lb_realserver"), mode: mode)
      let sender = try BPFPacketSocket("near")
      let service = try BPFDatagramSocket(port: 8888)
      let inner = datagram(to: 8888, address: "10.200.0.1", [7, 7, 7])
      try sender.send(BPFFrame.ethernet(0x0800, BPFFrame.ipv4("10.99.0.9", host, 4, inner)))
      #expect(service.receive() == [7, 7, 7])
      attachment.detach()
    }
  }

  @Test("a VLAN tag is put on at one end and taken off at the other")
  func vlan() throws {
    try BPFNamespace.with { namespace in
      try namespace.run("ip addr add \(host)/24 dev far")
      let near = try BPFObject.lab()
      let far = try BPFObject.lab()
      try BPFMapOf<UInt32, UInt32>(near.map("lab_vlan")).update(0, 42)
      try BPFMapOf<UInt32, UInt32>(far.map("lab_vlan")).update(0, 42)
      let push = try Self.attach(near.programDescriptor("lab_vlan_push"), to: "near", .egress)
      let pop = try Self.attach(far.programDescriptor("lab_vlan_pop"), to: "far", .ingress)
      let sender = try BPFPacketSocket("near")
      let wire = try BPFPacketSocket("far")
      let service = try BPFDatagramSocket(port: 8888)
      let frame = BPFFrame.ethernet(0x0800, datagram(to: 8888, [5, 5, 5]))
      try sender.send(frame)
      #expect(wire.receive(endingIn: [5, 5, 5])?.vlan == 42)
      #expect(service.receive() == [5, 5, 5])
      try BPFMapOf<UInt32, UInt32>(far.map("lab_vlan")).update(0, 43)
      try sender.send(frame)
      #expect(wire.receive(endingIn: [5, 5, 5])?.vlan == 42)
      #expect(service.receive() == nil, "another VLAN's frame stays tagged")
      try BPFMapOf<UInt32, UInt32>(near.map("lab_vlan")).update(0, 0)
      try sender.send(frame)
      #expect(service.receive() == [5, 5, 5], "no id, no tag")
      push.detach()
      pop.detach()
    }
  }

  @Test("only frames towards the prefixes are tagged")
  func vlanByPrefix() throws {
    try BPFNamespace.with { namespace in
      try namespace.run("ip link set far promisc on")
      let object = try BPFObject.lab()
      try BPFMapOf<UInt32, UInt32>(object.map("lab_vlan")).update(0, 42)
      let prefixes = try AddressMap(object.map("lab_prefix"))
      try prefixes.insert(IPPrefix("10.99.0.0/24")!)
      try prefixes.insert(IPPrefix("2001:db8:1::/48")!)
      let push = try Self.attach(object.programDescriptor("lab_vlan_push_prefix"), to: "near", .egress)
      let sender = try BPFPacketSocket("near")
      let wire = try BPFPacketSocket("far")
      let mark: [UInt8] = [9, 9, 9, 9]
      let arp: ([UInt8]) -> [UInt8] = { target in
        [0, 1, 8, 0, 6, 4, 0, 1] + [UInt8](repeating: 0, count: 16) + target + mark
      }
      let frames: [(name: String, bytes: [UInt8], isTagged: Bool)] = [
        ("IPv4 inside", BPFFrame.ethernet(0x0800, datagram(to: 1, mark)), true),
        ("IPv4 outside", BPFFrame.ethernet(0x0800, datagram(to: 1, address: "10.99.1.2", mark)), false),
        ("IPv6 inside", BPFFrame.ethernet(0x86dd, BPFFrame.ipv6("2001:db8::1", "2001:db8:1::2", 17, mark)), true),
        ("IPv6 outside", BPFFrame.ethernet(0x86dd, BPFFrame.ipv6("2001:db8::1", "2001:db8:2::2", 17, mark)), false),
        ("ARP inside", BPFFrame.ethernet(0x0806, arp([10, 99, 0, 77])), true),
        ("ARP outside", BPFFrame.ethernet(0x0806, arp([10, 98, 0, 77])), false),
        ("another protocol", BPFFrame.ethernet(0x88b5, datagram(to: 1, mark)), false),
      ]
      for frame in frames {
        try sender.send(frame.bytes)
        let received = wire.receive(endingIn: mark)
        #expect(received?.vlan == (frame.isTagged ? 42 : nil), "\(frame.name)")
        #expect(received?.bytes == frame.bytes, "\(frame.name)")
      }
      push.detach()
    }
  }
}
