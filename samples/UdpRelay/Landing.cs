namespace Quire.Samples.UdpRelay;

/// <summary>Where datagrams land: a page as large as a datagram can be, from which what arrived is kept.</summary>
/// <remarks>
/// <para>
/// How much will arrive is known only afterwards, so a receive needs room for 65,535 bytes, and nothing a client
/// sends may be cut. A queued datagram, on the other hand, should hold what it is long and no more. Of the ways to get
/// from one to the other this takes the least memory:
/// </para>
/// <list type="number">
/// <item>up to <see cref="LargestFragment"/> bytes are copied into a fragment of exactly that size, and the landing
/// page is used again at once. A DNS message costs some 10 ns of copying beside 1 to 2 µs for each system call;</item>
/// <item>a longer datagram is not copied: the landing page itself is handed on, and the next one is allocated. It is
/// then at least half full.</item>
/// </list>
/// <para>
/// Rejected: a 64 KiB fragment for each receive (a queue of DNS messages would hold 500 times its content); asking for
/// the length first with a peek (a system call costs more than the copy); a large page cut up as datagrams arrive (one
/// small datagram that waits would keep all of it, and its last 64 KiB could never be used).
/// </para>
/// <para>
/// One owner at a time: a thread, or whoever rented it from the <see cref="LandingPool"/>.
/// Equation: it holds one page, plus the fragment cache's current one.
/// </para>
/// </remarks>
internal sealed class Landing : IDisposable
{
    /// <summary>The longest datagram that is copied into a fragment, in bytes: what a fragment page can hold.</summary>
    internal const int LargestFragment = 32 * 1024;

    /// <summary>64 KiB: UDP's length field has 16 bits, so that no datagram is longer than 65,535 bytes less headers.</summary>
    private const int PageOrder = 4;

    private readonly PageAllocator _allocator;
    private readonly PageFragmentCache _cache;
    private Page _page;
    private bool _disposed;

    internal Landing(PageAllocator allocator)
    {
        _allocator = allocator;
        _cache = new PageFragmentCache(allocator);
        _page = allocator.Allocate(PageOrder);
    }

    /// <summary>Room for one datagram of any length; valid until the next <see cref="TryKeep"/>.</summary>
    internal Span<byte> Span => _page.Span;

    /// <summary>Keeps the first <paramref name="length"/> bytes of <see cref="Span"/>; false when the memory limit does not allow it.</summary>
    internal bool TryKeep(int length, out Datagram datagram)
    {
        datagram = default;
        if (length == 0)
        {
            return true;
        }

        if (length <= LargestFragment)
        {
            if (!_cache.TryAllocate(length, out PageFragment fragment, out _))
            {
                return false;
            }

            _page.Span[..length].CopyTo(fragment.Span);
            datagram = new Datagram(fragment);
            return true;
        }

        // The next landing page first: without one this receiver could not go on.
        if (!_allocator.TryAllocate(out Page next, out _, PageOrder))
        {
            return false;
        }

        datagram = new Datagram(_page, length);
        _page = next;
        return true;
    }

    public void Dispose()
    {
        if (_disposed)
        {
            return;
        }

        _disposed = true;
        _cache.Dispose();
        _page.Put();
    }
}
