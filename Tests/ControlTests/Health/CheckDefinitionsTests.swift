import Config
import HealthCheck
import Testing

@testable import Control

/// What the engine is given of what the configuration says.
struct CheckDefinitionsTests {
  private static func checks(_ checker: String, globals: String = "", service: String = "") throws -> [CheckDefinition]
  {
    let text = """
      \(globals)
      virtual_server 10.0.0.1 80 {
      protocol TCP
      lb_kind NAT
      \(service)
      real_server 10.1.0.1 8080 {
      \(checker)
      }
      }
      """
    let (configuration, findings) = parseConfiguration(bytes: Array(text.utf8), file: "t")
    try #require(findings.filter { $0.severity >= .error }.isEmpty, "\(findings)")
    let service = try #require(configuration.services.first)
    return CheckDefinitions(configuration).all(of: try #require(service.realServers.first), in: service)
  }

  @Test func theServerIsAskedUnlessSaidOtherwise() throws {
    let own = try #require(try CheckDefinitionsTests.checks("TCP_CHECK {\n}").first)
    #expect("\(own.target.endpoint)" == "10.1.0.1:8080" && own.target.mark == 0 && own.target.interface == nil)
    let other = try #require(
      try CheckDefinitionsTests.checks(
        """
        TCP_CHECK {
        connect_ip 10.2.0.2
        connect_port 81
        bindto 10.3.0.3
        bind_port 5000
        fwmark 7
        }
        """
      ).first)
    #expect("\(other.target.endpoint)" == "10.2.0.2:81" && other.target.mark == 7 && other.target.bindPort == 5000)
    #expect(other.target.bindAddress.map { "\($0)" } == "10.3.0.3")
  }

  @Test func timesAreThoseOfTheChecker() throws {
    let check = try #require(
      try CheckDefinitionsTests.checks(
        "TCP_CHECK {\nconnect_timeout 2\nretry 4\ndelay_before_retry 6\nalpha\n}", service: "delay_loop 11"
      ).first)
    #expect(check.times.delayLoop == .seconds(11) && check.times.connectTimeout == .seconds(2))
    #expect(check.times.retry == 4 && check.times.delayBeforeRetry == .seconds(6) && check.times.alpha)
  }

  @Test func pagesAndTheirHosts() throws {
    let check = try #require(
      try CheckDefinitionsTests.checks(
        """
        SSL_GET {
        virtualhost inner.example
        enable_sni
        url {
        path /a
        status_code 200-204
        }
        url {
        path /b
        digest 0123456789abcdef0123456789abcdef
        virtualhost page.example
        }
        }
        """, globals: "SSL {\nca /etc/ca.pem\n}", service: "virtualhost outer.example"
      ).first)
    guard case .http(let http) = check.kind else {
      Issue.record("not HTTP: \(check.kind.name)")
      return
    }
    #expect(http.pages.map(\.path) == ["/a", "/b"] && http.pages.map(\.virtualHost) == [nil, "page.example"])
    #expect(http.virtualHost == "inner.example")
    #expect(http.tls?.serverName == "inner.example" && http.tls?.authorityFile == "/etc/ca.pem")
  }

  @Test func aScriptHasTheTimeOfADelayLoop() throws {
    let check = try #require(
      try CheckDefinitionsTests.checks(
        "MISC_CHECK {\nmisc_path \"/bin/check 'a b' c\" nobody\nmisc_dynamic\n}", service: "delay_loop 9"
      ).first)
    guard case .script(let script) = check.kind else {
      Issue.record("not a script: \(check.kind.name)")
      return
    }
    #expect(script.words == ["/bin/check", "a b", "c"] && script.user == "nobody" && script.isDynamic)
    #expect(script.timeout == .seconds(9))
  }

  @Test func aFileIsTheTrackedOne() throws {
    let check = try #require(
      try CheckDefinitionsTests.checks(
        "FILE_CHECK {\ntrack_file load\nweight -2\n}", globals: "vrrp_track_file load {\nfile /run/load\nweight 5\n}"
      ).first)
    guard case .file(let file) = check.kind else {
      Issue.record("not a file: \(check.kind.name)")
      return
    }
    #expect(file.path == "/run/load" && file.weight == -2)
  }
}
