import Wire

/// What an ICMP error says, and how the other IP family says the same (RFC 7915 sections 4.2 and 5.2).
///
/// What has no counterpart is nobody's business on the other side: redirects, source quench, and whatever has been invented
/// since.
struct ErrorMeaning: Equatable {
  var type: UInt8
  var code: UInt8
  /// The second half of the header: a size, or a pointer.
  var rest: UInt32 = 0

  /// The largest packets that the next hops on both sides of the director take.
  struct Sizes {
    var ipv4: Int
    var ipv6: Int
  }

  /// Bytes that a packet grows by as IPv6.
  private static var difference: Int { IPv6.headerByteCount - IPv4.minimumHeaderByteCount }

  /// An IPv4 error's, over IPv6.
  /// - Parameter quotedByteCount: the length that the quoted packet claims.
  func asIPv6(quotedByteCount: Int, _ sizes: Sizes) -> ErrorMeaning? {
    switch (type, code) {
    case (ICMPv4.destinationUnreachable, 2):
      // The protocol is unknown: the fault is in "next header".
      return ErrorMeaning(type: ICMPv6.parameterProblem, code: 1, rest: UInt32(IPv6.nextHeaderOffset))
    case (ICMPv4.destinationUnreachable, ICMPv4.portUnreachable):
      return ErrorMeaning(type: ICMPv6.destinationUnreachable, code: ICMPv6.portUnreachable)
    case (ICMPv4.destinationUnreachable, ICMPv4.fragmentationNeeded):
      let said = Int(rest & 0xffff)
      let mtu = said != 0 ? said : ErrorMeaning.plateau(below: quotedByteCount)
      let size = min(mtu + ErrorMeaning.difference, sizes.ipv6, sizes.ipv4 + ErrorMeaning.difference)
      return ErrorMeaning(
        type: ICMPv6.packetTooBig, code: 0, rest: UInt32(clamping: max(size, IPv6.minimumMTU)))
    case (ICMPv4.destinationUnreachable, 9), (ICMPv4.destinationUnreachable, 10),
      (ICMPv4.destinationUnreachable, 13), (ICMPv4.destinationUnreachable, 15):
      return ErrorMeaning(type: ICMPv6.destinationUnreachable, code: 1)
    case (ICMPv4.destinationUnreachable, 0...12):
      return ErrorMeaning(type: ICMPv6.destinationUnreachable, code: 0)
    case (ICMPv4.timeExceeded, _):
      return ErrorMeaning(type: ICMPv6.timeExceeded, code: code)
    case (ICMPv4.parameterProblem, 0), (ICMPv4.parameterProblem, 2):
      guard let pointer = ErrorMeaning.pointerAsIPv6(Int(rest >> 24)) else { return nil }
      return ErrorMeaning(type: ICMPv6.parameterProblem, code: 0, rest: UInt32(pointer))
    default: return nil
    }
  }

  /// An IPv6 error's, over IPv4.
  func asIPv4(_ sizes: Sizes) -> ErrorMeaning? {
    switch (type, code) {
    case (ICMPv6.destinationUnreachable, 0), (ICMPv6.destinationUnreachable, 2), (ICMPv6.destinationUnreachable, 3):
      return ErrorMeaning(type: ICMPv4.destinationUnreachable, code: ICMPv4.hostUnreachable)
    case (ICMPv6.destinationUnreachable, 1):
      return ErrorMeaning(type: ICMPv4.destinationUnreachable, code: 10)
    case (ICMPv6.destinationUnreachable, ICMPv6.portUnreachable):
      return ErrorMeaning(type: ICMPv4.destinationUnreachable, code: ICMPv4.portUnreachable)
    case (ICMPv6.packetTooBig, _):
      // Less than every link carries is a lie, or a mistake (RFC 8201 section 4).
      let said = max(Int(rest), IPv6.minimumMTU)
      let size = min(said - ErrorMeaning.difference, sizes.ipv4, sizes.ipv6 - ErrorMeaning.difference)
      return ErrorMeaning(
        type: ICMPv4.destinationUnreachable, code: ICMPv4.fragmentationNeeded,
        rest: UInt32(UInt16(clamping: max(size, 68))))
    case (ICMPv6.timeExceeded, _):
      return ErrorMeaning(type: ICMPv4.timeExceeded, code: code)
    case (ICMPv6.parameterProblem, 0):
      guard let pointer = ErrorMeaning.pointerAsIPv4(Int(rest)) else { return nil }
      return ErrorMeaning(type: ICMPv4.parameterProblem, code: 0, rest: UInt32(pointer) << 24)
    case (ICMPv6.parameterProblem, 1):
      return ErrorMeaning(type: ICMPv4.destinationUnreachable, code: 2)
    default: return nil
    }
  }

  /// Routers from before RFC 1191 do not say a size: the next one below the packet's that is usual (section 7.1 there).
  private static func plateau(below byteCount: Int) -> Int {
    switch byteCount {
    case 32_001...: 32_000
    case 17_915...: 17_914
    case 8167...: 8166
    case 4353...: 4352
    case 2003...: 2002
    case 1493...: 1492
    default: IPv6.minimumMTU - difference
    }
  }

  /// Figure 3 there.
  private static func pointerAsIPv6(_ pointer: Int) -> Int? {
    switch pointer {
    case 0, 1: pointer
    case 2, 3: 4
    case 8: 7
    case 9: 6
    case 12...15: 8
    case 16...19: 24
    default: nil
    }
  }

  /// Figure 6 there.
  private static func pointerAsIPv4(_ pointer: Int) -> Int? {
    switch pointer {
    case 0, 1: pointer
    case 4, 5: 2
    case 6: 9
    case 7: 8
    case 8...23: 12
    case 24...39: 16
    default: nil
    }
  }
}
