using System.Numerics;

namespace Quire;

/// <summary>
/// Which blocks of a mapped region the system may back with huge pages, so that a hole in one can be kept open.
/// </summary>
/// <remarks>
/// <para>
/// Why this is remembered: where huge pages are allowed, the kernel's <c>khugepaged</c> looks for blocks with holes and fills them,
/// up to 511 missing pages of 512. Memory that was given back page by page so returns within seconds, as zeros. Whole
/// blocks are safe, for an empty one is left alone. So before part of a block is decommitted the block loses its advice; advice is taken back by whole blocks
/// because each change of it inside a mapping costs another mapping.
/// </para>
/// <para>
/// Equation: bit b is set if the block at <c>first + b * size</c> may be huge, because advice was given or because the system gives
/// huge pages to everybody; it is clear only if the system was told no, or was never told yes where it waits for that.
/// A set bit too many costs one system call; a clear bit too many would cost the memory, so bits are set before the call
/// and cleared after it.
/// </para>
/// </remarks>
internal sealed unsafe class HugePageAdvice
{
    private readonly NativeMemoryCalls _calls;
    private readonly nuint _size;
    private readonly byte* _start;
    private readonly byte* _end;
    private readonly nuint _firstBlock;
    private readonly nuint _blocks;

    // Holders of the gate make system calls: a lock that sleeps, not a SpinGate.
    private readonly Lock _gate = new();
    private ulong[]? _bits;

    internal HugePageAdvice(NativeMemoryCalls calls, byte* address, nuint length)
    {
        _calls = calls;
        _size = calls.HugePageSize;
        _start = address;
        _end = (byte*)NativeMemoryCalls.RoundUp((nuint)address + length, calls.PageSize);

        // A block that only begins or ends in the region is passed over.
        nuint first = NativeMemoryCalls.RoundUp((nuint)address, _size);
        nuint last = NativeMemoryCalls.RoundDown((nuint)address + length, _size);
        _firstBlock = first;
        _blocks = last > first ? (last - first) / _size : 0;
        if (calls.HugePagesByDefault && _blocks != 0)
        {
            Set(0, _blocks);
        }
    }

    /// <summary>Bytes in blocks that may be huge.</summary>
    internal nuint Bytes
    {
        get
        {
            lock (_gate)
            {
                nuint blocks = 0;
                foreach (ulong word in _bits ?? [])
                {
                    blocks += (nuint)BitOperations.PopCount(word);
                }

                return blocks * _size;
            }
        }
    }

    /// <summary>Gives advice to the whole blocks in the range. False if there is none, or the system says no.</summary>
    internal bool Give(byte* start, byte* end)
    {
        byte* first = (byte*)NativeMemoryCalls.RoundUp((nuint)start, _size);
        byte* last = (byte*)NativeMemoryCalls.RoundDown((nuint)end, _size);
        if (first >= last)
        {
            return false;
        }

        lock (_gate)
        {
            Set(IndexOf(first), (nuint)(last - first) / _size);
            return _calls.AdviseHugePages(first, (nuint)(last - first), on: true) == RegionFailure.None;
        }
    }

    /// <summary>Takes advice back from every block that the range touches.</summary>
    internal bool TakeBack(byte* start, byte* end)
    {
        lock (_gate)
        {
            return TakeBackLocked(start, end);
        }
    }

    /// <summary>
    /// Takes advice back from the blocks that the range covers in part: at most its first and its last.
    /// If the system can't (it has no mapping left for the border), the hole is made all the same and may fill again.
    /// </summary>
    internal void BeforeDecommit(byte* start, byte* end)
    {
        bool head = ((nuint)start & (_size - 1)) != 0;
        bool tail = ((nuint)end & (_size - 1)) != 0;
        if (!head && !tail)
        {
            return;
        }

        // Under the gate until the system has been told: another hole in the same block must not be made in between.
        lock (_gate)
        {
            if (head && MayBeHuge(start))
            {
                _ = TakeBackLocked(start, start + 1);
            }

            if (tail && MayBeHuge(end - 1))
            {
                _ = TakeBackLocked(end - 1, end);
            }
        }
    }

    private bool TakeBackLocked(byte* start, byte* end)
    {
        byte* first = Max((byte*)NativeMemoryCalls.RoundDown((nuint)start, _size), _start);
        byte* last = Min((byte*)NativeMemoryCalls.RoundUp((nuint)end, _size), _end);
        if (_calls.AdviseHugePages(first, (nuint)(last - first), on: false) != RegionFailure.None)
        {
            return false;
        }

        for (nuint block = (nuint)first & ~(_size - 1); block < (nuint)last; block += _size)
        {
            if (_bits is not null && IsBlock((byte*)block))
            {
                nuint index = IndexOf((byte*)block);
                _bits[index / 64] &= ~(1UL << (int)(index % 64));
            }
        }

        return true;
    }

    private bool MayBeHuge(byte* address)
    {
        if (_bits is null || !IsBlock(address))
        {
            return false;
        }

        nuint index = IndexOf(address);
        return (_bits[index / 64] & (1UL << (int)(index % 64))) != 0;
    }

    private void Set(nuint first, nuint count)
    {
        // Most regions are never advised, and the bits of a reservation of terabytes are not small.
        _bits ??= new ulong[(_blocks + 63) / 64];
        for (nuint index = first; index < first + count; index++)
        {
            _bits[index / 64] |= 1UL << (int)(index % 64);
        }
    }

    private bool IsBlock(byte* address) => (nuint)address >= _firstBlock && IndexOf(address) < _blocks;

    private nuint IndexOf(byte* address) => ((nuint)address - _firstBlock) / _size;

    private static byte* Max(byte* a, byte* b) => a > b ? a : b;

    private static byte* Min(byte* a, byte* b) => a < b ? a : b;
}
