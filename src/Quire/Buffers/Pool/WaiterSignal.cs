namespace Quire;

/// <summary>The protocol by which whoever frees memory and whoever waits for it never miss each other. Counts only; queue and memory are the user's.</summary>
/// <remarks>
/// <para>
/// The freer: make the memory free, then ask <see cref="AnyWaits"/>, and serve if so. The waiter: stand in the queue, <see cref="Join"/>, then serve. Happens before: <see cref="Join"/> makes every thread
/// pass a full fence (<c>membarrier</c>), so the freer needs none. If its look came before its fence, its memory was there for the waiter's serving, which follows; if it came after, it saw the waiter.
/// </para>
/// <para>
/// Serving is for one at a time: <see cref="TryBegin"/>, serve, <see cref="TryEnd"/>, until that says so. A request that comes meanwhile is not refused but counted, and makes the one who serves look
/// once more, so what the requester had freed or queued is looked at after it was.
/// </para>
/// </remarks>
internal struct WaiterSignal
{
    private int _waiters;
    private int _requests;

    /// <summary>Who stand in the queue.</summary>
    internal readonly int Waiters => Volatile.Read(in _waiters);

    /// <summary>True where somebody may wait. Asked by a freer, after its memory is free.</summary>
    internal bool AnyWaits => Atomic.LoadAcquire(ref _waiters) != 0;

    /// <summary>Somebody stands in the queue now; serve after this.</summary>
    internal void Join()
    {
        Atomic.Add(ref _waiters, 1);
        Atomic.FenceEveryThread();
    }

    /// <summary>Somebody has left the queue.</summary>
    internal void Leave() => Atomic.Add(ref _waiters, -1);

    /// <summary>True for the one who is to serve.</summary>
    /// <remarks>Happens before: full fence. A request that finds another at work is counted; that one's exchange in <see cref="TryEnd"/> fails for it.</remarks>
    internal bool TryBegin() => Atomic.Add(ref _requests, 1) == 1;

    /// <summary>What to give <see cref="TryEnd"/> after the serving that begins now.</summary>
    internal int Requests => Atomic.LoadAcquire(ref _requests);

    /// <summary>Ends serving; false where requests came since <paramref name="seen"/> was read: serve again.</summary>
    internal bool TryEnd(int seen) => Atomic.CompareExchange(ref _requests, 0, seen) == seen;
}
