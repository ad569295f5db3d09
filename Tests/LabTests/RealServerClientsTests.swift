import Glibc
import Kernel
import Synchronization
import Testing
import Wire

@testable import Lab

/// TOA on a real server: programs on a control group, recorded and taken back.
@Suite struct RealServerClientsTests {
  /// What was said.
  private final class Lines: Sendable {
    private let lines = Mutex<[String]>([])
    func add(_ line: String) { lines.withLock { $0.append(line) } }
    func take() -> [String] {
      lines.withLock { lines in
        defer { lines = [] }
        return lines
      }
    }
  }

  private static func request(_ mode: RealServerHost.Mode, _ directors: [String]) -> RealServerHost.Request {
    var request = RealServerHost.Request(vips: [], mode: mode)
    request.conveysClients = true
    request.directors = directors.compactMap { IPAddress($0) }
    return request
  }

  private static let folder = "/tmp/lbd-clients-\(getpid())"

  private static func host(_ lines: Lines) -> RealServerHost {
    RealServerHost(statePath: folder + "/state.json") { lines.add($0) }
  }

  static let refusals: [(RealServerHost.Mode, [String], String)] = [
    (.dr, ["10.2.0.1"], "it is for fullnat"), (.nat, ["10.2.0.1"], "it is for fullnat"),
    (.fullnat, [], "name the directors' local addresses"),
  ]

  @Test(arguments: refusals)
  func refused(mode: RealServerHost.Mode, directors: [String], remedy: String) {
    let error = #expect(throws: SystemError.self) {
      try Self.host(Lines()).setup(Self.request(mode, directors)) { _ in }
    }
    #expect(error?.description.contains(remedy) == true)
  }

  @Test(.enabled(if: geteuid() == 0 && (try? ControlGroupAttachment.root()) != nil, "needs root and cgroup2"))
  func thereAndBack() throws {
    let group = try ControlGroupAttachment.root().path + "/lbd-test-\(getpid())"
    try #require(mkdir(group, 0o755) == 0)
    defer {
      rmdir(group)
      unlink(Self.folder + "/state.json.lock")
      rmdir(Self.folder)
    }
    let lines = Lines()
    let host = Self.host(lines)
    for director in ["10.2.0.1", "fd00:2::1"] {
      var request = Self.request(.fullnat, [director])
      request.controlGroup = group
      try host.setup(request) { _ in }
    }
    let attachment = ControlGroupAttachment(path: group)
    for hook in ControlGroupAttachment.Hook.allCases {
      #expect(try attachment.identifiers(hook).count == 1, "the second took the first one's place")
    }
    _ = lines.take()
    try host.show()
    let shown = lines.take()
    #expect(shown.contains { $0.hasPrefix("lb_toa on \(group), program ") })
    #expect(shown.contains { $0.hasSuffix("TCP options of 10.2.0.1 fd00:2::1 (lbd)") })
    try host.undo()
    for hook in ControlGroupAttachment.Hook.allCases { #expect(try attachment.identifiers(hook).isEmpty) }
    _ = lines.take()
    try host.undo()
    #expect(lines.take().first?.hasPrefix("nothing to undo") == true)
  }
}
