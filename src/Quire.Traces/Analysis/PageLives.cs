using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Quire.Traces.Analysis;

/// <summary>What became of each page: when it lived, and its count by the <c>page_ref</c> events.</summary>
/// <remarks>
/// One entry a frame, so memory is bounded by the memory that is traced, not by the length of the trace. A frame's generations follow each other; events of an
/// older one that come late (their thread stamped after the page was freed) go to what is left of it in <see cref="_unsettled"/>, which holds only lives
/// whose counts do not yet add up.
/// </remarks>
internal sealed class PageLives(OriginTable origins, TraceQuality quality, bool checksCounts)
{
    /// <summary>Ended lives kept for events that come late; more than so many are lost events, not late ones.</summary>
    private const int UnsettledLimit = 1 << 16;

    private readonly Dictionary<ulong, PageLife> _lives = [];
    private readonly Dictionary<PageKey, CountBalance> _unsettled = [];

    private readonly TraceCounter _mismatches = quality.Counter("count_mismatches", TraceDoubt.Damage,
        "Operations on a page's count that do not follow from those before: events between them are missing.");
    private readonly TraceCounter _midLife = quality.Counter("pages_seen_mid_life", TraceDoubt.Note,
        "Pages whose allocation the trace does not have: their first references have unknown holders.");
    private readonly TraceCounter _differs = quality.Counter("page_counts_differ", TraceDoubt.Damage,
        "Pages whose count by the events is not that of the snapshot at the end.");
    private readonly TraceCounter _extra = quality.Counter("pages_gone_unseen", TraceDoubt.Loss,
        "Pages that live by the events and are not in the snapshot at the end: their free is missing.");

    /// <summary>When the snapshot of the end began; what events changed since is newer than it.</summary>
    internal long EndBegan { get; set; } = long.MaxValue;

    /// <summary>Lives that began, were first seen, or ended.</summary>
    internal long Seen { get; private set; }

    internal long Allocated { get; private set; }

    internal long Freed { get; private set; }

    internal long ReusedInPlace { get; private set; }

    /// <summary>Live pages, by frame number of the head.</summary>
    internal IEnumerable<KeyValuePair<PageKey, PageLife>> Live =>
        _lives.Where(static entry => entry.Value.IsLive).Select(static entry => KeyValuePair.Create(new PageKey(entry.Key, entry.Value.Generation), entry.Value));

    /// <summary>The page's life, if it is the newest of its frame.</summary>
    internal bool TryGet(PageKey page, out PageLife life) => _lives.TryGetValue(page.Pfn, out life) && life.Generation == page.Generation;

    /// <summary>The newest life of the frame; of a tail, its head's.</summary>
    internal bool TryFind(ulong pfn, out PageKey page, out PageLife life)
    {
        // A head is aligned to its order, so a tail's head is one of the frames with low bits cleared.
        for (int order = 0; order < 24; order++)
        {
            ulong head = pfn >> order << order;
            if (_lives.TryGetValue(head, out life) && (head == pfn || life.Order >= order))
            {
                page = new PageKey(head, life.Generation);
                return true;
            }
        }

        page = default;
        life = default;
        return false;
    }

    /// <summary>True where the page's life is known to have ended.</summary>
    internal bool IsOver(PageKey page) =>
        _lives.TryGetValue(page.Pfn, out PageLife life) && (life.Generation > page.Generation || (life.Generation == page.Generation && !life.IsLive));

    internal void Observe(in TraceRecord record, EventShape shape)
    {
        switch (shape.Kind)
        {
            case EventKind.RefSet:
                Operation(record, shape, 0, shape.Int(record, EventField.Val), begins: true);
                break;
            case EventKind.RefMod:
                int after = shape.Int(record, EventField.Count);
                Operation(record, shape, after - shape.Int(record, EventField.Val), after, begins: false);
                break;
            case EventKind.RefUnless when shape.Int(record, EventField.Ret) != 0:
                int got = shape.Int(record, EventField.Count);
                Operation(record, shape, got - shape.Int(record, EventField.Val), got, begins: false);
                break;
            case EventKind.RefFreeze when shape.Int(record, EventField.Ret) != 0:
                Operation(record, shape, shape.Int(record, EventField.Val), 0, begins: false);
                break;
            case EventKind.RefUnfreeze:
                Operation(record, shape, 0, shape.Int(record, EventField.Val), begins: true);
                break;
            case EventKind.PageAlloc:
                Alloc(record, shape);
                break;
            case EventKind.PageFree or EventKind.PageFreeBatched:
                Free(record, shape);
                break;
            case EventKind.FragmentRefill or EventKind.FragmentReuse or EventKind.FragmentDrain:
                Cache(record, shape);
                break;
            case EventKind.PageState:
                State(record, shape);
                break;
        }
    }

    /// <summary>No more events come. With a complete snapshot of the end, pages that it does not have are gone, where events were lost.</summary>
    internal void Finish(bool hasEndSnapshot, bool hasLoss, long end)
    {
        foreach (CountBalance left in _unsettled.Values)
        {
            Settle(left);
        }

        _unsettled.Clear();
        foreach (ulong pfn in _lives.Keys)
        {
            ref PageLife life = ref CollectionsMarshal.GetValueRefOrNullRef(_lives, pfn);
            if (!life.IsLive)
            {
                continue;
            }

            Mismatch(life.Count.GiveUp());
            if (hasEndSnapshot && hasLoss && !life.IsConfirmed && life.Changed < EndBegan)
            {
                _extra.Value++;
                life.IsLive = false;
                life.Ended = end;
            }
        }
    }

    private void Operation(in TraceRecord record, EventShape shape, int before, int after, bool begins)
    {
        PageKey page = shape.Page(record);
        if (shape.Kind == EventKind.RefUnfreeze && after == 0 && EndBefore(page, record.Time))
        {
            return;
        }

        ref PageLife life = ref Slot(page, record, shape, begins && before == 0, out bool isLate);
        if (isLate)
        {
            Late(page, before, after, isBirth: shape.Kind == EventKind.RefSet);
            return;
        }

        if (shape.Kind == EventKind.RefSet || (begins && life.HasForebear && !life.IsWhole))
        {
            // Its first operation, though it may be stamped later than others.
            life.Count.BeginAtZero();
            _midLife.Value -= life.IsWhole ? 0 : 1;
            life.IsWhole = true;
        }
        else if (begins && !life.Count.IsBegun)
        {
            life.Count = CountBalance.From(0);
        }

        Mismatch(life.Count.Step(before, after));
    }

    // Unfrozen to nothing under a generation of which nothing was seen: migration emptied the page, and its frame went to a contiguous range. No life begins
    // by that, the one before ends. True if it is so.
    private bool EndBefore(PageKey page, long time)
    {
        ref PageLife life = ref CollectionsMarshal.GetValueRefOrNullRef(_lives, page.Pfn);
        if (Unsafe.IsNullRef(ref life))
        {
            return true;
        }

        if (page.Generation <= life.Generation)
        {
            return false;
        }

        if (life.IsLive)
        {
            Leave(new PageKey(page.Pfn, life.Generation), ref life, time);
        }

        return true;
    }

    // The newest life of the frame, which the event may begin. Late: the event is of a life that is over.
    private ref PageLife Slot(PageKey page, in TraceRecord record, EventShape shape, bool begins, out bool isLate)
    {
        ref PageLife life = ref CollectionsMarshal.GetValueRefOrAddDefault(_lives, page.Pfn, out bool exists);
        isLate = exists && (page.Generation < life.Generation || (page.Generation == life.Generation && !life.IsLive));
        if (isLate)
        {
            life.Changed = record.Snapshot == TraceSnapshot.None ? record.Time : life.Changed;
            return ref life;
        }

        if (!exists || page.Generation > life.Generation)
        {
            if (exists && life.IsLive)
            {
                // Another generation of a page that was not freed: begun anew in place, or its free is missing.
                Leave(new PageKey(page.Pfn, life.Generation), ref life, record.Time);
            }

            life = new PageLife { Generation = page.Generation, IsLive = true, IsWhole = begins && (exists || shape.Kind != EventKind.RefUnfreeze), HasForebear = exists, Began = record.Time, BeganPid = record.Pid, Bias = -1, Owner = "" };
            Seen++;
            if (!life.IsWhole)
            {
                _midLife.Value++;
            }
        }

        if (record.Snapshot == TraceSnapshot.None)
        {
            life.Changed = record.Time;
        }

        if (!life.IsOrderKnown && shape.Has(EventField.Order))
        {
            life.Order = (byte)Math.Clamp(shape.Signed(record, EventField.Order), 0, 32);
            life.IsOrderKnown = true;
        }

        if (life.Owner.Length == 0)
        {
            life.Owner = shape.Text(record, EventField.Owner);
        }

        return ref life;
    }

    private void Alloc(in TraceRecord record, EventShape shape)
    {
        ref PageLife life = ref Slot(shape.Page(record), record, shape, begins: true, out bool isLate);
        Allocated++;
        if (isLate)
        {
            return;
        }

        // Its first operations may have been stamped before.
        _midLife.Value -= life.IsWhole ? 0 : 1;
        life.IsWhole = true;
        life.Began = record.Time;
        life.BeganPid = record.Pid;
        life.Origin = origins.Of(record, shape);
        life.Migratetype = shape.Int(record, EventField.Migratetype);
        life.IsOrderKnown = true;
        life.Order = (byte)Math.Clamp(shape.Signed(record, EventField.Order), 0, 32);
    }

    private void Free(in TraceRecord record, EventShape shape)
    {
        PageKey page = shape.Page(record);
        ref PageLife life = ref Slot(page, record, shape, begins: false, out bool isLate);
        Freed++;
        if (!isLate)
        {
            Leave(page, ref life, record.Time);
        }
    }

    private void Leave(PageKey page, ref PageLife life, long time)
    {
        life.IsLive = false;
        life.Ended = time;
        life.Changed = time;
        if (!life.Count.IsBegun || life.Count.IsWholeLife)
        {
            return;
        }

        // Other operations may be on their way: their threads stamped later than the one that freed the page.
        if (_unsettled.Count < UnsettledLimit)
        {
            _unsettled[page] = life.Count;
        }
        else
        {
            Settle(life.Count);
        }

        life.Count = default;
    }

    private void Late(PageKey page, int before, int after, bool isBirth)
    {
        ref CountBalance balance = ref CollectionsMarshal.GetValueRefOrAddDefault(_unsettled, page, out bool exists);
        if (!exists)
        {
            // All that came before added up to 0.
            balance = CountBalance.From(0);
        }

        if (isBirth)
        {
            balance.BeginAtZero();
        }

        Mismatch(balance.Step(before, after));
        if (balance.IsWholeLife)
        {
            _unsettled.Remove(page);
        }
    }

    private void Cache(in TraceRecord record, EventShape shape)
    {
        PageKey page = shape.Page(record);
        ref PageLife life = ref Slot(page, record, shape, shape.Kind == EventKind.FragmentReuse, out bool isLate);
        ReusedInPlace += shape.Kind == EventKind.FragmentReuse ? 1 : 0;
        if (isLate)
        {
            return;
        }

        life.HasReserve = shape.Kind != EventKind.FragmentDrain;
        if (!life.Count.IsBegun && shape.Has(EventField.Count))
        {
            life.Count = CountBalance.From(shape.Int(record, EventField.Count));
        }
    }

    private void State(in TraceRecord record, EventShape shape)
    {
        PageKey page = shape.Page(record);
        bool isEnd = record.Snapshot == TraceSnapshot.End;
        if (isEnd && IsNewer(page, record, shape))
        {
            return;
        }

        ref PageLife life = ref Slot(page, record, shape, begins: false, out bool isLate);
        if (isLate)
        {
            if (!isEnd)
            {
                return;
            }

            // It lives, whatever the events said: one of its frees belongs to another, or a life is missing.
            _differs.Value++;
            life = new PageLife { Generation = page.Generation, IsLive = true, Began = record.Time, Owner = shape.Text(record, EventField.Owner) };
        }

        int count = shape.Int(record, EventField.Count);
        if (isEnd && life.Count.IsBegun && (life.Count.Current != count || !life.Count.IsComplete) && checksCounts)
        {
            _differs.Value++;
        }

        life.IsConfirmed |= isEnd;
        if (isEnd)
        {
            life.Bias = shape.Int(record, EventField.Bias);
            life.Order = (byte)Math.Clamp(shape.Signed(record, EventField.Order), 0, 32);
        }

        if (isEnd || !life.Count.IsBegun)
        {
            Mismatch(life.Count.Correct(count));
        }

        life.HasReserve |= shape.Int(record, EventField.Bias) > 0;
        life.Migratetype = shape.Int(record, EventField.Mt, life.Migratetype);
    }

    // Events came since the snapshot began: they know better than it. True if it is so.
    private bool IsNewer(PageKey page, in TraceRecord record, EventShape shape)
    {
        ref PageLife life = ref CollectionsMarshal.GetValueRefOrNullRef(_lives, page.Pfn);
        if (Unsafe.IsNullRef(ref life) || life.Changed < EndBegan)
        {
            return false;
        }

        if (life.IsLive && life.Generation == page.Generation)
        {
            life.IsConfirmed = true;
            life.Bias = shape.Int(record, EventField.Bias);
            life.Order = (byte)Math.Clamp(shape.Signed(record, EventField.Order), 0, 32);
        }

        return true;
    }

    // Of a life that is over: what does not add up, or does not end at 0, lacks events.
    private void Settle(CountBalance left)
    {
        int gaps = left.GiveUp();
        Mismatch(gaps == 0 && left.Current != 0 ? 1 : gaps);
    }

    private void Mismatch(int gaps)
    {

        if (checksCounts)
        {
            _mismatches.Value += gaps;
        }
    }
}
