namespace Quire.Samples.UdpRelay;

/// <summary>What the relay counts while it runs. Thread-safe; nothing here is ever reset.</summary>
/// <remarks>
/// Equations, once the queues are empty: <c>FromClients == ToUpstreams + drops of queries</c> and
/// <c>FromUpstreams == ToClients + drops of replies</c>. A <see cref="RelayStatistics"/> holds what is queued too, and checks them.
/// </remarks>
internal sealed class RelayCounters
{
    private readonly long[] _drops = new long[DropReasons.Count];
    private long _refusals;
    private long _receiveErrors;
    private long _sessionsOpened;
    private long _sessionsExpired;
    private long _sessionsEvicted;
    private long _sessionsMoved;
    private long _sessionsOpen;
    private long _kernelDropsOfReplies;

    internal Traffic FromClients { get; } = new();

    internal Traffic ToUpstreams { get; } = new();

    internal Traffic FromUpstreams { get; } = new();

    internal Traffic ToClients { get; } = new();

    internal long Refusals => Interlocked.Read(ref _refusals);

    internal long ReceiveErrors => Interlocked.Read(ref _receiveErrors);

    internal long SessionsOpened => Interlocked.Read(ref _sessionsOpened);

    internal long SessionsExpired => Interlocked.Read(ref _sessionsExpired);

    internal long SessionsEvicted => Interlocked.Read(ref _sessionsEvicted);

    internal long SessionsMoved => Interlocked.Read(ref _sessionsMoved);

    internal long SessionsOpen => Interlocked.Read(ref _sessionsOpen);

    internal long KernelDropsOfReplies => Interlocked.Read(ref _kernelDropsOfReplies);

    internal long Drops(DropReason reason) => Interlocked.Read(ref _drops[(int)reason]);

    internal void Drop(DropReason reason, int datagrams = 1) => Interlocked.Add(ref _drops[(int)reason], datagrams);

    /// <summary>An upstream host answered "port unreachable" to something sent earlier.</summary>
    internal void Refused() => Interlocked.Increment(ref _refusals);

    /// <summary>A receive failed for another reason; nothing was received, so nothing was dropped.</summary>
    internal void ReceiveFailed() => Interlocked.Increment(ref _receiveErrors);

    internal void SessionOpened()
    {
        Interlocked.Increment(ref _sessionsOpened);
        Interlocked.Increment(ref _sessionsOpen);
    }

    internal void SessionClosed(SessionEnd end)
    {
        Interlocked.Decrement(ref _sessionsOpen);
        switch (end)
        {
            case SessionEnd.Idle:
                Interlocked.Increment(ref _sessionsExpired);
                break;
            case SessionEnd.Evicted:
                Interlocked.Increment(ref _sessionsEvicted);
                break;
            case SessionEnd.Moved:
                Interlocked.Increment(ref _sessionsMoved);
                break;
            default:
                break;
        }
    }

    internal void KernelDropped(long replies) => Interlocked.Add(ref _kernelDropsOfReplies, replies);

    /// <summary>Datagrams and their bytes past one point of the relay.</summary>
    internal sealed class Traffic
    {
        private long _datagrams;
        private long _bytes;

        internal long Datagrams => Interlocked.Read(ref _datagrams);

        internal long Bytes => Interlocked.Read(ref _bytes);

        internal void Add(int bytes)
        {
            Interlocked.Add(ref _bytes, bytes);
            Interlocked.Increment(ref _datagrams);
        }
    }
}

/// <summary>Why a session was closed.</summary>
internal enum SessionEnd
{
    /// <summary>Nothing either way for the idle time.</summary>
    Idle,

    /// <summary>It was the longest silent one when the table was full, or the system had no socket left.</summary>
    Evicted,

    /// <summary>Its upstream refuses, another does not.</summary>
    Moved,

    /// <summary>The relay stops.</summary>
    Stopped,
}
