import Wire

/// Who says what when in one flow: a TCP connection from SYN to FIN, or a UDP exchange, as seen from the director.
struct FlowScript {
  /// One frame.
  struct Event {
    /// Nanoseconds of the capture's clock.
    var time: UInt64
    /// From the server.
    var isReply: Bool
    /// Of the TCP header.
    var flags: UInt8 = 0
    var sequence: UInt32 = 0
    var acknowledgement: UInt32 = 0
    /// Bytes behind the transport header.
    var payload: Int
  }

  /// In order of time.
  private(set) var events: [Event] = []
  /// Largest segment either side sends.
  let segment: Int

  private var random: RandomNumbers
  private var clock: UInt64
  /// Of the way to the client and back.
  private let roundTrip: UInt64
  /// Of the way to the server and back, and what it takes to answer.
  private let serverDelay: UInt64
  private var clientNext: UInt32
  private var serverNext: UInt32

  /// - Parameters:
  ///   - segment: what fits into a packet of the path.
  init(_ transport: TransportProtocol, start: UInt64, segment: Int, random: RandomNumbers) {
    var random = random
    // One in ten comes by a path of old: 576-byte packets.
    self.segment = random.chance(0.1) ? min(segment, 536) : segment
    roundTrip = UInt64(random.logarithmic(1e6...120e6))
    serverDelay = UInt64(random.logarithmic(50e3...500e3))
    clientNext = UInt32(truncatingIfNeeded: random.next())
    serverNext = UInt32(truncatingIfNeeded: random.next())
    clock = start
    self.random = random
    if transport == .udp { datagrams() } else { connection() }
    events.sort { $0.time < $1.time }
  }

  // MARK: - UDP

  private mutating func datagrams() {
    // Mostly a question and its answer, now and then a longer exchange of large datagrams.
    let isLong = random.chance(0.2)
    for _ in 0..<(isLong ? random.within(4...40) : 1) {
      let question = isLong ? random.within(40...min(1200, segment)) : random.within(30...80)
      let answer = isLong ? random.within(200...min(1350, segment)) : random.within(60...500)
      events.append(Event(time: clock, isReply: false, payload: question))
      events.append(Event(time: clock + serverDelay, isReply: true, payload: min(answer, segment)))
      clock += roundTrip
    }
  }

  // MARK: - TCP

  private mutating func connection() {
    say(false, TCP.syn, at: clock)
    say(true, TCP.syn | TCP.ack, at: clock + serverDelay)
    clock += roundTrip
    say(false, TCP.ack, at: clock)
    switch random.below(10) {
    case 0: dialogue()
    case 1, 2:
      send(bytes: size(), isReply: false)
      send(bytes: random.within(100...500), isReply: true)
    default:
      send(bytes: random.within(100...900), isReply: false)
      send(bytes: size(), isReply: true)
    }
    close()
  }

  /// Most transfers are short, and a few carry most of the bytes.
  private mutating func size() -> Int { Int(random.pareto(2e3...4e6, shape: 1.2)) }

  /// Keystrokes, queries: small packets to and fro.
  private mutating func dialogue() {
    for _ in 0..<random.within(3...30) {
      send(bytes: random.within(1...200), isReply: false)
      send(bytes: random.within(1...536), isReply: true)
      clock += UInt64(random.exponential(mean: 50e6))
    }
  }

  /// Sends in windows that grow from ten segments on, one in each round trip; every second segment is acknowledged.
  private mutating func send(bytes: Int, isReply: Bool) {
    var left = bytes
    var window = 10
    let answerDelay = isReply ? roundTrip : serverDelay
    while left > 0 {
      var time = clock
      for number in 0..<window where left > 0 {
        let count = min(left, segment)
        left -= count
        say(isReply, left == 0 ? TCP.ack | TCP.psh : TCP.ack, count, at: time)
        if number % 2 == 1 || left == 0 { say(!isReply, TCP.ack, at: time + answerDelay) }
        // A link of 1 Gbit/s on the way, more or less.
        time += UInt64(8 * (count + 78)) + UInt64(random.below(4000))
      }
      clock = max(time, clock + roundTrip)
      window = min(window * 2, 256)
    }
  }

  private mutating func close() {
    if random.chance(0.05) { return say(false, TCP.rst | TCP.ack, at: clock) }
    say(false, TCP.fin | TCP.ack, at: clock)
    say(true, TCP.fin | TCP.ack, at: clock + serverDelay)
    say(false, TCP.ack, at: clock + serverDelay + roundTrip)
  }

  private mutating func say(_ isReply: Bool, _ flags: UInt8, _ payload: Int = 0, at time: UInt64) {
    let isFirst = flags & (TCP.syn | TCP.ack) == TCP.syn
    events.append(
      Event(
        time: time, isReply: isReply, flags: flags, sequence: isReply ? serverNext : clientNext,
        acknowledgement: isFirst ? 0 : isReply ? clientNext : serverNext, payload: payload))
    // SYN and FIN count as a byte each.
    let length = UInt32(payload) &+ (flags & (TCP.syn | TCP.fin) != 0 ? 1 : 0)
    if isReply { serverNext &+= length } else { clientNext &+= length }
  }
}
