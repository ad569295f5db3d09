import Testing

@testable import Config

@Suite struct ExplanationTests {
  private static let text = """
    $W=7
    global_defs {
     lvs_timeouts tcp 100
     lvs_timeouts udp 50 tcp 200
    }
    lbd { sysctl expire_nodest_conn=1
    }
    virtual_server 10.0.0.1 80 {
     protocol TCP
     weight 3
     lb_kind TUN type gre
     real_server 10.1.0.1 80 { weight $W }
     real_server 10.1.0.2 80 {
      uthreshold 9
      uthreshold 10
     }
    }
    """

  private func rows(_ text: String, _ path: [String]) -> [String] {
    let bytes = ConfigurationText(bytes: Array(text.utf8), identity: "t")
    let reading = readConfiguration(bytes, file: "t", ReadingOptions(), NoFiles())
    var sections = reading.explanation.sections
    var found: Explanation.Section?
    for title in path {
      found = sections.first { $0.title.hasPrefix(title) }
      sections = found?.sections ?? []
    }
    return (found?.rows ?? []).map { "\($0.key) \($0.value) <- \($0.origin)" }
  }

  /// Blocks by the beginnings of their titles, and rows that they must have.
  static let expectations: [([String], [String])] = [
    (
      ["global_defs"],
      ["lvs_timeouts tcp 200 tcpfin 120 udp 50 <- t:4, one of 2", "smtp_connect_timeout 30 <- default"]
    ),
    (["virtual_server"], ["protocol TCP <- t:9", "lb_algo wlc <- default", "lb_kind TUN type gre <- t:11"]),
    (
      ["virtual_server", "real_server 10.1.0.1"],
      ["weight 7 <- t:12", "lvs_method TUN type gre <- inherited from t:11", "uthreshold 0 <- default"]
    ),
    (
      ["virtual_server", "real_server 10.1.0.2"],
      ["weight 3 <- inherited from t:10", "uthreshold 10 <- t:15, one of 2", "lthreshold 0 <- default"]
    ),
  ]

  @Test(arguments: expectations)
  func namesOrigins(path: [String], expected: [String]) {
    let found = rows(ExplanationTests.text, path)
    for row in expected { #expect(found.contains(row), "\(row) is not in \(found)") }
  }

  @Test func settingsThatAreSetAreNamed() {
    // The name needs its prefix to be taken.
    let text = ExplanationTests.text.replacing("expire_nodest_conn=1", with: "net.ipv4.vs.expire_nodest_conn=1")
    #expect(rows(text, ["lbd"]).last == "sysctl net.ipv4.vs.expire_nodest_conn 1 <- t:6")
    #expect(rows(text, ["lbd"]).first == "connections 1048576 <- default")
  }

  @Test func lineWithAFindingSaysSo() {
    let text = "global_defs {\n lvs_timeouts tcp 5 udp x\n}\n"
    #expect(rows(text, ["global_defs"]).first == "lvs_timeouts tcp 5 tcpfin 120 udp 300 <- t:2, with a finding")
  }

  @Test func textLooksLikeAConfiguration() {
    let bytes = ConfigurationText(bytes: Array("global_defs {\n lvs_timeouts tcp 9\n}\n".utf8), identity: "t")
    let text = readConfiguration(bytes, file: "t", ReadingOptions(), NoFiles()).explanation.text
    #expect(text.hasPrefix("global_defs {\n  lvs_timeouts tcp 9 tcpfin 120 udp 300"), "\(text)")
    #expect(text.contains("# t:2\n"), "\(text)")
    #expect(text.contains("\nlbd {\n  connections 1048576"), "\(text)")
    #expect(text.hasSuffix("}\n"))
  }
}
