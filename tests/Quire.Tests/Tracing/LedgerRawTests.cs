using Xunit;

namespace Quire.Tests.Tracing;

/// <summary>Counts without a handle: which record a release takes from, and that the sum is always exact.</summary>
public sealed class LedgerRawTests : IDisposable
{
    private const ulong PageA = (7ul << 28) | 0x42;
    private const ulong PageB = (8ul << 28) | 0x42;

    private readonly LedgerStore _ledger = new();
    private uint _head;

    public void Dispose() => _ledger.Dispose();

    [Fact]
    public void A_release_takes_from_the_newest_record()
    {
        Add(1, line: 1);
        Add(1, line: 2);
        Assert.Equal(1, Sub(1));
        Assert.Equal([1], Lines());
        Assert.Equal(1, Sub(1));
        Assert.Empty(Lines());
        Assert.Equal(0u, _head);
    }

    [Fact]
    public void A_release_prefers_the_newest_record_of_its_own_thread()
    {
        Add(1, line: 1);
        Add(1, line: 2);
        On(() => Add(1, line: 3));
        Sub(1);
        Assert.Equal([1, 3], Lines());
        On(() => Sub(2));
        Assert.Empty(Lines());
    }

    [Fact]
    public void A_release_may_span_records_and_leave_part_of_one()
    {
        Add(2, line: 1);
        Add(3, line: 2);
        Add(4, line: 3);
        Assert.Equal(6, Sub(6));
        Assert.Equal([1, 2], Lines());
        Assert.Equal(3, _ledger.ReferencesOf(PageA));
        Assert.Equal(3, Sub(3));
        Assert.True(_ledger.Verify());
    }

    [Fact]
    public void What_finds_no_record_is_counted()
    {
        Add(2, line: 1);
        Assert.Equal(2, Sub(5));
        Assert.Equal(3, _ledger.Unmatched);
        Assert.Equal(0, Sub(1));
        Assert.Equal(4, _ledger.Unmatched);
        Assert.Equal(0, Sub(0));
        Assert.Equal(4, _ledger.Unmatched);
    }

    [Fact]
    public void Adding_nothing_records_nothing()
    {
        Add(0, line: 1);
        Assert.Equal(0u, _head);
        Assert.Empty(_ledger.Snapshot());
    }

    [Fact]
    public void Records_left_by_an_earlier_generation_are_dropped_by_the_next()
    {
        Add(2, line: 1);
        Add(3, line: 2);
        _ledger.TakeRaw(ref _head, PageB, 1, "Raw.cs", 9, "Add");
        Holder holder = Assert.Single(_ledger.Snapshot());
        Assert.Equal(PageB, holder.Identity);

        Assert.Equal(0, _ledger.ReleaseRaw(ref _head, PageA, 1, "Raw.cs", 100, "Sub"));
        Assert.Empty(_ledger.Snapshot());
        Assert.True(_ledger.Verify());
    }

    [Fact]
    public void Forgetting_a_page_drops_its_records_and_says_how_many_references_never_paired()
    {
        Add(2, line: 1);
        Add(3, line: 2);
        Assert.Equal(5, _ledger.ForgetRaw(ref _head, PageA, "Raw.cs", 100, "Free"));
        Assert.Equal(0u, _head);
        Assert.Empty(_ledger.Snapshot());
        Assert.Equal(0, _ledger.ForgetRaw(ref _head, PageA, "Raw.cs", 100, "Free"));
        Assert.True(_ledger.Verify());
    }

    [Fact]
    public void A_full_ledger_leaves_the_chain_as_it_was()
    {
        _ledger.MaximumRecords = 1;
        Add(1, line: 1);
        uint head = _head;
        Add(1, line: 2);
        Assert.Equal(head, _head);
        Assert.Equal(1, _ledger.Untracked);
        Assert.Equal(1, Sub(2));
        Assert.Equal(1, _ledger.Unmatched);
    }

    [Fact]
    public void A_long_chain_is_not_searched_to_its_end()
    {
        Add(1, line: 1);
        On(() =>
        {
            for (int i = 0; i < 200; i++)
            {
                Add(1, line: 2);
            }
        });
        Sub(1);
        Assert.Contains(1, Lines());
        Assert.Equal(200, Lines().Count);
    }

    private void Add(int references, int line) => _ledger.TakeRaw(ref _head, PageA, references, "Raw.cs", line, "Add");

    private int Sub(int references) => _ledger.ReleaseRaw(ref _head, PageA, references, "Raw.cs", 100, "Sub");

    private List<int> Lines() => [.. _ledger.Snapshot().Select(holder => holder.Taken.Site.Line).Order()];

    private static void On(Action action)
    {
        Thread thread = new(() => action());
        thread.Start();
        thread.Join();
    }
}
