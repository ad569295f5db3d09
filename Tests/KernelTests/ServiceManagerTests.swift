import CShims
import Glibc
import Testing

@testable import Kernel

struct ServiceManagerTests {
  /// A bound datagram socket, and what it got.
  private final class Listener {
    let file: FileDescriptor

    init(_ path: String) throws {
      let file = try FileDescriptor(checking: socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue), 0), "open socket")
      var address = sockaddr_un()
      address.sun_family = sa_family_t(AF_UNIX)
      let isAbstract = path.hasPrefix("@")
      withUnsafeMutableBytes(of: &address.sun_path) { room in
        for (index, byte) in path.utf8.enumerated() { room[index] = isAbstract && index == 0 ? 0 : byte }
      }
      let size = socklen_t(2 + path.utf8.count + (isAbstract ? 0 : 1))
      let result = withUnsafePointer(to: &address) {
        $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { bind(file.number, $0, size) }
      }
      guard result == 0 else { throw SystemError.current("bind") }
      self.file = file
    }

    func next() -> String? {
      var bytes = [UInt8](repeating: 0, count: 500)
      let count = recv(file.number, &bytes, bytes.count, Int32(MSG_DONTWAIT))
      return count < 0 ? nil : String(decoding: bytes[0..<count], as: UTF8.self)
    }
  }

  @Test(arguments: ["/tmp/lbd-notify-\(getpid())", "@lbd-notify-\(getpid())"])
  func messagesArrive(path: String) throws {
    let listener = try Listener(path)
    defer { unlink(path) }
    let manager = ServiceManager(socketPath: path)
    #expect(manager.isPresent)
    #expect(manager.ready(status: "forwarding\nREADY=0"))
    #expect(listener.next() == "READY=1\nSTATUS=forwarding READY=0")
    #expect(manager.reloading())
    let text = try #require(listener.next())
    #expect(text.hasPrefix("RELOADING=1\nMONOTONIC_USEC="))
    #expect(manager.status("2 services"))
    #expect(listener.next() == "STATUS=2 services")
    #expect(manager.mainProcess(42))
    #expect(listener.next() == "MAINPID=42")
    #expect(manager.stopping())
    #expect(listener.next() == "STOPPING=1")
  }

  @Test(arguments: [
    nil, "", "relative", "/nonexistent/notify", "@lbd-nobody", "/" + String(repeating: "x", count: 200),
  ])
  func nobodyListensIsNoError(path: String?) {
    #expect(!ServiceManager(socketPath: path).ready())
  }
}
