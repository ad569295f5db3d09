import NIOCore
import NIOSSL
import Synchronization

/// The probes of this module: everything that asks the network, and files.
public final class NetworkProbes: ProbeSource {
  private let contexts = TLSContexts()
  /// One for each loop that has asked for probes.
  private let watches = Mutex<[NIOLoopBound<FileWatches>]>([])

  private let pools = Mutex<[NIOLoopBound<ConnectPool>]>([])
  private let ways: (any CheckWays)?

  /// Nothing is opened before a check runs.
  /// - Parameter ways: of clients' packets, for checks that go by them.
  public init(ways: (any CheckWays)? = nil) {
    self.ways = ways
  }

  /// Certificates and keys are read anew when they are next needed.
  public func configurationChanged() {
    contexts.forget()
  }

  /// nil for scripts and sessions.
  public func probe(for check: NamedCheck, on loop: any EventLoop) -> (any Probe)? {
    let definition = check.definition
    switch definition.kind {
    case .tcp:
      if ConnectPool.serves(definition.target), let pool = pool(on: loop) {
        return PlainTCPProbe(definition, by: pool)
      }
      return TCPProbe(definition, on: loop, ways: ways)
    case .http(let http):
      return ConversationProbe(definition, on: loop, ways: ways, plan: plan(for: http, to: definition.target))
    case .smtp(let heloName):
      return ConversationProbe(definition, on: loop, ways: ways) { _ throws(CheckError) in
        guard SMTPConversation.isSound(heloName: heloName) else {
          throw .definition("helo_name has a control character in it")
        }
        return ConversationProbe.Plan(
          conversation: SMTPConversation(heloName: heloName), piecesCount: false, tls: nil)
      }
    case .dns(let dns):
      return DatagramProbe(definition, over: [.udp], on: loop, ways: ways) { _ throws(CheckError) in
        try DNSQuery(dns, id: UInt16.random(in: 0...UInt16.max))
      }
    case .udp(let udp):
      return DatagramProbe(definition, over: [.udp], on: loop, ways: ways) { _ throws(CheckError) in UDPQuestion(udp) }
    case .ping:
      return NetworkProbes.echoProbe(definition, over: [.echo, .rawEcho], on: loop)
    case .file(let file):
      return FileProbe(file, on: loop, watches: watches(on: loop))
    case .script, .bfd:
      return nil
    }
  }

  /// - Parameter kinds: raw sockets only where the kernel's own for echoes are not permitted.
  static func echoProbe(
    _ definition: CheckDefinition, over kinds: [DatagramSocket.Kind], on loop: any EventLoop
  ) -> any Probe {
    let family = definition.target.address.family
    return DatagramProbe(definition, over: kinds, on: loop) { kind throws(CheckError) in
      EchoQuestion(family, token: UInt64.random(in: 0...UInt64.max), isRaw: kind == .rawEcho)
    }
  }

  /// nil when there is no descriptor left: then connections are made one by one.
  private func pool(on loop: any EventLoop) -> ConnectPool? {
    let known = pools.withLock { known -> NIOLoopBound<ConnectPool>? in
      if let own = known.first(where: { $0.eventLoop === loop }) { return own }
      guard let pool = try? ConnectPool(on: loop) else { return nil }
      let own = NIOLoopBound(pool, eventLoop: loop)
      known.append(own)
      return own
    }
    return known?.value
  }

  private func watches(on loop: any EventLoop) -> FileWatches {
    let known = watches.withLock { known in
      if let own = known.first(where: { $0.eventLoop === loop }) { return own }
      let own = NIOLoopBound(FileWatches(on: loop), eventLoop: loop)
      known.append(own)
      return own
    }
    return known.value
  }

  /// What is the same for all attempts is made once: requests and patterns.
  private func plan(
    for check: HTTPDefinition, to target: CheckTarget
  ) -> (Int) throws(CheckError) -> ConversationProbe.Plan {
    let pages = check.pages.map { page in
      Result { () throws(CheckError) in try PreparedPage(page, of: check, to: target) }
    }
    let contexts = contexts
    return { number throws(CheckError) in
      guard pages.indices.contains(number) else { throw .definition("there is no page to ask for") }
      let page = try pages[number].get()
      var plan = ConversationProbe.Plan(conversation: page.conversation, piecesCount: true, tls: nil)
      if let tls = check.tls {
        plan.tls = (try contexts.context(for: tls, checksName: page.serverName != nil), page.serverName)
      }
      return plan
    }
  }
}

/// A page ready to be asked for.
private struct PreparedPage {
  let conversation: HTTPConversation
  /// What TLS calls the server; nil is nothing.
  let serverName: String?

  init(_ page: HTTPDefinition.Page, of check: HTTPDefinition, to target: CheckTarget) throws(CheckError) {
    var pattern: BodyPattern?
    if let definition = page.pattern {
      do throws(BodyPattern.PatternError) {
        pattern = try BodyPattern(definition)
      } catch {
        throw .definition("regex of \(page.path): \(error)")
      }
    }
    let request = try HTTPRequest.bytes(for: page, of: check, to: target.endpoint)
    conversation = HTTPConversation(page, request: request, pattern: pattern)
    serverName = try check.tls?.serverName(of: page)
  }
}

extension TLSDefinition {
  /// What the server is called in the hello; nil is nothing. RFC 6066 section 3: names only, no addresses, no port.
  func serverName(of page: HTTPDefinition.Page) throws(CheckError) -> String? {
    guard sendsServerName, let name = page.virtualHost ?? serverName else { return nil }
    let host = name.prefix { $0 != ":" }
    guard !host.isEmpty, host.utf8.count <= 255, !host.utf8.contains(0) else {
      throw .definition("enable_sni needs a virtualhost that is a name")
    }
    return String(host)
  }
}
