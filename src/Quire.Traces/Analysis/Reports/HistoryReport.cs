namespace Quire.Traces.Analysis;

/// <summary>One page's life, event by event.</summary>
public sealed record HistoryReport
{
    /// <summary>What was analysed.</summary>
    public required SourceReport Source { get; init; }

    /// <summary>The answer in a sentence.</summary>
    public required string Verdict { get; init; }

    /// <summary>The frame number of the head, which has the references.</summary>
    public required ulong Pfn { get; init; }

    /// <summary>The frame number that was asked for: the head's, or a tail's.</summary>
    public required ulong Asked { get; init; }

    /// <summary>When the recording began, in ns of the trace's clock.</summary>
    public required long BeginNs { get; init; }

    /// <summary>Sentences about the data that bear on the answer.</summary>
    public required IReadOnlyList<string> Notes { get; init; }

    /// <summary>Every way in which data was lost or can be doubted, by name; those at 0 too.</summary>
    public required IReadOnlyDictionary<string, long> DataQuality { get; init; }

    /// <summary>
    /// The page's events: in the order of time, but operations on its count in the order in which each follows from the one before. Read from the trace
    /// as they are asked for; can be asked for once, while the input is open.
    /// </summary>
    public required IEnumerable<HistoryEvent> Events { get; init; }

    internal static HistoryReport Of(TracePass pass, ulong asked, ulong head)
    {
        bool isSeen = pass.Lives.TryFind(head, out PageKey page, out PageLife life);
        string name = $"page 0x{head:x}{(asked == head ? "" : $" (the head of 0x{asked:x})")}";
        string end = !isSeen ? "no event of its count in this trace"
            : !life.IsLive ? "free at the end"
            : life.Count.IsBegun ? $"count {life.Count.Current} at the end, {Units.Count(pass.Replay.Of(page).Count(), "holder")} on record"
            : "live at the end";
        string order = isSeen && life.IsOrderKnown ? $"order {life.Order}, " : "";
        return new HistoryReport
        {
            Source = SourceReport.Of(pass),
            Verdict = $"{name}: {order}{end}",
            Pfn = head,
            Asked = asked,
            BeginNs = pass.Begin,
            Notes = TraceAnalysis.Notes(pass),
            DataQuality = TraceAnalysis.QualityOf(pass),
            Events = PageHistory.Read(pass, head),
        };
    }
}

/// <summary>One event of a page.</summary>
public sealed record HistoryEvent
{
    /// <summary>When, in ns of the trace's clock.</summary>
    public required long TimeNs { get; init; }

    /// <summary>On which thread.</summary>
    public required TraceTask Task { get; init; }

    /// <summary>The event's name.</summary>
    public required string Event { get; init; }

    /// <summary>The page's generation then; null where the event does not say.</summary>
    public required ulong? Generation { get; init; }

    /// <summary>The page's count afterwards, in a kernel's trace as it was read after the operation; null where the event does not say.</summary>
    public required int? Count { get; init; }

    /// <summary>What it did: <c>+1</c>, <c>take ticket 0x400001: 1 reference (fragment, 23 B)</c>.</summary>
    public required string What { get; init; }

    /// <summary>From where; null where it was not recorded.</summary>
    public required string? Site { get; init; }

    /// <summary>The frames of its stack, innermost first; empty where none was recorded.</summary>
    public required IReadOnlyList<string> Stack { get; init; }

    /// <summary>Whether it is of a snapshot, and says what was so, not what happened.</summary>
    public required bool Snapshot { get; init; }

    /// <summary>In a kernel's trace the page's life, from 1: a frame has many; null elsewhere.</summary>
    public int? Life { get; init; }

    /// <summary>Its count does not follow from the operation before: an event between them is missing.</summary>
    public bool Gap { get; init; }

    /// <summary>The count it found; null where it does not change the count.</summary>
    internal int? Before { get; init; }
}
