import Wire

@testable import VRRP

/// Directors, the network between them, and time: whatever happens next, happens, and nothing else takes time.
struct World {
  /// What the network does to datagrams.
  struct Weather {
    /// Of a hundred.
    var loss = 0
    /// Of two adverts on one way, one at least arrives.
    var sparesSecond = false
    var duplicates = 0
    var maxDelay: Microseconds = 0
  }

  private struct Arrival {
    let time: Microseconds
    let serial: UInt64
    let director: Int
    let lan: Int
    let bytes: [UInt8]
  }

  private struct Way: Hashable {
    let from: IPAddress
    let to: Int
    let lan: Int
  }

  var now: Microseconds = 0
  var chance: Chance
  var directors: [Director]
  var weather = Weather()
  /// Which side of a partition each director is on.
  var sides: [Int]
  /// Datagrams that no director should take, and how often one comes; 0 is never.
  var junk: [[UInt8]] = []
  var junkInterval: Microseconds = 0
  private var nextJunk: Microseconds = 0
  private var arrivals: [Arrival] = []
  private var serial: UInt64 = 0
  private var lost: Set<Way> = []

  init(_ directors: [Director], chance: Chance) {
    self.directors = directors
    self.chance = chance
    sides = directors.map { _ in 0 }
  }

  var lans: Range<Int> { directors[0].definitions.indices }

  mutating func run(until end: Microseconds) {
    while true {
      var next = end
      var mover: Int?
      for (index, director) in directors.enumerated() {
        if let time = director.nextTime, time < next {
          next = max(time, now)
          mover = index
        }
      }
      if let arrival = arrivals.first, arrival.time <= next {
        next = max(arrival.time, now)
        mover = nil
      }
      if junkInterval > 0, !junk.isEmpty, nextJunk < next {
        now = max(now, nextJunk)
        nextJunk = now + junkInterval
        spreadJunk()
        continue
      }
      guard next < end else { break }
      now = next
      if let mover {
        send(directors[mover].fire(at: now), from: mover)
      } else {
        let arrival = removeFirst()
        send(directors[arrival.director].receive(arrival.bytes, lan: arrival.lan, at: now), from: arrival.director)
      }
    }
    now = end
  }

  mutating func send(_ departures: [Departure], from sender: Int) {
    for departure in departures {
      for (index, other) in directors.enumerated() where index != sender && sides[index] == sides[sender] {
        let destination = departure.advert.destination
        guard destination.isMulticast || destination == other.definitions[departure.lan].source else { continue }
        carry(departure.advert.bytes, from: directors[sender].address, to: index, lan: departure.lan)
      }
    }
  }

  private mutating func carry(_ bytes: [UInt8], from source: IPAddress, to index: Int, lan: Int) {
    let way = Way(from: source, to: index, lan: lan)
    if chance.percent(weather.loss), !(weather.sparesSecond && lost.contains(way)) {
      lost.insert(way)
      return
    }
    lost.remove(way)
    for _ in 0..<(chance.percent(weather.duplicates) ? 2 : 1) {
      serial += 1
      insert(
        Arrival(
          time: now + 1 + chance.below(weather.maxDelay), serial: serial, director: index, lan: lan, bytes: bytes))
    }
  }

  private mutating func spreadJunk() {
    let bytes = chance.pick(junk)
    for index in directors.indices {
      for lan in lans { send(directors[index].receive(bytes, lan: lan, at: now), from: index) }
    }
  }

  // MARK: - Arrivals, soonest first

  private func isSooner(_ one: Arrival, _ other: Arrival) -> Bool {
    (one.time, one.serial) < (other.time, other.serial)
  }

  private mutating func insert(_ arrival: Arrival) {
    arrivals.append(arrival)
    var child = arrivals.count - 1
    while child > 0, isSooner(arrivals[child], arrivals[(child - 1) / 2]) {
      arrivals.swapAt(child, (child - 1) / 2)
      child = (child - 1) / 2
    }
  }

  private mutating func removeFirst() -> Arrival {
    arrivals.swapAt(0, arrivals.count - 1)
    let first = arrivals.removeLast()
    var parent = 0
    while true {
      var least = parent
      for child in [2 * parent + 1, 2 * parent + 2] where child < arrivals.count {
        if isSooner(arrivals[child], arrivals[least]) { least = child }
      }
      if least == parent { return first }
      arrivals.swapAt(least, parent)
      parent = least
    }
  }
}

extension World {
  /// Those that hear each other and could be master, for each side of the partition that has some.
  var components: [[Int]] {
    Set(sides).sorted().map { side in
      directors.indices.filter { sides[$0] == side && directors[$0].isEligible && !isFaulty($0) }
    }.filter { !$0.isEmpty }
  }

  private func isFaulty(_ index: Int) -> Bool { directors[index].engine.machines.contains { $0.faultReason != nil } }

  func masters(of component: [Int], lan: Int) -> [Int] {
    component.filter { directors[$0].state(lan) == .master }
  }
}
