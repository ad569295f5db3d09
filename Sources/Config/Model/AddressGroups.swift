import Wire

// `virtual_server_group NAME { IP [PORT] … }` and `local_address_group NAME { IP … }`: lists of addresses by name,
// with ranges.

/// The addresses and ports, and the firewall marks, of a virtual server group.
struct VirtualServerGroup {
  var endpoints: [Endpoint] = []
  var marks: [UInt32] = []

  init(_ directive: Directive, budget: inout Int, _ diagnostics: inout DiagnosticList) {
    var seen: Set<Endpoint> = []
    var seenMarks: Set<UInt32> = []
    for line in directive.block?.directives ?? [] {
      guard line.keyword != "fwmark" else {
        guard let mark = line.integer(in: 1...Int(UInt32.max), "a firewall mark", &diagnostics) else { continue }
        if seenMarks.insert(UInt32(mark)).inserted { marks.append(UInt32(mark)) }
        continue
      }
      guard let range = line.addressRange(budget: &budget, &diagnostics),
        let port = line.port(0, &diagnostics)
      else { continue }
      for address in range.addresses {
        let endpoint = Endpoint(address: address, port: port)
        if seen.insert(endpoint).inserted { endpoints.append(endpoint) }
      }
    }
    if endpoints.isEmpty && marks.isEmpty {
      diagnostics.warning(
        at: directive.position, "this group is empty", remedy: "add lines of IP PORT or 'fwmark N'")
    }
  }
}

extension LocalAddressGroup {
  /// - Returns: nil with an error when it has no name or no addresses.
  init?(_ directive: Directive, budget: inout Int, _ diagnostics: inout DiagnosticList) {
    guard let name = directive.argument(0, "a name", &diagnostics) else { return nil }
    var addresses: [IPAddress] = []
    var seen: Set<IPAddress> = []
    for line in directive.block?.directives ?? [] {
      guard let range = line.addressRange(budget: &budget, &diagnostics) else { continue }
      for address in range.addresses where seen.insert(address).inserted { addresses.append(address) }
    }
    if addresses.isEmpty {
      diagnostics.error(at: directive.position, "this group has no addresses", remedy: "add lines such as 10.2.0.1-8")
      return nil
    }
    self.init(name: name.text, addresses: addresses, position: directive.position)
  }
}

extension Directive {
  /// The range at the beginning of a line, or nil with an error. The budget is shared by all groups of a file.
  fileprivate func addressRange(budget: inout Int, _ diagnostics: inout DiagnosticList) -> AddressRange? {
    guard let range = AddressRange(keyword) else {
      diagnostics.error(
        at: position, "\(quoted(keyword)) is not an address or a range of addresses",
        remedy: "write IP, IP-N, IP-IP2 or NETWORK/LENGTH")
      return nil
    }
    guard range.count <= UInt64(budget) else {
      diagnostics.error(
        at: position,
        "with \(quoted(keyword)) the groups have more than \(Defaults.addressesInGroupsMax) addresses in all",
        remedy: "use fewer")
      return nil
    }
    budget -= Int(range.count)
    return range
  }
}
