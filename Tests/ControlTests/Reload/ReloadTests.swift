import Config
import Dataplane
import Testing
import Wire

@testable import Control

/// A configuration in the place of another.
struct ReloadTests {
  /// Services and servers, as many as are asked for.
  private static func configuration(services: Int, servers: Int, weight: Int32 = 1) -> Configuration {
    var configuration = Configuration()
    for number in 0..<services {
      let address = IPAddress(v4: 0x0a80_0000 + UInt32(number))
      var service = VirtualService(key: .address(.tcp, Endpoint(address: address, port: 80)))
      service.forwardingMethod = .directRouting
      service.schedulerName = "wrr"
      service.realServers = (0..<servers).map {
        var server = RealServer(endpoint: Endpoint(address: IPAddress(v4: 0x0a40_0000 + UInt32($0)), port: 80))
        server.weight = weight
        return server
      }
      configuration.services.append(service)
    }
    return configuration
  }

  private static func assembled(_ administration: Administration) -> SnapshotDescription {
    SnapshotAssembler(
      services: administration.services, topology: Samples.network, ports: Samples.ports,
      timeouts: administration.timeouts
    ).assemble().description
  }

  /// As many services as there are numbers for with six servers each, made, all edited, and taken away: a snapshot each.
  @Test func whateverItIsItIsOneSnapshot() throws {
    let dataplane = try Dataplane(connections: 1024, bothDirections: false, seed: 1)
    var administration = Administration()
    var former = Configuration()
    for (configuration, steps) in [
      (ReloadTests.configuration(services: 10_000, servers: 6), 70_000),
      (ReloadTests.configuration(services: 10_000, servers: 6, weight: 2), 60_000), (Configuration(), 10_000),
    ] {
      let reload = try Reload(configuration, former: former, over: administration)
      #expect(reload.plan.steps.count == steps)
      administration = reload.administration
      former = configuration
      let before = dataplane.snapshotNumber
      dataplane.publish(ReloadTests.assembled(administration), of: &administration.services)
      #expect(dataplane.snapshotNumber == before + 1)
      #expect(administration.services.listed.count == configuration.services.count)
    }
  }

  /// There are numbers for 65,535 servers: what does not fit is refused whole, and nothing is published.
  @Test func moreThanThereAreNumbersForIsRefused() throws {
    let administration = try Reload(
      ReloadTests.configuration(services: 2, servers: 2), former: Configuration(), over: Administration()
    ).administration
    #expect(throws: EditError.tooMany) {
      try Reload(
        ReloadTests.configuration(services: 10_000, servers: 10), former: Configuration(), over: administration)
    }
    #expect(administration.services.listed.count == 2)
  }

  @Test func whatOnlyAStartChangesIsSaid() throws {
    var configuration = ReloadTests.configuration(services: 1, servers: 1)
    configuration.settings.workerCount = 3
    configuration.settings.connectionCapacity = 4096
    configuration.settings.interfaceNames = ["eth7"]
    configuration.settings.portKind = .packet
    configuration.settings.localPorts = 2000...3000
    let reload = try Reload(configuration, former: Configuration(), over: Administration())
    #expect(
      reload.notes.map { $0.prefix { $0 != "}" } } == [
        "lbd { connections ", "lbd { interface ", "lbd { port ", "lbd { workers ",
      ])
    #expect(reload.administration.localPorts == 2000...3000)
    #expect(reload.administration.services.listed.first?.localPorts == 2000...3000)
  }

  /// With `--state` services are ipvsadm's.
  @Test func servicesOfARuleFileAreLeftAlone() throws {
    var administration = Administration()
    administration.services = Samples.services("-A -t 10.1.0.100:80 -s rr")
    var configuration = Configuration()
    configuration.timeouts.udpSeconds = 7
    let reload = try Reload(
      configuration, former: Configuration(), over: administration, isWhole: true, keepsRules: true)
    #expect(reload.plan.steps.isEmpty && reload.administration.services.listed.count == 1)
    #expect(reload.administration.timeouts == ConnectionTimeouts())
  }

  @Test func theSummaryCounts() throws {
    let former = try ReloadPlanTests.configuration(ReloadPlanTests.text)
    let running = try Reload(former, former: Configuration(), over: Administration())
    #expect(
      running.plan.summary
        == "services: 2 added; real servers: 3 added; local addresses: 2 added; timeouts changed; 2 settings of lbd's own"
    )
    #expect(
      try Reload(former, former: former, over: running.administration).plan.summary
        == "nothing to change among services")
  }
}
