import Testing

@testable import Config

@Suite struct IPVSSettingTests {
  private func parse(_ line: String) -> Result<String, IPVSSetting.Failure> {
    let parts = line.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
    return IPVSSetting.parse(name: String(parts[0]), value: String(parts[1])).map {
      "\($0.setting.rawValue) \($0.value)"
    }
  }

  @Test(arguments: [
    ("net.ipv4.vs.sloppy_tcp=1", "sloppy_tcp 1"),
    ("net/ipv4/vs/conn_reuse_mode=2", "conn_reuse_mode 2"),
    ("net.ipv4.vs.est_nice=-20", "est_nice -20"),
    ("net.ipv4.vs.conn_lfactor=-4", "conn_lfactor -4"),
    ("net.ipv4.vs.est_cpulist=0-3,8", "est_cpulist 0-3,8"),
    ("net.ipv4.vs.est_cpulist=", "est_cpulist "),
    ("net.ipv4.vs.sync_threshold=3 50", "sync_threshold 3\t50"),
    ("net.ipv4.vs.sync_threshold=3\t0", "sync_threshold 3\t0"),
    ("net.ipv4.vs.sync_ports=8", "sync_ports 8"),
    ("net.ipv4.vs.am_droprate=2147483647", "am_droprate 2147483647"),
    ("net.ipv4.vs.lblc_expiration=2147483", "lblc_expiration 2147483"),
  ])
  func reads(line: String, expected: String) throws {
    #expect(try parse(line).get() == expected)
  }

  @Test(arguments: [
    "sloppy_tcp=2", "sloppy_tcp=", "sloppy_tcp=-1", "sloppy_tcp=x", "sloppy_tcp= 1", "drop_entry=4", "am_droprate=0",
    "est_nice=20", "est_nice=--1", "est_cpulist=3-1", "est_cpulist=1,,2", "est_cpulist=a", "sync_threshold=3",
    "sync_threshold=50 50", "sync_threshold=-1 50", "sync_threshold=1 2 3", "sync_ports=3", "sync_ports=0",
    "lblcr_expiration=2147484", "sync_qlen_max=99999999999999999999", "conn_lfactor=9",
  ])
  func refusesValue(line: String) {
    guard case .failure(let failure) = parse("net.ipv4.vs." + line) else {
      Issue.record("\(line) is accepted")
      return
    }
    #expect(failure.message.contains("is not a value of net.ipv4.vs.") && failure.remedy.hasPrefix("write "))
  }

  @Test(arguments: [
    ("net.ipv4.vs.sloppy_tpc=1", "did you mean 'net.ipv4.vs.sloppy_tcp'?"),
    ("net.ipv4.vs.conn_reuse=1", "docs/operations.md lists them"),
    ("net.ipv4.ip_forward=1", "their names begin with net.ipv4.vs."),
  ])
  func helpsWithNames(line: String, remedy: String) {
    guard case .failure(let failure) = parse(line) else {
      Issue.record("\(line) is accepted")
      return
    }
    #expect(failure.remedy == remedy)
  }

  /// As a real ip_vs lists them, without the modules and kernels that have more.
  @Test(arguments: [
    "am_droprate=10", "amemthresh=1024", "backup_only=0", "cache_bypass=0", "conn_reuse_mode=1", "conntrack=0",
    "debug_level=0", "drop_entry=0", "drop_packet=0", "expire_nodest_conn=0", "expire_quiescent_template=0",
    "ignore_tunneled=0", "nat_icmp_send=0", "pmtu_disc=1", "run_estimation=1", "schedule_icmp=0", "secure_tcp=0",
    "sloppy_sctp=0", "sloppy_tcp=0", "snat_reroute=1", "sync_persist_mode=0", "sync_ports=1", "sync_qlen_max=1326",
    "sync_refresh_period=0", "sync_retries=0", "sync_sock_size=0", "sync_threshold=3\t50", "sync_version=1",
  ])
  func knowsWhatTheKernelHas(line: String) throws {
    #expect(throws: Never.self) { try parse("net.ipv4.vs." + line).get() }
  }

  @Test(arguments: [
    "sysctl net.ipv4.vs.sloppy_tcp 1", "sysctl -w net.ipv4.vs.sloppy_tcp=1", "sysctl net.ipv4.vs.sloppy_tcp = 1",
    "sysctl net/ipv4/vs/sloppy_tcp 1",
  ])
  func standsInTheConfiguration(line: String) {
    let (configuration, diagnostics) = read("lbd {\n\(line)\n}")
    #expect(diagnostics.isEmpty, "\(diagnostics)")
    #expect(configuration.settings.ipvs == [.sloppyTCP: .number(1)])
  }

  @Test func thresholdStandsInTheConfiguration() {
    for line in ["sysctl net.ipv4.vs.sync_threshold 3 50", "sysctl net.ipv4.vs.sync_threshold=\"3 50\""] {
      let (configuration, diagnostics) = read("lbd {\n\(line)\n}")
      #expect(diagnostics.isEmpty, "\(diagnostics)")
      #expect(configuration.settings.ipvs == [.syncThreshold: .threshold(3, period: 50)])
    }
  }

  @Test(arguments: [
    ("sysctl", "2:1"), ("sysctl -w", "2:1"), ("sysctl net.ipv4.vs.sloppy_tcp", "2:8"),
    ("sysctl net.ipv4.vs.sloppy_tcp 1 1", "2:8"), ("sysctl net.ipv4.ip_forward 1", "2:8"),
    ("sysctl net.ipv4.vs.slopy_tcp 1", "2:8"),
  ])
  func configurationIsRefused(line: String, place: String) {
    let (configuration, diagnostics) = read("lbd {\n\(line)\n}")
    #expect(diagnostics.map { "\($0.line):\($0.column) \($0.severity.name)" } == ["\(place) error"])
    #expect(configuration.settings.ipvs.isEmpty)
  }
}
