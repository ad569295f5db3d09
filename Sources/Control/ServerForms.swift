import Config
import Dataplane
import Wire

// A server whose forwarding method is edited.
//
// Its connections keep the method that they were opened by, as in IPVS, and go on beside those of the new one. A connection has
// no room for its method; it is the server's number that tells. So a server has a number for each method that it has, or has
// connections by: its *forms*, four at most, for all tunnels are one. In lists, schedulers, counts and templates it goes by its
// own number, the one of the form it began with, whatever it has become; only connections have that of their form. A form that
// is not the present one takes no new connections, shares its server's fate, and goes with its last connection.

extension VirtualServices {
  /// A server by one forwarding method.
  struct ServerForm {
    /// Connections that were opened by it have this number.
    var number: UInt16
    var method: ForwardingMethod
    /// Number of the server's address:port; for NAT and FULLNAT.
    var endpoint: UInt16 = 0
    /// What had been sent when the server's counters were set to zero.
    var zero = ServerCounters()

    /// True when connections by the other method are of this form.
    func isOf(_ other: ForwardingMethod) -> Bool {
      method.isTunnelling && other.isTunnelling || method == other
    }
  }

  /// All numbers of a server.
  func numbers(of server: Server) -> [UInt16] { server.forms.map(\.number) }

  /// Lets a server go on by a method. When this throws nothing has been changed.
  mutating func turn(_ server: inout Server, to method: ForwardingMethod, key: ServiceKey) throws(EditError) {
    if let position = server.forms.firstIndex(where: { $0.isOf(method) }) {
      server.forms.insert(server.forms.remove(at: position), at: 0)
    } else {
      server.forms.insert(try makeForm(method, of: server.spec.endpoint, key: key), at: 0)
    }
    // How a tunnel is made is the server's in IPVS, not the connection's, and without words about it as IP in IP.
    for index in server.forms.indices where server.forms[index].method.isTunnelling {
      server.forms[index].method = method.isTunnelling ? method : .tunnelling(.ipip)
    }
  }

  /// A form with a number of its own, whose counters begin at zero.
  mutating func makeForm(
    _ method: ForwardingMethod, of endpoint: Endpoint, key: ServiceKey
  ) throws(EditError) -> ServerForm {
    guard let number = freeServers.take() else { throw EditError.tooMany }
    var form = ServerForm(number: number, method: method)
    do {
      if method.translatesPorts { form.endpoint = try useEndpoint(endpoint, key: key) }
    } catch {
      freeServers.give(number)
      throw error
    }
    renewed.append(number)
    return form
  }

  /// Gives up forms by which a server has no connections any more; what has been sent by them stays the server's.
  mutating func dropForms(
    of server: inout Server, isUnused: (UInt16) -> Bool, counters: (UInt16) -> ServerCounters
  ) {
    for form in server.forms.dropFirst() where form.number != server.number && isUnused(form.number) {
      server.inherited.add(counters(form.number).since(form.zero))
      server.forms.removeAll { $0.number == form.number }
      giveUp(form, of: server)
    }
  }
}
