using System.Globalization;
using System.Text;

namespace Quire.Traces.Tests.Kernel;

/// <summary>
/// A kernel's memory in small, from a seed: pages that live, tasks that hold them, batches, reclaim and contiguous allocations that interleave on several CPUs. It writes the trace
/// that a kernel would have written, and knows what really happened.
/// </summary>
/// <remarks>
/// Everything that happens is a script that yields how long it waits (in us); one clock orders all. Invariant of a page:
/// count = mappings + cache + private + isolated + the references of <see cref="Holds"/> that are open.
/// </remarks>
internal sealed partial class KernelModel
{
    internal const ulong AreaStart = 0x10000;
    private const int WindowPages = 32;
    private const int Windows = 3;
    private const int BatchPages = 5;
    private const int MigrationBatch = 8;

    private readonly Random _random;
    private readonly PriorityQueue<IEnumerator<int>, (long, int)> _scripts = new();
    private readonly Dictionary<ulong, Page> _pages = [];
    private readonly List<Page>[] _batches;
    private readonly List<Line> _lines = [];
    private readonly HashSet<ulong> _isolatedWindows = [];
    private readonly string[] _tasks;
    private readonly int _cpus;
    private readonly long _recordedFrom;
    private readonly bool _hasAllocEvents;
    private readonly bool _isRaw;
    private readonly bool _isHashed;
    private readonly bool _hasTracingFrames;
    private readonly double _races;
    private long _now = 1_000_000;
    private int _order;
    private int _newPfn;

    internal KernelModel(int seed)
    {
        Seed = seed;
        _random = new Random(seed);
        _cpus = _random.Next(2, 5);
        _batches = [.. Enumerable.Range(0, _cpus).Select(static _ => new List<Page>())];
        _tasks = [.. Enumerable.Range(0, _random.Next(3, 7)).Select(static i => $"task{i}-{100 + i}")];
        HasStacks = _random.Next(5) > 0;
        HasCmaEvents = _random.Next(4) > 0;
        IsMidLife = _random.Next(4) == 0;
        HasLoss = _random.Next(4) == 0;
        _hasAllocEvents = _random.Next(3) > 0;
        _isRaw = _random.Next(3) == 0;
        _isHashed = _random.Next(3) > 0;
        _hasTracingFrames = _random.Next(2) == 0;
        _races = _random.Next(2) == 0 ? 0.3 : 0;
        _recordedFrom = IsMidLife ? _now + _random.Next(1000, 4000) : 0;
        Run();
        if (HasLoss)
        {
            Lose();
        }
    }

    internal int Seed { get; }

    internal bool HasStacks { get; }

    internal bool HasCmaEvents { get; }

    internal bool IsMidLife { get; }

    internal bool HasLoss { get; private set; }

    /// <summary>From and to of what was lost, in ns.</summary>
    internal List<(long From, long To)> Losses { get; } = [];

    internal List<Hold> Holds { get; } = [];

    internal List<Attempt> Attempts { get; } = [];

    internal long Start => _recordedFrom * 1000;

    public override string ToString() => $"seed {Seed}: {_cpus} CPUs, {_tasks.Length} tasks, {(HasStacks ? "" : "no ")}stacks, {(HasCmaEvents ? "" : "no ")}cma events{(IsMidLife ? ", begun mid-life" : "")}{(HasLoss ? ", events lost" : "")}";

    internal string Text()
    {
        StringBuilder text = new("# tracer: nop\n#\n");
        foreach (Line line in _lines)
        {
            if (line.Lost > 0)
            {
                text.Append(CultureInfo.InvariantCulture, $"CPU:{line.Cpu} [LOST {line.Lost} EVENTS]\n");
            }

            string prefix = string.Create(CultureInfo.InvariantCulture, $"{line.Task,22} [{line.Cpu:000}] ..... {line.Time / 1_000_000,5}.{line.Time % 1_000_000:000000}: ");
            text.Append(prefix).Append(line.Before);
            if (line.After is not null)
            {
                text.Append(CultureInfo.InvariantCulture, $"{line.Count}").Append(line.After);
            }

            text.Append('\n');
            if (line.Stack.Length > 0)
            {
                text.Append(prefix).Append("<stack trace>\n").AppendJoin("", line.Stack.Select(static frame => $" => {frame}\n"));
            }
        }

        return text.ToString();
    }

    private void Run()
    {
        int pages = _random.Next(20, 60);
        for (int i = 0; i < pages; i++)
        {
            Begin(Live(), _random.Next(0, 3000));
        }

        for (int i = _random.Next(1, 3); i > 0; i--)
        {
            Begin(Allocator(i), _random.Next(3000, 6000) + (i * 500));
        }

        int most = 200_000;
        while (_scripts.TryDequeue(out IEnumerator<int>? script, out (long Time, int) due) && most-- > 0)
        {
            _now = Math.Max(_now, due.Time);
            if (script.MoveNext())
            {
                _scripts.Enqueue(script, (_now + script.Current, ++_order));
            }
        }
    }

    private void Begin(IEnumerable<int> script, int after) => _scripts.Enqueue(script.GetEnumerator(), (_now + after, ++_order));

    private bool Chance(double probability) => _random.NextDouble() < probability;

    private string AnyTask() => _tasks[_random.Next(_tasks.Length)];

    // A task stays on its CPU most of the time.
    private int CpuOf(string task) => Chance(0.9) ? (Array.IndexOf(_tasks, task) + 1) % _cpus : _random.Next(_cpus);

    // Every second window of the memory is the area; others are elsewhere. No page is allocated in a range that is being emptied.
    private ulong? FreeFrame()
    {
        for (int tries = 0; tries < 20; tries++)
        {
            ulong pfn = AreaStart + (ulong)_random.Next(Windows * WindowPages);
            if (!_pages.ContainsKey(pfn) && !_isolatedWindows.Contains((pfn - AreaStart) / WindowPages))
            {
                return pfn;
            }
        }

        return null;
    }

    // One operation on a page's count, and its event.
    private void Ref(string name, Page page, int change, int value, int? ret, string task, string[] stack, int? cpu = null)
    {
        page.Count += change;
        int on = cpu ?? CpuOf(task);
        _now += _random.Next(2, 9);
        if (page.Late is { } late && late.Cpu != on && late.Task != task && _now - late.Time < 40)
        {
            late.Count = page.Count;
        }

        page.Late = null;
        string flags = page.Flags;
        string mapping = !page.HasMapping ? "0000000000000000" : _isHashed ? "0000000069b0201a" : page.IsFile ? "ffff888004a1b2c8" : "ffff888004a1b2c1";
        Line line = new()
        {
            Time = _now,
            Cpu = on,
            Task = task,
            Before = $"{name}: pfn=0x{page.Pfn:x} flags={flags} count=",
            Count = page.Count,
            After = $" mapcount={page.Mappings - (_isRaw ? 1 : 0)} mapping={mapping} mt=4 val={value}{(ret is null ? "" : $" ret={ret}")}",
            Stack = !HasStacks ? [] : _hasTracingFrames ? ["trace_event_raw_event_page_ref_mod_template", $"__{name}", .. stack] : stack,
        };
        Write(line);
        if (ret != 1 && Chance(_races))
        {
            page.Late = line;
        }
    }

    private void Event(string text, string task, string[] stack)
    {
        _now += _random.Next(2, 9);
        Write(new Line { Time = _now, Cpu = CpuOf(task), Task = task, Before = text, Stack = HasStacks ? stack : [] });
    }

    private void Write(Line line)
    {
        if (_now >= _recordedFrom)
        {
            _lines.Add(line);
        }
    }

    private void Set(Page page, string task, string[] stack) => Ref("page_ref_set", page, 1, 1, null, task, stack);

    private void Get(Page page, string task, string[] stack, int references = 1) => Ref("page_ref_mod", page, references, references, null, task, stack);

    private void TryGet(Page page, string task, string[] stack) => Ref("page_ref_mod_unless", page, 1, 1, 1, task, stack);

    private void Put(Page page, string task, string[] stack, int references = 1, int? cpu = null)
    {
        Ref("page_ref_mod_and_test", page, -references, -references, page.Count == references ? 1 : 0, task, stack, cpu);
        if (page.Count == 0)
        {
            Freed(page, task, stack);
        }
    }

    private void Freed(Page page, string task, string[] stack)
    {
        page.IsLive = false;
        page.Freed = _now;
        _pages.Remove(page.Pfn);
        if (_hasAllocEvents || page.IsFrozen)
        {
            Event($"mm_page_free: page=00000000e020ec71 pfn=0x{page.Pfn:x} order=0", task, stack);
        }
    }

    private Hold Holder(Page page, string task, string kind, string[] stack, int references = 1, bool isLate = false)
    {
        Hold hold = new() { Page = page, Pfn = page.Pfn, References = references, Task = task, Class = kind, Stack = stack, Acquired = _now * 1000, IsLate = isLate, WasSeen = _now >= _recordedFrom };
        Holds.Add(hold);
        page.Holds.Add(hold);
        return hold;
    }

    private void Release(Hold hold, string task)
    {
        hold.Released = _now * 1000;
        hold.ReleasedBy = task;
        hold.Page.Holds.Remove(hold);
    }

    // A stretch of one CPU is dropped, and the event after it says so.
    private void Lose()
    {
        int cpu = _random.Next(_cpus);
        int[] own = [.. Enumerable.Range(0, _lines.Count).Where(i => _lines[i].Cpu == cpu)];
        if (own.Length < 20)
        {
            HasLoss = false;
            return;
        }

        int from = _random.Next(5, own.Length - 10);
        int count = _random.Next(1, Math.Min(40, own.Length - from - 2));
        Losses.Add((_lines[own[from - 1]].Time * 1000, _lines[own[from + count]].Time * 1000));
        _lines[own[from + count]].Lost = count;
        foreach (int i in own.Skip(from).Take(count).Reverse())
        {
            _lines.RemoveAt(i);
        }
    }

    internal sealed class Page
    {
        internal required ulong Pfn { get; init; }
        internal int Count { get; set; }
        internal int Mappings { get; set; }
        internal bool IsFile { get; init; }
        internal bool HasMapping { get; set; }
        internal bool HasPrivate { get; set; }
        internal bool IsLru { get; set; }
        internal bool IsReady { get; set; }
        internal bool IsLive { get; set; } = true;
        internal bool IsFrozen { get; set; }

        /// <summary>Somebody isolated it: nobody unmaps or isolates it meanwhile.</summary>
        internal bool IsIsolated { get; set; }
        internal long Freed { get; set; } = long.MaxValue;

        /// <summary>When an event of the allocation's own showed it last.</summary>
        internal long Sighted { get; set; }
        internal Line? Late { get; set; }
        internal List<Hold> Holds { get; } = [];
        internal string Flags => !HasMapping ? "none" : $"uptodate{(IsLru ? "|lru" : "")}{(HasPrivate ? "|private" : "")}{(IsFile ? "" : "|swapbacked")}";
        internal int Extra => Holds.Sum(static hold => hold.References);
    }

    internal sealed class Hold
    {
        internal required Page Page { get; init; }
        internal required ulong Pfn { get; init; }
        internal required int References { get; set; }
        internal required string Task { get; init; }
        internal required string Class { get; init; }
        internal required string[] Stack { get; init; }
        internal required long Acquired { get; init; }
        internal long? Released { get; set; }
        internal string? ReleasedBy { get; set; }

        /// <summary>It was the page's own, and what it stood for is gone.</summary>
        internal bool IsLate { get; init; }
        internal bool WasSeen { get; init; }
        internal int Pid => int.Parse(Task.AsSpan(Task.LastIndexOf('-') + 1), CultureInfo.InvariantCulture);

        public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"0x{Pfn:x} {References} {Class} by {Task} {Acquired} to {Released} ({ReleasedBy}) {(Stack.Length > 0 ? Stack[0] : "")}");
    }

    internal sealed class Attempt
    {
        internal required string Task { get; init; }
        internal required long Start { get; init; }
        internal long? End { get; set; }
        internal string Result { get; set; } = "unfinished";

        /// <summary>What stood in the way, and from when until when the allocation minded.</summary>
        internal Dictionary<ulong, (Page Page, long From, long To)> Busy { get; } = [];
    }

    internal sealed class Line
    {
        internal required long Time { get; init; }
        internal required int Cpu { get; init; }
        internal required string Task { get; init; }
        internal required string Before { get; init; }
        internal int Count { get; set; }
        internal string? After { get; init; }
        internal required string[] Stack { get; init; }
        internal int Lost { get; set; }
    }
}
