using System.Net;

namespace Quire.Samples.UdpRelay;

/// <summary>How a relay is to run, host names already resolved.</summary>
internal sealed record RelayOptions
{
    internal const int DefaultMaxSessions = 4096;
    internal const int DefaultQueue = 16 * 1024;
    internal const int DefaultMemoryMegabytes = 64;
    internal const int LeastMemoryMegabytes = 8;

    /// <summary>Where clients send to; port 0 takes any free one.</summary>
    internal required IPEndPoint Listen { get; init; }

    /// <summary>At least one; each new session gets the next.</summary>
    internal required IReadOnlyList<IPEndPoint> Upstreams { get; init; }

    /// <summary>A session with nothing either way for this long is closed.</summary>
    internal TimeSpan Idle { get; init; } = TimeSpan.FromSeconds(60);

    /// <summary>Clients served at once; a further one takes the place of the one silent longest.</summary>
    internal int MaxSessions { get; init; } = DefaultMaxSessions;

    /// <summary>Datagrams that may wait, each way.</summary>
    internal int Queue { get; init; } = DefaultQueue;

    /// <summary>The most memory that datagrams may take, in bytes.</summary>
    internal long MemoryBytes { get; init; } = DefaultMemoryMegabytes * 1024L * 1024;

    /// <summary>Asked of the system for each socket's buffers, in bytes; it may give less.</summary>
    internal int SocketBufferBytes { get; init; } = 4 * 1024 * 1024;

    /// <summary>How long a stop waits for each thread. They need milliseconds; more means a send that blocks.</summary>
    internal TimeSpan Patience { get; init; } = TimeSpan.FromSeconds(5);
}
