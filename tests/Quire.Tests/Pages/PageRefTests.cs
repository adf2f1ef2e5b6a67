using Xunit;

namespace Quire.Tests.Pages;

/// <summary>Every function of the <c>page_ref</c> table, at every border of the count, against a model of a few lines.</summary>
public sealed unsafe class PageRefTests : IDisposable
{
    private static readonly int[] s_counts = [0, 1, 2, 3, 7, PageRef.Bound - 1, PageRef.Bound, int.MaxValue - 2, int.MaxValue - 1, int.MaxValue, Model.Frozen];
    private static readonly int[] s_arguments = [int.MinValue, int.MinValue + 1, -2, -1, 0, 1, 2, 3, 7, 8, PageRef.Bound, int.MaxValue - 1, int.MaxValue];

    private readonly PageAllocator _allocator = Trial.Allocator(limit: 4 * Trial.MiB);
    private readonly Page _page;
    private readonly PageDescriptor* _head;

    public PageRefTests()
    {
        _page = _allocator.Allocate(order: 2);
        _head = Trial.Head(_page);
    }

    /// <summary>What the table says: each function's answer (a value, or the type of the exception) and the state that it leaves.</summary>
    private readonly record struct Model(int Count)
    {
        internal const int Frozen = -1;

        internal (object? Answer, Model After) Do(string function, int a, int b)
        {
            bool owned = Count > 0;
            int visible = Math.Max(Count, 0);
            switch (function)
            {
                case "Count":
                    return (visible, this);
                case "IsFrozen":
                    return (Count == Frozen, this);
                case "Add" or "Inc" or "IncReturn":
                    int more = function == "Add" ? a : 1;
                    return more <= 0 ? (typeof(ArgumentOutOfRangeException), this)
                        : !owned || (long)Count + more > int.MaxValue ? (typeof(PageBugException), this)
                        : (function == "IncReturn" ? Count + more : null, new Model(Count + more));
                case "Sub" or "Dec":
                    int less = function == "Sub" ? a : 1;
                    return less <= 0 ? (typeof(ArgumentOutOfRangeException), this)
                        : !owned || Count <= less ? (typeof(PageBugException), this)
                        : (null, new Model(Count - less));
                case "SubAndTest" or "DecAndTest" or "SubReturn" or "DecReturn":
                    less = function is "SubAndTest" or "SubReturn" ? a : 1;
                    return less <= 0 ? (typeof(ArgumentOutOfRangeException), this)
                        : !owned || Count < less ? (typeof(PageBugException), this)
                        : (function.EndsWith("Test", StringComparison.Ordinal) ? Count == less : Count - less, new Model(Count - less));
                case "AddUnless":
                    return a <= 0 ? (typeof(ArgumentOutOfRangeException), this)
                        : !owned || Count == b ? (false, this)
                        : (long)Count + a > int.MaxValue ? (typeof(PageBugException), this)
                        : (true, new Model(Count + a));
                case "Freeze":
                    return owned && Count == a ? (true, new Model(Frozen)) : (false, this);
                case "Unfreeze":
                    return Count == Frozen && a >= 0 ? (null, new Model(a)) : (typeof(PageBugException), this);
                case "Set" or "Init":
                    int value = function == "Set" ? a : 1;
                    return Count == 0 && value >= 0 ? (null, new Model(value)) : (typeof(PageBugException), this);
                case "TryInit":
                    return Count == 0 ? (true, new Model(1)) : (false, this);
                default:
                    throw new ArgumentOutOfRangeException(nameof(function));
            }
        }
    }

    private static readonly string[] s_functions =
    [
        "Count", "IsFrozen", "Add", "Sub", "Inc", "Dec", "SubAndTest", "DecAndTest", "IncReturn", "DecReturn", "SubReturn",
        "AddUnless", "Freeze", "Unfreeze", "Set", "Init", "TryInit",
    ];

    public static TheoryData<string> Functions => [.. s_functions];

    [Theory]
    [MemberData(nameof(Functions))]
    public void Each_function_answers_and_leaves_the_count_as_the_table_says(string function)
    {
        foreach (int count in s_counts)
        {
            foreach (int a in s_arguments)
            {
                foreach (int b in (int[])[.. s_counts, int.MinValue])
                {
                    Prepare(count);
                    Check(function, new Model(count), a, b);
                }
            }
        }
    }

    [Fact]
    public void Any_sequence_of_functions_leaves_the_count_where_the_table_leads() => Trial.Seeded(random =>
    {
        Prepare(1);
        Model model = new(1);
        for (int i = 0; i < 50_000; i++)
        {
            string function = s_functions[random.Next(s_functions.Length)];
            int a = random.Next(6) switch { 0 => Math.Max(model.Count, 0), 1 => s_arguments[random.Next(s_arguments.Length)], _ => random.Next(-1, 9) };
            int b = random.Next(2) == 0 ? Math.Max(model.Count, 0) : random.Next(9);
            model = Check(function, model, a, b);
        }
    });

    [Fact]
    public void A_refusal_names_the_page_and_the_operation()
    {
        Prepare(3);
        PageBugException bug = Assert.Throws<PageBugException>(() => PageRef.SubReturn(_page, 4));
        Assert.Contains("SubReturn of 4", bug.Message, StringComparison.Ordinal);
        Assert.Contains($"page 0x{_page.FrameNumber:x} ", bug.Message, StringComparison.Ordinal);
        Assert.Contains("only 3", bug.Message, StringComparison.Ordinal);
        Assert.Equal(_page.FrameNumber, bug.FrameNumber);
        Prepare(int.MaxValue);
        Assert.Contains($"would pass {int.MaxValue}", Assert.Throws<PageBugException>(() => PageRef.Inc(_page)).Message, StringComparison.Ordinal);
        Prepare(Model.Frozen);
        Assert.Contains("frozen", Assert.Throws<PageBugException>(() => PageRef.Inc(_page)).Message, StringComparison.Ordinal);
        Assert.Contains("frozen", Assert.Throws<PageBugException>(() => PageRef.Dec(_page)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void All_functions_count_on_the_head_whichever_frame_they_are_given()
    {
        foreach (int index in (int[])[0, 1, 3])
        {
            Prepare(10);
            Page tail = _page.Frame(index);
            Assert.Equal(10, PageRef.Count(tail));
            PageRef.Add(tail, 5);
            PageRef.Sub(tail, 2);
            PageRef.Inc(tail);
            PageRef.Dec(tail);
            Assert.Equal(14, PageRef.IncReturn(tail));
            Assert.Equal(13, PageRef.DecReturn(tail));
            Assert.Equal(11, PageRef.SubReturn(tail, 2));
            Assert.True(PageRef.AddUnless(tail, 4, 0));
            Assert.False(PageRef.AddUnless(tail, 4, 15));
            Assert.False(PageRef.SubAndTest(tail, 14));
            Assert.Equal(1, PageRef.Count(_page));
            for (int i = 1; i < 4; i++)
            {
                Assert.Equal(0, PageRef.Count(_head + i));
            }

            Assert.True(PageRef.DecAndTest(tail));
        }
    }

    public void Dispose()
    {
        Prepare(1);
        _page.Put();
        _allocator.Verify();
        _allocator.Dispose();
    }

    /// <summary>Brings the page to a count by the only ways there are: freeze what is there, unfreeze to what is wanted.</summary>
    private void Prepare(int count)
    {
        if (!PageRef.IsFrozen(_head))
        {
            int now = PageRef.Count(_head);
            if (now == 0)
            {
                PageRef.Init(_head);
                now = 1;
            }

            Assert.True(PageRef.Freeze(_head, now, origin: 0));
        }

        if (count != Model.Frozen)
        {
            PageRef.Unfreeze(_head, count, origin: 0);
        }
    }

    private Model Check(string function, Model before, int a, int b)
    {
        (object? expected, Model after) = before.Do(function, a, b);
        object? answer;
        try
        {
            answer = Call(function, a, b);
        }
        catch (Exception e) when (e is PageBugException or ArgumentOutOfRangeException)
        {
            answer = e.GetType();
        }

        string call = $"{function}({a}, {b}) at {before}";
        Assert.True(Equals(expected, answer), $"{call} answers {answer ?? "nothing"} instead of {expected ?? "nothing"}.");
        Model now = new(PageRef.IsFrozen(_head) ? Model.Frozen : PageRef.Count(_head));
        Assert.True(after == now, $"{call} leaves {now} instead of {after}.");
        return now;
    }

    private object? Call(string function, int a, int b)
    {
        switch (function)
        {
            case "Count": return PageRef.Count(_page);
            case "IsFrozen": return PageRef.IsFrozen(_head);
            case "Add": PageRef.Add(_page, a); return null;
            case "Sub": PageRef.Sub(_page, a); return null;
            case "Inc": PageRef.Inc(_page); return null;
            case "Dec": PageRef.Dec(_page); return null;
            case "SubAndTest": return PageRef.SubAndTest(_page, a);
            case "DecAndTest": return PageRef.DecAndTest(_page);
            case "IncReturn": return PageRef.IncReturn(_page);
            case "DecReturn": return PageRef.DecReturn(_page);
            case "SubReturn": return PageRef.SubReturn(_page, a);
            case "AddUnless": return PageRef.AddUnless(_page, a, b);
            case "Freeze": return PageRef.Freeze(_head, a, origin: 0);
            case "Unfreeze": PageRef.Unfreeze(_head, a, origin: 0); return null;
            case "Set": PageRef.Set(_head, a); return null;
            case "Init": PageRef.Init(_head); return null;
            case "TryInit": return PageRef.TryInit(_head);
            default: throw new ArgumentOutOfRangeException(nameof(function));
        }
    }
}
