import CShims
import Testing

@testable import Dataplane

/// Keys in slots: what is written is read, and nothing else matches.
@Suite struct ConnectionKeyTests {
  private func check<Key: ConnectionKey>(_ type: Key.Type, highs: [UInt64]) {
    let slot = UnsafeMutablePointer<UInt64>.allocate(capacity: Key.wordsPerSlot)
    defer { slot.deallocate() }
    var keys: [Key] = []
    for high in highs {
      for low: UInt64 in [0, 1, 0xffff_ffff, 0x0a00_0001] {
        for port: UInt16 in [0, 1, 80, 0xffff] {
          for endpoint: UInt16 in [1, 2, 0xfffe] {
            keys.append(Key(high: high, low: low, port: port, endpoint: endpoint))
          }
        }
      }
    }
    for key in keys {
      slot.initialize(repeating: 0, count: Key.wordsPerSlot)
      #expect(!key.matches(slot))
      slot[0] = UInt64(LB_KEY_RESERVED)
      key.writeTail(slot)
      #expect(!key.matches(slot), "a slot being filled")
      slot[0] = key.head(generation: 0x8123_4567)
      #expect(Key(slot) == key)
      #expect(keys.filter { $0.matches(slot) } == [key])
      slot[0] = key.continuation
      #expect(!keys.contains { $0.matches(slot) })
      #expect(slot[0] != 0 && Key(slot).at(endpoint: key.endpoint) == key)
      #expect(key.at(endpoint: 9).endpoint == 9 && key.at(endpoint: 9).port == key.port)
    }
    let secret = HashSecret(seed: 1)
    #expect(Set(keys.map { $0.hash(secret) }).count == keys.count)
    #expect(keys[0].hash(secret) != keys[0].hash(HashSecret(seed: 2)))
  }

  @Test func ipv4() { check(KeyV4.self, highs: [0]) }
  @Test func ipv6() { check(KeyV6.self, highs: [0, 1, 0xfd00_0000_0000_0000]) }

  /// Clients that differ by little spread over the lines.
  @Test(arguments: [0, 16, 32])
  func spread(shift: UInt64) {
    let secret = HashSecret(seed: 9)
    for isIPv6 in [false, true] {
      var lines = [Int](repeating: 0, count: 256)
      for number in 0..<UInt64(25_600) {
        let low = shift == 0 ? number : number << (shift / 2)
        let hash =
          isIPv6
          ? KeyV6(high: number << shift, low: 1, port: 80, endpoint: 1).hash(secret)
          : KeyV4(high: 0, low: low, port: UInt16(number & 7), endpoint: 1).hash(secret)
        lines[Int(hash & 255)] += 1
      }
      #expect(lines.allSatisfy { (40...180).contains($0) }, "\(isIPv6)")
    }
  }
}
