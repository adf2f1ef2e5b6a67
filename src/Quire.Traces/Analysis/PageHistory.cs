namespace Quire.Traces.Analysis;

/// <summary>Reads the events of one page out of a trace.</summary>
internal static class PageHistory
{
    /// <summary>Reads the trace again, after a pass that knows its names.</summary>
    internal static IEnumerable<HistoryEvent> Read(TracePass pass, ulong head)
    {
        pass.Input.Rewind();
        return new CountOrder().Sort(Select(pass, head));
    }

    private static IEnumerable<HistoryEvent> Select(TracePass pass, ulong head)
    {
        // A touch or a new count names its ticket only.
        Dictionary<uint, ulong> tickets = [];
        while (TryNext(pass, head, tickets, out HistoryEvent? found))
        {
            yield return found!;
        }
    }

    private static bool TryNext(TracePass pass, ulong head, Dictionary<uint, ulong> tickets, out HistoryEvent? found)
    {
        while (pass.Input.TryRead(out TraceRecord record))
        {
            EventShape shape = pass.Shapes.Of(record.Format);
            found = shape.Kind switch
            {
                EventKind.Other => null,
                EventKind.PagesIsolated => shape.Unsigned(record, EventField.FinPfn) == head && head < shape.Unsigned(record, EventField.EndPfn)
                    ? Make(pass, record, shape, "first in the way of a contiguous range")
                    : null,
                EventKind.ContiguousStart or EventKind.MigratePages => null,
                EventKind.ContiguousRetry or EventKind.ContiguousFinish or EventKind.ContiguousRelease => Range(pass, record, shape, head),
                EventKind.HolderTake or EventKind.HolderState or EventKind.HolderRelease or EventKind.HolderTouch or EventKind.HolderMove or EventKind.HolderCount
                    => Holder(pass, record, shape, head, tickets),
                _ => shape.Unsigned(record, EventField.Pfn) == head ? Page(pass, record, shape) : null,
            };
            if (found is not null)
            {
                return true;
            }
        }

        found = null;
        return false;
    }

    private static HistoryEvent? Range(TracePass pass, in TraceRecord record, EventShape shape, ulong head)
    {
        ulong first = shape.Unsigned(record, EventField.Pfn);
        ulong count = shape.Unsigned(record, EventField.Count);
        return first != 0 && head >= first && head - first < count
            ? Make(pass, record, shape, $"area '{shape.Text(record, EventField.Name)}', {Units.Count((long)count, "page")} from 0x{first:x}")
            : null;
    }

    private static HistoryEvent? Holder(TracePass pass, in TraceRecord record, EventShape shape, ulong head, Dictionary<uint, ulong> tickets)
    {
        uint ticket = (uint)shape.Unsigned(record, EventField.Ticket);
        ulong pfn = shape.Unsigned(record, EventField.Pfn);
        ulong generation = shape.Unsigned(record, EventField.Generation);
        bool was = tickets.TryGetValue(ticket, out ulong known);
        bool isHere = shape.Has(EventField.Pfn) ? pfn == head : was;
        string references = Units.Count(shape.Int(record, EventField.References), "reference");
        string what;
        switch (shape.Kind)
        {
            case EventKind.HolderTake or EventKind.HolderState:
                tickets.Remove(ticket);
                if (!isHere)
                {
                    return null;
                }

                tickets[ticket] = generation;
                long bytes = shape.Signed(record, EventField.Bytes);
                string kind = Units.Class(pass.Kinds[shape.Int(record, EventField.Kind)]);
                what = $"{references} ({kind}{(bytes > 0 ? $", {Units.Size(bytes)}" : "")})";
                what = shape.Kind == EventKind.HolderTake ? $"taken: {what}"
                    : $"on record: {what}, taken {Units.Moment(shape.Signed(record, EventField.Taken) - pass.Begin)} by {pass.Task(shape.Int(record, EventField.TakenPid))}";
                break;
            case EventKind.HolderRelease:
                int remaining = shape.Int(record, EventField.Remaining);
                if (remaining == 0)
                {
                    tickets.Remove(ticket);
                }

                what = $"released: {references}{(remaining > 0 ? $", {remaining} left" : "")}";
                break;
            case EventKind.HolderMove:
                if (was && !isHere)
                {
                    tickets.Remove(ticket);
                    return Make(pass, record, shape, $"moved away to page 0x{pfn:x}", ticket, known);
                }

                tickets[ticket] = isHere ? generation : known;
                if (!isHere)
                {
                    tickets.Remove(ticket);
                }

                what = "moved here with its data";
                break;
            case EventKind.HolderTouch:
                what = "handed on";
                break;
            default:
                what = $"counted anew: {references}";
                break;
        }

        return isHere ? Make(pass, record, shape, what, ticket, shape.Has(EventField.Generation) ? generation : known) : null;
    }

    private static HistoryEvent Page(TracePass pass, in TraceRecord record, EventShape shape)
    {
        int count = shape.Int(record, EventField.Count);
        (int? before, int? after, string what) = Operation(record, shape) is { } operation ? operation : shape.Kind switch
        {
            EventKind.PageAlloc => (null, null, $"order {shape.Int(record, EventField.Order)} from {Owner(record, shape)}"),
            EventKind.PageFree => (null, null, $"order {shape.Int(record, EventField.Order)} to {Owner(record, shape)}"),
            EventKind.FragmentRefill => (null, count, $"cache took {Units.Number(shape.Int(record, EventField.References))} references"),
            EventKind.FragmentReuse => (null, count, $"begun anew in place with {Units.Number(shape.Int(record, EventField.References))} references"),
            EventKind.FragmentDrain => (null, count, $"cache dropped {Units.Number(shape.Int(record, EventField.References))} references"),
            EventKind.PageBusy => (null, count, $"would not move ({Units.Reason(pass.Reasons[shape.Int(record, EventField.Reason)])}): expected {shape.Int(record, EventField.Expected)}"),
            EventKind.PageState => (null, count, $"of these {Units.Number(shape.Int(record, EventField.Bias))} in a cache's reserve"),
            _ => ((int?)null, (int?)null, ""),
        };
        uint ticket = (uint)shape.Unsigned(record, EventField.Ticket);
        ulong asked = shape.Has(EventField.Page) && shape.Kind is >= EventKind.RefSet and <= EventKind.RefUnfreeze ? shape.Unsigned(record, EventField.Page) : 0;
        what += asked != 0 && asked != shape.Unsigned(record, EventField.Pfn) ? $" by tail 0x{asked:x}" : "";
        return Make(pass, record, shape, what, ticket, shape.Has(EventField.Generation) ? shape.Unsigned(record, EventField.Generation) : null, before, after);
    }

    /// <summary>What an operation on a count did: the count before and after, and in words; null of other events.</summary>
    internal static (int? Before, int? After, string What)? Operation(in TraceRecord record, EventShape shape)
    {
        int count = shape.Int(record, EventField.Count);
        int value = shape.Int(record, EventField.Val);
        bool done = shape.Int(record, EventField.Ret) != 0;
        return shape.Kind switch
        {
            EventKind.RefSet => (0, value, $"set to {value}"),
            EventKind.RefMod => (count - value, count, $"{value:+0;-0;0}"),
            EventKind.RefUnless => done ? (count - value, count, $"{value:+0;-0;0}") : (null, count, $"{value:+0;-0;0} refused"),
            EventKind.RefFreeze => done ? (value, 0, $"frozen at {value}") : (null, count, $"freeze at {value} refused"),
            EventKind.RefUnfreeze => (0, value, $"unfrozen to {value}"),
            _ => null,
        };
    }

    private static string Owner(in TraceRecord record, EventShape shape) => shape.Text(record, EventField.Owner) is { Length: > 0 } owner ? $"'{owner}'" : "its allocator";

    private static HistoryEvent Make(
        TracePass pass, in TraceRecord record, EventShape shape, string what, uint ticket = 0, ulong? generation = null, int? before = null, int? after = null)
    {
        int origin = pass.Origins.Of(record, shape);
        return new HistoryEvent
        {
            TimeNs = record.Time,
            Task = pass.Task(record.Pid),
            Event = shape.Format.Name,
            Generation = generation,
            Count = after,
            What = ticket == 0 ? what : $"{what} [0x{ticket:x}]",
            Site = origin == 0 ? null : pass.Origins.LabelOf(origin, pass.Input),
            Stack = pass.Origins.FramesOf(origin, pass.Input),
            Snapshot = record.Snapshot != TraceSnapshot.None,
            Before = before,
        };
    }
}
