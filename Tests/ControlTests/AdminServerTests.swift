import Config
import Foundation
import Glibc
import Kernel
import Logging
import Testing

@testable import Control

/// The socket itself: real connections, driven step by step, so that nothing depends on a clock.
struct AdminServerTests {
  /// A server at a path of its own that answers with the words it was given, or with an endless text.
  private final class Fixture {
    let path = FileManager.default.temporaryDirectory.appendingPathComponent("lbd-\(UUID().uuidString.prefix(8))").path
    var server: AdminServer?

    init() throws {
      server = try AdminServer(path: path, log: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }) { request, _ in
        var answer = AdminAnswer()
        answer.append(request.arguments.joined(separator: " "))
        if request.arguments == ["endless"] {
          let piece = AdminAnswer.output(String(repeating: "x", count: 1 << 20))
          answer.rest = { piece }
        } else {
          answer.bytes += AdminFrame.encode(exitCode: 7)
        }
        return answer
      }
    }

    static func second(at path: String) throws {
      let log = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
      _ = try AdminServer(path: path, log: log) { _, _ in AdminAnswer() }
    }

    func connect() throws -> Client { Client(try LocalSocket.connect(to: path)) }

    /// As control's loop would, a few rounds of it.
    func serve(_ rounds: Int = 50) { for _ in 0..<rounds { server?.serve() } }
  }

  private final class Client {
    let file: FileDescriptor
    init(_ file: consuming FileDescriptor) { self.file = file }

    func send(_ bytes: [UInt8]) { _ = bytes.withUnsafeBytes { LocalSocket.send(file.number, $0) } }

    func ask(_ words: String...) {
      var request = AdminRequest()
      request.arguments = words
      send(AdminFrame.encode(.request, request.encoded()))
    }

    /// What is there to be read; nil at the end.
    func receive() -> [UInt8]? {
      var bytes = [UInt8](repeating: 0, count: 1 << 16)
      let count = recv(file.number, &bytes, bytes.count, Int32(MSG_DONTWAIT))
      if count == 0 { return nil }
      return Array(bytes.prefix(max(0, count)))
    }
  }

  @Test func answersAndCloses() throws {
    let fixture = try Fixture()
    let client = try fixture.connect()
    client.ask("-L", "-n")
    fixture.serve()
    let parts = AdminDeskTests.parts(client.receive() ?? [])
    #expect(parts == ("-L -n", "", 7))
    #expect(client.receive() == nil)
  }

  @Test func theSocketIsForItsOwnerAndGroup() throws {
    let fixture = try Fixture()
    var status = stat()
    #expect(stat(fixture.path, &status) == 0)
    #expect(status.st_mode & S_IFMT == S_IFSOCK && status.st_mode & 0o007 == 0)
    #expect(throws: SystemError.self) { try Fixture.second(at: fixture.path) }
    let path = fixture.path
    fixture.server = nil
    #expect(stat(path, &status) != 0)
  }

  @Test func leftOversAreTakenOverAndOtherFilesAreNot() throws {
    let path = FileManager.default.temporaryDirectory.appendingPathComponent("lbd-\(UUID().uuidString.prefix(8))").path
    _ = try LocalSocket.listen(at: path)
    var status = stat()
    #expect(lstat(path, &status) == 0)
    _ = try LocalSocket.listen(at: path)
    unlink(path)
    try "precious".write(toFile: path, atomically: false, encoding: .utf8)
    defer { unlink(path) }
    #expect(throws: SystemError.self) { _ = try LocalSocket.listen(at: path) }
    #expect(try String(contentsOfFile: path, encoding: .utf8) == "precious")
  }

  @Test func aRequestMayComeByteByByte() throws {
    let fixture = try Fixture()
    let client = try fixture.connect()
    var request = AdminRequest()
    request.arguments = ["-C"]
    for byte in AdminFrame.encode(.request, request.encoded()) {
      client.send([byte])
      fixture.serve(2)
    }
    #expect(AdminDeskTests.parts(client.receive() ?? []).output == "-C")
  }

  @Test func nobodyWaitsForWhoIsSilentOrDoesNotRead() throws {
    let fixture = try Fixture()
    let silent = try (0..<10).map { _ in try fixture.connect() }
    let deaf = try (0..<10).map { _ in try fixture.connect() }
    for client in deaf { client.ask("endless") }
    fixture.serve()
    let client = try fixture.connect()
    client.ask("now")
    fixture.serve()
    #expect(AdminDeskTests.parts(client.receive() ?? []).output == "now")
    // A request has ten seconds, a reader ten minutes.
    for _ in 0..<11 { fixture.server?.everySecond() }
    fixture.serve()
    #expect(silent.allSatisfy { $0.receive() == nil })
    #expect(deaf.allSatisfy { $0.receive()?.isEmpty == false })
  }

  @Test func whenAllPlacesAreTakenTheSlowestGivesWay() throws {
    let fixture = try Fixture()
    let deaf = try (0..<32).map { _ in try fixture.connect() }
    for client in deaf { client.ask("endless") }
    fixture.serve(200)
    let early = try fixture.connect()
    fixture.serve()
    #expect(AdminDeskTests.parts(early.receive() ?? []).errors == "lbd is busy with other clients, try again\n")
    for _ in 0..<6 { fixture.server?.everySecond() }
    let late = try fixture.connect()
    late.ask("now")
    fixture.serve()
    #expect(AdminDeskTests.parts(late.receive() ?? []).output == "now")
  }

  @Test(
    arguments: [
      (Array("GET / HTTP/1.1\r\n\r\n".utf8), "lbd: this is not lbd's protocol\n"),
      (Array("LB\u{2}\u{1}\0\0\0\0".utf8), "lbd: version 2 of the protocol is asked for, this is version 1\n"),
      (Array("LB\u{1}\u{2}\0\0\0\0".utf8), "lbd: a request is expected\n"),
      ([76, 66, 1, 1, 0xff, 0xff, 0xff, 0xff], "lbd: the request has 4294967295 bytes, 16777216 are allowed\n"),
      (Array("LB\u{1}\u{1}\0\0\0\0".utf8), "lbd: the request is cut short\n"),
    ] as [([UInt8], String)])
  func strangersAreToldSo(bytes: [UInt8], message: String) throws {
    let fixture = try Fixture()
    let client = try fixture.connect()
    client.send(bytes)
    fixture.serve()
    let parts = AdminDeskTests.parts(client.receive() ?? [])
    #expect(parts == ("", message, 255))
  }

  @Test(
    arguments: [
      (0, 0, [], AdminRights.all), (1000, 1000, [], .none), (1000, 1000, [27, 50], .change), (1000, 50, [], .change),
      (1000, 1000, [60], .ask), (1000, 60, [50], .change), (999, 1, [], .all),
    ] as [(UInt32, UInt32, [UInt32], AdminRights)])
  func rightsAreThoseOfThePeer(user: UInt32, group: UInt32, groups: [UInt32], expected: AdminRights) {
    let peer = PeerCredentials(process: 1, user: user, group: group, groups: groups)
    #expect(AdminRights(peer, own: 999, changing: 50, asking: 60) == expected)
    #expect(user == 1000 ? AdminRights(peer, own: 999, changing: nil, asking: nil) == .none : true)
  }

  @Test func thePeerIsWhoItIs() throws {
    let fixture = try Fixture()
    let client = try fixture.connect()
    let peer = try #require(LocalSocket.peer(of: client.file.number))
    #expect(peer.process == getpid() && peer.user == geteuid() && peer.group == getegid())
  }
}
