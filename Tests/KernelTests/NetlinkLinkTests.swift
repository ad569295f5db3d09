import CShims
import Glibc
import Testing
import Wire

@testable import Kernel

private func message(_ build: (inout NetlinkRequest) -> Void, family: Int32 = AF_UNSPEC) -> [UInt8] {
  var header = ifinfomsg()
  header.ifi_family = UInt8(family)
  header.ifi_index = 7
  header.ifi_flags = LBD_INTERFACE_UP | LBD_INTERFACE_CARRIER
  var request = NetlinkRequest(type: RTM_NEWLINK, flags: 0, header: header)
  build(&request)
  return request.sealed(sequence: 1)
}

private func link(_ bytes: [UInt8]) throws -> Link? {
  guard case .link(.added, let link) = try NetlinkEvent.decode(bytes[...]).first else { return nil }
  return link
}

private func vlan(_ request: inout NetlinkRequest, kind: String = "vlan", protocolNumber: UInt16?) {
  request.append(Int(IFLA_IFNAME), text: "eth0.5")
  request.append(Int(IFLA_ADDRESS), [2, 0, 0, 0, 0, 1] as [UInt8])
  request.append(Int(IFLA_MTU), value: UInt32(1496))
  request.append(Int(IFLA_LINK), value: Int32(2))
  request.append(Int(IFLA_MASTER), value: Int32(9))
  request.append(Int(IFLA_NUM_RX_QUEUES), value: UInt32(4))
  request.append(Int(IFLA_NUM_TX_QUEUES), value: UInt32(8))
  request.nest(Int(IFLA_LINKINFO)) { information in
    information.append(Int(IFLA_INFO_KIND), text: kind)
    information.nest(Int(IFLA_INFO_DATA)) { data in
      data.append(Int(IFLA_VLAN_ID), value: UInt16(5))
      if let protocolNumber { data.append(Int(IFLA_VLAN_PROTOCOL), value: protocolNumber.bigEndian) }
    }
  }
  request.nest(Int(IFLA_XDP)) { $0.append(Int(IFLA_XDP_PROG_ID), value: UInt32(12)) }
}

@Suite struct NetlinkLinkTests {
  @Test(arguments: [
    ("802.1Q", 0x8100 as UInt16?, 0x8100 as UInt16), ("802.1ad", 0x88a8, 0x88a8), ("not said", nil, 0x8100),
  ])
  func vlanInterface(_ row: (name: String, number: UInt16?, expected: UInt16)) throws {
    let link = try #require(try link(message { vlan(&$0, protocolNumber: row.number) }))
    #expect(link.index == 7 && link.name == "eth0.5" && link.address?.description == "02:00:00:00:00:01")
    #expect(link.mtu == 1496 && link.isUp && link.isCarrierUp && !link.isLoopback)
    #expect(link.parentIndex == 2 && link.masterIndex == 9 && link.kind == "vlan")
    #expect(link.receiveQueueCount == 4 && link.transmitQueueCount == 8 && link.xdpProgramIdentifier == 12)
    #expect(link.vlan == Link.VLANTag(identifier: 5, protocolNumber: row.expected))
  }

  @Test func dataOfAnotherKindIsNoTag() throws {
    #expect(try link(message { vlan(&$0, kind: "macvlan", protocolNumber: 0x8100) })?.vlan == nil)
  }

  @Test func parentInAnotherNamespaceIsNoParent() throws {
    let bytes = message {
      vlan(&$0, kind: "veth", protocolNumber: nil)
      $0.append(Int(IFLA_LINK_NETNSID), value: Int32(0))
    }
    #expect(try link(bytes)?.parentIndex == nil)
  }

  @Test func bridgePortIsNoLink() throws {
    #expect(try link(message({ vlan(&$0, protocolNumber: nil) }, family: AF_BRIDGE)) == nil)
  }

  @Test func wirelessEventIsNoLink() throws {
    #expect(try link(message { $0.append(Int(IFLA_IFNAME), text: "wlan0") }) == nil)
  }

  @Test func withoutNameOrOdd() {
    #expect(throws: MalformedNetlinkMessage.self) { try link(message { $0.append(Int(IFLA_MTU), value: 1 as UInt32) }) }
    #expect(throws: MalformedNetlinkMessage.self) {
      try link(
        message {
          $0.append(Int(IFLA_IFNAME), text: "x")
          $0.append(Int(IFLA_MTU), [1, 2] as [UInt8])
        })
    }
  }

  @Test func truncatedAndBent() {
    let whole = message { vlan(&$0, protocolNumber: 0x88a8) }
    for count in 1..<whole.count {
      #expect(throws: MalformedNetlinkMessage.self) { try link(Array(whole[..<count])) }
      if count >= 4 {
        let length = withUnsafeBytes(of: UInt32(count)) { Array($0) }
        _ = try? link(length + whole[4..<count])
      }
    }
    for position in whole.indices {
      for value: UInt8 in [0, 1, 3, 0x7f, 0x80, 0xff] {
        var copy = whole
        copy[position] = value
        _ = try? link(copy)
      }
    }
  }
}
