import Testing
import Wire

@testable import Dataplane

/// Longest prefix first, neighbours on the link, against the slow and obvious way.
@Suite struct RouteTableTests {
  /// A next hop that can be told from others.
  private static func hop(_ number: Int, interface: UInt8 = 0) -> NextHop {
    NextHop(
      destination: EthernetAddress(UInt64(number)), source: EthernetAddress(1), interface: interface, mtu: 1500)
  }

  /// What the dataplane says about an address: the destination station, 0 for no route.
  private static func lookUp(_ description: SnapshotDescription, _ addresses: [IPAddress]) throws -> [UInt64] {
    let dataplane = try Dataplane(connections: 1024, bothDirections: false, seed: 1)
    dataplane.publish(description)
    let view = dataplane.snapshot.pointee
    return addresses.map { address in
      let (high, low) = address.words
      let index =
        address.family == .ipv6
        ? RouteTable.nextHop(view.routes6, high: high, low: low)
        : RouteTable.nextHop(view.routes4, high: high, low: low)
      return view.nextHops[Int(index)].destination
    }
  }

  struct Row: Sendable, CustomTestStringConvertible {
    let address: String
    let station: UInt64
    var testDescription: String { address }
  }

  @Test(arguments: [
    Row(address: "10.1.2.3", station: 4), Row(address: "10.1.2.4", station: 3), Row(address: "10.1.3.4", station: 2),
    Row(address: "10.2.0.1", station: 1), Row(address: "255.255.255.255", station: 1),
    Row(address: "2001:db8:0:1::1", station: 13), Row(address: "2001:db8:0:2::1", station: 12),
    Row(address: "2001:db9::1", station: 0), Row(address: "2001:db8:0:1:ffff::", station: 14),
    Row(address: "2001:db8:0:1:ffff::1", station: 15), Row(address: "::", station: 0),
  ])
  func longestPrefix(row: Row) throws {
    var description = SnapshotDescription()
    let routes = [
      ("0.0.0.0/0", 1), ("10.1.0.0/16", 2), ("10.1.2.0/24", 3), ("10.1.2.3/32", 4), ("10.1.2.3/32", 5),
      ("2001:db8::/32", 12), ("2001:db8:0:1::/64", 13), ("2001:db8:0:1:ffff::/80", 14),
      ("2001:db8:0:1:ffff::1/128", 15),
    ]
    for (prefix, number) in routes {
      description.routes.append(.init(prefix: IPPrefix(prefix)!, nextHop: Self.hop(number), isOnLink: false))
    }
    #expect(try Self.lookUp(description, [IPAddress(row.address)!]) == [row.station])
  }

  /// On the link the neighbour decides, and only one of that link.
  @Test func neighbours() throws {
    var description = SnapshotDescription()
    description.routes = [
      .init(prefix: IPPrefix("10.2.0.0/24")!, nextHop: Self.hop(99, interface: 1), isOnLink: true),
      .init(prefix: IPPrefix("fd00::/64")!, nextHop: Self.hop(98, interface: 2), isOnLink: true),
      .init(prefix: IPPrefix("0.0.0.0/0")!, nextHop: Self.hop(1), isOnLink: false),
    ]
    for (address, number, interface) in [
      ("10.2.0.5", 5, 1), ("10.2.0.6", 6, 2), ("10.3.0.7", 7, 1), ("fd00::5", 15, 2), ("fd00::6", 16, 1),
    ] {
      description.neighbours.append(
        .init(address: IPAddress(address)!, nextHop: Self.hop(number, interface: UInt8(interface))))
    }
    let addresses = ["10.2.0.5", "10.2.0.6", "10.2.0.7", "10.3.0.7", "fd00::5", "fd00::6"].map { IPAddress($0)! }
    #expect(try Self.lookUp(description, addresses) == [5, 99, 99, 1, 15, 98])
  }

  /// Random prefixes of all lengths.
  @Test(arguments: [IPAddress.Family.ipv4, .ipv6])
  func againstTheObviousWay(family: IPAddress.Family) throws {
    var random = SplitMix(seed: 5)
    func address() -> IPAddress {
      // Few bits differ, so that prefixes nest.
      let word = random.next() & random.next() & random.next()
      return family == .ipv4
        ? IPAddress(v4: 0x0a00_0000 | UInt32(truncatingIfNeeded: word)) : IPAddress(high: word & 0xff00ff, low: word)
    }
    var description = SnapshotDescription()
    for number in 1...500 {
      let address = address()
      let length = random.next(below: address.bitCount + 1)
      // Cut to the prefix length.
      let bytes = address.bytes.enumerated().map { index, byte in
        byte & UInt8(truncatingIfNeeded: 0xff00 >> min(8, max(0, length - index * 8)))
      }
      guard let prefix = IPPrefix(address: IPAddress(bytes: bytes)!, length: length) else { continue }
      description.routes.append(.init(prefix: prefix, nextHop: Self.hop(number), isOnLink: false))
    }
    #expect(description.routes.count > 400)
    let addresses = (0..<2000).map { _ in address() } + description.routes.map(\.prefix.address)
    let expected = addresses.map { address in
      var best: SnapshotDescription.Route?
      for route in description.routes where route.prefix.contains(address) {
        if best.map({ route.prefix.length > $0.prefix.length }) ?? true { best = route }
      }
      return best?.nextHop.destination ?? 0
    }
    #expect(try Self.lookUp(description, addresses) == expected)
  }
}
