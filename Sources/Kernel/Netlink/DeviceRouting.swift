import CShims
import Glibc
import Wire

// Everything that is bound to one device goes by that device, whatever the other routes say: a table with one route in it, and a
// rule that leads there only whom a socket has bound to the device (fib_rules, SO_BINDTODEVICE). Nobody else's traffic sees
// either.
//
// IPv4 does so without being told; IPv6 says that the network cannot be reached.

extension NetlinkSocket {
  /// Makes it so for one family. What is there already stays.
  /// - Parameters:
  ///   - name: of the device, and `index` its number.
  ///   - table: a number of the caller's own.
  public mutating func routeWhatIsBound(
    to name: String, index: UInt32, family: IPAddress.Family, table: UInt32
  ) throws {
    var route = rtmsg()
    route.rtm_family = family.socketFamily
    route.rtm_protocol = UInt8(RTPROT_STATIC)
    route.rtm_scope = UInt8(family == .ipv4 ? RT_SCOPE_LINK.rawValue : RT_SCOPE_UNIVERSE.rawValue)
    route.rtm_type = UInt8(RTN_UNICAST)
    var request = NetlinkRequest(type: RTM_NEWROUTE, flags: NLM_F_CREATE | NLM_F_REPLACE | NLM_F_ACK, header: route)
    request.append(Int(RTA_TABLE.rawValue), value: table)
    request.append(Int(RTA_OIF.rawValue), value: index)
    try command("route what is bound to \(name)", request)
    do {
      try command("lead what is bound to \(name)", rule(RTM_NEWRULE, NLM_F_CREATE | NLM_F_EXCL, name, family, table))
    } catch let error as SystemError where error.number == EEXIST {
      // Left by a process that was killed.
    }
  }

  /// Takes the rule away; the route goes with the device.
  public mutating func forgetWhatIsBound(to name: String, family: IPAddress.Family, table: UInt32) throws {
    do {
      try command("forget the rule for \(name)", rule(RTM_DELRULE, 0, name, family, table))
    } catch let error as SystemError where error.number == ENOENT {
      // Gone already.
    }
  }

  private func rule(
    _ type: Int, _ flags: Int32, _ name: String, _ family: IPAddress.Family, _ table: UInt32
  ) -> NetlinkRequest {
    // struct fib_rule_hdr has rtmsg's layout, with the action (FR_ACT_TO_TBL) where that has the type.
    var header = rtmsg()
    header.rtm_family = family.socketFamily
    header.rtm_type = 1
    var request = NetlinkRequest(type: type, flags: flags | NLM_F_ACK, header: header)
    request.append(Attribute.priority, value: UInt32(32_000))
    request.append(Attribute.table, value: table)
    request.append(Attribute.outputDevice, text: name)
    return request
  }

  /// linux/fib_rules.h
  private enum Attribute {
    static let priority = 6
    static let table = 15
    static let outputDevice = 17
  }
}
