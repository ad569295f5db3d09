import Kernel

/// The host's own network stack, to which lbd hands frames that turn out not to be its own.
///
/// With AF_XDP a frame that was redirected to a socket cannot be passed on any more by the XDP program, so it is given
/// back through a TUN device; in replay it is collected.
public protocol HostStack: ~Copyable, SendableMetatype {
  /// Gives an IP packet to the host.
  /// - Parameters:
  ///   - packet: the frame, its network header at `networkOffset`.
  /// - Returns: false when the host did not take it.
  mutating func accept(_ packet: UnsafeRawBufferPointer, networkOffset: Int) -> Bool

  /// Becomes readable when there is something to take; -1 for none.
  var pollDescriptor: Int32 { get }

  /// Takes an IP packet that the host's stack has sent, for a real server of ours that it is itself.
  /// - Returns: its bytes; 0 when there is none.
  mutating func receive(into buffer: UnsafeMutableRawBufferPointer) -> Int
}
