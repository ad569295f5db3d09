import Glibc
import Kernel
import Wire

// FULLNAT with TOA: programs on a real server are told their clients' addresses. See `bpf/toa.bpf.c`.
//
// The programs are attached to the root of the control groups, so that they are there for containers and for sockets that
// somebody else has made (socket activation). They count for every network namespace of the host, and only for what
// comes from the directors named.

extension RealServerHost {
  /// Names and hooks of the programs.
  private static let clientPrograms: [(name: String, hook: ControlGroupAttachment.Hook)] = [
    ("lb_toa_peer4", .peerNameV4), ("lb_toa_peer6", .peerNameV6), ("lb_toa", .socketOperations),
  ]

  /// Attaches them; a second time, the directors are those of both.
  func setUpClients(_ request: Request) throws {
    guard request.mode == .fullnat else {
      throw SystemError(
        "set up TOA in mode \(request.mode.rawValue)", errno: EINVAL,
        remedy: "it is for fullnat: with the other modes servers see the client's address anyway")
    }
    guard !request.directors.isEmpty else {
      throw SystemError(
        "set up TOA", errno: EINVAL,
        remedy: "name the directors' local addresses with --director: from others the option is not believed")
    }
    let file = try RealServerStateFile(path: statePath, isWriter: true)
    var state = try file.load()
    state.author = RealServerStateFile.author()
    let group = try request.controlGroup.map { ControlGroupAttachment(path: $0) } ?? .root()
    let object = try BPFObject.clientAddresses()
    let known = state.clients?.directors.compactMap { IPAddress($0) } ?? []
    let directors = known + request.directors.filter { !known.contains($0) }
    let set = AddressMap(try object.map("lb_toa_directors"))
    for director in directors { try set.insert(director) }
    state.clients = .init(group: group.path, directors: directors.map(\.description))
    try file.save(state)
    for program in RealServerHost.clientPrograms {
      try group.attach(try object.programDescriptor(program.name), program.hook)
      report("attach \(program.name) to \(group.path)")
    }
    // A listener keeps its SYNs only when it is told to; those that are there were not.
    try KernelIterator.run(try object.programDescriptor("lb_toa_old"))
    report("clients' addresses are taken from TCP options of \(directors.map(\.description).joined(separator: " "))")
  }

  func undoClients(_ clients: RealServerState.Clients) throws {
    let group = ControlGroupAttachment(path: clients.group)
    for program in RealServerHost.clientPrograms.reversed() {
      guard let identifier = try group.identifier(of: program.name, program.hook) else {
        report("\(program.name) is not on \(clients.group) any more")
        continue
      }
      try group.detach(identifier, program.hook, ifNamed: program.name)
      report("detach \(program.name) from \(clients.group)")
    }
  }

  func showClients(_ clients: RealServerState.Clients) throws {
    let group = ControlGroupAttachment(path: clients.group)
    for program in RealServerHost.clientPrograms {
      let identifier = try group.identifier(of: program.name, program.hook)
      report(
        identifier.map { "\(program.name) on \(clients.group), program \($0) (lbd)" }
          ?? "\(program.name) differs: not on \(clients.group) (lbd)")
    }
    report("clients' addresses are taken from TCP options of \(clients.directors.joined(separator: " ")) (lbd)")
  }
}
