import Testing

@testable import Config

struct KeepalivedDataTests {
  private static let text = """
    vrrp_instance VI_1 {
        state MASTER
        interface eth0
        virtual_router_id 51
        priority 150
        virtual_ipaddress {
            192.0.2.1/24
        }
    }
    vrrp_instance VI_2 {
        interface eth1
        virtual_router_id 52
        virtual_ipaddress {
            192.0.2.2/24 dev eth2 label eth2:1
        }
    }
    vrrp_sync_group G {
        group {
            VI_1
            VI_2
        }
    }
    """

  /// As programs read the file: an instance begins with one blank, its values with three, lines of lists with five.
  @Test func instancesCanBeRead() {
    var instances: [String: [String: String]] = [:]
    var addresses: [String: [String]] = [:]
    var (instance, list) = ("", "")
    for line in KeepalivedData.data(read(KeepalivedDataTests.text).configuration).split(separator: "\n") {
      if line.hasPrefix(" VRRP Instance = ") {
        instance = String(line.dropFirst(17))
      } else if line.hasPrefix("     ") {
        if list.hasPrefix("Virtual IP (") { addresses[instance, default: []].append(String(line.dropFirst(5))) }
      } else if line.hasPrefix("   ") {
        let parts = line.dropFirst(3).split(separator: " = ", maxSplits: 1).map(String.init)
        if parts.count == 2 { instances[instance, default: [:]][parts[0]] = parts[1] } else { list = parts[0] }
      } else {
        instance = ""
      }
    }
    let first = instances["VI_1"] ?? [:]
    #expect(first["State"] == "INIT" && first["Wantstate"] == "MASTER" && first["Interface"] == "eth0")
    #expect(first["Virtual Router ID"] == "51" && first["Priority"] == "150" && first["Gratuitous ARP delay"] == "5")
    #expect(first["Authentication type"] == "none" && instances["VI_2"]?["Wantstate"] == "BACKUP")
    #expect(addresses["VI_1"] == ["192.0.2.1/24 dev eth0 scope global"])
    #expect(addresses["VI_2"] == ["192.0.2.2/24 dev eth2 scope global label eth2:1"])
  }

  @Test func sections() {
    let lines = KeepalivedData.data(read(KeepalivedDataTests.text).configuration).split(separator: "\n")
    #expect(
      lines.filter { $0.hasPrefix("---") } == [
        "------< Global definitions >------", "------< VRRP Topology >------", "------< VRRP Sync groups >------",
      ])
    #expect(lines.suffix(4) == [" VRRP Sync Group = G, INIT", "   VRRP member instances :", "     VI_1", "     VI_2"])
  }

  @Test func statistics() {
    let text = KeepalivedData.statistics(read(KeepalivedDataTests.text).configuration)
    #expect(text.split(separator: "\n").filter { $0.hasPrefix("VRRP Instance: ") }.count == 2)
    let begin = "VRRP Instance: VI_1\n  Advertisements:\n    Received: 0\n    Sent: 0\n  Became master: 0\n"
    #expect(text.hasPrefix(begin))
    #expect(KeepalivedData.statistics(Configuration()).isEmpty)
  }
}
