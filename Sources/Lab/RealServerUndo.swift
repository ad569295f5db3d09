import Glibc
import Kernel
import Wire

// Taking a setup back, and looking at it. Both read the record and compare it with the host as it is: what somebody
// else has changed since is theirs, and is left alone with a line that says so.

extension RealServerHost {
  /// Restores what setup changed, in the opposite order, so that the VIP is gone before the host may speak of it.
  public func undo() throws {
    let file = try RealServerStateFile(path: statePath, isWriter: true)
    var state = try file.load()
    guard !state.isEmpty else { return report("nothing to undo: \(statePath) records nothing") }
    var network = try NetlinkSocket()
    if let clients = state.clients {
      try undoClients(clients)
      state.clients = nil
      try file.save(state)
    }
    while let entry = state.routes.last {
      try restore(entry, &network)
      state.routes.removeLast()
      try file.save(state)
    }
    while let entry = state.addresses.last {
      try remove(entry, &network)
      state.addresses.removeLast()
      try file.save(state)
    }
    while let entry = state.programs.last {
      try detach(entry, &network)
      state.programs.removeLast()
      try file.save(state)
    }
    while let entry = state.settings.last {
      try restore(entry)
      state.settings.removeLast()
      try file.save(state)
    }
  }

  /// Says what is set and what differs from the record.
  public func show() throws {
    let state = try RealServerStateFile(path: statePath, isWriter: false).load()
    guard !state.isEmpty else { return report("nothing was set up: \(statePath) records nothing") }
    report("set up by \(state.author)")
    var network = try NetlinkSocket()
    let links = try network.links()
    let addresses = try network.addresses()
    for entry in state.settings {
      let before = "lbd; before: \(entry.previous)"
      switch try current(entry.setting) {
      case entry.value: report("\(entry.setting) \(entry.value) (\(before))")
      case nil: report("\(entry.setting) is gone with its interface (\(before))")
      case let other?: report("\(entry.setting) differs: \(other), not \(entry.value) (\(before))")
      }
    }
    for entry in state.programs {
      let current = links.first { $0.name == entry.interface }?.xdpProgramIdentifier
      let ending = "(lbd; for \(entry.endpoints.joined(separator: " ")))"
      if let current, current == entry.identifier {
        report("tunnel program \(current) on \(entry.interface) \(ending)")
      } else {
        report("tunnel program differs on \(entry.interface): \(current.map { "program \($0)" } ?? "none") \(ending)")
      }
    }
    for entry in state.addresses {
      let index = links.first { $0.name == entry.interface }?.index
      let isThere = addresses.contains { $0.prefix.description == entry.prefix && $0.linkIndex == index }
      report(
        isThere
          ? "\(entry.prefix) on \(entry.interface) (lbd)" : "\(entry.prefix) differs: not on \(entry.interface) (lbd)")
    }
    for entry in state.routes { report(try describe(entry, &network)) }
    if let clients = state.clients { try showClients(clients) }
  }

  private func current(_ setting: SystemSetting) throws -> String? {
    do { return try setting.read() } catch let error as SystemError where error.number == ENOENT { return nil }
  }

  private func restore(_ entry: RealServerState.Setting) throws {
    switch try current(entry.setting) {
    case entry.value:
      try entry.setting.write(entry.previous)
      report("set \(entry.setting) \(entry.value) -> \(entry.previous)")
    case entry.previous:
      report("\(entry.setting) is \(entry.previous) already")
    case nil:
      report("\(entry.setting) is gone with its interface")
    case let other?:
      report("left \(entry.setting) at \(other): changed since lbd set \(entry.value) (before: \(entry.previous))")
    }
  }

  private func remove(_ entry: RealServerState.Address, _ network: inout NetlinkSocket) throws {
    guard let prefix = IPPrefix(entry.prefix),
      let link = try network.link(named: entry.interface),
      try network.addresses().contains(where: { $0.linkIndex == link.index && $0.prefix == prefix })
    else { return report("\(entry.prefix) is not on \(entry.interface) any more") }
    try network.removeAddress(prefix, linkIndex: link.index)
    report("remove \(entry.prefix) from \(entry.interface)")
  }

  private func detach(_ entry: RealServerState.Program, _ network: inout NetlinkSocket) throws {
    guard let link = try network.link(named: entry.interface), let current = link.xdpProgramIdentifier else {
      return report("no tunnel program is on \(entry.interface) any more")
    }
    guard current == entry.identifier else {
      return report("left XDP program \(current) on \(entry.interface): it is not the one lbd attached")
    }
    try network.detachXDP(from: link)
    report("detach tunnel program \(current) from \(entry.interface)")
  }
}
