import Config
import Glibc
import Kernel

/// `ipvsadm`: hands its command line to lbd, prints what lbd says, and ends with its code.
///
/// What a command means is lbd's business. The client's own is what only it can know: its standard input, and names of hosts
/// and ports.
@main
enum Ipvsadm {
  static func main() {
    do {
      exit(try run(Array(CommandLine.arguments.dropFirst())))
    } catch {
      write("\(error)\n", to: STDERR_FILENO)
      exit(2)
    }
  }

  private static func run(_ arguments: [String]) throws -> Int32 {
    let path = getenv("LBD_SOCKET").map { String(cString: $0) } ?? AdminRequest.defaultSocketPath
    var request = AdminRequest()
    request.arguments = arguments
    request.takesMarks = true
    var connection = try connect(path)
    if IpvsadmNames.readsLines(arguments) {
      // The lines may take their time to come; lbd does not wait for that.
      request.input = try StandardInput.read(limit: AdminRequest.byteLimit.changing)
      connection = try connect(path)
    }
    request.names = NameResolver.resolve(arguments, request.input)
    return try Conversation.hold(request, over: connection)
  }

  private static func connect(_ path: String) throws -> FileDescriptor {
    do {
      return try LocalSocket.connect(to: path)
    } catch let error as SystemError {
      let remedy =
        switch error.number {
        case ENOENT, ECONNREFUSED: "is `lbd run` running? LBD_SOCKET says where its socket is"
        case EACCES, EPERM: "root, and groups lbd and lbd-read, may use it"
        default: "the socket of `lbd run` is needed"
        }
      throw Failure("ipvsadm: cannot reach lbd at \(path): \(String(cString: strerror(error.number))) (\(remedy))")
    }
  }

  /// Writes all of it; a reader that has gone ends the program, as everywhere.
  static func write(_ text: String, to descriptor: Int32) { write(Array(text.utf8)[...], to: descriptor) }

  static func write(_ bytes: ArraySlice<UInt8>, to descriptor: Int32) {
    bytes.withUnsafeBytes { buffer in
      var written = 0
      while written < buffer.count, let base = buffer.baseAddress {
        let count = Glibc.write(descriptor, base + written, buffer.count - written)
        if count < 0 {
          if errno == EINTR || errno == EAGAIN { continue }
          exit(1)
        }
        written += count
      }
    }
  }
}

/// Why there is no answer.
struct Failure: Error, CustomStringConvertible {
  let description: String

  init(_ description: String) { self.description = description }
}
