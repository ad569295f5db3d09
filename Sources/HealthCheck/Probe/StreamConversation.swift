/// What a conversation wants next.
enum ConversationTurn: Hashable {
  /// To hear more.
  case wait
  /// To send this, then to hear more; the time for an answer begins anew.
  case send([UInt8])
  /// Nothing more: this is how it ended.
  case end(AttemptResult)
}

/// A protocol over a connection, as a pure state machine: it can be tested, and fuzzed, without a socket.
protocol StreamConversation {
  /// The connection is there.
  mutating func open() -> ConversationTurn
  /// Bytes have come, in pieces of any size.
  mutating func receive(_ bytes: UnsafeRawBufferPointer) -> ConversationTurn
  /// The other end has closed.
  mutating func close() -> AttemptResult
}
