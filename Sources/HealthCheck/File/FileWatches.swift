import Glibc
import NIOCore
import NIOPosix

// Who wants to know when a file changes: one inotify instance for all of an event loop, since a user may have only some
// hundred (fs.inotify.max_user_instances).
//
// What is watched is the directory: files are replaced by renaming others over them, and need not be there yet. Events
// are only a reason to look: one says that something may have happened in a directory, and whoever asked looks himself.
// Events may be missing too: with network file systems, for what a symbolic link points to, when the directory comes
// later than the watch, or when there are no more watches. So whoever asks is told to look every few seconds as well.

/// Watches of directories, on one event loop.
final class FileWatches {
  /// Names a wish to be told.
  struct Token: Hashable {
    fileprivate let number: Int
  }

  /// How often everybody looks, whatever inotify says.
  static let lookInterval = TimeAmount.seconds(2)

  private struct Wish {
    let directory: String
    let name: String
    let look: () -> Void
  }

  private static let mask =
    UInt32(IN_CLOSE_WRITE) | UInt32(IN_MOVED_TO) | UInt32(IN_MOVED_FROM) | UInt32(IN_DELETE)
    | UInt32(IN_DELETE_SELF) | UInt32(IN_MOVE_SELF) | UInt32(IN_ONLYDIR)

  private let loop: any EventLoop
  private var wishes: [Token: Wish] = [:]
  private var last = 0
  private var descriptor: Int32 = -1
  private var channel: (any Channel)?
  /// By the kernel's number; several paths may lead to one directory, whose number is the same then.
  private var directories: [Int32: Set<String>] = [:]
  private var numbers: [String: Int32] = [:]
  private var timer: RepeatedTask?

  init(on loop: any EventLoop) {
    self.loop = loop
  }

  /// `look` is called on the loop whenever the file may have changed, until `remove`.
  func add(_ path: String, look: @escaping () -> Void) -> Token {
    let slash = path.lastIndex(of: "/")
    let directory = slash.map { $0 == path.startIndex ? "/" : String(path[..<$0]) } ?? "."
    let name = slash.map { String(path[path.index(after: $0)...]) } ?? path
    last += 1
    let token = Token(number: last)
    wishes[token] = Wish(directory: directory, name: name, look: look)
    if timer == nil { start() }
    watch(directory)
    return token
  }

  /// Nothing is told any more. The last one to go turns the lights out.
  func remove(_ token: Token) {
    guard let wish = wishes.removeValue(forKey: token) else { return }
    guard !wishes.isEmpty else { return stop() }
    if !wishes.values.contains(where: { $0.directory == wish.directory }) { unwatch(wish.directory) }
  }

  private func start() {
    let own = NIOLoopBound(self, eventLoop: loop)
    timer = loop.scheduleRepeatedTask(initialDelay: FileWatches.lookInterval, delay: FileWatches.lookInterval) { _ in
      own.value.lookEverywhere()
    }
    descriptor = inotify_init1(Int32(IN_NONBLOCK) | Int32(IN_CLOEXEC))
    guard descriptor >= 0 else { return }
    NIOPipeBootstrap(group: loop)
      .channelInitializer { channel in
        channel.eventLoop.makeCompletedFuture {
          try channel.pipeline.syncOperations.addHandler(FileEvents(of: own.value))
        }
      }
      .takingOwnershipOfDescriptor(input: descriptor)
      .assumeIsolated().whenComplete { result in
        switch result {
        case .success(let channel): own.value.take(channel)
        case .failure: own.value.descriptor = -1
        }
      }
  }

  private func take(_ channel: any Channel) {
    if timer == nil { channel.close(promise: nil) } else { self.channel = channel }
  }

  private func stop() {
    timer?.cancel()
    timer = nil
    channel?.close(promise: nil)
    channel = nil
    descriptor = -1
    directories = [:]
    numbers = [:]
  }

  private func watch(_ directory: String) {
    guard descriptor >= 0, numbers[directory] == nil else { return }
    let number = inotify_add_watch(descriptor, directory, FileWatches.mask)
    guard number >= 0 else { return }
    numbers[directory] = number
    directories[number, default: []].insert(directory)
  }

  private func unwatch(_ directory: String) {
    guard let number = numbers.removeValue(forKey: directory) else { return }
    directories[number]?.remove(directory)
    guard directories[number]?.isEmpty ?? false else { return }
    directories[number] = nil
    if descriptor >= 0 { inotify_rm_watch(descriptor, number) }
  }

  private func lookEverywhere() {
    for directory in Set(wishes.values.map(\.directory)) { watch(directory) }
    for token in wishes.keys { wishes[token]?.look() }
  }

  /// Something has happened in a directory.
  /// - Parameter name: of the file; empty when it is about the directory itself.
  fileprivate func take(_ number: Int32, _ mask: UInt32, _ name: [UInt8]) {
    if mask & UInt32(IN_Q_OVERFLOW) != 0 { return lookEverywhere() }
    let affected = directories[number] ?? []
    if mask & (UInt32(IN_IGNORED) | UInt32(IN_MOVE_SELF)) != 0 {
      // The path may lead to another directory from now on; it is looked for when everybody looks.
      for directory in affected { unwatch(directory) }
    }
    for (token, wish) in wishes where affected.contains(wish.directory) {
      if name.isEmpty || wish.name.utf8.elementsEqual(name) { wishes[token]?.look() }
    }
  }
}

/// Reads what inotify says: inotify(7), `struct inotify_event`. The kernel hands over whole events only.
private final class FileEvents: ChannelInboundHandler {
  typealias InboundIn = ByteBuffer

  private let watches: FileWatches

  init(of watches: FileWatches) {
    self.watches = watches
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    var buffer = unwrapInboundIn(data)
    while let number = buffer.readInteger(endianness: .host, as: Int32.self),
      let mask = buffer.readInteger(endianness: .host, as: UInt32.self),
      buffer.readInteger(endianness: .host, as: UInt32.self) != nil,
      let count = buffer.readInteger(endianness: .host, as: UInt32.self),
      let name = buffer.readBytes(length: Int(count))
    {
      watches.take(number, mask, Array(name.prefix { $0 != 0 }))
    }
  }
}
