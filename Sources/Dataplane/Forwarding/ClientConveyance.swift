import CShims
import Wire

/// Tells a FULLNAT server who its client is: by a TCP option on the first segments, or by a PROXY protocol header at the
/// start of the stream. See `docs/decisions/0019-client-conveyance.md`.
extension WorkerState {
  /// A request's segment.
  /// - Parameters:
  ///   - slot: the connection's entry for requests.
  ///   - room: bytes that the packet may grow by.
  /// - Returns: true when a PROXY header has to be sent besides.
  mutating func convey(
    request segment: inout SegmentEdit, _ ends: ProxyProtocol.Ends, at slot: UnsafeMutablePointer<UInt64>, room: Int
  ) -> Bool {
    let old = ConveyedStream(word: lbd_load_relaxed(slot + 6))
    guard let version = old.conveyance.proxy else {
      if old.conveyance == .option { conveyOption(&segment, ends, old, room: room) }
      return false
    }
    var new = old
    let step = new.request(segment)
    let count = ProxyProtocol.byteCount(version, ends)
    if step == .becomeHeader, count > room {
      // The header goes ahead of what comes next.
      counters.add(.unconveyed)
      return false
    }
    if new != old { _ = lbd_compare_exchange(slot + 6, old.word, new.word) }
    switch step {
    case .opening: if segment.payloadByteCount != 0 { segment.empty() }
    case .unchanged: break
    case .becomeHeader:
      _ = ProxyProtocol.write(version, ends, to: segment.header + segment.headerByteCount)
      segment.fill(byteCount: count)
      segment.insertFlags(TCP.psh)
    case .shift, .shiftBehindHeader: segment.sequence &+= UInt32(count)
    }
    return step == .shiftBehindHeader
  }

  /// TOA: on the SYN, on the ACK that ends the handshake, and on the first data, with whatever repeats them. What a client
  /// says about itself is taken off.
  private mutating func conveyOption(
    _ segment: inout SegmentEdit, _ ends: ProxyProtocol.Ends, _ stream: ConveyedStream, room: Int
  ) {
    if segment.headerByteCount > TCP.minimumHeaderByteCount {
      for option in segment.options where TCP.isClientAddress(option) { segment.blank(option) }
    }
    let isFirst = segment.flags & TCP.syn != 0 || stream.isKnown && segment.sequence == stream.first
    guard isFirst else { return }
    let count = TCP.clientAddressByteCount(isIPv6: ends.isIPv6)
    guard count <= room, let place = segment.insertOption(byteCount: count) else {
      return counters.add(.unconveyed)
    }
    TCP.writeClientAddress(ends.client, port: ends.clientPort, isIPv6: ends.isIPv6, to: place)
  }

  /// A reply's segment.
  mutating func convey(
    reply segment: inout SegmentEdit, _ ends: ProxyProtocol.Ends, at slot: UnsafeMutablePointer<UInt64>
  ) {
    let old = ConveyedStream(word: lbd_load_relaxed(slot + 6))
    var new = old
    let flags = segment.flags
    let isAnswer = flags & (TCP.syn | TCP.ack) == TCP.syn | TCP.ack
    if isAnswer { new.begin(acknowledgement: segment.acknowledgement) }
    if let version = old.conveyance.proxy {
      shift(reply: segment, &new, count: ProxyProtocol.byteCount(version, ends), isAnswer: isAnswer)
    } else if isAnswer {
      lowerSegmentSize(segment, by: TCP.clientAddressByteCount(isIPv6: ends.isIPv6))
    }
    if new != old { _ = lbd_compare_exchange(slot + 6, old.word, new.word) }
  }

  private func shift(reply segment: SegmentEdit, _ stream: inout ConveyedStream, count: Int, isAnswer: Bool) {
    guard stream.isKnown, segment.flags & TCP.ack != 0 else { return }
    if isAnswer {
      // The header takes its part of the first window.
      if Int(segment.window) > count { segment.window &-= UInt16(count) }
      return
    }
    segment.acknowledgement = stream.translate(acknowledgement: segment.acknowledgement, count: UInt32(count))
    if segment.headerByteCount > TCP.minimumHeaderByteCount {
      for option in segment.options where option.kind == TCP.optionSelectiveAcknowledgement {
        shift(blocks: option, of: segment, stream, count: UInt32(count))
      }
    }
  }

  /// Blocks that are left out are replaced by those behind them, and the last by padding.
  private func shift(blocks option: TCPOption, of segment: SegmentEdit, _ stream: ConveyedStream, count: UInt32) {
    let header = segment.header
    var kept = option.offset + 2
    for offset in stride(from: option.offset + 2, to: option.offset + option.byteCount - 7, by: 8) {
      let left = header.loadBigEndian32(at: offset)
      let right = header.loadBigEndian32(at: offset + 4)
      guard let block = stream.translate(left: left, right: right, count: count) else { continue }
      header.storeBigEndian32(block.left, at: kept)
      header.storeBigEndian32(block.right, at: kept + 4)
      kept += 8
    }
    let isGone = kept == option.offset + 2
    if !isGone { header.storeByte(UInt8(kept - option.offset), at: option.offset + 1) }
    for offset in (isGone ? option.offset : kept)..<(option.offset + option.byteCount) {
      header.storeByte(TCP.optionNoOperation, at: offset)
    }
  }

  /// The server's largest segment, as the client is told: the option has to fit beside it.
  private func lowerSegmentSize(_ segment: SegmentEdit, by count: Int) {
    for option in segment.options where option.kind == TCP.optionMaximumSegmentSize && option.byteCount == 4 {
      let size = segment.header.loadBigEndian16(at: option.offset + 2)
      if Int(size) > count + 64 {
        segment.header.storeBigEndian16(size - UInt16(count), at: option.offset + 2)
      }
    }
  }
}

extension UnsafeMutableRawPointer {
  fileprivate func loadBigEndian32(at offset: Int) -> UInt32 { UnsafeRawPointer(self).loadBigEndian32(at: offset) }
}
