import Testing

@testable import Config

struct KeepalivedUsageTests {
  @Test func everyOptionIsExplained() {
    for option in KeepalivedOption.allCases {
      let (short, long, _) = option.syntax
      let written = short.map { "-\($0), --\(long)" } ?? " --\(long)"
      #expect(KeepalivedUsage.text.contains(written), "\(written)")
    }
  }

  /// What programs take for the version: the second word of the first line.
  @Test func versionCanBeRead() {
    let line = KeepalivedUsage.versionText.split(separator: "\n")[0]
    #expect(line.split(separator: " ").prefix(2) == ["Keepalived", "v2.2.7"])
  }
}
