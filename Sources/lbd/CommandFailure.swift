import ArgumentParser
import Glibc

/// A failure whose message is all there is to say: printed as one line, exit code 1.
struct CommandFailure: Error, CustomStringConvertible {
  let description: String

  init(_ description: String) { self.description = description }
}

/// Writes a line to standard error.
func printToStandardError(_ line: String, terminator: String = "\n") {
  printLine(line, terminator: terminator, to: STDERR_FILENO)
}

/// Writes a line to a descriptor, in one write, so that lines of several writers do not mix.
func printLine(_ line: String, terminator: String = "\n", to descriptor: Int32) {
  let bytes = Array((line + terminator).utf8)
  _ = write(descriptor, bytes, bytes.count)
}

/// Runs a command's body; what it throws is printed as one line for people, not as a trace.
func reportingErrors(_ body: () throws -> Void) throws {
  do {
    try body()
  } catch let code as ExitCode {
    throw code
  } catch {
    printToStandardError("lbd: \(error)")
    throw ExitCode(1)
  }
}
