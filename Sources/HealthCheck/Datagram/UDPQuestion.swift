/// What a UDP check sends, and what it thinks of a reply.
struct UDPQuestion {
  /// Sent when nothing is configured.
  static let filler = Array("lbd health check\n".utf8)

  private let definition: UDPDefinition

  init(_ definition: UDPDefinition) {
    self.definition = definition
  }

  var bytes: [UInt8] { definition.payload ?? UDPQuestion.filler }

  /// The result when nothing has come in time: without a refusal, silence is good unless a reply is required.
  var silence: AttemptResult { definition.requiresReply ? .failed(.readTimeout) : .well() }

  /// Lengths count only with bytes to compare, and these over the shorter of the two: so keepalived has it.
  func result(of reply: [UInt8]) -> AttemptResult {
    guard definition.requiresReply, !definition.replyBytes.isEmpty else { return .well() }
    guard reply.count >= definition.minReplyLength, reply.count <= definition.maxReplyLength else {
      return .failed(.reply)
    }
    for (index, (got, wanted)) in zip(reply, definition.replyBytes).enumerated() {
      let mask = index < definition.replyMask.count ? definition.replyMask[index] : 0xff
      guard (got ^ wanted) & mask == 0 else { return .failed(.reply) }
    }
    return .well()
  }
}
