namespace Quire.Traces.Tests.Analysis;

/// <summary>
/// A random history of pages and holders, whose true end is known because a model carries it along, told as the library tells it: one ring a thread, operations on
/// counts stamped after they happened and so out of order between threads, tickets that are used again.
/// </summary>
internal sealed class ModelRun
{
    private const int Threads = 4;
    private const int Frames = 24;
    private const ulong Step = 1_000;
    private const ulong Jitter = 6_000;

    private static readonly string[] s_sites = ["Parser.cs:141 KeepHeader", "Retry.cs:57 Enqueue", "Send.cs:8 Send", "Cache.cs:9 Store", "Auditor.cs:30 Audit"];

    private readonly Random _random;
    private readonly RecordingBuilder _recording = new();
    private readonly List<Action<RecordingBuilder.Ring>>[] _events = [.. Enumerable.Range(0, Threads).Select(static _ => new List<Action<RecordingBuilder.Ring>>())];
    private readonly ulong[] _last = new ulong[Threads];
    private readonly Dictionary<ulong, ModelPage> _pages = [];
    private readonly Dictionary<ulong, ulong> _generations = [];
    private readonly Dictionary<uint, ModelHolder> _holders = [];
    private readonly Dictionary<uint, uint> _sequences = [];
    private ulong _now = 1_000_000_000;

    internal ModelRun(int seed)
    {
        _random = new Random(seed);
        for (int thread = 0; thread < Threads; thread++)
        {
            _recording.Thread(Pid(thread), (uint)thread + 1, $"worker {thread}");
        }
    }

    internal RecordingBuilder Recording => _recording;

    /// <summary>Who holds what now, by ticket.</summary>
    internal IReadOnlyDictionary<uint, ModelHolder> Holders => _holders;

    /// <summary>Live pages by frame number.</summary>
    internal IReadOnlyDictionary<ulong, ModelPage> Pages => _pages;

    /// <summary>Contiguous allocations that failed: the page, the tickets that held it, and when.</summary>
    internal List<(ulong Pfn, uint[] Tickets, ulong Time)> Failures { get; } = [];

    /// <summary>When each of the tickets of a failure let go.</summary>
    internal Dictionary<(int Failure, uint Ticket), ulong> LetGo { get; } = [];

    internal void Go(int operations)
    {
        for (int i = 0; i < operations; i++)
        {
            _now += Step;
            switch (_random.Next(20))
            {
                case < 4:
                    Allocate();
                    break;
                case < 8:
                    Get();
                    break;
                case < 14:
                    Put();
                    break;
                case 14:
                    Touch();
                    break;
                case 15:
                    Migrate();
                    break;
                case 16:
                    Recount();
                    break;
                case 17:
                    Refuse();
                    break;
                case 18:
                    Reuse();
                    break;
                default:
                    FailContiguous();
                    break;
            }
        }
    }

    /// <summary>A recording that begins now, in the midst: it has none of the events so far.</summary>
    internal ModelRun Continue()
    {
        ModelRun later = new(_random.Next()) { _now = _now + (4 * Jitter) };
        later._recording.Begin = later._now;
        foreach ((ulong pfn, ulong generation) in _generations)
        {
            later._generations.Add(pfn, generation);
        }

        foreach ((ulong pfn, ModelPage page) in _pages)
        {
            later._pages.Add(pfn, page);
        }

        foreach ((uint ticket, ModelHolder holder) in _holders)
        {
            later._holders.Add(ticket, holder);
        }

        foreach ((uint index, uint sequence) in _sequences)
        {
            later._sequences.Add(index, sequence);
        }

        return later;
    }

    /// <summary>Writes a snapshot of what is held now.</summary>
    internal void Snapshot(int which)
    {
        _now += 2 * Jitter;
        RecordingBuilder.Snapshot snapshot = _recording.AddSnapshot(which, _now);
        foreach (ModelHolder holder in _holders.Values)
        {
            snapshot.Write("holder_state", 1, ("pfn", holder.Page.Pfn), ("generation", holder.Page.Generation), ("ticket", holder.Ticket), ("references", holder.References),
                ("bytes", holder.Bytes), ("kind", holder.Kind), ("site", holder.Site), ("taken_pid", holder.Pid),
                // The ledger's clock is coarse.
                ("taken", holder.Taken - (holder.Taken % 20_000_000)), ("touched_site", holder.Touched is null ? (object)0 : holder.Touched));
        }

        foreach (ModelPage page in _pages.Values)
        {
            snapshot.Write("page_state", 1, ("pfn", page.Pfn), ("generation", page.Generation), ("order", page.Order), ("count", page.Count), ("mt", page.IsMovable ? 1 : 0), ("owner", "model"));
        }

        _now += Step;
    }

    /// <summary>Writes all events into rings of a size; the first thread's may be smaller, and so lose what that thread took and gave back.</summary>
    internal string Save(int capacity, int? ofFirst = null)
    {
        _recording.End = _now + Jitter;
        for (int thread = 0; thread < Threads; thread++)
        {
            RecordingBuilder.Ring ring = _recording.AddRing(thread == 0 ? ofFirst ?? capacity : capacity);
            _events[thread].ForEach(write => write(ring));
        }

        return _recording.Save();
    }

    private static int Pid(int thread) => 1001 + thread;

    private void Allocate()
    {
        ulong pfn = 0x1000 + ((ulong)_random.Next(Frames) * 8);
        if (_pages.ContainsKey(pfn))
        {
            return;
        }

        ulong generation = _generations.GetValueOrDefault(pfn) + 1;
        _generations[pfn] = generation;
        ModelPage page = new(pfn, generation) { Order = _random.Next(4), IsMovable = _random.Next(3) == 0, Count = 1 };
        _pages.Add(pfn, page);
        int thread = _random.Next(Threads);
        string site = Site();
        Ref(thread, "page_ref_set", page, 1, 1, 0, site);
        Event(thread, _now, "mm_page_alloc", ("pfn", pfn), ("generation", generation), ("order", page.Order), ("migratetype", page.IsMovable ? 1 : 0), ("site", site), ("owner", "model"));
        Take(thread, page, 1, page.IsMovable ? 5 : 0, site, 0);
    }

    private void Get()
    {
        if (Any() is not { } page)
        {
            return;
        }

        int references = _random.Next(4) == 0 ? _random.Next(2, 9) : 1;
        int kind = page.IsMovable ? _random.Next(2) == 0 ? 2 : 3 : _random.Next(3) == 0 ? 1 : 0;
        int thread = _random.Next(Threads);
        string site = Site();
        page.Count += references;
        Ref(thread, references == 1 ? "page_ref_mod_and_return" : "page_ref_mod", page, references, page.Count, page.Count, site);
        Take(thread, page, references, kind, site, kind == 1 ? _random.Next(1, 4096) : 0);
    }

    private void Put()
    {
        if (_holders.Count == 0)
        {
            return;
        }

        ModelHolder holder = _holders.Values.ElementAt(_random.Next(_holders.Count));
        int part = holder.References > 1 && _random.Next(2) == 0 ? _random.Next(1, holder.References) : holder.References;
        Release(_random.Next(Threads), holder, part);
    }

    private void Release(int thread, ModelHolder holder, int part)
    {
        holder.References -= part;
        string site = Site();
        ulong released = Event(thread, _now, "holder_release", ("pfn", holder.Page.Pfn), ("generation", holder.Page.Generation), ("ticket", holder.Ticket), ("references", part), ("remaining", holder.References), ("site", site));
        if (holder.References == 0)
        {
            _holders.Remove(holder.Ticket);
            for (int failure = 0; failure < Failures.Count; failure++)
            {
                if (Failures[failure].Tickets.Contains(holder.Ticket))
                {
                    LetGo.TryAdd((failure, holder.Ticket), released);
                }
            }
        }

        ModelPage page = holder.Page;
        page.Count -= part;
        ulong stamped = Ref(thread, "page_ref_mod_and_test", page, -part, page.Count, page.Count == 0 ? 1 : 0, site);
        if (page.Count == 0)
        {
            _pages.Remove(page.Pfn);
            Event(thread, stamped, "mm_page_free", ("pfn", page.Pfn), ("generation", page.Generation), ("order", page.Order), ("site", site));
        }
    }

    private void Touch()
    {
        if (_holders.Count > 0)
        {
            ModelHolder holder = _holders.Values.ElementAt(_random.Next(_holders.Count));
            holder.Touched = Site();
            Event(_random.Next(Threads), _now, "holder_touch", ("ticket", holder.Ticket), ("site", holder.Touched));
        }
    }

    // Only the table's own reference moves with the data, as in the library: a page with others is busy.
    private void Migrate()
    {
        ModelPage? source = _pages.Values.FirstOrDefault(static page => page.IsMovable && page.Count == 1);
        ulong pfn = 0x1000 + ((ulong)_random.Next(Frames) * 8);
        if (source is null || _pages.ContainsKey(pfn))
        {
            return;
        }

        int thread = _random.Next(Threads);
        ulong generation = _generations.GetValueOrDefault(pfn) + 1;
        _generations[pfn] = generation;
        ModelPage target = new(pfn, generation) { Order = source.Order, IsMovable = true, Count = 1 };
        _pages.Add(pfn, target);
        Ref(thread, "page_ref_set", target, 1, 1, 0, "");
        Event(thread, _now, "mm_page_alloc", ("pfn", pfn), ("generation", generation), ("order", target.Order), ("migratetype", 1), ("owner", "model"));
        Ref(thread, "page_ref_freeze", source, 1, 0, 1, "");
        ModelHolder holder = _holders.Values.Single(holder => holder.Page == source);
        holder.Page = target;
        Event(thread, _now, "holder_move", ("pfn", pfn), ("generation", generation), ("ticket", holder.Ticket));
        ulong stamped = Ref(thread, "page_ref_unfreeze", source, 0, 0, 0, "");
        _pages.Remove(source.Pfn);
        Event(thread, stamped, "mm_page_free", ("pfn", source.Pfn), ("generation", source.Generation), ("order", source.Order));
    }

    private void Recount()
    {
        ModelHolder? holder = _holders.Values.FirstOrDefault(static holder => holder.Kind == 0);
        if (holder is not null)
        {
            int thread = _random.Next(Threads);
            int more = _random.Next(1, 5);
            holder.References += more;
            holder.Page.Count += more;
            Ref(thread, "page_ref_mod", holder.Page, more, holder.Page.Count, 0, "");
            Event(thread, _now, "holder_count", ("ticket", holder.Ticket), ("references", holder.References));
        }
    }

    private void Refuse()
    {
        if (Any() is { } page)
        {
            bool freeze = _random.Next(2) == 0;
            Ref(_random.Next(Threads), freeze ? "page_ref_freeze" : "page_ref_mod_unless", page, freeze ? page.Count + 1 : 1, page.Count, 0, "");
        }
    }

    // A fragment page begun anew in place: frozen with the exact count, a new generation, no free.
    private void Reuse()
    {
        ModelPage? page = _pages.Values.FirstOrDefault(page => !page.IsMovable && _holders.Values.Count(holder => holder.Page == page) == 1);
        if (page is null)
        {
            return;
        }

        ModelHolder holder = _holders.Values.Single(holder => holder.Page == page);
        int thread = _random.Next(Threads);
        Ref(thread, "page_ref_freeze", page, page.Count, 0, 1, "");
        ulong released = Event(thread, _now, "holder_release", ("pfn", page.Pfn), ("generation", page.Generation), ("ticket", holder.Ticket), ("references", holder.References), ("remaining", 0));
        _holders.Remove(holder.Ticket);
        for (int failure = 0; failure < Failures.Count; failure++)
        {
            if (Failures[failure].Tickets.Contains(holder.Ticket))
            {
                LetGo.TryAdd((failure, holder.Ticket), released);
            }
        }

        ModelPage renewed = new(page.Pfn, page.Generation + 1) { Order = page.Order, Count = 1 };
        _generations[page.Pfn] = renewed.Generation;
        _pages[page.Pfn] = renewed;
        Ref(thread, "page_ref_unfreeze", renewed, 1, 1, 1, "");
        Take(thread, renewed, 1, 0, Site(), 0);
    }

    private void FailContiguous()
    {
        ModelPage? busy = _pages.Values.FirstOrDefault(static page => page.IsMovable && page.Count > 1);
        int thread = _random.Next(Threads);
        ulong time = Event(thread, _now, "cma_alloc_start", ("name", "area"), ("count", 8), ("align", 0), ("site", "Cma.cs:3 Ask"));
        if (busy is null)
        {
            Event(thread, time + 10, "cma_alloc_finish", ("name", "area"), ("count", 8), ("pfn", 0x9000), ("page", 0x9000000ul), ("errorno", 0));
            return;
        }

        Event(thread, time + 10, "test_pages_isolated", ("start_pfn", busy.Pfn), ("end_pfn", busy.Pfn + 8), ("fin_pfn", busy.Pfn));
        Event(thread, time + 20, "page_busy", ("pfn", busy.Pfn), ("generation", busy.Generation), ("count", busy.Count), ("expected", 1), ("reason", 0), ("name", "area"));
        Event(thread, time + 30, "cma_alloc_finish", ("name", "area"), ("count", 8), ("errorno", -16));
        Failures.Add((busy.Pfn, [.. _holders.Values.Where(holder => holder.Page == busy && holder.Kind != 5).Select(static holder => holder.Ticket)], time + 30));
    }

    private void Take(int thread, ModelPage page, int references, int kind, string site, int bytes)
    {
        // A small table, so that tickets come round with another sequence.
        uint index;
        do
        {
            index = (uint)_random.Next(1, 256);
        }
        while (_holders.Keys.Any(ticket => (ticket & 0x3fffff) == index));

        uint sequence = (_sequences.GetValueOrDefault(index) % 1023) + 1;
        _sequences[index] = sequence;
        uint ticket = (sequence << 22) | index;
        ulong taken = Event(thread, _now, "holder_take", ("pfn", page.Pfn), ("generation", page.Generation), ("ticket", ticket), ("references", references), ("bytes", bytes), ("kind", kind), ("site", site));
        _holders.Add(ticket, new ModelHolder(ticket, page) { References = references, Kind = kind, Site = site, Bytes = bytes, Taken = taken, Pid = Pid(thread) });
    }

    // Stamped some time after the operation, so that other threads' later ones may have an earlier time. Answers when.
    private ulong Ref(int thread, string name, ModelPage page, int val, int count, int ret, string site)
    {
        ulong stamped = Math.Max(_last[thread], _now + (ulong)_random.NextInt64((long)Jitter));
        (string, object)[] fields = [("pfn", page.Pfn), ("generation", page.Generation), ("order", page.Order), ("val", val), ("count", count), ("site", site), ("owner", "model"), ("page", (uint)page.Pfn)];
        Add(thread, stamped, name, _recording.Formats[name].Find("ret") is null ? fields : [.. fields, ("ret", ret)]);
        return stamped;
    }

    // Stamped before anybody can go on with what it tells. Answers when.
    private ulong Event(int thread, ulong time, string name, params (string Field, object Value)[] fields)
    {
        time = Math.Max(time, _last[thread]);
        _now = Math.Max(_now, time);
        Add(thread, time, name, fields);
        return time;
    }

    private void Add(int thread, ulong time, string name, (string Field, object Value)[] fields)
    {
        _last[thread] = time;
        _events[thread].Add(ring => ring.Write(name, time, Pid(thread), fields));
    }

    private ModelPage? Any() => _pages.Count == 0 ? null : _pages.Values.ElementAt(_random.Next(_pages.Count));

    private string Site() => s_sites[_random.Next(s_sites.Length)];
}

/// <summary>A page of the model.</summary>
internal sealed class ModelPage(ulong pfn, ulong generation)
{
    internal ulong Pfn { get; } = pfn;

    internal ulong Generation { get; } = generation;

    internal int Order { get; init; }

    internal bool IsMovable { get; init; }

    internal int Count { get; set; }
}

/// <summary>A holder of the model.</summary>
internal sealed class ModelHolder(uint ticket, ModelPage page)
{
    internal uint Ticket { get; } = ticket;

    internal ModelPage Page { get; set; } = page;

    internal int References { get; set; }

    internal int Kind { get; init; }

    internal int Bytes { get; init; }

    internal string Site { get; init; } = "";

    internal string? Touched { get; set; }

    internal ulong Taken { get; init; }

    internal int Pid { get; init; }
}
