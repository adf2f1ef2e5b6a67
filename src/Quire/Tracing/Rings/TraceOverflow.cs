namespace Quire;

/// <summary>What a thread's ring does when it is full. The counterpart of ftrace's <c>overwrite</c> option.</summary>
public enum TraceOverflow
{
    /// <summary>The oldest events give way: the recording shows the end. What was overwritten is counted.</summary>
    OverwriteOldest,

    /// <summary>The ring takes no more: the recording shows the beginning. What came later is counted.</summary>
    StopWhenFull,
}
