using Quire.Traces.Analysis;
using Xunit;

namespace Quire.Traces.Tests.Analysis;

public class CountOrderTests
{
    [Fact]
    public void An_operation_stamped_late_is_put_before_the_one_that_follows_from_it()
    {
        HistoryEvent[] sorted = [.. new CountOrder().Sort([Step(0, 1), Step(2, 3), Step(1, 2), Other("alloc"), Step(3, 0)])];

        Assert.Equal([1, 2, 3, null, 0], sorted.Select(static entry => entry.Count));
        Assert.DoesNotContain(sorted, static entry => entry.Gap);
    }

    [Fact]
    public void A_missing_operation_is_marked_where_it_is_missing_and_what_follows_is_in_order()
    {
        HistoryEvent[] sorted = [.. new CountOrder().Sort([Step(0, 1), Step(2, 3), Step(3, 4), Step(4, 3)])];

        Assert.Equal([false, true, false, false], sorted.Select(static entry => entry.Gap));
        Assert.Equal([1, 3, 4, 3], sorted.Select(static entry => entry.Count));
    }

    [Fact]
    public void Nothing_is_held_back_for_ever()
    {
        int taken = 0;
        int given = 0;
        foreach (HistoryEvent _ in new CountOrder().Sort(Enumerable.Range(0, 1_000).Select(i => { taken++; return Step(i * 3, (i * 3) + 1); })))
        {
            given++;
            Assert.True(taken - given <= 65, $"{taken - given} events are held back");
        }

        Assert.Equal(1_000, given);
    }

    private static HistoryEvent Step(int before, int after) => Other("mod") with { Before = before, Count = after, Generation = 1 };

    private static HistoryEvent Other(string name) => new()
    {
        TimeNs = 0,
        Task = new TraceTask("t", 1),
        Event = name,
        Generation = null,
        Count = null,
        What = "",
        Site = null,
        Stack = [],
        Snapshot = false,
    };
}
