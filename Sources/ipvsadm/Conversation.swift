import Config
import Glibc
import Kernel

/// One request and its answer.
enum Conversation {
  /// - Returns: the exit code.
  static func hold(_ request: AdminRequest, over connection: borrowing FileDescriptor) throws -> Int32 {
    let descriptor = connection.number
    send(AdminFrame.encode(.request, request.encoded()), to: descriptor)
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

  /// What cannot be sent is not an error yet: lbd may have answered before the end, and then says why.
  private static func send(_ bytes: [UInt8], to descriptor: Int32) {
    bytes.withUnsafeBytes { buffer in
      var sent = 0
      while sent < buffer.count {
        let count = LocalSocket.send(descriptor, UnsafeRawBufferPointer(rebasing: buffer[sent...]))
        if count == -Int(EINTR) { continue }
        guard count > 0 else { return }
        sent += count
      }
    }
  }

  private static func receive(_ byteCount: Int, from descriptor: Int32) throws -> [UInt8] {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(byteCount)
    while bytes.count < byteCount {
      let missing = byteCount - bytes.count
      let part = [UInt8](unsafeUninitializedCapacity: missing) { buffer, count in
        var result = recv(descriptor, buffer.baseAddress, buffer.count, 0)
        while result < 0, errno == EINTR { result = recv(descriptor, buffer.baseAddress, buffer.count, 0) }
        count = max(0, result)
      }
      guard !part.isEmpty else { throw Failure("ipvsadm: lbd has closed the connection") }
      bytes += part
    }
    return bytes
  }
}
