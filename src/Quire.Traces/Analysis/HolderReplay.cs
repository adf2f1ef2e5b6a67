using System.Runtime.InteropServices;

namespace Quire.Traces.Analysis;

/// <summary>Who is on record, by the events of the ledger's tickets: exact, where no event is missing.</summary>
/// <remarks>
/// A ticket names one record of the ledger: <c>holder_take</c> begins it, <c>holder_release</c> reduces or ends it, <c>holder_touch</c>,
/// <c>holder_move</c> and <c>holder_count</c> change it. The snapshot of the start (<c>holder_state</c>) adds what was held before. The snapshot of the end is the
/// truth, with which the replay is compared: each difference is counted by its kind, and the answer is the snapshot's.
/// <para>
/// Releases of one ticket by several threads may be stamped in the wrong order. References only ever leave, so after each the holder has at most
/// what it had less what left, and at most what the release said remains: the lesser of the two, whatever the order.
/// </para>
/// <para>
/// Memory is bounded by the holders alive at once. What a damaged trace can bring: a ticket taken twice (the first holder's release is missing; it ends there),
/// a ticket released that nobody took (taken before the recording, or lost). Both are counted.
/// </para>
/// </remarks>
internal sealed partial class HolderReplay
{
    /// <summary>Releases remembered because the snapshot of the start may yet say that their holder lives.</summary>
    private const int EarlyLimit = 1 << 16;

    private readonly OriginTable _origins;
    private readonly IReadOnlyList<IHolderListener> _listeners;
    private readonly Dictionary<uint, int> _slotOf = [];
    private readonly Dictionary<PageKey, int> _firstOf = [];
    private readonly Dictionary<uint, PageKey> _early = [];
    private readonly TraceCounter _unmatched;
    private readonly TraceCounter _takenTwice;
    private readonly TraceCounter _missing;
    private readonly TraceCounter _extra;
    private readonly TraceCounter _differs;
    private readonly TraceCounter _ofFreedPages;
    private Holding[] _holdings = new Holding[64];
    private int _used;
    private int _free = -1;

    internal HolderReplay(OriginTable origins, TraceQuality quality, IReadOnlyList<IHolderListener> listeners)
    {
        _origins = origins;
        _listeners = listeners;
        _unmatched = quality.Counter("holder_events_unmatched", TraceDoubt.Note,
            "Releases, touches and moves of holders whose taking the trace does not have: taken before the recording, or lost.");
        _takenTwice = quality.Counter("holder_releases_missing", TraceDoubt.Loss, "Tickets taken again though the release before is missing.");
        _missing = quality.Counter("replay_missing", TraceDoubt.Loss, "Holders of the snapshot at the end that the events do not have: their taking is missing.");
        _extra = quality.Counter("replay_extra", TraceDoubt.Loss, "Holders by the events that the snapshot at the end does not have: their release is missing.");
        _differs = quality.Counter("replay_differs", TraceDoubt.Damage, "Holders that the snapshot at the end shows otherwise than the events.");
        _ofFreedPages = quality.Counter("holders_of_freed_pages", TraceDoubt.Loss, "Holders by the events whose page was freed: their release is missing.");
    }

    /// <summary>How many holders are on record now.</summary>
    internal int Count => _slotOf.Count;

    internal void Observe(in TraceRecord record, EventShape shape)
    {
        switch (shape.Kind)
        {
            case EventKind.HolderTake:
                Begin(Read(record, shape), record.Time);
                break;
            case EventKind.HolderRelease:
                Release(record, shape);
                break;
            case EventKind.HolderTouch:
                Touch(record, shape);
                break;
            case EventKind.HolderMove:
                Move(record, shape);
                break;
            case EventKind.HolderCount:
                Recount(record, shape);
                break;
            case EventKind.HolderState when record.Snapshot == TraceSnapshot.End:
                CompareAtEnd(record, shape);
                break;
            case EventKind.HolderState:
                AddFromStart(record, shape);
                break;
        }
    }

    /// <summary>Those on record, in no order that means anything.</summary>
    internal IEnumerable<Holding> All()
    {
        foreach (int slot in _slotOf.Values)
        {
            yield return _holdings[slot];
        }
    }

    /// <summary>Those on record for one page, the newest first.</summary>
    internal IEnumerable<Holding> Of(PageKey page)
    {
        for (int next = _firstOf.GetValueOrDefault(page); next != 0; next = _holdings[next - 1].Next)
        {
            yield return _holdings[next - 1];
        }
    }

    /// <summary>Tells the listeners when this holder ends; true if it is on record.</summary>
    internal bool Watch(uint ticket)
    {
        if (!_slotOf.TryGetValue(ticket, out int slot))
        {
            return false;
        }

        _holdings[slot].IsWatched = true;
        return true;
    }

    private Holding Read(in TraceRecord record, EventShape shape) => new()
    {
        Page = shape.Page(record),
        Ticket = (uint)shape.Unsigned(record, EventField.Ticket),
        References = shape.Int(record, EventField.References),
        Bytes = (uint)shape.Unsigned(record, EventField.Bytes),
        Kind = shape.Int(record, EventField.Kind),
        Scope = shape.Int(record, EventField.Scope),
        Taken = record.Time,
        TakenPid = record.Pid,
        TakenOrigin = _origins.Of(record, shape),
    };

    private void Begin(in Holding holding, long time)
    {
        if (holding.Ticket == 0)
        {
            // No record: the ledger was full. The page's count shows it as untracked.
            return;
        }

        if (_slotOf.TryGetValue(holding.Ticket, out int slot))
        {
            if (_holdings[slot].IsFromStart && _holdings[slot].Page == holding.Page && IsSame(_holdings[slot], holding))
            {
                // The snapshot of the start was written while threads went on, and had it before its event. The event's time is the exact one.
                Holding before = _holdings[slot];
                _holdings[slot].Taken = holding.Taken;
                _holdings[slot].IsFromStart = false;
                Changed(before, slot, time);
                return;
            }

            _takenTwice.Value++;
            End(slot, new HolderLeave(time, 0, 0, _holdings[slot].References));
        }

        slot = Reserve();
        _holdings[slot] = holding;
        _holdings[slot].Changed = time;
        _slotOf.Add(holding.Ticket, slot);
        Link(slot);
        foreach (IHolderListener listener in _listeners)
        {
            listener.Began(_holdings[slot], time);
        }
    }

    private void Release(in TraceRecord record, EventShape shape)
    {
        if (!TryFind(record, shape, out int slot))
        {
            uint ticket = (uint)shape.Unsigned(record, EventField.Ticket);
            if (ticket != 0 && shape.Int(record, EventField.Remaining) == 0 && _early.Count < EarlyLimit)
            {
                _early[ticket] = shape.Page(record);
            }

            return;
        }

        int left = shape.Int(record, EventField.References);
        int remaining = shape.Int(record, EventField.Remaining);
        ref Holding holding = ref _holdings[slot];
        holding.Changed = record.Time;
        HolderLeave leave = new(record.Time, record.Pid, _origins.Of(record, shape), left);
        if (remaining <= 0)
        {
            if (record.Time >= EndBegan)
            {
                _endedLate.Add(holding.Ticket);
            }

            // Ends now, even if releases stamped late are still to come; those find nothing and change nothing.
            End(slot, leave with { References = holding.References });
            return;
        }

        holding.References = Math.Min(holding.References - left, remaining);
        foreach (IHolderListener listener in _listeners)
        {
            listener.Reduced(holding, leave);
        }
    }

    private void Touch(in TraceRecord record, EventShape shape)
    {
        if (!TryFind(record, shape, out int slot))
        {
            return;
        }

        Holding before = _holdings[slot];
        ref Holding holding = ref _holdings[slot];
        holding.Touched = record.Time;
        holding.TouchedPid = record.Pid;
        holding.TouchedOrigin = _origins.Of(record, shape);
        holding.Scope = shape.Int(record, EventField.Scope, holding.Scope);
        Changed(before, slot, record.Time);
    }

    private void Move(in TraceRecord record, EventShape shape)
    {
        if (!TryFind(record, shape, out int slot))
        {
            return;
        }

        Holding before = _holdings[slot];
        Unlink(slot);
        _holdings[slot].Page = shape.Page(record);
        Link(slot);
        Changed(before, slot, record.Time);
    }

    private void Recount(in TraceRecord record, EventShape shape)
    {
        if (!TryFind(record, shape, out int slot))
        {
            return;
        }

        Holding before = _holdings[slot];
        _holdings[slot].References = shape.Int(record, EventField.References);
        Changed(before, slot, record.Time);
    }

    private void Changed(in Holding before, int slot, long time)
    {
        _holdings[slot].Changed = time;
        foreach (IHolderListener listener in _listeners)
        {
            listener.Changed(before, _holdings[slot], time);
        }
    }

    private bool TryFind(in TraceRecord record, EventShape shape, out int slot)
    {
        uint ticket = (uint)shape.Unsigned(record, EventField.Ticket);
        slot = 0;
        if (ticket == 0)
        {
            return false;
        }

        if (!_slotOf.TryGetValue(ticket, out slot))
        {
            _unmatched.Value++;
            return false;
        }

        return true;
    }

    private void End(int slot, in HolderLeave leave)
    {
        Holding last = _holdings[slot];
        Unlink(slot);
        _slotOf.Remove(last.Ticket);
        _holdings[slot].Next = _free;
        _free = slot;
        foreach (IHolderListener listener in _listeners)
        {
            listener.Ended(last, leave);
        }
    }

    private int Reserve()
    {
        if (_free >= 0)
        {
            int slot = _free;
            _free = _holdings[slot].Next;
            return slot;
        }

        if (_used == _holdings.Length)
        {
            Array.Resize(ref _holdings, _used * 2);
        }

        return _used++;
    }

    private void Link(int slot)
    {
        ref Holding holding = ref _holdings[slot];
        ref int first = ref CollectionsMarshal.GetValueRefOrAddDefault(_firstOf, holding.Page, out _);
        holding.Next = first;
        holding.Previous = 0;
        if (first != 0)
        {
            _holdings[first - 1].Previous = slot + 1;
        }

        first = slot + 1;
    }

    private void Unlink(int slot)
    {
        ref Holding holding = ref _holdings[slot];
        if (holding.Next != 0)
        {
            _holdings[holding.Next - 1].Previous = holding.Previous;
        }

        if (holding.Previous != 0)
        {
            _holdings[holding.Previous - 1].Next = holding.Next;
        }
        else if (holding.Next != 0)
        {
            _firstOf[holding.Page] = holding.Next;
        }
        else
        {
            _firstOf.Remove(holding.Page);
        }
    }
}
