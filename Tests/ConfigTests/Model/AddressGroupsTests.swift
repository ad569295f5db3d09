import Testing
import Wire

@testable import Config

@Suite struct AddressGroupsTests {
  @Test func localAddressGroups() {
    let (configuration, diagnostics) = read(
      """
      local_address_group g {
        10.2.0.1-3
        10.2.1.5 dev eth1   # the device does not matter
        10.2.0.2
        2001:db8::1-2
        10.3.0.1-10.3.0.2
      }
      """)
    let expected = [
      "10.2.0.1", "10.2.0.2", "10.2.0.3", "10.2.1.5", "2001:db8::1", "2001:db8::2", "10.3.0.1", "10.3.0.2",
    ]
    #expect(configuration.localAddressGroups.map(\.name) == ["g"])
    #expect(configuration.localAddressGroups.first?.addresses.map(\.description) == expected)
    #expect(diagnostics.isEmpty)
  }

  /// Ranges are counted before they are spread out, repeated ones too.
  @Test(arguments: ["local_address_group g%", "virtual_server_group g%"])
  func addressesAreBoundedInAll(opening: String) {
    let groups = (0..<200).map { number in
      let keyword = opening.dropLast()
      return "\(keyword)\(number) {\n10.0.0.0/16\n10.0.0.0/16\n}\n"
    }
    let (configuration, diagnostics) = read(groups.joined())
    #expect(configuration.localAddressGroups.count <= 4)
    #expect(diagnostics.contains { $0.message.contains("262144 addresses in all") })
  }
}
