"""A differing case, made small."""
import case

KEPT = len(case.FIXTURE6) + 1      # the network's own lines stay


def cut(events, difference):
    """The events up to the input of the first difference."""
    if difference.input is None:
        return events
    seen = -1
    for index, event in enumerate(events):
        seen += event.kind == 'frame'
        if seen > difference.input:
            return events[:index]
    return events


def shrink(events, differs, tries, say):
    """Takes out ever smaller runs of events as long as the case still differs."""
    head, rest = events[:KEPT], events[KEPT:]
    size = max(1, len(rest) // 2)
    while tries > 0:
        at, has_changed = 0, False
        while at < len(rest) and tries > 0:
            candidate = rest[:at] + rest[at + size:]
            tries -= 1
            if differs(head + candidate):
                rest, has_changed = candidate, True
                say('%d events' % len(rest))
            else:
                at += size
        if size == 1 and not has_changed:
            break
        size = max(1, size // 2) if not has_changed or size > 1 else 1
    return head + rest
