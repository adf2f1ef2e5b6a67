using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Quire;

/// <summary>A thread's way into its ring: where the next event goes, and whether it may. The ring itself is a segment of the file.</summary>
/// <remarks>
/// <para>
/// Equation: <c>_next == _first + head % capacity * SlotBytes</c>, or <c>_end</c> in place of <c>_first</c> where the next event has not yet turned; <c>head</c> is in the segment. A thread
/// without a ring has no slots: every event turns, and is counted.
/// </para>
/// <para>
/// Only the owner writes, without atomics. It says that it is inside by a plain store to <c>_busy</c>, then looks whether the ring is open.
/// Who ends the recording sets <c>_open</c> to 0 in all of them, makes every thread pass a full fence, and waits for each <c>_busy</c> to be 0 before
/// anything is unmapped. Happens before: either the owner's look comes after the fence and sees the ring closed, or its store of 1 came before the
/// fence and the other side sees it and waits.
/// </para>
/// <para>
/// Outside the GC heap, in two cache lines of its own; never freed, since its thread may come at any time: the next thread adopts it after
/// that one's end, so there are as many as threads lived at once.
/// </para>
/// </remarks>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct TraceRing
{
    /// <summary>One in so many lost events makes a thread without a ring look for one again.</summary>
    internal const uint RetryEvery = 1024;

    private const nuint BlockBytes = 128;

    private int _busy;
    private int _open;
    private byte* _next;
    private byte* _end;
    private byte* _first;
    private TraceSegmentHeader* _segment;
    private long* _lost;
    private uint _missed;

    /// <summary>The system's number of the owner. Written before the ring is opened.</summary>
    internal int ThreadId;

    internal static TraceRing* Create()
    {
        TraceRing* ring = (TraceRing*)NativeMemory.AlignedAlloc(BlockBytes, BlockBytes);
        NativeMemory.Clear(ring, BlockBytes);
        return ring;
    }

    /// <summary>Whether the owner may write; it may be closed the moment after.</summary>
    internal bool IsOpen => Atomic.LoadAcquire(ref _open) != 0;

    /// <summary>Owner only. Writes an event, or counts it as lost. False where the ring is closed.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal bool TryWrite<T>(Tracepoint id, ref T e, long time)
        where T : unmanaged
    {
        Atomic.StoreRelease(ref _busy, 1);
        if (Atomic.LoadAcquire(ref _open) == 0)
        {
            Atomic.StoreRelease(ref _busy, 0);
            return false;
        }

        byte* slot = _next;
        if (slot == _end && (slot = Turn()) == null)
        {
            bool isLost = _open != 0;
            Atomic.StoreRelease(ref _busy, 0);
            return isLost;
        }

        Fill(slot, id, ThreadId, ref e, time);
        _next = slot + TraceLayout.SlotBytes;

        // Happens before: an event below the head is complete. Not the reader's affair alone: the file of a killed process has what was stored, in this order.
        Atomic.StoreRelease(ref _segment->Head, _segment->Head + 1);

        // Happens before: who waits for this 0 sees the event, and may unmap the slot.
        Atomic.StoreRelease(ref _busy, 0);
        return true;
    }

    /// <summary>Fills a slot. The event's header is made here.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static void Fill<T>(byte* slot, Tracepoint id, int thread, ref T e, long time)
        where T : unmanaged
    {
        *(long*)slot = time;
        Atomic.Point();
        Unsafe.WriteUnaligned(slot + sizeof(long), e);
        *(EventHeader*)(slot + sizeof(long)) = new EventHeader(id, thread);
    }

    /// <summary>
    /// Lets the owner in. The caller has the gate of <see cref="TraceThreads"/>, and is the owner. Without a segment all is lost, and counted in <paramref name="lost"/>.
    /// </summary>
    internal void Open(TraceSegment? segment, long* lost)
    {
        _first = _next = _end = null;
        _segment = null;
        _lost = lost;
        if (segment is not null)
        {
            _segment = segment.Header;
            _first = segment.Data;
            _end = _first + (_segment->Capacity * TraceLayout.SlotBytes);

            // A ring that stops when full stays where it stopped.
            ulong slot = _segment->Head % _segment->Capacity;
            _next = slot == 0 && _segment->Head != 0 ? _end : _first + (slot * TraceLayout.SlotBytes);
        }

        Atomic.StoreRelease(ref _open, 1);
    }

    /// <summary>Any thread, with the gate of <see cref="TraceThreads"/>. Gets all owners out, and keeps them out: what they wrote to may be unmapped.</summary>
    /// <remarks>Waits for as long as an owner is descheduled inside.</remarks>
    internal static void Close(ReadOnlySpan<nint> rings)
    {
        foreach (nint ring in rings)
        {
            ((TraceRing*)ring)->Close();
        }

        Atomic.FenceEveryThread();
        foreach (nint ring in rings)
        {
            SpinWait spin = default;
            while (Atomic.LoadAcquire(ref ((TraceRing*)ring)->_busy) != 0)
            {
                Atomic.SpinOnce(ref spin);
            }
        }
    }

    /// <summary>With the gate, for a ring whose owner is dead: the next owner must not find it open.</summary>
    internal void Close() => Atomic.StoreRelease(ref _open, 0);

    /// <summary>At the end of the slots. Null: the event is lost; and counted, unless this closed the ring.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    private byte* Turn()
    {
        if (_segment == null)
        {
            if (++_missed % RetryEvery == 0)
            {
                // The owner closes it for itself, and looks for one again.
                Atomic.StoreRelease(ref _open, 0);
                return null;
            }

            // Happens before: nothing hangs on a count; the file's owner reads it when all rings are closed.
            _ = Atomic.Add(ref *_lost, 1);
            return null;
        }

        if (_segment->Mode == TraceOverflow.StopWhenFull)
        {
            _segment->Lost++;
            return null;
        }

        return _first;
    }
}
