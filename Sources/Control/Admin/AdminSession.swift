import Config
import Glibc
import Kernel

/// One client: its request as it arrives, then the answer as it is taken.
///
/// Never waits. What is held for it is bounded: a request by its rights, an answer that is made piece by piece by one piece.
final class AdminSession {
  /// What it needs next.
  enum Need {
    case reading
    case writing
    case nothing
  }

  let rights: AdminRights
  /// The second in which something last went through.
  private(set) var movedAt: Int
  private(set) var need = Need.reading
  private let file: FileDescriptor
  private var input: [UInt8] = []
  private var answer = AdminAnswer()
  private var sent = 0

  private static let readByteCount = 1 << 16
  /// What is sent in one go, so that one client does not have all the attention.
  private static let writeByteCount = 1 << 18

  init(_ file: consuming FileDescriptor, rights: AdminRights, second: Int) {
    self.rights = rights
    self.file = file
    movedAt = second
  }

  var descriptor: Int32 { file.number }

  /// Reads what has come.
  /// - Returns: the request, once it is complete.
  func read(second: Int) throws(AdminFault) -> AdminRequest? {
    var isAtEnd = false
    while !isAtEnd, input.count < AdminFrame.headerByteCount + limit {
      let part = [UInt8](unsafeUninitializedCapacity: AdminSession.readByteCount) { buffer, count in
        let result = recv(file.number, buffer.baseAddress, buffer.count, 0)
        isAtEnd = result == 0 || result < 0 && errno != EAGAIN && errno != EINTR
        count = max(0, result)
      }
      if part.isEmpty { break }
      movedAt = second
      input += part
    }
    if input.count >= AdminFrame.headerByteCount {
      let header = try AdminFrame(header: input[..<AdminFrame.headerByteCount])
      guard header.kind == .request else { throw AdminFault("a request is expected") }
      guard header.byteCount <= limit else {
        throw AdminFault("the request has \(header.byteCount) bytes, \(limit) are allowed")
      }
      let end = AdminFrame.headerByteCount + header.byteCount
      if input.count >= end {
        defer { input = [] }
        return try AdminRequest(decoding: input[AdminFrame.headerByteCount..<end])
      }
    }
    if isAtEnd { need = .nothing }
    return nil
  }

  /// Bodies longer than this are not waited for.
  private var limit: Int {
    rights >= .change ? AdminRequest.byteLimit.changing : AdminRequest.byteLimit.asking
  }

  /// Begins to answer.
  func begin(_ answer: AdminAnswer) {
    self.answer = answer
    sent = 0
    need = .writing
  }

  /// Sends what the client takes.
  func write(second: Int) {
    var budget = AdminSession.writeByteCount
    while need == .writing, budget > 0 {
      guard sent < answer.bytes.count else {
        refill()
        // A piece of a large and empty table is work as well.
        budget -= AdminSession.readByteCount
        continue
      }
      let count = answer.bytes.withUnsafeBytes { bytes in
        let end = min(bytes.count, sent + budget)
        return LocalSocket.send(file.number, UnsafeRawBufferPointer(rebasing: bytes[sent..<end]))
      }
      guard count > 0 else {
        if count != -Int(EAGAIN), count != -Int(EINTR) { need = .nothing }
        return
      }
      sent += count
      budget -= count
      movedAt = second
    }
  }

  private func refill() {
    sent = 0
    guard let rest = answer.rest, let more = rest() else {
      answer = AdminAnswer()
      need = .nothing
      return
    }
    answer.bytes = more
  }
}
