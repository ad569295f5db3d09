import Testing
import Wire

@testable import Dataplane

/// A director whose frames are made from one, by writing another client over it: to build a million would take minutes.
final class Flood {
  let director: Director
  let service: TestService
  private var frame: [UInt8]
  /// Over the words of the IPv4 header without the source.
  private let headerSum: UInt32

  init(_ service: TestService, connections: Int) throws {
    director = try Director([service], connections: connections)
    self.service = service
    frame = TestPacket.request(service).with { $0.source = IPAddress(v4: 0) }.arriving
    (frame[24], frame[25]) = (0, 0)
    headerSum = frame.withUnsafeBytes { bytes in
      (7..<17).reduce(0) { $0 + UInt32(bytes.loadUnaligned(fromByteOffset: $1 * 2, as: UInt16.self)) }
    }
  }

  /// One packet from each of many clients.
  /// - Returns: how many packets had which outcome.
  func send(from clients: Range<UInt32>) -> [Outcome: Int] {
    var outcomes: [Outcome: Int] = [:]
    var client = clients.lowerBound
    while client < clients.upperBound {
      let count = min(64, clients.upperBound - client)
      for number in client..<client + count { offer(number) }
      director.pipeline.setClock(nanoseconds: director.nanoseconds)
      director.pipeline.turn()
      for index in 0..<Int(count) { outcomes[director.pipeline.outcome(of: index), default: 0] += 1 }
      client += count
    }
    return outcomes
  }

  private func offer(_ client: UInt32) {
    let source = (0x1400_0000 + client).bigEndian
    var sum = headerSum + (source & 0xffff) + (source >> 16)
    sum = (sum & 0xffff) + (sum >> 16)
    sum = (sum & 0xffff) + (sum >> 16)
    let accepted = frame.withUnsafeMutableBytes { bytes in
      bytes.storeBytes(of: source, toByteOffset: 26, as: UInt32.self)
      bytes.storeBytes(of: ~UInt16(sum), toByteOffset: 24, as: UInt16.self)
      return director.pipeline.offer(UnsafeRawBufferPointer(bytes), interface: 0)
    }
    if !accepted { Issue.record("the pipeline did not take a frame") }
  }

  /// Established connections of the usual client, other than those of the flood.
  func establish(ports: Range<UInt16>) {
    for port in ports {
      #expect(director.fromClient(.request(service, port: port)).outcome == .directRouting)
    }
    verifyEstablished(ports: ports)
  }

  func verifyEstablished(ports: Range<UInt16>) {
    for port in ports {
      #expect(director.fromClient(.request(service, port: port, TCP.ack)).outcome == .directRouting)
    }
  }

  var wideCount: UInt64 { director.dataplane.shared.state.entryCounts[SharedState.entryIndex(KeyWide.self)] }
}
