using System.Buffers.Binary;

namespace Quire.Cli.Demo;

/// <summary>The last payloads, each in a movable page lent from the contiguous area: a cache whose memory can be taken back at any time, by moving it.</summary>
internal sealed class RecentPayloads : IDisposable
{
    private readonly MovablePage[] _pages;
    private long _kept;

    internal RecentPayloads(PageAllocator allocator, int pages)
    {
        _pages = new MovablePage[pages];
        for (int i = 0; i < pages; i++)
        {
            _pages[i] = MovablePage.Allocate(allocator);
            Write(_pages[i], []);
        }
    }

    /// <summary>Short pins taken and ended.</summary>
    internal long Pins { get; private set; }

    internal MovablePage this[int index] => _pages[index];

    /// <summary>Writes a payload over the oldest one. Waits where the page is just being moved.</summary>
    internal void Keep(ReadOnlySpan<byte> payload) => Write(_pages[_kept++ % _pages.Length], payload);

    /// <summary>How many pages do not hold what was written to them.</summary>
    internal int CountDamaged()
    {
        int damaged = 0;
        foreach (MovablePage page in _pages)
        {
            PagePin pin = page.Pin();
            ReadOnlySpan<byte> bytes = pin.Span;
            int length = BinaryPrimitives.ReadInt32LittleEndian(bytes);
            damaged += length == 0 || Datagram.IsIntact(bytes.Slice(sizeof(int), length)) ? 0 : 1;
            pin.Unpin();
            Pins++;
        }

        return damaged;
    }

    public void Dispose()
    {
        foreach (MovablePage page in _pages)
        {
            page.Free();
        }
    }

    private void Write(MovablePage page, ReadOnlySpan<byte> payload)
    {
        // A payload too large for one page is not kept; its length says so.
        int length = payload.Length <= MovablePage.Size - sizeof(int) ? payload.Length : 0;
        PagePin pin = page.Pin();
        BinaryPrimitives.WriteInt32LittleEndian(pin.Span, length);
        payload[..length].CopyTo(pin.Span[sizeof(int)..]);
        pin.Unpin();
        Pins++;
    }
}
