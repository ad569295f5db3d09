import Testing
import Wire

struct EndpointTests {
  @Test func text() {
    #expect(Endpoint(address: IPAddress(v4: 0x0a00_0001), port: 80).description == "10.0.0.1:80")
    #expect(Endpoint(address: IPAddress(high: 0x2001_0db8 << 32, low: 1), port: 0).description == "[2001:db8::1]:0")
  }

  @Test func protocolNumbers() {
    #expect(TransportProtocol.allCases.map(\.rawValue) == [IPProtocol.tcp, IPProtocol.udp, IPProtocol.sctp])
    #expect(TransportProtocol.allCases.map(\.name) == ["TCP", "UDP", "SCTP"])
  }
}
