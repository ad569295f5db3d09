/// UDP_CHECK: what is sent, and what must come back.
public struct UDPDefinition: Hashable, Sendable {
  /// `payload`; nil is some text.
  public var payload: [UInt8]?
  /// `require_reply`: silence is a failure.
  public var requiresReply = false
  /// What a reply must begin with; empty is anything.
  public var replyBytes: [UInt8] = []
  /// Which bits of `replyBytes` count; as long as these.
  public var replyMask: [UInt8] = []
  /// `min_reply_length`: bytes a reply has at least; looked at only with `replyBytes`.
  public var minReplyLength = 0
  /// `max_reply_length`: bytes it has at most; looked at only with `replyBytes`.
  public var maxReplyLength = 255

  /// Silence is good, an ICMP error is not.
  public init() {}
}
