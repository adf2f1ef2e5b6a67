namespace Quire.Traces;

/// <summary>Where a trace comes from: what is known before the first event is read. Immutable.</summary>
public sealed class TraceSource
{
    internal TraceSource(string path, string format, bool isKernel, string clock, IReadOnlyList<TraceCpu> cpus, IReadOnlyDictionary<string, string> properties,
        IReadOnlyList<TraceSnapshotInfo>? snapshots = null)
    {
        Path = path;
        Format = format;
        IsKernel = isKernel;
        Clock = clock;
        Cpus = cpus;
        Properties = properties;
        Snapshots = snapshots ?? [];
    }

    /// <summary>The file's path as given.</summary>
    public string Path { get; }

    /// <summary><c>quire ring 1</c>, <c>trace.dat 7</c>, <c>trace.dat 6</c>, <c>ftrace text</c>, <c>trace-cmd report</c>, <c>perf script</c>.</summary>
    public string Format { get; }

    /// <summary>True: of a Linux kernel, holders must be inferred. False: of a process that uses Quire, holders have tickets; also of a trace.dat made from such a recording.</summary>
    public bool IsKernel { get; }

    /// <summary>The trace's clock, by the kernel's name for it: <c>mono</c>, <c>local</c>.</summary>
    public string Clock { get; }

    /// <summary>The CPUs, or in a recording of Quire its rings, by number.</summary>
    public IReadOnlyList<TraceCpu> Cpus { get; }

    /// <summary>The snapshots that the trace has, those without a record too. Without one of the end, what is still held then must be replayed.</summary>
    public IReadOnlyList<TraceSnapshotInfo> Snapshots { get; }

    /// <summary>
    /// What the recorder said about itself: of Quire <c>process</c>, <c>pid</c>, <c>command</c>, <c>runtime</c>, <c>os</c>, <c>sample</c>, <c>filter</c>,
    /// <c>stacks</c>, <c>overflow</c>, <c>begin</c> and <c>end</c> (ns of the trace's clock), <c>date</c> (ns since 1970 at <c>begin</c>); of a kernel <c>uname</c>, <c>date</c>, <c>version</c>.
    /// </summary>
    public IReadOnlyDictionary<string, string> Properties { get; }
}

/// <summary>One CPU's buffer, or one ring.</summary>
/// <param name="Number">Its number, as records have it.</param>
/// <param name="Instance">The name of the buffer it belongs to; empty for the main one.</param>
/// <param name="Overrun">Events overwritten by newer ones.</param>
/// <param name="Dropped">Events dropped because it was full; they come after its last record.</param>
public sealed record TraceCpu(int Number, string Instance, long Overrun, long Dropped);

/// <summary>A snapshot in the trace.</summary>
/// <param name="Which">Of the start or of the end.</param>
/// <param name="Time">When it was taken, in ns of the trace's clock.</param>
/// <param name="IsComplete">Whether it was written to its end.</param>
public sealed record TraceSnapshotInfo(TraceSnapshot Which, long Time, bool IsComplete);
