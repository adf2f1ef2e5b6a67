using System.Net;

namespace Quire.Samples.UdpRelay;

/// <summary>One server that queries are relayed to. Thread-safe.</summary>
internal sealed class Upstream(IPEndPoint endPoint)
{
    /// <summary>How long new sessions pass over an upstream that refused, in milliseconds. Then one of them tries it again.</summary>
    internal const int RefusalHolds = 2000;

    private const long Never = long.MinValue;

    private long _refusedAt = Never;
    private long _sessions;

    internal IPEndPoint EndPoint { get; } = endPoint;

    /// <summary>Sessions opened to it so far.</summary>
    internal long Sessions => Interlocked.Read(ref _sessions);

    internal void SessionOpened() => Interlocked.Increment(ref _sessions);

    internal void Refused() => Volatile.Write(ref _refusedAt, Environment.TickCount64);

    internal void Replied()
    {
        // Read first: every reply passes here, and the line is shared by all threads that receive.
        if (Volatile.Read(ref _refusedAt) != Never)
        {
            Volatile.Write(ref _refusedAt, Never);
        }
    }

    internal bool IsRefusing(long now)
    {
        long refusedAt = Volatile.Read(ref _refusedAt);
        return refusedAt != Never && now - refusedAt < RefusalHolds;
    }
}

/// <summary>The upstreams in the order given; each new session gets the next one that does not refuse. One owner: the forwarding thread.</summary>
internal sealed class UpstreamRing(IReadOnlyList<Upstream> upstreams)
{
    private int _next;

    internal int Count => upstreams.Count;

    /// <summary>
    /// The next in turn. One that refuses is passed over, unless all do; <paramref name="except"/> is passed over
    /// unless it is the only one.
    /// </summary>
    internal Upstream Next(long now, Upstream? except = null)
    {
        int chosen = -1;
        for (int step = 0; step < upstreams.Count; step++)
        {
            int candidate = (_next + step) % upstreams.Count;
            if (upstreams[candidate] == except)
            {
                continue;
            }

            if (!upstreams[candidate].IsRefusing(now))
            {
                chosen = candidate;
                break;
            }

            if (chosen < 0)
            {
                chosen = candidate;
            }
        }

        if (chosen < 0)
        {
            chosen = _next;
        }

        _next = (chosen + 1) % upstreams.Count;
        return upstreams[chosen];
    }

    /// <summary>True when there is one, other than <paramref name="current"/>, that does not refuse.</summary>
    internal bool HasBetterThan(Upstream current, long now)
    {
        foreach (Upstream upstream in upstreams)
        {
            if (upstream != current && !upstream.IsRefusing(now))
            {
                return true;
            }
        }

        return false;
    }
}
