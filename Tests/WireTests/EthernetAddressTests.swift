import Testing
import Wire

struct EthernetAddressTests {
  @Test(
    arguments: [
      ("02:00:00:00:01:fe", "02:00:00:00:01:fe", 0x0200_0000_01fe),
      ("FF:ff:Ff:fF:00:0A", "ff:ff:ff:ff:00:0a", 0xffff_ffff_000a),
      ("00:00:00:00:00:00", "00:00:00:00:00:00", 0),
    ] as [(String, String, UInt64)])
  func textGoesBothWays(text: String, canonical: String, number: UInt64) throws {
    let address = try #require(EthernetAddress(text))
    #expect(address.description == canonical && address.number == number)
    #expect(EthernetAddress(bytes: address.bytes) == address)
  }

  @Test(arguments: [
    "", "02:00:00:00:01", "02:00:00:00:01:fe:00", "2:0:0:0:1:fe", "02-00-00-00-01-fe", "0g:00:00:00:01:fe",
    "+1:00:00:00:00:00",
  ])
  func badTextIsRefused(text: String) { #expect(EthernetAddress(text) == nil) }

  @Test func upperBitsAreDropped() {
    #expect(EthernetAddress(.max) == .broadcast)
    #expect(EthernetAddress(bytes: [1, 2, 3, 4, 5]) == nil)
  }
}
