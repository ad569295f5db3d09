import Config
import Dataplane
import Testing
import Wire

@testable import Control

/// `lbd top` without a terminal: numbers and keys in, lines out.
struct TopTests {
  private static func sample(seconds: UInt64 = 0, factor: UInt64 = 1) -> TopSample {
    func stats(_ base: UInt64) -> TopSample.Stats {
      TopSample.Stats(
        conns: base * factor, inpkts: 10 * base * factor, outpkts: 0, inbytes: 1000 * base * factor, outbytes: 0)
    }
    func server(_ number: Int, _ base: UInt64) -> TopSample.Server {
      TopSample.Server(
        address: "10.2.0.\(number)", port: 80, forward: "masq", weight: number, activeConns: UInt64(number),
        inactiveConns: 1, stats: stats(base), rates: TopSample.Rates(cps: base))
    }
    let web = TopSample.Service(
      protocol: "tcp", address: "10.1.0.100", port: 80, family: "ipv4", scheduler: "wlc", stats: stats(3),
      rates: TopSample.Rates(cps: 3), servers: [server(12, 1), server(11, 2)])
    let marked = TopSample.Service(
      fwmark: 7, family: "ipv6", scheduler: "sh", stats: stats(50), rates: nil, servers: [server(13, 50)])
    return TopSample(
      nanoseconds: 1_000_000_000 * (1 + seconds), listing: .init(services: [web, marked]),
      outcomes: ["forwarded.masqueradeRequest": 1000 * factor, "dropped.noRoute": 5],
      workers: [.init(received: 1005 * factor, missed: 2, refused: 1, busyNanoseconds: 500_000_000 * factor)],
      table: .init(connections: 1_048_576, entries: 9, fill: 0.121, expired: 0))
  }

  private static func lines(
    _ view: TopView = TopView(), columns: Int = 200, rows: Int? = nil, before: TopSample? = nil,
    now: TopSample = sample()
  ) -> [String] {
    TopRenderer(difference: TopDifference(now, since: before), view: view, columns: columns).lines(rows: rows).lines
  }

  private static func view(_ change: (inout TopView) -> Void) -> TopView {
    var view = TopView()
    change(&view)
    return view
  }

  @Test func oneSampleShowsWhatLbdEstimates() {
    #expect(
      Self.lines() == [
        "lbd: 2 services, 3 servers; connections 36 active, 3 inactive; table 12% of 1.0M",
        "worker 0: 1005 frames, lost before it 2, no room to send 1",
        "frames: forwarded.masqueradeRequest 1000 dropped.noRoute 5",
        "",
        "SERVICE / server                       CPS   InPPS  OutPPS   InBPS  OutBPS  Active   Inact  Method",
        "TCP 10.1.0.100:80                        3       0       0       0       0      23       2  wlc",
        "  10.2.0.12:80                           1       0       0       0       0      12       1  masq 12",
        "  10.2.0.11:80                           2       0       0       0       0      11       1  masq 11",
        "FWM 7 IPv6                               0       0       0       0       0      13       1  sh",
        "  10.2.0.13:80                          50       0       0       0       0      13       1  masq 13",
      ])
  }

  @Test func twoSamplesShowTheDifference() {
    let lines = Self.lines(before: Self.sample(), now: Self.sample(seconds: 2, factor: 3))
    #expect(lines[1] == "worker 0: 50% busy, 1005 frames/s, lost before it 2, no room to send 1")
    #expect(lines[2] == "frames: forwarded.masqueradeRequest 1000/s")
    #expect(lines[5].hasPrefix("TCP 10.1.0.100:80                        3      30       0    3000"))
    // Counters that were set to zero, or a director that was started anew, make no negative rates.
    let back = Self.lines(before: Self.sample(factor: 3), now: Self.sample(seconds: 2))
    #expect(back[5].hasPrefix("TCP 10.1.0.100:80                        0       0"))
  }

  @Test(arguments: [
    (TopRow.Order.listed, ["TCP", "10.2.0.12", "10.2.0.11", "FWM", "10.2.0.13"]),
    (.cps, ["TCP", "10.2.0.11", "10.2.0.12", "FWM", "10.2.0.13"]),
    (.active, ["TCP", "10.2.0.12", "10.2.0.11", "FWM", "10.2.0.13"]),
    (.inactive, ["TCP", "10.2.0.12", "10.2.0.11", "FWM", "10.2.0.13"]),
    (.name, ["FWM", "10.2.0.13", "TCP", "10.2.0.11", "10.2.0.12"]),
  ])
  func orders(order: TopRow.Order, names: [String]) {
    let lines = Self.lines(Self.view { $0.order = order })
    for (line, name) in zip(lines.suffix(names.count), names) { #expect(line.contains(name), "\(order): \(line)") }
  }

  @Test(arguments: [
    ("fwm", ["FWM", "10.2.0.13"]), ("0.11:", ["TCP", "10.2.0.11"]), ("masq 13", ["FWM", "10.2.0.13"]), ("nothing", []),
  ])
  func filters(filter: String, names: [String]) {
    let lines = Self.lines(Self.view { $0.filter = filter }).dropFirst(5)
    #expect(lines.count == names.count)
    for (line, name) in zip(lines, names) { #expect(line.contains(name)) }
  }

  /// Whatever the size, a screen has as many lines as asked for, and none is too wide.
  @Test func screensOfAnySize() {
    for rows in 1...40 {
      for columns in [1, 20, 80, 200] {
        let lines = Self.lines(Self.view { $0.first = 1000 }, columns: columns, rows: rows)
        #expect(lines.count == rows && lines.allSatisfy { $0.count <= columns })
      }
    }
    let lines = Self.lines(columns: 80, rows: 24)
    #expect(lines.last == "q quit  s sort: listed  / filter  v servers  p pause  j k space b: move")
  }

  @Test func scrollingStopsAtTheEnd() {
    let renderer = TopRenderer(
      difference: TopDifference(Self.sample(), since: nil), view: Self.view { $0.first = 99 }, columns: 80)
    #expect(renderer.lines(rows: 8).first == 3)
    #expect(renderer.lines(rows: 24).first == 0)
  }

  @Test(arguments: [
    ("q", TopView.Wish.quit, TopView()), ("x", .nothing, TopView()), ("p", .redraw, view { $0.isPaused = true }),
    ("v", .redraw, view { $0.showsServers = false }), ("s", .redraw, view { $0.order = .cps }),
    ("S", .redraw, view { $0.order = .name }),
    ("jj", .redraw, view { $0.first = 2 }), ("jjk", .redraw, view { $0.first = 1 }),
    ("k", .redraw, TopView()),
    (" ", .redraw, view { $0.first = 10 }), ("\u{1b}[B\u{1b}[B", .redraw, view { $0.first = 2 }),
    ("\u{1b}[6~", .redraw, view { $0.first = 10 }), ("j\u{1b}[A", .redraw, TopView()),
    ("/abq\u{7f}\n", .redraw, view { $0.filter = "ab" }),
    ("/qx", .redraw, view { ($0.filter, $0.isTyping) = ("qx", true) }),
    ("/ab\n\u{1b}", .redraw, TopView()), ("\u{1b}", .nothing, TopView()), ("jq", .quit, view { $0.first = 1 }),
  ])
  func keys(keys: String, wish: TopView.Wish, after: TopView) {
    var view = TopView()
    #expect(view.take(Array(keys.utf8), page: 10) == wish)
    #expect(view == after)
  }

  @Test(arguments: [
    (UInt64(0), "0"), (9999, "9999"), (99_999, "99.9k"), (100_000, "100k"), (12_345, "12.3k"), (1_234_567, "1.2M"),
    (12_345_678, "12.3M"), (.max, "18446744T"),
  ])
  func shortNumbers(number: UInt64, text: String) { #expect(TopRenderer.short(number) == text) }

  /// What lbd really says is what is read.
  @Test func readsWhatLbdSays() throws {
    let replay = try Replay(connections: 1024)
    replay.use(Samples.network, links: [1, 2])
    for line in ["-A -u [fd00::1]:53 -s rr", "-a -u [fd00::1]:53 -r [fd00::2]:53 -g -w 4", "-A -f 9 -s mh"] {
      try replay.apply(try IpvsadmCommand.parse(line.split(separator: " ").map(String.init)).get())
    }
    let sample = try TopSample.decode(Array(try replay.answer(to: .numbers).utf8))
    #expect(sample.listing.services.map(\.name).sorted() == ["FWM 9", "UDP [fd00::1]:53"])
    let server = sample.listing.services.flatMap(\.servers).first
    #expect(server?.name == "[fd00::2]:53" && server?.weight == 4 && server?.forward == "route")
    #expect(sample.workers.count == 1 && sample.table.connections == 1024)
  }
}
