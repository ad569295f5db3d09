import Config
import Glibc
import Kernel

/// The other end of lbd's socket: one question, one answer that is read whole.
public enum AdminClient {
  /// What lbd says.
  public struct Answer: Sendable {
    /// For standard output.
    public var output: [UInt8] = []
    /// For standard error.
    public var error: [UInt8] = []
    /// How to end.
    public var exitCode: Int32 = 0
  }

  /// Answers that are longer make no sense.
  private static let byteLimit = 256 << 20

  /// lbd may be busy with a large batch, but not for longer than this.
  public static let patienceSeconds = 10

  /// Where to ask unless told otherwise: `LBD_SOCKET`, else the usual place.
  public static var defaultPath: String {
    getenv("LBD_SOCKET").map { String(cString: $0) } ?? AdminRequest.defaultSocketPath
  }

  /// Asks the lbd that listens at `path`.
  public static func ask(
    _ question: LbdQuestion, at path: String, patienceSeconds: Int = patienceSeconds
  ) throws -> Answer {
    let file: FileDescriptor
    do {
      file = try LocalSocket.connect(to: path)
    } catch let error as SystemError {
      let reason = String(cString: strerror(error.number))
      let remedy =
        error.number == EACCES || error.number == EPERM
        ? "root, and groups \(AdminRights.changingGroup) and \(AdminRights.askingGroup), may ask"
        : "is `lbd run` running? --socket or LBD_SOCKET say where its socket is"
      throw AdminFault("cannot reach lbd at \(path): \(reason) (\(remedy))")
    }
    var patience = timeval(tv_sec: patienceSeconds, tv_usec: 0)
    _ = setsockopt(file.number, SOL_SOCKET, SO_RCVTIMEO, &patience, socklen_t(MemoryLayout<timeval>.size))
    LocalSocket.sendAll(file.number, AdminFrame.encode(.request, question.request.encoded()))
    var answer = Answer()
    while true {
      let header = try AdminFrame(header: try receive(AdminFrame.headerByteCount, from: file.number)[...])
      guard header.byteCount <= AdminFrame.answerByteLimit, answer.output.count < byteLimit else {
        throw AdminFault("lbd's answer makes no sense")
      }
      let body = try receive(header.byteCount, from: file.number)
      switch header.kind {
      case .output: answer.output += body
      case .error: answer.error += body
      case .exit:
        answer.exitCode = AdminFrame.exitCode(body[...]) ?? 1
        return answer
      case .request: break
      }
    }
  }

  private static func receive(_ byteCount: Int, from descriptor: Int32) throws -> [UInt8] {
    do {
      return try LocalSocket.receive(descriptor, byteCount: byteCount)
    } catch let error as SystemError {
      throw AdminFault(error.number == EAGAIN ? "lbd does not answer" : "lbd has closed the connection")
    }
  }
}
