import Logging
import NIOCore
import Web
import Wire

/// The director's end of what is shown by HTTP: where it is listened, and the answers. All of it is called on the director's
/// thread.
final class WebDesk {
  private let loop: any EventLoop
  private let texts: WebTexts
  private let log: Logger
  private var listener: (at: Endpoint, listener: WebListener)?

  init(on loop: ControlLoop, log: Logger) throws {
    self.loop = loop.eventLoop
    self.log = log
    texts = try WebTexts(on: loop.eventLoop)
  }

  /// Readable while there are questions.
  var descriptor: Int32 { texts.descriptor }

  /// Listens there from now on; nil is nowhere. Where that cannot be the log says so: packets are forwarded all the same.
  func listen(at endpoint: Endpoint?) {
    guard endpoint != listener?.at else { return }
    try? listener?.listener.stop().wait()
    listener = nil
    guard let endpoint else { return }
    let new = WebListener(on: loop, pages: texts.pages)
    do {
      let address = try SocketAddress(ipAddress: "\(endpoint.address)", port: Int(endpoint.port))
      _ = try new.start(at: address).wait()
      listener = (endpoint, new)
      log.info("metrics and status at http://\(endpoint)/")
    } catch {
      log.error("no metrics and status: \(error)")
    }
  }

  /// Answers what has been asked.
  func serve(_ answer: (WebTexts.Name) -> String) {
    for name in texts.questions() { texts.answer(name, answer(name)) }
  }

  /// Ends, and waits for that.
  func close() {
    listen(at: nil)
    texts.close()
  }
}
