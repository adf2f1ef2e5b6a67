namespace Quire;

/// <summary>Recordings of what happens to pages: every operation on a reference, with who did it, when, and with what result, in a file.</summary>
/// <remarks>
/// <para>
/// The counterpart of the kernel's <c>page_ref</c> trace events (<c>trace-cmd record -e page_ref</c>). A recording has its events in one ring a thread, in a file that
/// survives the process, and the ledger of holders as it was at its beginning and its end; so it answers who held which page at any moment
/// between. <c>quire blame FILE</c> reads it; <c>quire convert</c> makes a <c>trace.dat</c> of it, for trace-cmd and KernelShark.
/// </para>
/// <para>Four ways lead to one:</para>
/// <list type="bullet">
/// <item>in code: <see cref="Start(PageTracingOptions)"/>;</item>
/// <item>by environment: <c>QUIRE_TRACE=path</c>, and <c>QUIRE_TRACE_STACKS</c>, <c>_SAMPLE</c>, <c>_FILTER</c>, <c>_BUFFER</c>, <c>_MAXIMUM</c>, <c>_OVERFLOW</c>, <c>_OVERWRITE</c>;</item>
/// <item>by <c>runtimeconfig.json</c>: <c>Quire.Tracing.Path</c>, <c>.Stacks</c> and so on; the environment goes before it. Both are read once, when the first allocator is made;</item>
/// <item>from outside, while the process runs: <c>quire record --process PID -o FILE</c>, or any tool that enables the event source <c>Quire</c> with the argument <c>path</c>.</item>
/// </list>
/// <para>All members may be called on any thread. There is one recording at a time in a process.</para>
/// </remarks>
public static class PageTracing
{
    private static readonly Lock s_gate = new();

    // Never held while anything else is done: the figures are read while a recording starts, which takes its time under the other lock.
    private static readonly Lock s_totalsGate = new();
    private static PageTracingSession? s_current;
    private static long s_endedWritten;
    private static long s_endedLost;

    /// <summary>False where the application was built or started with the switch <c>Quire.Tracing.IsSupported</c> set to false: then nothing can be recorded.</summary>
    public static bool IsSupported => TracingSupport.IsSupported;

    /// <summary>True while a recording runs.</summary>
    public static bool IsRecording => Current is not null;

    /// <summary>The recording that runs, however it was started; null where none does.</summary>
    public static PageTracingSession? Current => Volatile.Read(ref s_current);

    /// <summary>One reference in how many is recorded by the recording that runs; 1 where none runs, or all are. What a sample's figures are to be multiplied by.</summary>
    public static int SampleEvery => TraceAdmission.SampleEvery;

    /// <summary>Starts a recording. It ends by <see cref="PageTracingSession.Stop"/>, at the latest when the process exits.</summary>
    /// <param name="options">What to record, and where to.</param>
    /// <returns>The recording, already running: what happens after the return is in it, and who held what before is in its first snapshot.</returns>
    /// <exception cref="ArgumentException">An option is none.</exception>
    /// <exception cref="InvalidOperationException">
    /// A recording runs already, whose path the message names. Or the recording is sampled or filtered while references are being tracked in full
    /// (<see cref="Holders.Track"/>, <see cref="PageLeakScope"/>), whose answers would no longer be complete.
    /// </exception>
    /// <exception cref="NotSupportedException">Tracing is switched away; the message names the switch.</exception>
    /// <exception cref="IOException">The file exists, or could not be made. Nothing is left behind.</exception>
    /// <exception cref="UnauthorizedAccessException">The file may not be written here. Nothing is left behind.</exception>
    public static PageTracingSession Start(PageTracingOptions options) => Start(options, "");

    /// <param name="options">What to record, and where to.</param>
    /// <param name="request">The name that the events about this recording carry; empty where the application itself asked.</param>
    internal static PageTracingSession Start(PageTracingOptions options, string request)
    {
        PageTracingSession session = StartUntold(options, request);
        session.TellStarted();
        return session;
    }

    /// <summary>The same for a caller that holds a lock, and tells the listeners of it afterwards; it has called <see cref="TracingStart.Prepare"/> before.</summary>
    internal static PageTracingSession StartUntold(PageTracingOptions options, string request)
    {
        ArgumentNullException.ThrowIfNull(options);
        options.Check();
        TracingSupport.ThrowIfNot();

        // Outside the lock: it may be what makes the event source, and so runs a listener's code.
        TracingStart.Prepare();
        PageTracingSession session;
        lock (s_gate)
        {
            if (s_current is { } first)
            {
                throw new InvalidOperationException($"A recording runs already, to {first.Path}; there is one at a time in a process.");
            }

            session = PageTracingSession.Begin(options, request);
            lock (s_totalsGate)
            {
                Volatile.Write(ref s_current, session);
            }
        }

        TracingNotices.Rearm();
        return session;
    }

    /// <summary>Called by the session once it has ended.</summary>
    internal static void Ended(PageTracingSession session)
    {
        lock (s_totalsGate)
        {
            s_endedWritten += session.Written;
            s_endedLost += session.Lost;
            Volatile.Write(ref s_current, null);
        }
    }

    /// <summary>Events written and lost by all recordings of this process so far: only ever more.</summary>
    internal static (long Written, long Lost) Totals()
    {
        lock (s_totalsGate)
        {
            PageTracingSession? current = s_current;
            return (s_endedWritten + (current?.Written ?? 0), s_endedLost + (current?.Lost ?? 0));
        }
    }
}
