namespace Quire.Traces.Analysis;

/// <summary>The lives of a kernel's pages: when each began and ended, its count as the operations add up, and the journal of its references.</summary>
/// <remarks>
/// <para>A life begins with <c>page_ref_set</c> or <c>mm_page_alloc</c>, or in its midst with the first event of the frame; it ends when an operation's own result says
/// that the count became 0, or with <c>mm_page_free</c>. A freeze makes the count 0 and ends nothing: an unfreeze or a free follows.</para>
/// <para>The recorded count is read again after the operation, so one that is off is no error; the same distance twice in a row means that an event is missing
/// (<c>count_mismatches</c>), and the sum goes on from what was recorded.</para>
/// <para>Memory: one entry a live page, and its journal, which is settled in its midst where it grows long or there are too many entries in all.</para>
/// </remarks>
internal sealed partial class PageLifetimes
{
    /// <summary>Entries of one page before its references are settled in the midst of its life.</summary>
    private const int LongJournal = 64;

    /// <summary>The same for a page that stood in the way, whose history is worth more.</summary>
    private const int LongWatchedJournal = 4096;

    /// <summary>Entries in all (48 bytes each) beyond which every page with more than a few is settled.</summary>
    private const int MostEntries = 1 << 20;

    /// <summary>Large pages remembered beyond their lives, for questions about their tails.</summary>
    private const int MostLarge = 1 << 16;

    private const int ChunkBits = 10;

    private readonly Dictionary<ulong, int> _byPfn = [];
    private readonly List<KernelPage[]> _chunks = [];
    private readonly Stack<int> _free = [];
    private readonly Dictionary<int, EndedLife> _ended = [];
    private readonly HashSet<ulong> _endedFrames = [];
    private readonly Dictionary<ulong, int> _large = [];
    private readonly RefSettlement _settlement;
    private readonly LossMap _losses;
    private readonly TraceCounter _mismatches;
    private readonly TraceCounter _races;
    private readonly TraceCounter _midLife;
    private readonly TraceCounter _withoutEnd;
    private readonly TraceCounter _goneUnseen;
    private int _used;
    private int _lives;
    private int _crowded = MostEntries;

    internal PageLifetimes(RefJournal journal, RefSettlement settlement, LossMap losses, TraceQuality quality)
    {
        Journal = journal;
        _settlement = settlement;
        _losses = losses;
        _mismatches = quality.Counter("count_mismatches", TraceDoubt.Damage,
            "Recorded counts that operations do not add up to, twice in a row: an event is missing between them.");
        _races = quality.Counter("counts_read_late", TraceDoubt.Note,
            "Recorded counts that another CPU's operation had already changed: the kernel reads the count again after the operation.");
        _midLife = quality.Counter("pages_seen_mid_life", TraceDoubt.Note,
            "Pages whose allocation the trace does not have: their first references have unknown holders.");
        _withoutEnd = quality.Counter("lives_without_end", TraceDoubt.Loss, "Pages that were allocated anew although the trace has no free of them.");
        _goneUnseen = quality.Counter("pages_gone_unseen", TraceDoubt.Loss,
            "Pages that live by the events, in a range that the kernel found free up to them: their free is missing.");
    }

    internal RefJournal Journal { get; }

    /// <summary>Lives that began or were first seen.</summary>
    internal long Seen => _lives;

    internal long Allocated { get; private set; }

    internal long Freed { get; private set; }

    /// <summary>The live pages, as numbers for <see cref="this"/>.</summary>
    internal IEnumerable<int> Live => _byPfn.Values;

    internal ref KernelPage this[int page] => ref _chunks[page >> ChunkBits][page & ((1 << ChunkBits) - 1)];

    /// <summary>The live page of a frame; -1: none is known.</summary>
    internal int Find(ulong pfn) => _byPfn.TryGetValue(pfn, out int page) ? page : -1;

    /// <summary>The life of a watched page, whether it has ended or not.</summary>
    internal bool TryLife(ulong pfn, int life, out KernelPage page, out long? ended)
    {
        ended = null;
        int live = Find(pfn);
        if (live >= 0 && this[live].Life == life)
        {
            page = this[live];
            return true;
        }

        bool isKept = _ended.TryGetValue(life, out EndedLife kept);
        page = kept.Page;
        ended = isKept ? kept.Time : null;
        return isKept;
    }

    /// <summary>Whether a watched frame has any life.</summary>
    internal bool IsSeen(ulong pfn) => Find(pfn) >= 0 || _endedFrames.Contains(pfn);

    /// <summary>The head of the large page of which a frame was last known to be a tail; else the frame itself.</summary>
    internal ulong HeadOf(ulong pfn)
    {
        if (IsSeen(pfn))
        {
            return pfn;
        }

        for (int order = 1; order <= 20; order++)
        {
            ulong head = pfn >> order << order;
            int page = Find(head);
            if (page >= 0 && this[page].IsOrderKnown && this[page].Order >= order)
            {
                return head;
            }
        }

        return pfn;
    }

    /// <summary>The head of a large page that a frame was a tail of at any time; null: none is known.</summary>
    internal ulong? LargeOf(ulong pfn)
    {
        for (int order = 1; order <= 20; order++)
        {
            ulong head = pfn >> order << order;
            if (head != pfn && _large.GetValueOrDefault(head) >= order)
            {
                return head;
            }
        }

        return null;
    }

    /// <summary>Watched lives of a frame that have ended, the oldest first.</summary>
    internal IEnumerable<EndedLife> EndedLives(ulong pfn) => _ended.Values.Where(life => life.Page.Pfn == pfn).OrderBy(static life => life.Page.Life);

    /// <summary>An event of a page's count. The page's number; -1 where it ended with it, or where nothing is known of it.</summary>
    internal int Observe(in RefEvent read)
    {
        int at = Find(read.Pfn);
        switch (read.Op)
        {
            case RefOp.None:
            case RefOp.FreezeFailed:
                // Refused: speculative gets of free pages, tails and frozen pages are common, and say nothing of a page that is not known.
                return at;
            case RefOp.Begin:
                return Set(at, read);
        }

        if (at < 0)
        {
            at = Meet(read);
            if (at < 0)
            {
                return at;
            }
        }

        ref KernelPage page = ref this[at];
        int before = page.Count;
        switch (read.Op)
        {
            case RefOp.Freeze:
                Correct(ref page, read, read.Value - before);
                page.FrozenAt = read.Value;
                page.Count = 0;
                break;
            case RefOp.Unfreeze:
                page.FrozenAt = 0;
                page.Count = read.Value;
                break;
            default:
                Count(ref page, read);
                break;
        }

        Write(ref page, read);
        if (read.Op == RefOp.Put && page.Count <= 0 && (read.Result == 0 || read.Count == 0) && !page.IsFrozen)
        {
            End(at, read.Time, isFree: true);
            return -1;
        }

        if (page.Entries > (page.IsWatched || page.IsTouched ? LongWatchedJournal : LongJournal))
        {
            Shorten(ref page);
        }
        else if (Journal.Count > _crowded)
        {
            ShortenAll();
        }

        return at;
    }

    /// <summary><c>mm_page_alloc</c>, which comes after the <c>page_ref_set</c> of the same allocation.</summary>
    internal void Alloc(ulong pfn, int order, long time, int pid, int stack)
    {
        Allocated++;
        int at = Find(pfn);
        if (at >= 0 && !IsJustSet(this[at], pid))
        {
            End(at, time, isFree: false);
            at = -1;
        }

        if (at < 0)
        {
            at = Make(pfn, time);
            ref KernelPage made = ref this[at];
            made.Count = 1;
            Write(ref made, new RefEvent { Pfn = pfn, Time = time, Pid = pid, Stack = stack, Value = 1, Count = 1, Op = RefOp.Begin, Look = -1 });
        }

        ref KernelPage page = ref this[at];
        Large(pfn, order);
        page.Order = Math.Clamp(order, 0, 30);
        page.IsOrderKnown = true;
        page.AllocationStack = stack;
        page.AllocationPid = pid;
    }

    /// <summary><c>mm_page_free</c>: of all frames of the page.</summary>
    internal void Free(ulong pfn, int order, long time)
    {
        Freed++;
        if (order is < 0 or > 20)
        {
            order = 0;
        }

        Large(pfn, order);
        for (ulong frame = pfn; frame < pfn + (1UL << order); frame++)
        {
            int at = Find(frame);
            if (at >= 0)
            {
                End(at, time, isFree: true);
            }
        }
    }

    /// <summary>The kernel found the frame free, so if it lives here its free is missing.</summary>
    internal void FoundFree(ulong pfn, long time)
    {
        int at = Find(pfn);
        if (at >= 0 && this[at].Count > 0)
        {
            _goneUnseen.Value++;
            End(at, time, isFree: false);
        }
    }

    /// <summary>No more events come. First all learn, then all are settled, so that the order of pages makes no difference.</summary>
    internal void Finish()
    {
        foreach (EndedLife life in _ended.Values)
        {
            _settlement.Finish(life.Page, life.Time, mayTeach: life.Page.Unseen == 0 && !_losses.Overlaps(life.Page.Since, life.Time));
        }

        foreach (int at in _byPfn.Values)
        {
            _settlement.Teach(this[at]);
        }

        foreach (int at in _byPfn.Values)
        {
            _settlement.Finish(this[at], ended: null, mayTeach: false);
        }
    }

    /// <summary>The page's journal is kept whole, and beyond its life.</summary>
    internal void Watch(int page) => this[page].IsWatched = true;

    private void Large(ulong pfn, int order)
    {
        if (order > 0 && (_large.Count < MostLarge || _large.ContainsKey(pfn)))
        {
            _large[pfn] = Math.Max(order, _large.GetValueOrDefault(pfn));
        }
    }

    private int Set(int at, in RefEvent read)
    {
        if (read.Value <= 0)
        {
            // Tails of compound pages are set to 0.
            if (at >= 0)
            {
                End(at, read.Time, isFree: false);
            }

            return -1;
        }

        if (at >= 0)
        {
            ref KernelPage old = ref this[at];
            _withoutEnd.Value += old.Count > 0 && !old.IsFrozen ? 1 : 0;
            End(at, read.Time, isFree: false);
        }

        at = Make(read.Pfn, read.Time);
        ref KernelPage page = ref this[at];
        page.Count = read.Value;
        page.AllocationStack = read.Stack;
        page.AllocationPid = read.Pid;
        Write(ref page, read);
        return at;
    }

    private bool IsJustSet(in KernelPage page, int pid) =>
        page.Entries == 1 && Journal[page.First].Op == RefOp.Begin && page.AllocationPid == pid && !page.IsOrderKnown;

    private int Make(ulong pfn, long time)
    {
        if (!_free.TryPop(out int at))
        {
            at = _used++;
            if (at >> ChunkBits == _chunks.Count)
            {
                _chunks.Add(new KernelPage[1 << ChunkBits]);
            }
        }

        _byPfn.Add(pfn, at);
        this[at] = new KernelPage { Pfn = pfn, Life = ++_lives, Since = time, Changed = time, First = RefJournal.None, Last = RefJournal.None, Look = -1, MigrateType = -1 };
        return at;
    }

    private void End(int at, long time, bool isFree)
    {
        ref KernelPage page = ref this[at];
        _byPfn.Remove(page.Pfn);
        bool mayTeach = isFree && page.Unseen == 0 && !_losses.Overlaps(page.Since, time);
        if (page.IsWatched)
        {
            _ended.Add(page.Life, new EndedLife(page, time));
            _endedFrames.Add(page.Pfn);
        }
        else
        {
            _settlement.Finish(page, time, mayTeach);
            Journal.Drop(ref page.First, ref page.Last);
        }

        _free.Push(at);
    }
}
