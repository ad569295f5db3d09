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
      found = sections.first { $0.title == title }
      sections = found?.sections ?? []
    }
    return (found?.rows ?? []).map { "\($0.key) \($0.value) <- \($0.origin)" }
  }

  static let expectations: [([String], [String])] = [
    (
      ["global_defs"],
      [
        "lvs_timeouts tcp 200 <- t:4, the last of 2", "lvs_timeouts tcpfin 120 <- default",
        "lvs_timeouts udp 50 <- t:4",
      ]
    ),
    (
      ["virtual_server 10.0.0.1 80"],
      [
        "protocol TCP <- t:9", "lb_algo wlc <- default", "lb_kind TUN type gre <- t:11",
        "persistence_timeout 0 <- default",
      ]
    ),
    (
      ["virtual_server 10.0.0.1 80", "real_server 10.1.0.1 80"],
      [
        "weight 7 <- t:12", "lvs_method TUN type gre <- inherited from t:11", "uthreshold 0 <- default",
        "lthreshold 0 <- default",
      ]
    ),
    (
      ["virtual_server 10.0.0.1 80", "real_server 10.1.0.2 80"],
      [
        "weight 3 <- inherited from t:10", "lvs_method TUN type gre <- inherited from t:11",
        "uthreshold 10 <- t:15, the last of 2", "lthreshold 0 <- default",
      ]
    ),
  ]

  @Test(arguments: expectations)
  func namesOrigins(path: [String], expected: [String]) {
    #expect(rows(ExplanationTests.text, path) == expected)
  }

  @Test func settingsThatAreSetAreNamed() {
    // The name needs its prefix to be taken.
    let text = ExplanationTests.text.replacing("expire_nodest_conn=1", with: "net.ipv4.vs.expire_nodest_conn=1")
    #expect(rows(text, ["lbd"]).last == "sysctl net.ipv4.vs.expire_nodest_conn 1 <- t:6")
    #expect(rows(text, ["lbd"]).first == "connections 1048576 <- default")
  }

  @Test func lineWithAFindingSaysSo() {
    let text = "virtual_server 10.0.0.1 80 {\nprotocol TCP\nlb_algo nosuch\nreal_server 10.1.0.1 80 { }\n}\n"
    #expect(rows(text, ["virtual_server 10.0.0.1 80"])[1] == "lb_algo wlc <- t:3, with a finding")
  }

  @Test func textLooksLikeAConfiguration() {
    let bytes = ConfigurationText(bytes: Array("global_defs {\n lvs_timeouts tcp 9\n}\n".utf8), identity: "t")
    let text = readConfiguration(bytes, file: "t", ReadingOptions(), NoFiles()).explanation.text
    #expect(
      text.hasPrefix(
        """
        global_defs {  # t:1
          lvs_timeouts tcp 9       # t:2
          lvs_timeouts tcpfin 120  # default
          lvs_timeouts udp 300     # default
        }

        """), "\(text)")
  }
}
