using System.Buffers.Binary;
using System.Runtime.CompilerServices;

namespace Quire.Traces;

/// <summary>Reads one CPU's events in their order, each with its stack.</summary>
/// <remarks>
/// The kernel writes an event's stack as an event of its own right behind it (or, <see cref="DatStackOrder.Before"/>, right before it), but an interrupt may come
/// between the two and write events with stacks too. So a stack belongs to the nearest event on that side that happened in the same context. A loss in between
/// breaks the tie.
///
/// The loops are compiled at full effort at once: a run of the tool is over before the runtime would have found them hot (of 968,000 events in 170 ms,
/// 110 ms went into slow code).
/// </remarks>
internal sealed unsafe partial class DatCursor : ITimed, IDisposable
{
    /// <summary>Events that may come between an event and its stack. A power of two.</summary>
    private const int AheadSlots = 64;
    private const int HeaderBytes = 8;

    private readonly DatPages _pages;
    private readonly DatPageLayout _layout;
    private readonly bool _isBigEndian;
    private readonly DatStackKind _stacks;
    private readonly int _stackType;
    private readonly Counters _counters;
    private readonly DatEvent[] _ahead = new DatEvent[AheadSlots];
    private byte* _at;
    private byte* _pageEnd;
    private ulong _time;
    private long _lost;
    private int _first;
    private int _count;
    private DatEvent _current;

    /// <summary>Whether there was an event before.</summary>
    private bool _isShown;

    /// <summary>Whether <see cref="_current"/> is an event that a reader may look at.</summary>
    private bool _isInUse;

    internal DatCursor(DatPages pages, DatPageLayout layout, bool isBigEndian, DatStackKind stacks, Counters counters)
    {
        _pages = pages;
        _layout = layout;
        _isBigEndian = isBigEndian;
        _stacks = stacks;
        _stackType = stacks.Type;
        _counters = counters;
    }

    internal int Cpu { get; init; }

    /// <summary>Its place in the source's list of CPUs; -1 for a snapshot.</summary>
    internal int Stream { get; init; }

    internal TraceSnapshot Snapshot { get; init; }

    public long Time { get; private set; }

    public int Rank { get; init; }

    /// <summary>The event that was moved to.</summary>
    internal ref readonly DatEvent Current => ref _current;

    /// <summary>Its stack's event; null where it has none.</summary>
    internal byte* StackPayload { get; private set; }

    internal int StackLength { get; private set; }

    /// <summary>Turns a page's time into the trace's ns.</summary>
    internal required Func<ulong, long>? Clock { get; init; }

    internal required long TimeOffset { get; init; }

    /// <summary>Goes to the next event that is not a stack; false at the end.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    internal bool TryMove()
    {
        _isInUse = false;
        long lost = 0;
        while (TryPeek(0))
        {
            ref DatEvent next = ref _ahead[_first];
            lost = lost < 0 || next.Lost < 0 ? -1 : lost + next.Lost;
            if (next.Type == _stackType)
            {
                if (_stacks.Order == DatStackOrder.Before)
                {
                    Wait(in next);
                }
                else if (!next.IsTaken)
                {
                    _counters.StacksAlone++;
                }

                Drop();
                continue;
            }

            long before = Time;
            bool isLoss = next.Lost != 0;
            _current = next;
            _current.Lost = lost;
            Time = next.Time;
            _counters.Backwards += Time < before && _isShown ? 1 : 0;
            _isShown = true;
            _isInUse = true;
            Drop();
            StackPayload = null;
            StackLength = 0;
            if (_stackType >= 0 && next.Type != _stacks.UserType)
            {
                if (_stacks.Order == DatStackOrder.After)
                {
                    FindStack();
                }
                else
                {
                    TakeWaiting(isLoss);
                }
            }

            return true;
        }

        NoneWaits();
        return false;
    }

    internal void Rewind()
    {
        _pages.Rewind();
        _at = _pageEnd = null;
        _first = _count = 0;
        _lost = 0;
        _isShown = false;
        _isInUse = false;
        Time = 0;
        _current = default;
        Array.Clear(_waiting);
    }

    public void Dispose() => _pages.Dispose();

    private void Drop()
    {
        _first = (_first + 1) & (AheadSlots - 1);
        _count--;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private bool TryPeek(int index) => index < _count || TryDecode();

    /// <summary>Decodes one more event behind those decoded.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private bool TryDecode()
    {
        while (true)
        {
            if (_at >= _pageEnd)
            {
                // A new chunk takes the room of the one before the newest: nothing in use may lie there.
                long oldest = _isInUse ? _current.Chunk : _count > 0 ? _ahead[_first].Chunk : long.MaxValue;
                if (_pages.NeedsChunk && oldest < _pages.Chunk)
                {
                    return false;
                }

                if (!TryPage())
                {
                    return false;
                }

                continue;
            }

            if (_pageEnd - _at < 4)
            {
                _at = _pageEnd;
                continue;
            }

            uint header = U32(_at);
            uint type = _isBigEndian ? header >> 27 : header & 31;
            uint delta = _isBigEndian ? header & 0x07ff_ffff : header >> 5;
            byte* payload = _at + 4;
            uint length;
            switch (type)
            {
                case 29 when delta == 0:
                    _at = _pageEnd;
                    continue;
                case 0 or 29 or 30 or 31:
                    if (_pageEnd - payload < 4)
                    {
                        Damaged();
                        continue;
                    }

                    uint next = U32(payload);
                    if (type == 30)
                    {
                        _time += ((ulong)next << 27) + delta;
                        _at = payload + 4;
                        continue;
                    }

                    if (type == 31)
                    {
                        // 59 bits; what is above comes from the time before.
                        ulong low = ((ulong)next << 27) + delta;
                        _time = low | (_time & ~((1ul << 59) - 1));
                        _at = payload + 4;
                        continue;
                    }

                    _time += delta;
                    if (next < 4 || next > _pageEnd - payload)
                    {
                        Damaged();
                        continue;
                    }

                    if (type == 29)
                    {
                        _at = payload + next;
                        continue;
                    }

                    payload += 4;
                    length = (next - 4 + 3) & ~3u;
                    break;
                default:
                    _time += delta;
                    length = type * 4;
                    break;
            }

            if (length > _pageEnd - payload || length < HeaderBytes)
            {
                Damaged();
                continue;
            }

            _at = payload + length;
            ref DatEvent decoded = ref _ahead[(_first + _count) & (AheadSlots - 1)];
            decoded.Payload = payload;
            decoded.Length = (int)length;
            ushort number = Unsafe.ReadUnaligned<ushort>(payload);
            decoded.Type = _isBigEndian == BitConverter.IsLittleEndian ? BinaryPrimitives.ReverseEndianness(number) : number;
            decoded.IsTaken = false;
            decoded.Time = (Clock is null ? (long)_time : Clock(_time)) + TimeOffset;
            decoded.Lost = _lost;
            decoded.Chunk = _pages.Chunk;
            _lost = 0;
            _count++;
            return true;
        }
    }

    private bool TryPage()
    {
        if (!_pages.TryNext(out byte* page, out int length))
        {
            _counters.Damaged += _pages.TakeDamage();
            return false;
        }

        if (_pages.TakeDamage() is > 0 and long damaged)
        {
            _counters.Damaged += damaged;
            _lost = -1;
        }

        _at = _pageEnd = page + length;
        if (length < _layout.Data)
        {
            _counters.Damaged++;
            return true;
        }

        ReadOnlySpan<byte> bytes = new(page, length);
        uint commit = (uint)_layout.CommitOf(bytes, _isBigEndian);
        uint used = commit & DatPageLayout.LengthMask;
        if (used > length - _layout.Data)
        {
            _counters.Damaged++;
            used = (uint)(length - _layout.Data);
        }

        _time = _layout.TimeOf(bytes, _isBigEndian);
        _at = page + _layout.Data;
        _pageEnd = _at + used;
        if ((commit & DatPageLayout.Missed) != 0)
        {
            long missed = -1;
            if ((commit & DatPageLayout.MissedStored) != 0 && page + length - _pageEnd >= _layout.LongBytes)
            {
                ulong number = _layout.NumberAt(bytes[(int)(_pageEnd - page)..], _isBigEndian);
                missed = number is > 0 and < long.MaxValue / 2 ? (long)number : -1;
            }

            _lost = _lost < 0 || missed < 0 ? -1 : _lost + missed;
        }

        return true;
    }

    private void Damaged()
    {
        // Where one event's length can't be right, there is no way to the next one in this page.
        _counters.Damaged++;
        _at = _pageEnd;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private uint U32(byte* at)
    {
        uint value = Unsafe.ReadUnaligned<uint>(at);
        return _isBigEndian == BitConverter.IsLittleEndian ? BinaryPrimitives.ReverseEndianness(value) : value;
    }

    /// <summary>What all cursors of an input count together.</summary>
    internal sealed class Counters
    {
        internal long Damaged;
        internal long StacksAlone;
        internal long Backwards;
    }
}
