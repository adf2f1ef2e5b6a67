namespace Quire;

/// <summary>Where a recording goes, and how much of it is kept.</summary>
internal sealed record TraceFileOptions
{
    internal const long DefaultRingBytes = 1 << 20;
    internal const long DefaultMaximumBytes = 256 << 20;
    internal const long LeastRingBytes = 8192;
    internal const long LeastMaximumBytes = 1 << 20;

    /// <summary>The file; null for one of its own name in the user's private folder for recordings.</summary>
    internal string? Path { get; init; }

    /// <summary>A file of that name is replaced (a new file takes its name when the recording has begun); otherwise it is an error.</summary>
    internal bool Replace { get; init; }

    /// <summary>Bytes of one thread's ring, its header of 4096 included; rounded up to 4096. An event takes 96.</summary>
    internal long RingBytes { get; init; } = DefaultRingBytes;

    /// <summary>Most bytes of the file. A part is kept back for texts (1/16) and the snapshots (1/8): rings don't get it.</summary>
    internal long MaximumBytes { get; init; } = DefaultMaximumBytes;

    /// <summary>What a full ring does.</summary>
    internal TraceOverflow Overflow { get; init; }

    /// <summary>More to be kept in the file, as keys and values: sampling, filters. The keys that every recording has are written by themselves.</summary>
    internal IReadOnlyList<KeyValuePair<string, string>> Properties { get; init; } = [];
}
