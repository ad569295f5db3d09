import NIOCore
import NIOPosix

/// What opens connections to mail servers; reading from them begins when it is asked for.
typealias MailConnector = (_ server: String, _ port: Int, _ timeout: TimeAmount) -> EventLoopFuture<any Channel>

/// Connects by the loop's own sockets. A name is looked up on another thread, within the same time.
func connectMail(on loop: any EventLoop) -> MailConnector {
  { server, port, timeout in
    let bootstrap = ClientBootstrap(group: loop).connectTimeout(timeout)
      .channelOption(ChannelOptions.autoRead, value: false)
    guard let address = try? SocketAddress(ipAddress: server, port: port) else {
      return bootstrap.connect(host: server, port: port)
    }
    return bootstrap.connect(to: address)
  }
}
