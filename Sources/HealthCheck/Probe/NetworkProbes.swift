import NIOCore
import NIOSSL

/// The probes of this module: everything that asks the network.
public final class NetworkProbes: ProbeSource {
  private let contexts = TLSContexts()

  /// Nothing is opened before a check runs.
  public init() {}

  /// Certificates and keys are read anew when they are next needed.
  public func configurationChanged() {
    contexts.forget()
  }

  /// nil for scripts and sessions.
  public func probe(for check: NamedCheck, on loop: any EventLoop) -> (any Probe)? {
    let definition = check.definition
    switch definition.kind {
    case .tcp:
      return TCPProbe(definition, on: loop)
    case .http(let http):
      return ConversationProbe(definition, on: loop, plan: plan(for: http, to: definition.target))
    case .smtp(let heloName):
      return ConversationProbe(definition, on: loop) { _ throws(CheckError) in
        guard SMTPConversation.isSound(heloName: heloName) else {
          throw .definition("helo_name has a control character in it")
        }
        return ConversationProbe.Plan(
          conversation: SMTPConversation(heloName: heloName), piecesCount: false, tls: nil)
      }
    case .dns, .udp, .ping, .script, .file, .bfd:
      return nil
    }
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
    guard let tls = check.tls, tls.sendsServerName else {
      serverName = nil
      return
    }
    serverName = try PreparedPage.serverName(page.virtualHost ?? tls.serverName)
  }

  /// RFC 6066 section 3: names only, no addresses, no port.
  private static func serverName(_ name: String?) throws(CheckError) -> String? {
    guard let name else { return nil }
    let host = name.prefix { $0 != ":" }
    guard !host.isEmpty, host.utf8.count <= 255, !host.utf8.contains(0) else {
      throw .definition("enable_sni needs a virtualhost that is a name")
    }
    return String(host)
  }
}
