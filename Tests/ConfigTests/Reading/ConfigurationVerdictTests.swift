import Testing

@testable import Config

@Suite struct ConfigurationVerdictTests {
  static let rows: [(Diagnostic.Severity?, ConfigurationVerdict, Int32, Int32)] = [
    (nil, .clean, 0, 0), (.note, .clean, 0, 0), (.warning, .tolerated, 5, 4), (.fault, .refused, 4, 3),
    (.error, .refused, 4, 3),
  ]

  @Test(arguments: rows)
  func exitCodes(worst: Diagnostic.Severity?, verdict: ConfigurationVerdict, code: Int32, compatible: Int32) {
    #expect(ConfigurationVerdict(worst) == verdict)
    #expect(verdict.exitCode(isCompatible: false) == code)
    #expect(verdict.exitCode(isCompatible: true) == compatible)
  }

  @Test func worstFindingCounts() {
    let text = ConfigurationText(bytes: Array("foo\nglobal_defs {\nrouter_id\n".utf8), identity: "t")
    #expect(readConfiguration(text, file: "t", ReadingOptions(), NoFiles()).worst ?? .note > .note)
  }
}
