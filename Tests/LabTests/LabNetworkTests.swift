import Glibc
import Testing

@testable import Lab

/// Real namespaces: needs root and the lab's programs.
@Suite(.serialized) struct LabNetworkTests {
  private static let prefix = "lbdt\(getpid())-"
  private static let folder = "/tmp/\(prefix)lab"

  private static var canRun: Bool {
    guard (try? Prerequisites.check(tools: Prerequisites.forDemo)) != nil else { return false }
    let probe = prefix + "probe"
    guard (try? Command.check(["ip", "netns", "add", probe])) != nil else { return false }
    return (try? Command.check(["ip", "netns", "delete", probe])) != nil
  }

  private static func namespaces() throws -> [String] {
    try Command.check(["ip", "netns", "list"]).split(separator: "\n").map(String.init)
      .filter { $0.hasPrefix(prefix) }
  }

  @Test(
    "up, use, up again over the leftovers, down: nothing stays", .enabled(if: canRun),
    arguments: [LabMode.nat, .fullnatRouted])
  func upAndDown(_ mode: LabMode) throws {
    let plan = LabPlan(
      mode: mode, prefix: LabNetworkTests.prefix, folder: LabNetworkTests.folder, fileByteCount: 65536)
    defer { LabNetwork.tearDown(prefix: plan.prefix, folder: plan.folder) }
    #expect(try LabNetworkTests.namespaces().isEmpty)
    // Stands for our own program, whose part is not needed for what is asked here.
    let network = LabNetwork(plan: plan, executable: "/bin/true")
    try network.setUp()
    try network.setUp()
    #expect(try LabNetworkTests.namespaces().count == plan.namespaces.count)
    for family in LabPlan.families {
      for (index, greeting) in ["this is RS01\n", "this is RS02\n"].enumerated() {
        let address = plan.serverAddress(index, family)
        let host = family == .ipv4 ? address : "[\(address)]"
        let answer = try Command.check(
          network.inside(plan.director, ["curl", "-q", "-s", "-S", "--max-time", "5", "http://\(host):8080/"]))
        #expect(answer == greeting)
      }
    }
    #expect(Set(LabNetwork.tearDown(prefix: plan.prefix, folder: plan.folder)) == Set(plan.namespaces))
    #expect(try LabNetworkTests.namespaces().isEmpty)
    #expect(access(plan.folder, F_OK) != 0)
    #expect(LabNetwork.tearDown(prefix: plan.prefix, folder: plan.folder).isEmpty)
  }

  @Test("a lab that cannot come up leaves nothing", .enabled(if: canRun))
  func failureLeavesNothing() throws {
    let plan = LabPlan(mode: .dr, prefix: LabNetworkTests.prefix, folder: LabNetworkTests.folder, fileByteCount: 1)
    #expect(throws: LabFailure.self) { try LabNetwork(plan: plan, executable: "/bin/false").setUp() }
    #expect(try LabNetworkTests.namespaces().isEmpty)
    #expect(access(plan.folder, F_OK) != 0)
  }
}
