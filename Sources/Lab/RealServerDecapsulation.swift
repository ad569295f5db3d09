import Glibc
import Kernel

extension RealServerHost.Decapsulation {
  /// Loads the decapsulating program and leaves it on the interface when the process ends; the kernel keeps its map of
  /// endpoints with it. Drivers without XDP get it in the general receive path, which works but costs more.
  public func attach() throws {
    let object = try BPFObject.realServer()
    let set = AddressMap(try object.map("lb_tunnel_endpoints"))
    for endpoint in endpoints { try set.insert(endpoint) }
    let ports = TunnelPorts(try object.map("lb_tunnel_ports"))
    for port in guePorts { try ports.insert(port) }
    let program = try object.programDescriptor("lb_realserver")
    do {
      try attach(program, .native)
    } catch let error as SystemError where error.number == EOPNOTSUPP {
      try attach(program, .generic)
    }
  }

  private func attach(_ program: Int32, _ mode: XDPMode) throws {
    try XDPAttachment(
      interfaceIndex: UInt32(bitPattern: interfaceIndex), interfaceName: interfaceName, program: program, mode: mode
    ).leaveAttached()
  }
}
