using System.Runtime.InteropServices;

namespace Quire;

/// <summary>
/// What a fragment cache did with one of its pages: took it (<c>fragment_refill</c>), dropped its bias on it (<c>fragment_drain</c>), began it
/// anew in place (<c>fragment_reuse</c>).
/// </summary>
[StructLayout(LayoutKind.Sequential)]
internal struct FragmentPageEvent
{
    internal EventHeader Header;
    internal ulong Pfn;

    /// <summary>The page's generation: after a reuse, the new one.</summary>
    internal ulong Generation;
    internal uint Order;

    /// <summary>References taken at once (refill, reuse) or dropped at once (drain).</summary>
    internal int References;

    /// <summary>The page's count afterwards.</summary>
    internal int Count;

    /// <summary>The cache's number.</summary>
    internal uint Cache;
    internal uint Stack;
    [Text]
    internal uint Owner;
}
