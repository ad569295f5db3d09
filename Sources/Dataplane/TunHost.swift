import Glibc
import Kernel

/// The host's stack behind a TUN device: what lbd passes on arrives there as if it had come in by that interface.
///
/// Holds only the descriptor's number; the device belongs to `Dataplane` and outlives the workers. Without a device
/// (-1) nothing is accepted, and such frames count as `dropped.hostRefused`.
struct TunHost: HostStack, ~Copyable {
  let descriptor: Int32

  mutating func accept(_ packet: UnsafeRawBufferPointer, networkOffset: Int) -> Bool {
    guard descriptor >= 0, let base = packet.baseAddress, packet.count > networkOffset else { return false }
    let count = packet.count - networkOffset
    return write(descriptor, base + networkOffset, count) == count
  }

  var pollDescriptor: Int32 { descriptor }

  mutating func receive(into buffer: UnsafeMutableRawBufferPointer) -> Int {
    guard descriptor >= 0 else { return 0 }
    return max(read(descriptor, buffer.baseAddress, buffer.count), 0)
  }
}
