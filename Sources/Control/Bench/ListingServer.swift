import Config
import Dataplane
import Kernel
import Logging

/// Serves listings of a dataplane at a socket, as a running lbd does, and nothing else: for measuring what listings cost.
public final class ListingServer {
  private let server: AdminServer
  private let epoll: Epoll

  /// Listens at `path`.
  public init(path: String, dataplane: Dataplane) throws {
    let log = Logger(label: "listing") { _ in SwiftLogNoOpLogHandler() }
    server = try AdminServer(path: path, log: log) { request, rights in
      var administration = Administration()
      let place = Administration.Surroundings(
        dataplane: dataplane, topology: Topology(), nowNanoseconds: MonotonicClock.nanoseconds())
      return AdminDesk().answer(
        to: request, rights: rights == .none ? .none : .ask, &administration, in: place
      ).answer
    }
    epoll = try Epoll()
    try epoll.add(server.descriptor, events: .readable, token: 0)
  }

  /// Does what there is to do, waiting for it at most this long.
  public func serve(waitingMilliseconds limit: Int32) {
    _ = epoll.wait(timeoutMilliseconds: limit) { _ in server.serve() }
  }
}
