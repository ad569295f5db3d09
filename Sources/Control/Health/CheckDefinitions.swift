import Config
import HealthCheck
import Wire

// What the engine of checks reads, made of what the configuration says: every value resolved, nothing inherited any more.

/// Makes definitions of checks.
struct CheckDefinitions {
  private let tls: TLSClient?
  private let files: [String: TrackedFile]

  /// For the checks of a configuration.
  init(_ configuration: Configuration) {
    tls = configuration.tls
    files = Dictionary(configuration.vrrp.files.map { ($0.name, $0) }) { first, _ in first }
  }

  /// All checks of a server. A check that has nothing to ask is left out, as it is where the text is read.
  func all(of server: RealServer, in service: VirtualService) -> [CheckDefinition] {
    server.monitoring.checkers.flatMap { checker -> [CheckDefinition] in
      guard let kind = kind(checker, server, service) else { return [] }
      let times = CheckTimes(checker.schedule)
      // The form of SMTP_CHECK that names its hosts asks each of them.
      if case .smtp(let smtp) = checker.kind, !smtp.hosts.isEmpty {
        return smtp.hosts.map { CheckDefinition(kind, target: target($0, of: server), times: times) }
      }
      var single = target(checker.connection, of: server)
      single.way = way(to: server, in: service, checker)
      return [CheckDefinition(kind, target: single, times: times)]
    }
  }

  private func target(_ connection: CheckConnection, of server: RealServer) -> CheckTarget {
    var target = CheckTarget(
      Endpoint(
        address: connection.address ?? server.endpoint.address,
        port: connection.port.map { UInt16(clamping: $0) } ?? server.endpoint.port))
    target.bindAddress = connection.bindAddress
    target.bindPort = connection.bindPort.map { UInt16(clamping: $0) }
    target.interface = connection.bindInterface
    target.mark = UInt32(clamping: connection.mark)
    return target
  }

  /// The way of clients' packets; nil where it is the straight one. With NAT and FULLNAT a server is sent to at its own
  /// address, by clients' packets as by checks.
  private func way(to server: RealServer, in service: VirtualService, _ checker: Checker) -> CheckWay? {
    guard checker.connection.throughVIP, case .address(let transport, let virtual) = service.key,
      checker.obstacleThroughVIP(of: service.key, to: server.endpoint.address) == nil
    else { return nil }
    switch service.forwardingMethod(to: server) {
    case .directRouting, .tunnelling: return CheckWay(transport, service: virtual, server: server.endpoint)
    case .masquerading, .fullNAT: return nil
    }
  }

  private func kind(_ checker: Checker, _ server: RealServer, _ service: VirtualService) -> CheckKind? {
    switch checker.kind {
    case .tcp: return .tcp
    case .http(let check): return http(check, server, service).map { .http($0) }
    case .smtp(let check): return .smtp(heloName: check.heloName)
    case .dns(let check):
      var definition = DNSDefinition()
      definition.type = DNSDefinition.RecordType(name: check.type) ?? .soa
      definition.name = check.name
      return .dns(definition)
    case .misc(let check):
      guard let command = check.command else { return nil }
      var definition = ScriptDefinition(
        words: command.words, timeout: check.timeout ?? checker.schedule.delayLoop)
      definition.isDynamic = check.isDynamic
      definition.user = command.user ?? check.user
      definition.group = command.group ?? check.group
      return .script(definition)
    case .ping: return .ping
    case .udp(let check):
      var definition = UDPDefinition()
      definition.payload = check.payload
      definition.requiresReply = check.requiresReply
      definition.replyBytes = check.replyBytes
      definition.replyMask = check.replyMask
      definition.minReplyLength = check.minReplyLength
      definition.maxReplyLength = check.maxReplyLength
      return .udp(definition)
    case .file(let check):
      guard let file = files[check.file], let path = file.path else { return nil }
      var definition = FileDefinition(path: path)
      definition.weight = check.weight ?? file.weight
      definition.isReversed = check.weight == nil ? file.isReversed : check.isReversed
      return .file(definition)
    case .bfd(let name): return .bfd(name: name)
    }
  }

  private func http(_ check: HTTPCheck, _ server: RealServer, _ service: VirtualService) -> HTTPDefinition? {
    let host = check.virtualHost ?? server.monitoring.virtualHost ?? service.monitoring.virtualHost
    let pages = check.pages.map { page in
      var definition = HTTPDefinition.Page(path: page.path)
      definition.digest = page.digest
      definition.statusCodes = page.statusCodes
      definition.virtualHost = page.virtualHost
      definition.pattern = page.regex.map { regex in
        var pattern = HTTPDefinition.PatternDefinition(regex)
        pattern.mustNotMatch = page.regexMustNotMatch
        pattern.options = page.regexOptions
        pattern.minOffset = page.regexMinOffset
        pattern.maxOffset = page.regexMaxOffset
        return pattern
      }
      return definition
    }
    guard !pages.isEmpty else { return nil }
    var definition = HTTPDefinition(pages: pages)
    definition.virtualHost = host
    definition.version =
      switch check.version {
      case .http10: .http10
      case .http10Close: .http10Close
      case .http11: .http11
      }
    definition.fastRecovery = check.fastRecovery
    guard check.usesTLS else { return definition }
    var client = TLSDefinition()
    client.sendsServerName = check.usesSNI
    // keepalived leaves out what the real server says here.
    client.serverName = check.virtualHost ?? service.monitoring.virtualHost
    client.authorityFile = tls?.authority
    client.certificateFile = tls?.certificate
    client.keyFile = tls?.key
    client.password = tls?.password
    definition.tls = client
    return definition
  }
}

extension CheckTimes {
  fileprivate init(_ schedule: CheckSchedule) {
    self.init()
    delayLoop = schedule.delayLoop
    connectTimeout = schedule.connectTimeout
    retry = schedule.retry
    delayBeforeRetry = schedule.delayBeforeRetry
    warmup = schedule.warmup
    alpha = schedule.alpha
    logAllFailures = schedule.logAllFailures
  }
}
