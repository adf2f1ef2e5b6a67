namespace Quire.Traces.Analysis;

/// <summary>What a trace holds.</summary>
public sealed record StatReport
{
    /// <summary>What was analysed.</summary>
    public required SourceReport Source { get; init; }

    /// <summary>When the recording began, in ns of the trace's clock.</summary>
    public required long BeginNs { get; init; }

    /// <summary>When it ended.</summary>
    public required long EndNs { get; init; }

    /// <summary>Events by name.</summary>
    public required IReadOnlyDictionary<string, long> Events { get; init; }

    /// <summary>Threads, the busiest first.</summary>
    public required IReadOnlyList<TaskEvents> Tasks { get; init; }

    /// <summary>Pages.</summary>
    public required PageCounts Pages { get; init; }

    /// <summary>Holders on record at the end.</summary>
    public required long HoldersAtEnd { get; init; }

    /// <summary>Contiguous allocations.</summary>
    public required AttemptCounts Attempts { get; init; }

    /// <summary>Every way in which data was lost or can be doubted, by name; those at 0 too.</summary>
    public required IReadOnlyDictionary<string, long> DataQuality { get; init; }

    internal static StatReport Of(EventPass pass)
    {
        SortedDictionary<string, long> events = new(StringComparer.Ordinal);
        foreach (EventShape shape in pass.Shapes.All)
        {
            // Two systems may have events of one name.
            events[shape.Format.Name] = events.GetValueOrDefault(shape.Format.Name) + shape.Events;
        }

        return new StatReport
        {
            Source = SourceReport.Of(pass),
            BeginNs = pass.Begin,
            EndNs = pass.End,
            Events = events,
            Tasks =
            [
                .. pass.Threads
                    .Select(thread => new TaskEvents(pass.Input.CommOf(thread.Key), thread.Key, thread.Value))
                    .OrderByDescending(static task => task.Events)
                    .ThenBy(static task => task.Pid),
            ],
            Pages = pass.PageCounts,
            HoldersAtEnd = pass.HoldersAtEnd,
            Attempts = new AttemptCounts(
                Enum.GetValues<AttemptResult>().Sum(pass.Attempts.Count),
                pass.Attempts.Count(AttemptResult.Success),
                pass.Attempts.Count(AttemptResult.Busy),
                pass.Attempts.Count(AttemptResult.NoSpace),
                pass.Attempts.Count(AttemptResult.Interrupted),
                pass.Attempts.Count(AttemptResult.Unfinished)),
            DataQuality = TraceAnalysis.QualityOf(pass),
        };
    }
}

/// <summary>A thread and its events.</summary>
/// <param name="Comm">Its name.</param>
/// <param name="Pid">The system's number of it.</param>
/// <param name="Events">Events it wrote.</param>
public sealed record TaskEvents(string Comm, int Pid, long Events);

/// <summary>Pages of a trace; a frame counts once for each of its lives.</summary>
/// <param name="Seen">Lives that the trace has any event of.</param>
/// <param name="Allocated">Allocations.</param>
/// <param name="Freed">Frees.</param>
/// <param name="ReusedInPlace">Pages that a fragment cache began anew in place.</param>
/// <param name="LiveAtEnd">Pages that had references at the end, whose count is unknown, or that a holder on record has.</param>
/// <param name="SeenMidLife">Lives whose beginning the trace does not have.</param>
public sealed record PageCounts(long Seen, long Allocated, long Freed, long ReusedInPlace, long LiveAtEnd, long SeenMidLife);

/// <summary>Contiguous allocations by result.</summary>
/// <param name="Total">All.</param>
/// <param name="Success">Got a range.</param>
/// <param name="Busy">Pages would not move.</param>
/// <param name="NoSpace">No free run, or no memory to move pages to.</param>
/// <param name="Interrupted">Interrupted.</param>
/// <param name="Unfinished">The trace ends first.</param>
public sealed record AttemptCounts(long Total, long Success, long Busy, long NoSpace, long Interrupted, long Unfinished);
