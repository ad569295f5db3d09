import CShims
import Glibc

/// A BPF object file, loaded: its programs verified by the kernel, its maps created.
///
/// The objects are compiled from `bpf/` at build time and carried inside the executable. Programs and maps live as long
/// as this value, or longer if they are attached: an XDP program attached to an interface keeps its maps.
public struct BPFObject: ~Copyable {
  /// What the object is called in error messages and in the kernel's list of maps.
  public let name: String
  private let object: OpaquePointer

  /// Loads an object file.
  ///
  /// - Parameters:
  ///   - words: The object file's bytes as they lie in memory.
  ///   - byteCount: How many of those bytes are the file.
  ///   - name: What to call it.
  ///   - programs: Which programs to load; nil means all. A kernel too old for one program refuses the whole object.
  ///   - omittedMaps: Maps not to create; no loaded program may use them.
  /// - Throws: `SystemError`; its remedy has the verifier's last line when a program was refused.
  public init(
    words: [UInt64], byteCount: Int, name: String, programs: Set<String>? = nil, omittedMaps: Set<String> = []
  ) throws {
    precondition(byteCount <= words.count * 8)
    var failure: Int32 = 0
    let (opened, text) = BPFLog.capture { () -> OpaquePointer? in
      let object = words.withUnsafeBytes { bytes in
        bytes.baseAddress.flatMap { lbd_bpf_open($0, byteCount, name) }
      }
      guard let object else {
        failure = errno
        return nil
      }
      BPFObject.choose(programs, omittedMaps, of: object)
      failure = bpf_object__load(object)
      guard failure == 0 else {
        bpf_object__close(object)
        return nil
      }
      return object
    }
    guard let opened else { throw BPFObject.loadError(name, errno: failure, text: text) }
    self.name = name
    object = opened
  }

  deinit {
    bpf_object__close(object)
  }

  /// The descriptor of a loaded program; it belongs to this object.
  public func programDescriptor(_ name: String) throws -> Int32 {
    guard let program = bpf_object__find_program_by_name(object, name) else {
      throw SystemError("find program \(name) in \(self.name)", errno: ENOENT, remedy: "no such program")
    }
    let descriptor = bpf_program__fd(program)
    guard descriptor >= 0 else {
      throw SystemError("find program \(name) in \(self.name)", errno: ENOENT, remedy: "it was not loaded")
    }
    return descriptor
  }

  /// A map of this object. The result must not be used after the object is gone.
  public func map(_ name: String) throws -> BPFMap {
    guard let map = bpf_object__find_map_by_name(object, name) else {
      throw SystemError("find map \(name) in \(self.name)", errno: ENOENT, remedy: "no such map")
    }
    let descriptor = bpf_map__fd(map)
    guard descriptor >= 0 else {
      throw SystemError("find map \(name) in \(self.name)", errno: ENOENT, remedy: "it was not created")
    }
    return BPFMap(
      name: name, descriptor: descriptor, keyByteCount: Int(bpf_map__key_size(map)),
      valueByteCount: Int(bpf_map__value_size(map)), entryCount: Int(bpf_map__max_entries(map)),
      isPerCPU: BPFMap.isPerCPU(bpf_map__type(map)))
  }

  private static func choose(_ programs: Set<String>?, _ omittedMaps: Set<String>, of object: OpaquePointer) {
    if let programs {
      var program = bpf_object__next_program(object, nil)
      while let current = program {
        let name = String(cString: bpf_program__name(current))
        bpf_program__set_autoload(current, programs.contains(name))
        program = bpf_object__next_program(object, current)
      }
    }
    for name in omittedMaps {
      guard let map = bpf_object__find_map_by_name(object, name) else { continue }
      bpf_map__set_autocreate(map, false)
    }
  }

  private static func loadError(_ name: String, errno number: Int32, text: String) -> SystemError {
    if number == -EPERM || number == EPERM {
      return SystemError("load BPF object \(name)", errno: EPERM, remedy: "needs CAP_BPF and CAP_NET_ADMIN, or root")
    }
    return SystemError("load BPF object \(name)", errno: number, remedy: BPFLog.verifierMessage(in: text))
  }
}

// MARK: The objects of the product

extension BPFObject {
  /// What the director is to do with its frames: which of its programs are needed.
  public enum DirectorUse: Sendable {
    /// `lb_director`, with the map of AF_XDP sockets.
    case xdp
    /// `lb_director_frags`, for MTUs above a page; needs kernel 5.18.
    case xdpFragments
    /// `lb_guard` and `lb_filter`; runs on kernels without AF_XDP.
    case packet
    /// `lb_answers`; its map `lb_ours` is one of its own.
    case answers
    /// `lb_director`, `lb_guard` and `lb_filter`.
    case both
  }

  /// The director's programs and the maps `lb_ours`, `lb_sockets` and `lb_counters`.
  public static func director(_ use: DirectorUse = .both) throws -> BPFObject {
    let programs: Set<String> =
      switch use {
      case .xdp: ["lb_director"]
      case .xdpFragments: ["lb_director_frags"]
      case .packet: ["lb_guard", "lb_filter"]
      case .answers: ["lb_answers"]
      case .both: ["lb_director", "lb_guard", "lb_filter"]
      }
    return try BPFObject(
      words: DirectorProgram.words, byteCount: DirectorProgram.byteCount, name: "lb_director", programs: programs,
      omittedMaps: use == .packet || use == .answers ? ["lb_sockets", "lb_counters"] : [])
  }

  /// The real server's decapsulating program `lb_realserver` and its map `lb_tunnel_endpoints`.
  public static func realServer() throws -> BPFObject {
    try BPFObject(words: RealServerProgram.words, byteCount: RealServerProgram.byteCount, name: "lb_realserver")
  }

  /// The real server's programs that give programs their clients' addresses (TOA), and their map `lb_toa_directors`.
  public static func clientAddresses() throws -> BPFObject {
    try BPFObject(words: ClientAddressProgram.words, byteCount: ClientAddressProgram.byteCount, name: "lb_toa")
  }

  /// The laboratory's programs `lab_vlan_push`, `lab_vlan_push_prefix`, `lab_vlan_pop` and `lab_pass`, with the maps
  /// `lab_vlan` and `lab_prefix`.
  public static func lab() throws -> BPFObject {
    try BPFObject(words: LabProgram.words, byteCount: LabProgram.byteCount, name: "lb_lab")
  }
}
