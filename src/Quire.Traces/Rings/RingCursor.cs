using System.Runtime.InteropServices;

namespace Quire.Traces;

/// <summary>Reads one ring, or one snapshot, from its oldest event to the newest.</summary>
/// <remarks>
/// In a file whose recording still runs, the writer may come round and overwrite the slot being read. So the slot is copied first and the head read
/// again after: what the writer may have begun to overwrite by then is lost, and counted.
/// </remarks>
internal sealed unsafe class RingCursor : ITimed, IDisposable
{
    private readonly byte* _slots;
    private readonly ulong* _head;
    private readonly ulong _capacity;
    private readonly ulong _first;
    private readonly ulong _end;
    private readonly bool _mayBeWritten;
    private byte* _copy;
    private ulong _next;

    /// <param name="slots">The first slot.</param>
    /// <param name="capacity">Slots there are.</param>
    /// <param name="head">Where the number of events ever completed stands; null for a snapshot.</param>
    /// <param name="first">The oldest event that is whole.</param>
    /// <param name="end">The number of events completed.</param>
    /// <param name="mayBeWritten">The recording was not stopped.</param>
    internal RingCursor(byte* slots, ulong capacity, ulong* head, ulong first, ulong end, bool mayBeWritten)
    {
        _slots = slots;
        _capacity = capacity;
        _head = head;
        _first = first;
        _end = end;
        _mayBeWritten = mayBeWritten && head is not null;
        Rewind();
    }

    internal int Cpu { get; init; }

    internal TraceSnapshot Snapshot { get; init; }

    /// <summary>Ties in time: a start snapshot first, then rings by number, then an end snapshot.</summary>
    public int Rank => Snapshot switch { TraceSnapshot.Start => -1, TraceSnapshot.End => int.MaxValue, _ => Cpu };

    /// <summary>Events lost before the current one and after the one before it.</summary>
    internal long Lost { get; private set; }

    /// <summary>Of those, the ones that were overwritten while the ring was read.</summary>
    internal long LostNow { get; private set; }

    /// <inheritdoc/>
    public long Time { get; private set; }

    internal byte* Payload { get; private set; }

    /// <summary>Goes to the next event; false at the end, where <see cref="Lost"/> may still name events.</summary>
    internal bool TryMove()
    {
        LostNow = 0;
        Lost = _next == _first ? (long)_first : 0;

        while (_next < _end)
        {
            byte* slot = _slots + (_next % _capacity * RingLayout.SlotBytes);
            if (_mayBeWritten)
            {
                _copy = _copy is null ? (byte*)NativeMemory.Alloc(RingLayout.SlotBytes) : _copy;
                new ReadOnlySpan<byte>(slot, RingLayout.SlotBytes).CopyTo(new Span<byte>(_copy, RingLayout.SlotBytes));
                slot = _copy;

                // Happens before: the copy's loads come before this one of the head, so a head that is still near means an untouched copy.
                Interlocked.MemoryBarrier();
                ulong head = Volatile.Read(ref *_head);
                ulong oldest = head >= _capacity ? head - _capacity + 1 : 0;
                if (_next < oldest)
                {
                    ulong kept = Math.Min(oldest, _end);
                    Lost += (long)(kept - _next);
                    LostNow += (long)(kept - _next);
                    _next = kept;
                    continue;
                }
            }

            Time = *(long*)slot;
            Payload = slot + RingLayout.SlotPayload;
            _next++;
            return true;
        }

        return false;
    }

    internal void Rewind() => _next = _first;

    public void Dispose()
    {
        NativeMemory.Free(_copy);
        _copy = null;
    }
}
