namespace Quire.Samples.UdpRelay;

/// <summary>Where datagrams land: a fragment as large as a datagram can be, from which what arrived is kept.</summary>
/// <remarks>
/// <para>
/// How much will arrive is known only afterwards, so a receive needs room for 65,535 bytes, and nothing a client
/// sends may be cut. A queued datagram, on the other hand, should hold what it is long and no more. Of the ways to get
/// from one to the other this takes the least memory:
/// </para>
/// <list type="number">
/// <item>up to <see cref="LongestCopied"/> bytes are copied into a fragment of exactly that size, and the landing is
/// used again at once. A DNS message costs some 10 ns of copying beside 1 to 2 µs for each system call;</item>
/// <item>a longer datagram is not copied: the landing itself is handed on, more than half full, and the next one is
/// allocated.</item>
/// </list>
/// <para>
/// Rejected: a fragment of 64 KiB for each receive (a queue of DNS messages would hold a thousand times its content);
/// asking for the length first with a peek (a system call costs more than the copy); a large page cut up as datagrams
/// arrive (one small datagram that waits would keep all of it, and its last 64 KiB could never be used).
/// </para>
/// <para>
/// One owner at a time: a thread, or whoever rented it from the <see cref="LandingPool"/>. It holds one landing of
/// <see cref="Size"/> bytes, and what its fragment cache keeps: a page of 32 KiB, and up to
/// <see cref="PageFragmentCache.RetainedPages"/> more whose datagrams are still queued.
/// </para>
/// </remarks>
internal sealed class Landing : IDisposable
{
    /// <summary>64 KiB, the next power of two: UDP's length field has 16 bits, so no datagram is longer than 65,535 bytes less its headers.</summary>
    internal const int Size = 64 * 1024;

    /// <summary>The longest datagram that is copied, in bytes: longer ones would get a page of their own anyway.</summary>
    internal const int LongestCopied = PageFragmentCache.MaxSharedSize;

    private readonly PageFragmentCache _cache;
    private PageFragment _landing;
    private bool _disposed;

    internal Landing(PageAllocator allocator)
    {
        _cache = new PageFragmentCache(allocator);
        _landing = _cache.Allocate(Size);
    }

    /// <summary>Room for one datagram of any length; valid until the next <see cref="TryKeep"/>.</summary>
    internal Span<byte> Span => _landing.Span;

    /// <summary>
    /// Keeps the first <paramref name="length"/> bytes of <see cref="Span"/>; false when the memory limit does not allow
    /// it, and then the datagram is lost.
    /// </summary>
    internal bool TryKeep(int length, out Datagram datagram)
    {
        datagram = default;
        if (length == 0)
        {
            return true;
        }

        bool copied = length <= LongestCopied;
        if (!TryAllocate(copied ? length : Size, out PageFragment fragment))
        {
            return false;
        }

        if (copied)
        {
            _landing.Span[..length].CopyTo(fragment.Span);
            datagram = new Datagram(fragment, length);
        }
        else
        {
            datagram = new Datagram(_landing, length);
            _landing = fragment;
        }

        return true;
    }

    /// <summary>Gives the memory back; datagrams kept from here live on.</summary>
    public void Dispose()
    {
        if (!_disposed)
        {
            _disposed = true;
            _landing.Free();
            _cache.Dispose();
        }
    }

    private bool TryAllocate(int size, out PageFragment fragment)
    {
        if (_cache.TryAllocate(size, out fragment, out _))
        {
            return true;
        }

        // At the limit, pages that the cache retains in the hope of their return are better given to the allocator.
        _cache.Drain();
        return _cache.TryAllocate(size, out fragment, out _);
    }
}
