import Testing

@testable import Config

struct ProcessSettingsTests {
  @Test func read() {
    let settings = ConfigTests.read("instance blue\nnet_namespace ns-1\nuse_pid_dir\n").configuration.process
    #expect(settings.instance == "blue" && settings.namespace == "ns-1" && settings.usesFolder)
    #expect(ConfigTests.read("").configuration.process == ProcessSettings())
  }

  /// These words become parts of paths that root writes to.
  @Test(arguments: ["../../etc/x", "a/b", "..", ".hidden", String(repeating: "n", count: 65)])
  func hostileNames(_ name: String) {
    let (configuration, diagnostics) = ConfigTests.read("instance \(name)\nnet_namespace \(name)\n")
    #expect(configuration.process == ProcessSettings())
    #expect(diagnostics.filter { $0.severity == .warning }.count == 2)
  }
}
