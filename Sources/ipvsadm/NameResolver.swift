import Config
import Glibc
import Wire

/// Names of hosts and ports, as this machine knows them: `/etc/hosts`, DNS, `/etc/services`.
enum NameResolver {
  /// What the names in these commands mean. A name that means nothing is left out; lbd then refuses it as ipvsadm would.
  static func resolve(_ arguments: [String], _ lines: [UInt8]) -> IpvsadmNames {
    var names = IpvsadmNames()
    var failed: Set<String> = []
    for command in [arguments] + Array(IpvsadmBatch(lines)) {
      let wanted = IpvsadmNames.wanted(in: command)
      for host in wanted.hosts where names.hosts[host] == nil && !failed.contains(host) {
        names.hosts[host] = address(of: host)
        if names.hosts[host] == nil { failed.insert(host) }
      }
      for port in wanted.ports where names.ports[port] == nil { names.ports[port] = number(of: port) }
    }
    return names
  }

  private static func address(of host: String) -> IPAddress? {
    var hints = addrinfo()
    hints.ai_family = AF_INET
    hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
    var list: UnsafeMutablePointer<addrinfo>?
    guard getaddrinfo(host, nil, &hints, &list) == 0, let first = list else { return nil }
    defer { freeaddrinfo(list) }
    guard first.pointee.ai_family == AF_INET, let address = first.pointee.ai_addr else { return nil }
    return address.withMemoryRebound(to: sockaddr_in.self, capacity: 1) {
      IPAddress(v4: UInt32(bigEndian: $0.pointee.sin_addr.s_addr))
    }
  }

  private static func number(of port: IpvsadmNames.Port) -> UInt16? {
    guard let entry = getservbyname(port.name, port.transport.name.lowercased()) else { return nil }
    return UInt16(bigEndian: UInt16(truncatingIfNeeded: entry.pointee.s_port))
  }

  /// The name of an address, or nil.
  static func name(of address: IPAddress) -> String? {
    var host = [CChar](repeating: 0, count: Int(NI_MAXHOST))
    let result: Int32
    switch address.family {
    case .ipv4:
      var socketAddress = sockaddr_in()
      socketAddress.sin_family = sa_family_t(AF_INET)
      socketAddress.sin_addr.s_addr = address.v4.bigEndian
      result = name(of: &socketAddress, &host)
    case .ipv6:
      var socketAddress = sockaddr_in6()
      socketAddress.sin6_family = sa_family_t(AF_INET6)
      withUnsafeMutableBytes(of: &socketAddress.sin6_addr) { $0.copyBytes(from: address.bytes) }
      result = name(of: &socketAddress, &host)
    }
    guard result == 0 else { return nil }
    return String(decoding: host.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }

  private static func name<Address>(of address: inout Address, _ host: inout [CChar]) -> Int32 {
    withUnsafePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        getnameinfo(
          $0, socklen_t(MemoryLayout<Address>.size), &host, socklen_t(host.count), nil, 0, NI_NAMEREQD)
      }
    }
  }

  /// The name of a port, or nil.
  static func name(ofPort port: UInt16, _ transport: TransportProtocol) -> String? {
    guard port != 0, let entry = getservbyport(Int32(port.bigEndian), transport.name.lowercased()) else { return nil }
    return String(cString: entry.pointee.s_name)
  }
}
