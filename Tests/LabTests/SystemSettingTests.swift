import Glibc
import Kernel
import Testing

@testable import Lab

@Suite struct SystemSettingTests {
  @Test func names() throws {
    let setting = try SystemSetting.ipv4("eth0.5", "arp_ignore")
    #expect(setting.path == "/proc/sys/net/ipv4/conf/eth0.5/arp_ignore")
    #expect(setting.description == "net.ipv4.conf.eth0/5.arp_ignore")
  }

  @Test(arguments: [[], [""], ["net", ".."], ["net", "."], ["a/b"], ["a\0b"]])
  func refused(_ components: [String]) {
    #expect(SystemSetting(components) == nil)
  }

  @Test func errors() throws {
    let missing = try SystemSetting.ipv4("eth9", "arp_ignore")
    #expect {
      try missing.read()
    } throws: {
      "\($0)".hasPrefix("cannot read net.ipv4.conf.eth9.arp_ignore: ENOENT (no such interface")
    }
    #expect(throws: SystemError.self) { try SystemSetting.ipv4("../..", "arp_ignore") }
  }

  @Test func reads() throws {
    let setting = try #require(SystemSetting(["kernel", "ostype"]))
    #expect(try setting.read() == "Linux")
  }
}
