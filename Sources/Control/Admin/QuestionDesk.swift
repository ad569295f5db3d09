import Config
import Dataplane

/// Answers `lbd`'s own questions: what would become of a packet, and the numbers of everything. Whoever may list may ask.
struct QuestionDesk {
  func answer(to request: AdminRequest, rights: AdminRights, in place: WhyPlace) -> AdminAnswer {
    guard rights != .none else {
      return AdminAnswer(
        IpvsadmError(
          "Permission denied (root and groups \(AdminRights.changingGroup) and \(AdminRights.askingGroup) may ask)",
          exitCode: 255))
    }
    do {
      var answer = AdminAnswer()
      answer.append(try text(for: try LbdQuestion(request), in: place))
      answer.bytes += AdminFrame.encode(exitCode: 0)
      return answer
    } catch let error as IpvsadmError {
      return AdminAnswer(error)
    } catch {
      return AdminAnswer(IpvsadmError("why: \(error)", exitCode: 1))
    }
  }

  func text(for question: LbdQuestion, in place: WhyPlace) throws -> String {
    switch question {
    case .numbers: return NumbersJSON(place).text
    case .reload: throw IpvsadmError("reload: nothing is read again here", exitCode: 1)
    case .why(let question):
      let frames = try WhyFrames(place).frames(of: question)
      let journeys = try place.dataplane.foresee(frames, interfaces: place.addresses, worker: question.worker)
      if question.isJSON { return WhyJSON(place).text(of: journeys, frames, worker: question.worker) }
      return WhyText.text(of: journeys, frames, question, place)
    }
  }
}
