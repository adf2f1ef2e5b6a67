using System.Diagnostics.CodeAnalysis;

namespace Quire.Samples.MovableCache;

/// <summary>
/// A part of the cache under one lock: a dictionary, and a clock that decides who goes. The hand passes over what was used since it last came by, once, and over what somebody reads in place.
/// </summary>
/// <remarks>
/// Equations: every entry of the dictionary stands in the ring at its own place; the bytes are those of all entries' pages, above the limit only as long as all that could go is pinned.
/// </remarks>
internal sealed class CacheShard(PageAllocator allocator)
{
    private readonly Lock _gate = new();
    private readonly Dictionary<long, CacheEntry> _entries = [];
    private readonly List<CacheEntry> _ring = [];
    private int _hand;
    private long _limit;
    private long _bytes;
    private long _hits;
    private long _misses;
    private long _evicted;
    private long _refused;

    internal CacheFigures Figures
    {
        get
        {
            lock (_gate)
            {
                return new CacheFigures(_entries.Count, _bytes, _hits, _misses, _evicted, _refused);
            }
        }
    }

    internal void SetLimit(long bytes)
    {
        lock (_gate)
        {
            _limit = bytes;
            MakeRoom(0);
        }
    }

    internal bool TryGet(long key, Span<byte> destination, out int length)
    {
        lock (_gate)
        {
            if (!_entries.TryGetValue(key, out CacheEntry? entry))
            {
                _misses++;
                length = 0;
                return false;
            }

            _hits++;
            entry.IsUsed = true;
            length = entry.Length;
            for (int at = 0; at < length; at += MovablePage.Size)
            {
                int count = Math.Min(MovablePage.Size, length - at);

                // While the page is being moved this waits, microseconds as a rule.
                PagePin pin = entry.Pages[at / MovablePage.Size].Pin();
                pin.Span[..count].CopyTo(destination[at..]);
                pin.Unpin();
            }

            return true;
        }
    }

    internal bool TryPut(long key, ReadOnlySpan<byte> value)
    {
        int pages = (value.Length + MovablePage.Size - 1) / MovablePage.Size;
        lock (_gate)
        {
            if (_entries.TryGetValue(key, out CacheEntry? old) && !TryRemove(old))
            {
                _refused++;
                return false;
            }

            if (!MakeRoom((long)pages * MovablePage.Size) || !TryTake(pages, out MovablePage[]? taken))
            {
                _refused++;
                return false;
            }

            CacheEntry entry = new(key, taken, value.Length) { Place = _ring.Count };
            for (int i = 0; i < pages; i++)
            {
                ReadOnlySpan<byte> part = value.Slice(i * MovablePage.Size, Math.Min(MovablePage.Size, value.Length - (i * MovablePage.Size)));
                PagePin pin = taken[i].Pin();
                part.CopyTo(pin.Span);
                pin.Unpin();
            }

            _entries.Add(key, entry);
            _ring.Add(entry);
            _bytes += entry.Bytes;
            return true;
        }
    }

    internal bool TryPin(long key, out CachePin pin, string file, int line, string member)
    {
        lock (_gate)
        {
            if (!_entries.TryGetValue(key, out CacheEntry? entry) || entry.Length == 0)
            {
                pin = default;
                return false;
            }

            // In the caller's name: it is he who must let go.
            pin = new CachePin(this, entry, entry.Pages[0].Pin(file: file, line: line, member: member));
            entry.Pins++;
            return true;
        }
    }

    internal void Unpinned(CacheEntry entry)
    {
        lock (_gate)
        {
            entry.Pins--;
            MakeRoom(0);
        }
    }

    /// <summary>Takes pages; where the allocator has none, an entry goes for each try.</summary>
    private bool TryTake(int pages, [NotNullWhen(true)] out MovablePage[]? taken)
    {
        taken = new MovablePage[pages];
        for (int i = 0; i < pages; i++)
        {
            while (!MovablePage.TryAllocate(allocator, out taken[i], out _))
            {
                if (!TryEvictOne())
                {
                    foreach (MovablePage page in taken.AsSpan(0, i))
                    {
                        page.Free();
                    }

                    taken = null;
                    return false;
                }
            }
        }

        return true;
    }

    private bool MakeRoom(long bytes)
    {
        while (_bytes + bytes > _limit)
        {
            if (!TryEvictOne())
            {
                return false;
            }
        }

        return true;
    }

    private bool TryEvictOne()
    {
        // Twice round: once to take away the marks, once to find one without.
        for (int looked = 0; looked < 2 * _ring.Count; looked++)
        {
            _hand = _hand < _ring.Count ? _hand : 0;
            CacheEntry entry = _ring[_hand];
            if (!entry.IsUsed && TryRemove(entry))
            {
                _evicted++;
                return true;
            }

            entry.IsUsed = false;
            _hand++;
        }

        return false;
    }

    private bool TryRemove(CacheEntry entry)
    {
        if (entry.Pins != 0)
        {
            return false;
        }

        _entries.Remove(entry.Key);
        CacheEntry last = _ring[^1];
        _ring[entry.Place] = last;
        last.Place = entry.Place;
        _ring.RemoveAt(_ring.Count - 1);
        _bytes -= entry.Bytes;
        foreach (MovablePage page in entry.Pages)
        {
            page.Free();
        }

        return true;
    }
}
