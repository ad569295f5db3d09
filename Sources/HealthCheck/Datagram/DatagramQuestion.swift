/// One datagram out, and what is thought of those that come back: no socket, no time.
protocol DatagramQuestion {
  /// What is sent.
  var bytes: [UInt8] { get }
  /// nil for a datagram that is no answer to this question; the wait for one goes on.
  func result(of reply: [UInt8]) -> AttemptResult?
  /// The result when no answer has come in time.
  var silence: AttemptResult { get }
}
