import Testing
import Wire

@testable import Config

struct IpvsadmNamesTests {
  private let names: IpvsadmNames = {
    var names = IpvsadmNames()
    names.hosts = ["www": IPAddress("10.0.0.1")!, "six": IPAddress("fd00::1")!]
    names.ports = [.init(name: "http", transport: .tcp): 80, .init(name: "domain", transport: .udp): 53]
    return names
  }()

  @Test(
    arguments: [
      ("-A -t www:http", "TCP 10.0.0.1:80"), ("-A -t 10.0.0.1:http", "TCP 10.0.0.1:80"),
      ("-A -t www:8080", "TCP 10.0.0.1:8080"), ("-A -t www -p", "TCP 10.0.0.1:0"),
      ("-A -u www:domain", "UDP 10.0.0.1:53"), ("-A -t [fd00::1]:http", "TCP [fd00::1]:80"),
      ("-A -u www:http", nil), ("-A -t six:http", nil), ("-A -t other:http", nil), ("-A -t 80:http", nil),
      ("-A -t www:", nil), ("-A -t :http", nil), ("-A -t [www]:80", nil), ("-A -t a:b:80", nil),
    ] as [(String, String?)])
  func servicesByName(words: String, expected: String?) {
    let arguments = words.split(separator: " ").map(String.init)
    guard case .success(.addService(let spec)) = IpvsadmCommand.parse(arguments, names: names) else {
      #expect(expected == nil)
      return
    }
    #expect("\(spec.key)" == expected)
  }

  @Test func serversTakeTheServicesProtocol() throws {
    let command = try IpvsadmCommand.parse(["-a", "-u", "www:domain", "-r", "www:domain", "-m"], names: names).get()
    guard case .addServer(_, let server) = command else {
      Issue.record("\(command)")
      return
    }
    #expect("\(server.endpoint)" == "10.0.0.1:53")
  }

  @Test(
    arguments: [
      ("-A -t www:http", ["www"], ["http"]), ("-A -t 10.0.0.1:80", [], []), ("-A -t [fd00::1]:https", [], ["https"]),
      ("-a -t www:80 -r web1:www -m", ["www", "web1"], ["www"]), ("-A -t 10.1.0.999:80", [], []), ("-A -t 80", [], []),
      ("-A -s wlc -f 7", [], []), ("-A -t", [], []), ("-A -twww", ["www"], []),
      ("--add-service --tcp-service=www:http --nosuch -r x:y", ["www"], ["http"]),
    ] as [(String, Set<String>, Set<String>)])
  func onlyNamesAreLookedUp(words: String, hosts: Set<String>, ports: Set<String>) {
    let wanted = IpvsadmNames.wanted(in: words.split(separator: " ").map(String.init))
    #expect(wanted.hosts == hosts && Set(wanted.ports.map(\.name)) == ports)
  }

  @Test(arguments: [
    (["-R"], true), (["--restore", "--atomic"], true), (["-L", "-R"], false), ([], false), (["-X"], false),
  ])
  func restoreReads(arguments: [String], expected: Bool) {
    #expect(IpvsadmNames.readsLines(arguments) == expected)
  }
}
