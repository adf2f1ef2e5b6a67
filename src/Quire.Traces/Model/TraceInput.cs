using Quire.Traces.Sources;

namespace Quire.Traces;

/// <summary>A trace, read event by event in the order of time. Not thread-safe: one reader at a time.</summary>
/// <remarks>The file must not be cut short while it is read: it is mapped into memory, where a missing page ends the process.</remarks>
public abstract class TraceInput : IDisposable
{
    /// <summary>What stands for the frames that are missing at the outer end of a stack known to be partial.</summary>
    public const string PartialFrame = "(partial)";

    internal const string UnknownComm = "<...>";

    private readonly TraceCounter _outside;

    private protected TraceInput()
    {
        _outside = Quality.Counter(TraceCounter.FieldOutside, TraceDoubt.Damage, "Fields that lie outside their event's bytes, and were read as 0.");
    }

    /// <summary>Where the trace comes from.</summary>
    public abstract TraceSource Source { get; }

    /// <summary>Every way in which it lost data or can be doubted; complete once read to the end.</summary>
    public TraceQuality Quality { get; } = new();

    /// <summary>The kinds of events that the trace describes, whether or not it has such events.</summary>
    public abstract IReadOnlyList<TraceEventFormat> Formats { get; }

    /// <summary>The names of all threads whose names are known.</summary>
    internal abstract IReadOnlyDictionary<int, string> Comms { get; }

    internal bool IsBigEndian { get; private protected set; }

    /// <summary>How pages of a trace.dat made of it are laid out; the word size of its stacks with it.</summary>
    internal DatPageLayout Layout { get; private protected set; } = DatPageLayout.Common;

    /// <summary>Whether texts stand in a dictionary, and fields have their numbers.</summary>
    internal abstract bool HasDictionary { get; }

    /// <summary>
    /// Opens a trace, whatever its format: a recording of Quire, a trace.dat of version 6 or 7, or a trace as text; also packed by gzip or zstd, out of a pipe, or (<c>-</c>) out of
    /// standard input. What is packed or comes through a pipe is first taken into a private file without a name, in the folder that TMPDIR names or else in /var/tmp.
    /// </summary>
    /// <remarks>Where packed bytes end too early or are damaged, what was unpacked is read, and <see cref="Quality"/> says so.</remarks>
    /// <param name="path">The file; <c>-</c> is standard input.</param>
    /// <exception cref="TraceFormatException">It is no trace, or is damaged where nothing can be read without, or no libzstd is there to unpack it.</exception>
    /// <exception cref="IOException">The file can't be read, or there is no room to unpack it.</exception>
    /// <exception cref="UnauthorizedAccessException">The file may not be read.</exception>
    public static TraceInput Open(string path)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        FileMap map = TraceFile.Open(path);
        try
        {
            TraceInput input = Sniff(map);
            if (map.IsCut)
            {
                input.Quality.Counter(TraceCounter.Truncated, TraceDoubt.Loss, "1: the file ends before it should; what is missing is not counted.").Value = 1;
            }

            if (map.IsPackingDamaged)
            {
                input.Quality.Counter("unpacking_damaged", TraceDoubt.Damage, "1: the packed file is damaged, and was read up to there; what is missing is not counted.").Value = 1;
            }

            return input;
        }
        catch
        {
            map.Dispose();
            throw;
        }
    }

    /// <summary>Reads the next event in the order of time over all CPUs. A stack comes with its event, not as an event.</summary>
    /// <param name="record">The event; valid until the next call.</param>
    /// <returns>False: there are no more.</returns>
    /// <exception cref="TraceFormatException">The rest can't be read.</exception>
    public abstract bool TryRead(out TraceRecord record);

    /// <summary>Begins again with the first event; counters of what reading found begin at 0 again.</summary>
    public abstract void Rewind();

    /// <summary>The name of what is at an address of a <see cref="TraceRecord.Stack"/>: of Quire's recordings <c>Type.Method(File.cs:12)</c>, of a kernel's the function; where unknown, the address as <c>0x…</c>.</summary>
    /// <param name="address">An address.</param>
    public abstract string SymbolOf(ulong address);

    /// <summary>A thread's name; <c>&lt;...&gt;</c> where unknown.</summary>
    /// <param name="pid">The system's number of the thread.</param>
    public abstract string CommOf(int pid);

    /// <inheritdoc/>
    public abstract void Dispose();

    private static TraceInput Sniff(FileMap map)
    {
        ReadOnlySpan<byte> start = map.Span(0, (int)Math.Min(map.Length, 16));
        return QuireRingInput.Knows(start) ? new QuireRingInput(map)
            : TraceDatInput.Knows(start) ? TraceDatInput.Of(map)
            : TextTraceInput.Knows(start) ? new TextTraceInput(map)
            : throw NoTrace(map.Path);
    }

    /// <summary>Whether a trace of any format can begin so.</summary>
    internal static bool CanBegin(ReadOnlySpan<byte> start) => QuireRingInput.Knows(start) || TraceDatInput.Knows(start) || TextTraceInput.Knows(start);

    internal static TraceFormatException NoTrace(string path) => new(path, 0, "this is neither a recording of Quire, nor a trace.dat, nor a trace as text.");

    internal abstract string TextOf(TraceRecord record, TraceField field);

    internal ulong FieldOutside()
    {
        _outside.Value++;
        return 0;
    }

    private protected void RewindCounters() => _outside.Value = 0;
}
