import NIOCore
import NIOEmbedded
import Testing

@testable import Notify

/// A queue of mails whose connections and time a test has in its hands.
final class PostOffice {
  private struct Call {
    let place: String
    let timeout: TimeAmount
    let promise: EventLoopPromise<any Channel>
  }

  let loop = EmbeddedEventLoop()
  let journal = Journal()
  let queue: MailQueue
  private let calls: NIOLoopBoundBox<[Call]>
  private var nextCall = 0

  init(_ settings: NotifierSettings.Mail = Samples.mail()) {
    let loop = loop
    let calls = NIOLoopBoundBox<[Call]>.makeBoxSendingValue([], eventLoop: loop)
    self.calls = calls
    queue = MailQueue(
      on: loop,
      connect: { server, port, timeout in
        let promise = loop.makePromise(of: (any Channel).self)
        calls.value.append(Call(place: "\(server) \(port)", timeout: timeout, promise: promise))
        return promise.futureResult
      }, log: journal.logger)
    queue.configure(settings, heloName: "lb1")
  }

  /// Where connections were to go to, so far.
  var places: [String] { calls.value.map(\.place) }

  /// How long they might take.
  var timeouts: [TimeAmount] { calls.value.map(\.timeout) }

  /// Connections that have been asked for and are neither there nor refused.
  var openCalls: Int { calls.value.count - nextCall }

  func add(_ names: String..., to recipients: [String] = ["ops@example.org"]) throws {
    for name in names { queue.add(try #require(Samples.message(name, to: recipients))) }
  }

  /// The oldest one is there.
  func accept() throws -> Correspondent {
    let channel = EmbeddedChannel(loop: loop)
    channel.connect(to: try SocketAddress(ipAddress: "192.0.2.25", port: 25), promise: nil)
    try next().promise.succeed(channel)
    return Correspondent(channel)
  }

  /// The oldest one is refused.
  func refuse(_ reason: String = "connection refused") throws {
    struct Refusal: Error, CustomStringConvertible { let description: String }
    try next().promise.fail(Refusal(description: reason))
  }

  func pass(_ time: TimeAmount) { loop.advanceTime(by: time) }

  /// Takes a mail in full, or as much as the answers let through.
  /// - Returns: what was said.
  @discardableResult func take(_ answers: [String] = PostOffice.friendly) throws -> String {
    let correspondent = try accept()
    let said = try answers.map { try correspondent.say($0) }.joined()
    if correspondent.isOpen { correspondent.hangUp() }
    return said
  }

  static let friendly = ["220 a", "250 b", "250 c", "250 d", "354 e", "250 f", "221 g"]

  /// The names of the servers that mails were about.
  func takeAll() throws -> [String] {
    var names: [String] = []
    while openCalls > 0 {
      let said = try take()
      names += said.matches(of: #/Realserver (\S+) of/#).map { String($0.1) }
    }
    return names
  }

  /// No connection is left behind.
  func end() {
    queue.abort()
    while openCalls > 0 { try? refuse() }
    loop.run()
  }

  private func next() throws -> Call {
    let call = try #require(calls.value.dropFirst(nextCall).first, "nobody asks for a connection")
    nextCall += 1
    return call
  }
}

/// A mail server's end of a connection.
struct Correspondent {
  private let channel: EmbeddedChannel

  init(_ channel: EmbeddedChannel) { self.channel = channel }

  var isOpen: Bool { channel.isActive }

  /// - Returns: what the other side says to it.
  @discardableResult func say(_ line: String) throws -> String { try send(line + "\r\n") }

  @discardableResult func send(_ text: String) throws -> String {
    try channel.writeInbound(channel.allocator.buffer(string: text))
    return try heard()
  }

  /// What the other side has said since.
  func heard() throws -> String {
    var text = ""
    while var buffer = try channel.readOutbound(as: ByteBuffer.self) {
      text += buffer.readString(length: buffer.readableBytes) ?? ""
    }
    return text
  }

  func hangUp() {
    channel.close(promise: nil)
    channel.embeddedEventLoop.run()
  }

  func fail(_ error: any Error) { channel.pipeline.fireErrorCaught(error) }
}
