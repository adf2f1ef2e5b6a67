namespace Quire;

/// <summary>
/// A rule of <see cref="PacketBuffer"/> was about to be broken; the call that would have done it changed nothing (the kernel's
/// <c>skb_over_panic</c>, <c>skb_under_panic</c> and their kind).
/// </summary>
/// <remarks>The message says which call, at which line, what it asked for, and what the packet is.</remarks>
public sealed class PacketBugException : InvalidOperationException
{
    /// <summary>Makes one without a message.</summary>
    public PacketBugException()
    {
    }

    /// <summary>Makes one with its message.</summary>
    public PacketBugException(string message)
        : base(message)
    {
    }

    /// <summary>Makes one with its message and what caused it.</summary>
    public PacketBugException(string message, Exception innerException)
        : base(message, innerException)
    {
    }

    /// <summary>Where the packet ended before, for a call on a packet that is gone; unknown otherwise.</summary>
    public CallSite EarlierEnd { get; private init; }

    internal static PacketBugException Of(PacketBody body, string call, string why, CallSite site) =>
        new($"{Named(call, site)}: {why}. The packet has {body.HeadRoom} bytes of head room, {body.Head.Length} in its head, {body.TailRoom} of tail room, "
            + $"{body.Total - body.Head.Length} in {body.FragmentCount} fragments.");

    /// <summary>Properties know no caller; everything else does.</summary>
    private static string Named(string call, CallSite site) => site.IsUnknown ? call : $"{call} at {site}";

    /// <summary>A handle that means no packet, or none any more.</summary>
    internal static PacketBugException Stale(PacketBody? body, ulong version, string call, CallSite site)
    {
        if (body is null)
        {
            return new PacketBugException($"{Named(call, site)}: the handle is default; it never was a packet.");
        }

        // The body may have served others since: then their end is not this packet's.
        bool known = body.Version == version + 1 && body.EndedBy is not null;
        string ended = known ? $"ended by {Named(body.EndedBy!, body.EndedAt)}" : "ended before";
        return new PacketBugException($"{Named(call, site)}: the packet {ended}.") { EarlierEnd = known ? body.EndedAt : default };
    }
}
