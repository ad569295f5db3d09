import CShims
import Glibc
import Testing
import Wire

@testable import Kernel

@Suite(.enabled(if: BPFPrivilege.isGranted, "attaching BPF programs needs CAP_BPF, CAP_NET_ADMIN and CAP_SYS_ADMIN"))
struct BPFXDPAttachmentTests {
  private static func attached(_ namespace: BPFNamespace) -> lbd_xdp_programs {
    var programs = lbd_xdp_programs()
    #expect(lbd_xdp_query(Int32(namespace.index("near")), &programs) == 0)
    return programs
  }

  private static func attach(
    _ program: Int32, _ namespace: BPFNamespace, to name: String = "near", mode: XDPMode = .native
  ) throws -> XDPAttachment {
    try XDPAttachment(interfaceIndex: namespace.index(name), interfaceName: name, program: program, mode: mode)
  }

  private static func id(_ program: Int32) throws -> UInt32 { try AttachedProgram.identity(of: program).id }

  @Test("attach and detach", arguments: [XDPMode.native, .generic])
  func attachAndDetach(mode: XDPMode) throws {
    try BPFNamespace.with { namespace in
      let object = try BPFObject.director(.xdp)
      let program = try object.programDescriptor("lb_director")
      let attachment = try Self.attach(program, namespace, mode: mode)
      let programs = Self.attached(namespace)
      #expect((mode == .native ? programs.native : programs.generic) == (try Self.id(program)))
      #expect((mode == .native ? programs.generic : programs.native) == 0)
      attachment.detach()
      #expect(Self.attached(namespace).native == 0 && Self.attached(namespace).generic == 0)
    }
  }

  @Test("the program of a dead predecessor is replaced", arguments: [XDPMode.native, .generic])
  func replacement(staleMode: XDPMode) throws {
    try BPFNamespace.with { namespace in
      do {
        let stale = try BPFObject.director(.xdp)
        try Self.attach(stale.programDescriptor("lb_director"), namespace, mode: staleMode).leaveAttached()
      }
      #expect(Self.attached(namespace).native + Self.attached(namespace).generic != 0)
      let object = try BPFObject.director(.xdp)
      let program = try object.programDescriptor("lb_director")
      let attachment = try Self.attach(program, namespace)
      #expect(Self.attached(namespace).native == (try Self.id(program)))
      #expect(Self.attached(namespace).generic == 0)
      attachment.detach()
      #expect(Self.attached(namespace).native == 0)
    }
  }

  @Test("the predecessor's end does not take the successor's program away")
  func successorStays() throws {
    try BPFNamespace.with { namespace in
      let first = try BPFObject.director(.xdp)
      let second = try BPFObject.director(.xdp)
      let predecessor = try Self.attach(first.programDescriptor("lb_director"), namespace)
      let program = try second.programDescriptor("lb_director")
      let successor = try Self.attach(program, namespace)
      predecessor.detach()
      #expect(Self.attached(namespace).native == (try Self.id(program)))
      successor.detach()
    }
  }

  @Test("a foreign program is left alone and named", arguments: [XDPMode.native, .generic])
  func foreign(mode: XDPMode) throws {
    try BPFNamespace.with { namespace in
      let lab = try BPFObject.lab()
      let pass = try lab.programDescriptor("lab_pass")
      let foreign = try Self.attach(pass, namespace, mode: mode)
      let object = try BPFObject.director(.xdp)
      do {
        _ = try Self.attach(object.programDescriptor("lb_director"), namespace)
        Issue.record("attached over a foreign program")
      } catch let error as SystemError {
        #expect(error.name == "EBUSY")
        #expect(error.description.contains("lab_pass"))
        let keyword = mode == .native ? "xdp" : "xdpgeneric"
        #expect(error.description.contains("`ip link set dev near \(keyword) off`"))
      }
      let programs = Self.attached(namespace)
      #expect((mode == .native ? programs.native : programs.generic) == (try Self.id(pass)))
      foreign.detach()
    }
  }

  @Test("a large MTU is explained")
  func largeMTU() throws {
    try BPFNamespace.with { namespace in
      try namespace.run("ip link set near mtu 9000")
      try namespace.run("ip link set far mtu 9000")
      let object = try BPFObject.director(.xdp)
      do {
        _ = try Self.attach(object.programDescriptor("lb_director"), namespace)
        Issue.record("attached in spite of the MTU")
      } catch let error as SystemError {
        #expect(error.description.contains("MTU 9000"), "\(error)")
        #expect(error.description.contains("at most \(getpagesize() - 598)"), "\(error)")
      }
      let frags = try BPFObject.director(.xdpFragments)
      try Self.attach(frags.programDescriptor("lb_director_frags"), namespace).detach()
    }
  }

  @Test("the two forms of the director replace each other")
  func fragmentsForm() throws {
    try BPFNamespace.with { namespace in
      let plain = try BPFObject.director(.xdp)
      try Self.attach(plain.programDescriptor("lb_director"), namespace).leaveAttached()
      let frags = try BPFObject.director(.xdpFragments)
      let program = try frags.programDescriptor("lb_director_frags")
      let attachment = try Self.attach(program, namespace)
      #expect(Self.attached(namespace).native == (try Self.id(program)))
      attachment.detach()
    }
  }

  @Test("a driver without XDP is explained, and generic mode works")
  func withoutDriverSupport() throws {
    try BPFNamespace.with { namespace in
      let object = try BPFObject.director(.xdp)
      let program = try object.programDescriptor("lb_director")
      do {
        _ = try Self.attach(program, namespace, to: "lo")
        Issue.record("attached to lo in native mode")
      } catch let error as SystemError {
        #expect(error.description.contains("generic"), "\(error)")
      }
      try Self.attach(program, namespace, to: "lo", mode: .generic).detach()
    }
  }
}

@Suite(.enabled(if: BPFPrivilege.isGranted, "attaching BPF programs needs CAP_BPF, CAP_NET_ADMIN and CAP_SYS_ADMIN"))
struct BPFTrafficControlTests {
  private static func attach(
    _ program: Int32, _ namespace: BPFNamespace, _ direction: TrafficControlAttachment.Direction = .ingress
  ) throws -> TrafficControlAttachment {
    try TrafficControlAttachment(
      interfaceIndex: namespace.index("near"), interfaceName: "near", program: program, direction: direction)
  }

  private static func attached(_ namespace: BPFNamespace, egress: Bool = false) -> UInt32 {
    var id: UInt32 = 0
    return BPFLog.capture { lbd_tc_query(Int32(namespace.index("near")), egress, 1, 1, &id) }.0 == 0 ? id : 0
  }

  /// Creates the qdisc to find out whether it was there.
  private static func hasQdisc(_ namespace: BPFNamespace) -> Bool {
    let index = Int32(namespace.index("near"))
    let result = BPFLog.capture { lbd_tc_create_hook(index) }.0
    if result == 0 { _ = lbd_tc_destroy_hook(index) }
    return result == -EEXIST
  }

  private static func id(_ program: Int32) throws -> UInt32 { try AttachedProgram.identity(of: program).id }

  @Test("attach and detach; the qdisc goes with the last of the two directions")
  func attachAndDetach() throws {
    try BPFNamespace.with { namespace in
      let object = try BPFObject.lab()
      let pop = try object.programDescriptor("lab_vlan_pop")
      let push = try object.programDescriptor("lab_vlan_push")
      let ingress = try Self.attach(pop, namespace)
      let egress = try Self.attach(push, namespace, .egress)
      #expect(Self.attached(namespace) == (try Self.id(pop)))
      #expect(Self.attached(namespace, egress: true) == (try Self.id(push)))
      egress.detach()
      #expect(Self.attached(namespace, egress: true) == 0)
      #expect(Self.attached(namespace) != 0)
      ingress.detach()
      #expect(!Self.hasQdisc(namespace))
    }
  }

  @Test("a qdisc that was there stays")
  func foreignQdisc() throws {
    try BPFNamespace.with { namespace in
      try namespace.run("tc qdisc add dev near clsact")
      let object = try BPFObject.director(.packet)
      try Self.attach(object.programDescriptor("lb_guard"), namespace).detach()
      #expect(Self.attached(namespace) == 0)
      #expect(Self.hasQdisc(namespace))
    }
  }

  @Test("a successor replaces the guard and keeps it")
  func successor() throws {
    try BPFNamespace.with { namespace in
      let first = try BPFObject.director(.packet)
      let second = try BPFObject.director(.packet)
      let predecessor = try Self.attach(first.programDescriptor("lb_guard"), namespace)
      let program = try second.programDescriptor("lb_guard")
      let successor = try Self.attach(program, namespace)
      predecessor.detach()
      #expect(Self.attached(namespace) == (try Self.id(program)))
      successor.detach()
      #expect(Self.attached(namespace) == 0)
    }
  }

  @Test("a foreign filter in our place is left alone and named")
  func foreignFilter() throws {
    try BPFNamespace.with { namespace in
      let lab = try BPFObject.lab()
      let object = try BPFObject.director(.packet)
      let foreign = try Self.attach(lab.programDescriptor("lab_vlan_pop"), namespace)
      do {
        _ = try Self.attach(object.programDescriptor("lb_guard"), namespace)
        Issue.record("attached over a foreign filter")
      } catch let error as SystemError {
        #expect(error.name == "EBUSY" && error.description.contains("lab_vlan_pop"), "\(error)")
      }
      #expect(Self.attached(namespace) != 0)
      foreign.detach()
    }
  }
}
