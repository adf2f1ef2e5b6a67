namespace Quire;

/// <summary>What a recording records, and where to. Read once, when the recording starts.</summary>
public sealed record PageTracingOptions
{
    internal const long MostRingBytes = 1L << 32;

    /// <summary>
    /// The file, made by the recording; <c>{pid}</c> in it stands for the process's number. Its folder must exist. It is private to the user, and
    /// its blocks are allocated up front, so that a full disk shows at once and not in the midst of the program's work.
    /// </summary>
    public required string Path { get; init; }

    /// <summary>Records the whole managed stack of everyone who takes or drops a reference, not the call site alone.</summary>
    public bool Stacks { get; init; }

    /// <summary>
    /// Records one reference in so many, drawn at random with this mean gap; 1 records all, at most 1,000,000,000. A reference that is not
    /// recorded has no events and no holder: figures of a sampled recording are to be multiplied by this, which reports do and say.
    /// </summary>
    public int SampleEvery { get; init; } = 1;

    /// <summary>Which references it is about; null for all.</summary>
    public TraceFilter? Filter { get; init; }

    /// <summary>Bytes of each thread's ring, 8 KiB to 4 GiB, rounded up to pages of the file; an event takes 96. 1 MiB if nothing is said.</summary>
    public long RingBytes { get; init; } = TraceFileOptions.DefaultRingBytes;

    /// <summary>Most bytes of the file, all rings and texts together, at least 1 MiB and two rings; threads for whose ring there is no room lose their events, counted. 256 MiB if nothing is said.</summary>
    public long MaximumBytes { get; init; } = TraceFileOptions.DefaultMaximumBytes;

    /// <summary>What happens once a ring is full.</summary>
    public TraceOverflow Overflow { get; init; }

    /// <summary>Replaces a file that exists. Off, it is an error: the file may be all that is left of a process that crashed.</summary>
    public bool Overwrite { get; init; }

    /// <summary>Whether not every reference is recorded.</summary>
    internal bool IsSelective => SampleEvery > 1 || Filter is not null;

    /// <summary>The file's full path, with the process's number in it.</summary>
    internal string FullPath => System.IO.Path.GetFullPath(Path.Replace("{pid}", $"{Environment.ProcessId}", StringComparison.Ordinal));

    /// <summary>A file must have room for two rings; the default maximum gives way to it.</summary>
    internal static long LeastMaximumBytes(long ringBytes) => Math.Max(TraceFileOptions.LeastMaximumBytes, 2 * ringBytes);

    /// <summary>Finds what is wrong before anything is made.</summary>
    /// <exception cref="ArgumentException">An option is none.</exception>
    internal void Check()
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(Path, nameof(Path));
        if (Path.Contains('\0', StringComparison.Ordinal))
        {
            throw new ArgumentException("The recording's path has a NUL character in it.", nameof(Path));
        }

        Range(SampleEvery, 1, TraceAdmission.MaximumSampleEvery, nameof(SampleEvery));
        Range(RingBytes, TraceFileOptions.LeastRingBytes, MostRingBytes, nameof(RingBytes));
        Range(MaximumBytes, LeastMaximumBytes(RingBytes), long.MaxValue, nameof(MaximumBytes));
        if (Overflow is not TraceOverflow.OverwriteOldest and not TraceOverflow.StopWhenFull)
        {
            throw new ArgumentOutOfRangeException(nameof(Overflow), Overflow, "There is no such way to overflow.");
        }
    }

    private static void Range(long value, long least, long most, string name)
    {
        if (value < least || value > most)
        {
            throw new ArgumentOutOfRangeException(name, value, $"{name} must be {least:N0} to {most:N0}.");
        }
    }
}
