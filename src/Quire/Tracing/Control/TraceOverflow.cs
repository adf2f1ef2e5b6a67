namespace Quire;

/// <summary>What a recording does once a thread's ring is full. Either way what is lost is counted.</summary>
public enum TraceOverflow
{
    /// <summary>The newest event overwrites the oldest of its thread: the end of the run is kept, which is where leaks show (as ftrace does with <c>overwrite</c>).</summary>
    OverwriteOldest = 0,

    /// <summary>Events are dropped once the ring is full: the beginning of the run is kept.</summary>
    StopWhenFull = 1,
}
