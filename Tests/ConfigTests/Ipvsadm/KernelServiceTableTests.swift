import Testing
import Wire

@testable import Config

@Suite struct KernelServiceTableTests {
  static let table = """
    IP Virtual Server version 1.2.1 (size=4096)
    Prot LocalAddress:Port Scheduler Flags
      -> RemoteAddress:Port Forward Weight ActiveConn InActConn
    TCP  0A010064:0050 wrr persistent 50 FFFFFF00
      -> 0A02000C:1F90      Masq    3      0          0
      -> 0A02000B:0050      Route   0      1          2
    UDP  0A010064:0035 rr ops
      -> 0A02000B:0035      Tunnel  1      0          0
    FWM  00000007 lblcr
      -> 0A02000B:0050      Local   1      0          0
    TCP  [fd00:0000:0000:0000:0000:0000:0000:0001]:0050 wlc persistent 360 64
      -> [fd00:0000:0000:0000:0000:0000:0000:0002]:0050      Route   1      0          0
    FWM  00000008 rr
      -> [fd00:0000:0000:0000:0000:0000:0000:0002]:0000      Route   1      0          0

    """

  @Test func readsAndWrites() throws {
    let services = try KernelServiceTable.parse(Array(KernelServiceTableTests.table.utf8)).get()
    #expect(
      services.map(summary) == [
        "TCP 10.1.0.100:80 wrr NAT | persistent 50 | 10.2.0.12:8080 w3 NAT | 10.2.0.11:80 w0 DR",
        "UDP 10.1.0.100:53 rr NAT | 10.2.0.11:53 w1 TUN", "FWM 7 lblcr NAT | 10.2.0.11:80 w1 DR",
        "TCP [fd00::1]:80 wlc NAT | persistent 360 | [fd00::2]:80 w1 DR", "FWM 8 IPv6 rr NAT | [fd00::2]:0 w1 DR",
      ])
    #expect(services[0].persistenceMask == .ipv4(0xffff_ff00) && services[3].persistenceMask == .ipv6(64))
    let (configuration, diagnostics) = read(KeepalivedText.text(services))
    #expect(diagnostics.filter { $0.severity == .error } == [])
    #expect(configuration.services.map(\.key) == services.map(\.key))
    #expect(
      configuration.services.map { $0.realServers.map(\.weight) } == services.map { $0.realServers.map(\.weight) })
  }

  @Test(arguments: [
    "TCP  0A010064:0050", "TCP  0A010064:0050 none-such", "QQQ  0A010064:0050 rr", "  -> 0A02000B:0050 Masq 1 0 0",
    "TCP  0A0100:0050 rr", "TCP  0A010064:0050 rr\n  -> 0A02000B:0050 Other 1 0 0", "TCP [fd00::1:0050 rr",
    "TCP  0A010064:0050 rr persistent", "FWM  xyz rr", "<html>",
  ])
  func refuses(text: String) {
    guard case .failure(let failure) = KernelServiceTable.parse(Array(text.utf8)) else {
      Issue.record("accepted")
      return
    }
    #expect(failure.description.hasPrefix("line \(text.split(separator: "\n").count) is not one of ip_vs's"))
  }

  @Test func noServicesAreNone() throws {
    #expect(try KernelServiceTable.parse([]).get().isEmpty)
  }
}
