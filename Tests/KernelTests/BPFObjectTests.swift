import CShims
import Glibc
import Testing
import Wire

@testable import Kernel

@Suite(.enabled(if: BPFPrivilege.isGranted, "loading BPF programs needs CAP_BPF and CAP_NET_ADMIN"))
struct BPFObjectTests {
  @Test("every object loads whole")
  func loadsAll() throws {
    let director = try BPFObject(
      words: DirectorProgram.words, byteCount: DirectorProgram.byteCount, name: "lb_director")
    for name in ["lb_director", "lb_director_frags", "lb_guard", "lb_filter"] {
      #expect(try director.programDescriptor(name) > 0)
    }
    let sockets = try director.map("lb_sockets")
    #expect(sockets.keyByteCount == 4 && sockets.valueByteCount == 4 && sockets.entryCount == Int(LB_MAX_QUEUES))
    #expect(try BPFObject.realServer().programDescriptor("lb_realserver") > 0)
    let lab = try BPFObject.lab()
    for name in ["lab_vlan_push", "lab_vlan_push_prefix", "lab_vlan_pop", "lab_pass"] {
      #expect(try lab.programDescriptor(name) > 0)
    }
  }

  @Test("only what a use needs is loaded")
  func choice() throws {
    let object = try BPFObject.director(.packet)
    #expect(throws: SystemError.self) { _ = try object.programDescriptor("lb_director") }
    #expect(throws: SystemError.self) { _ = try object.map("lb_sockets") }
    #expect(throws: SystemError.self) { _ = try object.programDescriptor("no_such_program") }
    #expect(throws: SystemError.self) { _ = try object.map("no_such_map") }
    #expect(try object.programDescriptor("lb_guard") > 0)
  }

  @Test("a broken object is an error, and says nothing on the console")
  func broken() throws {
    do {
      _ = try BPFObject(words: [0x0102_0304_0506_0708], byteCount: 8, name: "broken")
      Issue.record("loaded")
    } catch let error as SystemError {
      #expect(error.description.hasPrefix("cannot load BPF object broken: "), "\(error)")
    }
  }

  @Test("a missing map is told from libbpf's own words")
  func refused() throws {
    do {
      _ = try BPFObject(
        words: DirectorProgram.words, byteCount: DirectorProgram.byteCount, name: "lb_director",
        programs: ["lb_director"], omittedMaps: ["lb_sockets"])
      Issue.record("loaded")
    } catch let error as SystemError {
      #expect(error.description.contains("lb_sockets"), "\(error)")
    }
  }
}

struct BPFLogTests {
  @Test("the verifier's last line")
  func verifierLine() {
    let log = """
      libbpf: prog 'x': BPF program load failed: Permission denied
      libbpf: prog 'x': -- BEGIN PROG LOAD LOG --
      0: (b7) r0 = 0
      R1 invalid mem access 'scalar'
      processed 3 insns (limit 1000000) max_states_per_insn 0
      -- END PROG LOAD LOG --
      libbpf: failed to load object 'x'
      """
    #expect(BPFLog.verifierMessage(in: log) == "R1 invalid mem access 'scalar'")
    #expect(BPFLog.verifierMessage(in: "libbpf: no such file\n") == "libbpf: no such file")
    #expect(BPFLog.verifierMessage(in: "") == nil)
  }

  @Test("the kernel's own message")
  func kernelLine() {
    let log = "libbpf: Kernel error message: Peer MTU is too large to set XDP\n"
    #expect(BPFLog.kernelMessage(in: log) == "Peer MTU is too large to set XDP")
    #expect(BPFLog.kernelMessage(in: "libbpf: something else\n") == nil)
  }
}

@Suite(.enabled(if: BPFPrivilege.isGranted, "loading BPF programs needs CAP_BPF and CAP_NET_ADMIN"))
struct BPFOursMapTests {
  private static func entry(
    _ address: String, _ port: UInt16, flags: UInt32 = LB_OURS_ENDPOINT, side: OursEntry.Side = .destination
  ) -> OursEntry {
    OursEntry(address: IPAddress(address)!, port: port, protocolNumber: 6, side: side, flags: flags)
  }

  @Test("the map becomes what is wanted, whatever it was")
  func synchronize() throws {
    let object = try BPFObject.director(.packet)
    let map = try OursMap(object.map("lb_ours"))
    let first: Set = [
      Self.entry("10.0.0.1", 80), Self.entry("10.0.0.1", 443), Self.entry("2001:db8::1", 80),
      Self.entry("10.0.0.1", 80, side: .source),
    ]
    try map.synchronize(to: first)
    #expect(try map.entries() == first)
    let second: Set = [Self.entry("10.0.0.1", 443, flags: LB_OURS_ANY_PORT), Self.entry("10.0.0.2", 80)]
    try map.synchronize(to: second)
    #expect(try map.entries() == second)
    try map.synchronize(to: [])
    #expect(try map.entries().isEmpty)
  }

  @Test("entries of one key are merged")
  func merge() throws {
    let object = try BPFObject.director(.packet)
    let map = try OursMap(object.map("lb_ours"))
    let address = IPAddress("10.0.0.1")!
    try map.synchronize(to: [
      OursEntry(address: address, side: .destination, flags: LB_OURS_FRAGMENTS),
      OursEntry(address: address, side: .destination, flags: LB_OURS_LOCAL_PORTS, portFirst: 5000, portLast: 5999),
      OursEntry(address: address, side: .destination, flags: LB_OURS_LOCAL_PORTS, portFirst: 6000, portLast: 6999),
    ])
    let merged = OursEntry(
      address: address, side: .destination, flags: LB_OURS_FRAGMENTS | LB_OURS_LOCAL_PORTS, portFirst: 5000,
      portLast: 6999)
    #expect(try map.entries() == [merged])
  }

  @Test("thousands of entries")
  func many() throws {
    let object = try BPFObject.director(.packet)
    let map = try OursMap(object.map("lb_ours"))
    let all = Set((0..<5000).map { Self.entry("10.0.\($0 / 250).\($0 % 250)", 80) })
    try map.synchronize(to: all)
    #expect(try map.entries() == all)
    let half = Set(all.filter { $0.address.v4 % 2 == 0 })
    try map.synchronize(to: half)
    #expect(try map.entries() == half)
  }
}
