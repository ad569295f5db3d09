import Dataplane
import Testing

@testable import Control

struct RateEstimatorTests {
  private func services() -> VirtualServices {
    Samples.services("-A -t 10.0.0.1:80\n-a -t 10.0.0.1:80 -r 10.1.0.1\n-a -t 10.0.0.1:80 -r 10.1.0.2")
  }

  /// As IPVS shows it: 100 connections a second, then none.
  @Test func averageMovesByAQuarter() {
    let services = services()
    var estimator = RateEstimator()
    var sent = ServerCounters()
    let number = services.numbers(Samples.tcp("10.0.0.1:80"))[0]
    func look(_ connections: UInt64) -> UInt64 {
      sent.connections += connections
      sent.inBytes += connections * 10
      estimator.look(at: services) { $0 == number ? sent : ServerCounters() }
      #expect(estimator.totalRates == estimator.rates(ofServer: number))
      #expect(estimator.rates(ofService: 0) == estimator.rates(ofServer: number))
      return estimator.rates(ofServer: number).connections
    }
    #expect((0..<10).map { _ in look(200) } == [25, 44, 58, 68, 76, 82, 87, 90, 92, 94])
    for _ in 0..<100 { _ = look(200) }
    #expect(estimator.rates(ofServer: number).inBytes == 1000)
    #expect((0..<10).map { _ in look(0) } == [75, 56, 42, 32, 24, 18, 13, 10, 8, 6])
    #expect(estimator.total.connections == 110 * 200)
  }

  @Test func zeroBeginsAgain() throws {
    var services = services()
    var estimator = RateEstimator()
    var sent = ServerCounters()
    sent.inPackets = 4000
    estimator.look(at: services) { _ in sent }
    #expect(estimator.rates(ofService: 0).inPackets == 1000 && estimator.total.inPackets == 8000)
    try services.zero(nil) { _ in sent }
    estimator.zero(nil, of: services)
    #expect(estimator.rates(ofService: 0) == ServerRates() && estimator.totalRates == ServerRates())
    sent.inPackets += 40
    estimator.look(at: services) { _ in sent }
    #expect(estimator.rates(ofService: 0).inPackets == 10 && estimator.total.inPackets == 80)
  }

  /// A number in new hands: its counters begin at zero, which is no traffic of 2^64 packets.
  @Test func countersThatGoBackAreNoTraffic() {
    let services = services()
    var estimator = RateEstimator()
    var sent = ServerCounters()
    sent.inPackets = 4000
    estimator.look(at: services) { _ in sent }
    estimator.look(at: services) { _ in ServerCounters() }
    #expect(estimator.rates(ofService: 0).inPackets == 750 && estimator.total.inPackets == 8000)
  }
}
