import Testing
import Wire

@testable import Lab

@Suite struct FTPTransferTests {
  @Test(arguments: [
    (IPAddress.Family.ipv4, false, ["EPSV", "PASV"]), (.ipv4, true, ["EPRT", "PORT"]), (.ipv6, false, ["EPSV"]),
    (.ipv6, true, ["EPRT"]),
  ])
  func modesOfAFamily(_ family: IPAddress.Family, isActive: Bool, names: [String]) {
    let modes = FTPTransfer.Mode.allCases.filter { $0.isFor(family) && $0.isActive == isActive }
    #expect(modes.map(\.rawValue) == names)
    #expect(modes.allSatisfy { $0.options.contains("--ftp-port") == isActive })
  }

  /// The helper expects a server's data connections from the port below that of its control connections.
  @Test func serverSendsFromThePortBelow() {
    let text = FTPTransfer.configuration(home: "/x/rs1")
    #expect(text.contains("\nlisten_port=2121\n") && text.contains("\nftp_data_port=2120\n"))
    #expect(text.contains("\nanon_root=/x/rs1\n") && text.contains("\nconnect_from_port_20=YES\n"))
  }
}
