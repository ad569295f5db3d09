import Config
import Glibc
import Kernel

/// One request and its answer.
enum Conversation {
  /// - Returns: the exit code.
  static func hold(_ request: AdminRequest, over connection: borrowing FileDescriptor) throws -> Int32 {
    let descriptor = connection.number
    LocalSocket.sendAll(descriptor, AdminFrame.encode(.request, request.encoded()))
    var names = NamedText()
    while true {
      let start = try receive(AdminFrame.headerByteCount, from: descriptor)
      let header = try AdminFrame(header: start[...])
      guard header.byteCount <= AdminFrame.answerByteLimit else {
        throw Failure("ipvsadm: lbd's answer makes no sense")
      }
      let body = try receive(header.byteCount, from: descriptor)
      switch header.kind {
      case .output: Ipvsadm.write(names.take(body)[...], to: STDOUT_FILENO)
      case .error: Ipvsadm.write(body[...], to: STDERR_FILENO)
      case .exit:
        Ipvsadm.write(names.end()[...], to: STDOUT_FILENO)
        guard let code = AdminFrame.exitCode(body[...]) else { break }
        return code
      case .request: break
      }
    }
  }

  private static func receive(_ byteCount: Int, from descriptor: Int32) throws -> [UInt8] {
    do {
      return try LocalSocket.receive(descriptor, byteCount: byteCount)
    } catch is SystemError {
      throw Failure("ipvsadm: lbd has closed the connection")
    }
  }
}
