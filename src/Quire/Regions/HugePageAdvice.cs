using System.Numerics;

namespace Quire;

/// <summary>
/// Which blocks of a mapped region may be backed by huge pages, so that a hole in one gives its memory back, and stays a hole.
/// </summary>
/// <remarks>
/// <para>
/// Two things go wrong with a hole in a huge page. First, the kernel keeps the huge page whole until memory runs short: resident
/// memory falls, free memory doesn't. Second, where huge pages are allowed <c>khugepaged</c> looks for blocks with holes and
/// fills them, up to 511 missing pages of 512: what was given back returns within a minute, as zeros. So before part of a block
/// is decommitted, its huge page is split and the block loses its advice. Whole blocks need neither, for an empty one is left
/// alone. Advice is taken back by whole blocks because each change of it inside a mapping costs another mapping.
/// </para>
/// <para>
/// Equation: bit b is set if a huge page may be, or come, behind the block at <c>first + b * size</c>: advice was given, or the
/// system gives huge pages to everybody. Only <see cref="BeforeDecommit"/> clears it, for advice against huge pages leaves those
/// in place that are there. A set bit too many costs two system calls; a clear bit too many would cost the memory.
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

    // Blocks share words, and a lost bit loses memory; it also keeps bit and advice in step. Its holders make system calls:
    // a lock that sleeps, not a SpinGate.
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

    /// <summary>Bytes in blocks with a set bit.</summary>
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

    /// <summary>Takes advice back from every block that the range touches. False if the system says no.</summary>
    internal bool TakeBack(byte* start, byte* end)
    {
        byte* first = Max((byte*)NativeMemoryCalls.RoundDown((nuint)start, _size), _start);
        byte* last = Min((byte*)NativeMemoryCalls.RoundUp((nuint)end, _size), _end);
        lock (_gate)
        {
            return _calls.AdviseHugePages(first, (nuint)(last - first), on: false) == RegionFailure.None;
        }
    }

    /// <summary>
    /// Splits the blocks that the range covers in part, at most its first and its last, and takes their advice back.
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

        lock (_gate)
        {
            if (head)
            {
                KeepSmall(start);
            }

            if (tail)
            {
                KeepSmall((byte*)NativeMemoryCalls.RoundDown((nuint)end - 1, _calls.PageSize));
            }
        }
    }

    private void KeepSmall(byte* page)
    {
        if (_bits is null || !IsBlock(page))
        {
            return;
        }

        nuint index = IndexOf(page);
        ulong bit = 1UL << (int)(index % 64);
        if ((_bits[index / 64] & bit) != 0)
        {
            // Advice first: what is split must not be joined again.
            byte* block = (byte*)(_firstBlock + (index * _size));
            RegionFailure failure = _calls.AdviseHugePages(block, _size, on: false);
            _calls.SplitHugePage(page);
            _bits[index / 64] &= failure == RegionFailure.None ? ~bit : ulong.MaxValue;
        }
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
