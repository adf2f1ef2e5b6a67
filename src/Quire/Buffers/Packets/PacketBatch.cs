using System.Runtime.CompilerServices;

namespace Quire;

/// <summary>Many packets ended at once: their references are collected on the stack and dropped together, one atomic a page.</summary>
internal static class PacketBatch
{
    /// <summary>References dropped together; beyond, one atomic a page for each so many.</summary>
    private const int Most = 128;

    [SkipLocalsInit]
    internal static void Dispose(ReadOnlySpan<PacketBuffer> packets, CallSite site)
    {
        Span<PageFragment> handles = stackalloc PageFragment[Most];
        int count = 0;
        int bad = 0;
        int badIndex = -1;
        Exception? first = null;
        for (int i = 0; i < packets.Length; i++)
        {
            if (count + PacketBuffer.MaxFragments + 1 > Most)
            {
                Free(handles[..count], site, ref first);
                count = 0;
            }

            if (packets[i].TryEnd("DisposeAll", site, out PacketBody? body))
            {
                count += body.MoveHandles(handles[count..]);
                PacketBody.ToShelf(body);
            }
            else
            {
                badIndex = bad++ == 0 ? i : badIndex;
                first ??= packets[i].Stale("DisposeAll", site);
            }
        }

        Free(handles[..count], site, ref first);
        if (first is not null)
        {
            string which = bad == 0 ? "" : $" {bad} had ended before, the first at index {badIndex};";
            throw new PacketBugException($"DisposeAll of {packets.Length} packets:{which} all others are gone. {first.Message}", first);
        }
    }

    private static void Free(ReadOnlySpan<PageFragment> handles, CallSite site, ref Exception? first)
    {
        try
        {
            PageFragment.Free(handles, site.File, site.Line, site.Member);
        }
        catch (PageBugException bug)
        {
            first ??= bug;
        }
    }
}
