import Foundation
import Glibc
import NIOCore
import NIOEmbedded
import Testing

@testable import Notify

@Suite struct FIFOSetTests {
  private let folder: Folder
  private let journal = Journal()
  private let loop = EmbeddedEventLoop()
  private let fifos: FIFOSet
  private let up = Notice(Samples.virtualServer, .up)
  private let master = Notice(Samples.instance, .state(.master, priority: 100))

  init() throws {
    folder = try Folder()
    fifos = FIFOSet(on: loop, runner: StageRunner(), log: journal.logger)
  }

  private func configure(_ all: String?, vrrp: String? = nil, lvs: String? = nil) {
    var settings = NotifierSettings()
    settings.fifo = all.map { .init(path: folder($0)) }
    settings.vrrpFIFO = vrrp.map { .init(path: folder($0)) }
    settings.lvsFIFO = lvs.map { .init(path: folder($0)) }
    fifos.configure(settings)
  }

  @Test func eachPipeHasWhatItIsFor() throws {
    configure("all", vrrp: "vrrp", lvs: "lvs")
    let readers = try ["all", "vrrp", "lvs"].map { try PipeReader(folder($0)) }
    fifos.write(up)
    fifos.write(master)
    let (service, instance) = ("VS [10.0.0.100]:tcp:80 UP\n", "INSTANCE \"VI_1\" MASTER 100\n")
    #expect(readers.map { $0.read() } == [.text(service + instance), .text(instance), .text(service)])
    #expect(fifos.writtenCount == 4)
    fifos.write(Notice(Samples.virtualServer, .down, tellsFIFOs: false))
    fifos.write(Notice(Samples.realServer, .checker(isUp: true)))
    #expect(readers.map { $0.read() } == [.nothing, .nothing, .nothing])
    _ = fifos.close()
    #expect(readers.map { $0.read() } == [.end, .end, .end])
  }

  @Test func onePathIsOnePipe() throws {
    configure("all", vrrp: "all", lvs: "all")
    let reader = try PipeReader(folder("all"))
    fifos.write(up)
    #expect(reader.read() == .text("VS [10.0.0.100]:tcp:80 UP\n"))
    configure(nil, vrrp: "all")
    fifos.write(up)
    #expect(reader.read() == .nothing, "for VRRP alone now")
    fifos.write(master)
    #expect(reader.read() == .text("INSTANCE \"VI_1\" MASTER 100\n"), "by the same pipe")
    _ = fifos.close()
  }

  @Test func aReloadDoesNotEndAPipeThatStays() throws {
    configure("stays", lvs: "goes")
    let (stays, goes) = (try PipeReader(folder("stays")), try PipeReader(folder("goes")))
    configure("stays", lvs: "comes")
    #expect(stays.read() == .nothing)
    #expect(goes.read() == .end)
    #expect(folder.mode("goes") == nil)
    #expect(folder.mode("comes") != nil)
    _ = fifos.close()
  }

  @Test func aPipeThatWasRemovedIsMadeAgain() throws {
    configure("pipe")
    let former = try PipeReader(folder("pipe"))
    unlink(folder("pipe"))
    fifos.write(up)
    #expect(former.read() == .end)
    #expect(try PipeReader(folder("pipe")).read() == .text("VS [10.0.0.100]:tcp:80 UP\n"))
    #expect(journal.lines == ["notice: FIFO \(folder("pipe")): it has been removed, another one is opened"])
    _ = fifos.close()
    #expect(folder.mode("pipe") == nil)
  }

  @Test func aPipeThatCannotBeOpenedIsSaidOnceAndOpenedLater() throws {
    try "data".write(toFile: folder("pipe"), atomically: false, encoding: .utf8)
    configure("pipe")
    for _ in 0..<3 { fifos.write(up) }
    configure("pipe")
    #expect(fifos.lostCount == 3)
    #expect(
      journal.lines == [
        "error: cannot open the FIFO \(folder("pipe")): it is not a FIFO (remove it, or write another path); "
          + "lines are lost"
      ])
    unlink(folder("pipe"))
    fifos.write(up)
    #expect(fifos.writtenCount == 1)
    #expect(journal.lines.last == "notice: FIFO \(folder("pipe")): it takes lines again, 3 were lost")
    _ = fifos.close()
  }

  @Test func aFullPipeIsSaidOnce() throws {
    configure("full", lvs: "other")
    let reader = try PipeReader(folder("full"))
    while fifos.lostCount < 5, fifos.writtenCount < 1 << 16 { fifos.write(master) }
    #expect(fifos.lostCount == 5)
    #expect(
      journal.lines == ["warning: FIFO \(folder("full")): it is full, lines are lost (see whether somebody reads it)"])
    _ = reader.read()
    fifos.write(master)
    #expect(journal.lines.last == "notice: FIFO \(folder("full")): it takes lines again, 5 were lost")
    #expect(try PipeReader(folder("other")).read() == .nothing)
    _ = fifos.close()
  }
}
