import Config
import Dataplane
import Wire

// A server whose method becomes FULLNAT, or ceases to be.
//
// Its connections keep the method that they were opened by, as in IPVS. But what stands in a connection of FULLNAT means
// something else in others, and it is the server's number that tells which it is. So the connections that there are keep their
// number, and the server goes on with another one. Its former numbers are not in the list, take no new connections, and share
// its fate otherwise; listings count what they have as the server's. When their last connection has gone, so have they, unless
// the method changes back before.

extension VirtualServices {
  /// All numbers of a server that is in the list.
  func numbers(of server: Server) -> [UInt16] { [server.number] + server.formers }

  /// The server as it will go on with a method: the same, or one with another number. Nothing has been changed yet, but for
  /// a number that is taken.
  mutating func continued(
    _ old: Server, by method: ForwardingMethod
  ) throws(EditError) -> (server: Server, isNew: Bool) {
    func isLike(_ other: ForwardingMethod) -> Bool { (other == .fullNAT) == (method == .fullNAT) }
    if isLike(old.method) { return (old, false) }
    let before = old.formers.compactMap { servers[$0] }.first { isLike($0.method) }
    var server = old
    if let before {
      server.number = before.number
      server.endpoint = before.endpoint
      (server.zero, server.inherited) = (before.zero, before.inherited)
    } else {
      guard let number = freeServers.take() else { throw EditError.tooMany }
      server.number = number
      server.endpoint = 0
      (server.zero, server.inherited) = (ServerCounters(), ServerCounters())
    }
    server.formers = ([old.number] + old.formers).filter { $0 != server.number }
    return (server, before == nil)
  }

  /// Puts a server where `old` was: into the list, if that was in it, and over its former numbers.
  mutating func replace(_ old: Server, by server: Server) {
    servers[server.number] = server
    for number in server.formers {
      servers[number]?.formers = []
      servers[number]?.successor = server.number
      servers[number]?.spec = server.spec
      servers[number]?.isAvailable = true
    }
    guard old.number != server.number else { return }
    rename(old, to: server.number)
    relieved.append(server.number)
    guard let position = services[server.service]?.servers.firstIndex(of: old.number) else { return }
    services[server.service]?.servers[position] = server.number
    let predecessor = position == 0 ? nil : services[server.service]?.servers[position - 1]
    note(.removed(identifier: old.number, predecessor: predecessor), of: server.service)
  }

  /// A former number has no connections any more.
  /// - Parameter counters: what it has been sent, which stays the server's.
  mutating func dropFormer(_ former: Server, counters: ServerCounters) {
    guard let successor = former.successor else { return }
    servers[successor]?.formers.removeAll { $0 == former.number }
    servers[successor]?.inherited.add(counters)
  }
}
