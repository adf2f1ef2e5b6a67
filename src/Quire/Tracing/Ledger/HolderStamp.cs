namespace Quire;

/// <summary>Who did something to a reference: the line, the thread, and how long ago.</summary>
/// <param name="Site">The line of source code.</param>
/// <param name="ThreadId">The managed thread id; 0 when it is no longer known. Ids are reused after a thread ends.</param>
/// <param name="ThreadName">The thread's name, or null when it had none.</param>
/// <param name="Age">Time from then to the query, right to about 20 ms, never negative.</param>
public readonly record struct HolderStamp(CallSite Site, int ThreadId, string? ThreadName, TimeSpan Age)
{
    /// <summary>The whole stack, innermost frame first; null where only the call site was recorded.</summary>
    public CapturedStack? Stack { get; init; }

    /// <summary>Call site or stack as the ledger keeps it, see <see cref="Quire.Origin"/>.</summary>
    internal uint Origin { get; init; }

    /// <summary>The system's id of the thread, as the process's task list has it; 0 where it is not known.</summary>
    internal int SystemThreadId { get; init; }

    /// <summary>The thread as tables show it: <c>T9</c>, or <c>T9 "parser"</c> when it has a name.</summary>
    public string Thread =>
        ThreadId == 0 ? "unknown thread" : string.IsNullOrEmpty(ThreadName) ? $"T{ThreadId}" : $"T{ThreadId} \"{ThreadName}\"";

    /// <summary>One line: <c>Parser.cs:141 KeepHeader, T9 "parser", 480 ms ago</c>.</summary>
    public override string ToString() => $"{Site}, {Thread}, {HolderTable.Duration(Age)} ago";
}
