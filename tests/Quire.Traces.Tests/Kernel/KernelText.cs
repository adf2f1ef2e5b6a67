using System.Globalization;
using System.Text;
using Quire.Traces.Analysis;

namespace Quire.Traces.Tests.Kernel;

/// <summary>Writes a kernel's trace by hand, as ftrace's text: counts add up by themselves, unless one is given.</summary>
internal sealed class KernelText
{
    private readonly StringBuilder _text = new("# tracer: nop\n#\n");
    private readonly Dictionary<ulong, State> _pages = [];
    private double _time = 100;
    private string _task = "app-100";
    private int _cpu;

    internal const string Anonymous = "uptodate|lru|swapbacked";
    internal const string File = "uptodate|lru";

    /// <summary>What happens next happens on this task and CPU.</summary>
    internal KernelText By(string task, int cpu = 0)
    {
        (_task, _cpu) = (task, cpu);
        return this;
    }

    /// <summary>Time passes, in ms.</summary>
    internal KernelText After(double milliseconds)
    {
        _time += milliseconds / 1000;
        return this;
    }

    /// <summary>What the page shows from now on.</summary>
    internal KernelText Looks(ulong pfn, int mapcount = 1, string flags = Anonymous, bool hasMapping = true, int count = 0, int mt = 4)
    {
        _pages[pfn] = new State { Count = count > 0 ? count : _pages.GetValueOrDefault(pfn)?.Count ?? 0, Mapcount = mapcount, Flags = flags, HasMapping = hasMapping, Mt = mt };
        return this;
    }

    internal KernelText Set(ulong pfn, int value, params string[] stack) => Event("page_ref_set", pfn, value, null, page => page.Count = value, null, stack);

    internal KernelText Take(ulong pfn, params string[] stack) => Take(pfn, 1, stack);

    internal KernelText Take(ulong pfn, int references, string[] stack, int? seen = null) =>
        Event("page_ref_mod", pfn, references, null, page => page.Count += references, seen, stack);

    internal KernelText TryTake(ulong pfn, bool isDone, params string[] stack) =>
        Event("page_ref_mod_unless", pfn, 1, isDone ? 1 : 0, page => page.Count += isDone ? 1 : 0, null, stack);

    internal KernelText Put(ulong pfn, params string[] stack) => Put(pfn, 1, stack);

    internal KernelText Put(ulong pfn, int references, string[] stack, int? seen = null)
    {
        int rest = _pages[pfn].Count - references;
        return Event("page_ref_mod_and_test", pfn, -references, rest == 0 ? 1 : 0, page => page.Count = rest, seen, stack);
    }

    internal KernelText Freeze(ulong pfn, int expected, params string[] stack)
    {
        bool isDone = _pages[pfn].Count == expected;
        return Event("page_ref_freeze", pfn, expected, isDone ? 1 : 0, page => page.Count = isDone ? 0 : page.Count, null, stack);
    }

    internal KernelText Unfreeze(ulong pfn, int value, params string[] stack) => Event("page_ref_unfreeze", pfn, value, null, page => page.Count = value, null, stack);

    internal KernelText Free(ulong pfn, int order = 0) => Line($"mm_page_free: page=00000000e020ec71 pfn=0x{pfn:x} order={order}");

    internal KernelText Allocated(ulong pfn, int order = 0) => Line($"mm_page_alloc: page=00000000e020ec71 pfn=0x{pfn:x} order={order} migratetype=1 gfp_flags=GFP_HIGHUSER_MOVABLE");

    internal KernelText CmaStart(int pages) => Line($"cma_alloc_start: name=area count={pages} align=0");

    internal KernelText CmaRetry(ulong pfn, int pages) => Line($"cma_alloc_busy_retry: name=area pfn=0x{pfn:x} page=00000000d0dd1883 count={pages} align=0");

    internal KernelText CmaFinish(ulong pfn, int pages, bool isGot) =>
        Line($"cma_alloc_finish: name=area pfn=0x{pfn:x} page={(isGot ? "00000000d0dd1883" : "0000000000000000")} count={pages} align=0");

    internal KernelText Migrated(int succeeded, int failed, string reason = "contig_range") =>
        Line($"mm_migrate_pages: nr_succeeded={succeeded} nr_failed={failed} nr_thp_succeeded=0 nr_thp_failed=0 nr_thp_split=0 mode=MIGRATE_SYNC reason={reason}");

    internal KernelText Tested(ulong start, ulong end, ulong first) =>
        Line($"test_pages_isolated: start_pfn=0x{start:x} end_pfn=0x{end:x} fin_pfn=0x{first:x} ret={(first < end ? "fail" : "success")}");

    internal KernelText Lost(int events)
    {
        _text.Append(CultureInfo.InvariantCulture, $"CPU:{_cpu} [LOST {events} EVENTS]\n");
        return this;
    }

    internal KernelText Line(string line, params string[] stack)
    {
        _time += 0.000010;
        string prefix = string.Create(CultureInfo.InvariantCulture, $"{_task,22} [{_cpu:000}] ..... {_time,12:0.000000}: ");
        _text.Append(prefix).Append(line).Append('\n');
        if (stack.Length > 0)
        {
            _text.Append(prefix).Append("<stack trace>\n").AppendJoin("", stack.Select(static frame => $" => {frame}\n"));
        }

        return this;
    }

    /// <summary>A page is looked at by a contiguous allocation and passed over, as pinned anonymous pages are.</summary>
    internal KernelText LookedAt(ulong pfn, bool hasStacks = true)
    {
        string[] stack = hasStacks ? ["isolate_migratepages_block", "isolate_migratepages_range", "__alloc_contig_migrate_range", "alloc_contig_range", "cma_alloc"] : [];
        string[] put = hasStacks ? ["put_page", .. stack] : [];
        return TryTake(pfn, true, stack).Put(pfn, put);
    }

    internal BlameReport Blame(BlameOptions? options = null) => KernelSample.BlameText(_text.ToString(), options);

    internal PageReport Page(ulong pfn, long? at = null) => KernelSample.Ask(_text.ToString(), input => TraceAnalysis.Page(input, pfn, new BlameOptions { AtNs = at }));

    public override string ToString() => _text.ToString();

    private KernelText Event(string name, ulong pfn, int value, int? ret, Action<State> change, int? seen, string[] stack)
    {
        if (!_pages.TryGetValue(pfn, out State? page))
        {
            _pages.Add(pfn, page = new State());
        }

        change(page);
        string mapping = page.HasMapping ? "0000000069b0201a" : "0000000000000000";
        string end = ret is null ? "" : $" ret={ret}";
        return Line($"{name}: pfn=0x{pfn:x} flags={page.Flags} count={seen ?? page.Count} mapcount={page.Mapcount} mapping={mapping} mt={page.Mt} val={value}{end}", stack);
    }

    private sealed class State
    {
        internal int Count { get; set; }
        internal int Mapcount { get; init; } = 1;
        internal string Flags { get; init; } = Anonymous;
        internal bool HasMapping { get; init; } = true;
        internal int Mt { get; init; } = 4;
    }
}
