using System.Buffers;
using Xunit;

namespace Quire.Tests.Buffers;

/// <summary>Misuse while the ledger is on: found always, with both places named, by whatever way the calls came.</summary>
[Collection(LedgerCollection.Name)]
public sealed unsafe class PoolMisuseTests
{
    [Theory]
    [InlineData(100)]
    [InlineData(4096)]
    [InlineData(100_000)]
    public void A_second_dispose_names_both_places_and_where_it_was_taken(int size)
    {
        using IDisposable session = Holders.Track();
        QuireMemoryPool pool = PoolTrial.Pool();
        string taken = PoolTrial.Here(); PageMemory owner = pool.Rent(size);
        Page page = owner.Page;
        string first = PoolTrial.Here(); owner.Dispose();
        using PageMemory next = pool.Rent(size);
        string second = ""; PageBugException thrown = Assert.Throws<PageBugException>(() => { second = PoolTrial.Here(); owner.Dispose(); });
        Assert.StartsWith($"Dispose of a PageMemory of {size} bytes in page 0x", thrown.Message, StringComparison.Ordinal);
        Assert.EndsWith(
            $": it was disposed before. Taken: {taken} {nameof(A_second_dispose_names_both_places_and_where_it_was_taken)}. First dispose: {first} {nameof(A_second_dispose_names_both_places_and_where_it_was_taken)}."
            + $" This dispose: {second} {nameof(A_second_dispose_names_both_places_and_where_it_was_taken)}.",
            thrown.Message, StringComparison.Ordinal);
        Assert.Equal(first, thrown.EarlierRelease?.Short);
        Assert.InRange(thrown.FrameNumber, page.FrameNumber, page.FrameNumber + 31);
        Assert.Equal(1, pool.GetStatistics().RentedOwners);
        Assert.NotSame(owner, next);
    }

    [Fact]
    public void A_second_dispose_through_the_interfaces_names_both_places_by_a_walk_along_the_stack()
    {
        using IDisposable session = Holders.Track();
        QuireMemoryPool pool = PoolTrial.Pool();
        string taken = PoolTrial.Here(); IMemoryOwner<byte> owner = ((MemoryPool<byte>)pool).Rent(300);
        string first = PoolTrial.Here(); owner.Dispose();
        string second = ""; PageBugException thrown = Assert.Throws<PageBugException>(() => { second = PoolTrial.Here(); owner.Dispose(); });
        Assert.Contains($"Taken: {taken} {nameof(A_second_dispose_through_the_interfaces_names_both_places_by_a_walk_along_the_stack)}. First dispose: {first} ", thrown.Message, StringComparison.Ordinal);
        Assert.Contains($"This dispose: {second} ", thrown.Message, StringComparison.Ordinal);
        pool.End();
    }

    [Fact]
    public void A_use_after_the_dispose_says_where_it_was_disposed_and_where_it_is_used()
    {
        using IDisposable session = Holders.Track();
        QuireMemoryPool pool = PoolTrial.Pool();
        PageMemory owner = pool.Rent(4096);
        Memory<byte> memory = owner.Memory;
        string first = PoolTrial.Here(); owner.Dispose();
        string use = ""; PageBugException thrown = Assert.Throws<PageBugException>(() => { use = PoolTrial.Here(); memory.Span.Fill(1); });
        Assert.Contains($"First dispose: {first} ", thrown.Message, StringComparison.Ordinal);
        Assert.Contains($"This span: {use} ", thrown.Message, StringComparison.Ordinal);

        // Rented again or not: the object is nobody else's.
        for (int i = 0; i < 1000; i++)
        {
            using PageMemory other = pool.Rent(4096);
            Assert.Throws<PageBugException>(() => memory.Span.Length);
        }

        pool.End();
    }

    [Fact]
    public void Owners_rented_before_the_ledger_was_on_are_not_pooled_any_more_once_it_is()
    {
        QuireMemoryPool pool = PoolTrial.Pool();
        PageMemory owner = pool.Rent(4096);
        using IDisposable session = Holders.Track();
        string first = PoolTrial.Here(); owner.Dispose();
        using (PageMemory other = pool.Rent(4096))
        {
            PageBugException thrown = Assert.Throws<PageBugException>(() => owner.Dispose());
            Assert.Contains($"Taken: while the ledger was off. First dispose: {first} ", thrown.Message, StringComparison.Ordinal);
        }

        pool.End();
    }

    [Fact]
    public void Owners_rented_while_the_ledger_was_on_are_disposed_once_after_it_too()
    {
        QuireMemoryPool pool = PoolTrial.Pool();
        PageMemory page;
        PageMemory fragment;
        MemoryHandle pin;
        using (Holders.Track())
        {
            page = pool.Rent(4096);
            fragment = pool.Rent(50);
            pin = fragment.Pin();
        }

        fragment.Dispose();
        page.Dispose();
        pin.Dispose();
        for (int i = 0; i < 100; i++)
        {
            using PageMemory a = pool.Rent(4096);
            using PageMemory b = pool.Rent(50);
            Assert.False(ReferenceEquals(a, page) || ReferenceEquals(b, fragment));
        }

        Assert.Throws<PageBugException>(() => page.Dispose());
        Assert.Throws<PageBugException>(() => fragment.Dispose());
        pool.End();
    }

    [Fact]
    public void Of_many_who_dispose_one_owner_at_once_exactly_one_succeeds_and_every_other_is_told_who()
    {
        using IDisposable session = Holders.Track();
        QuireMemoryPool pool = PoolTrial.Pool();
        for (int round = 0; round < 300; round++)
        {
            PageMemory owner = pool.Rent(round % 2 == 0 ? 4096 : 64);
            int succeeded = 0;
            Trial.OnThreads(3, _ =>
            {
                try
                {
                    owner.Dispose();
                    Interlocked.Increment(ref succeeded);
                }
                catch (PageBugException bug)
                {
                    Assert.Equal(nameof(PoolMisuseTests), Path.GetFileNameWithoutExtension(bug.EarlierRelease!.Value.File));
                }
            });
            Assert.Equal(1, succeeded);
        }

        pool.End();
    }

    [Fact]
    public void Who_holds_what_is_told_by_call_site_and_kind_with_the_bytes_that_were_asked_for()
    {
        using IDisposable session = Holders.Track();
        QuireMemoryPool pool = PoolTrial.Pool();
        string a = PoolTrial.Here(); PageMemory page = pool.Rent(4000);
        string b = PoolTrial.Here(); PageMemory slice = page.Slice(10, 23);
        string c = PoolTrial.Here(); MemoryHandle pin = slice.Memory.Pin();
        string d = PoolTrial.Here(); IMemoryOwner<byte> fragment = ((MemoryPool<byte>)pool).Rent(77);
        string e = PoolTrial.Here(); Assert.True(pool.TryRent(5000, out PageMemory? large, out _));
        (string, HolderKind, long)[] expected =
        [
            (a, HolderKind.Page, 4000), (b, HolderKind.Fragment, 23), (c, HolderKind.Pin, 23), (d, HolderKind.Fragment, 77), (e, HolderKind.Page, 5000),
        ];
        Assert.Equal(expected.Order(), Mine(pool));

        string touched = PoolTrial.Here(); slice.Touch();
        Assert.Contains((touched, HolderKind.Fragment, 23L), Mine(pool));
        string moved = PoolTrial.Here(); page.Transfer();
        Assert.Contains((moved, HolderKind.Page, 4000L), Mine(pool));

        page.Dispose();
        slice.Dispose();
        pin.Dispose();
        fragment.Dispose();
        large.Dispose();
        Assert.Empty(Mine(pool));
        pool.End();
    }

    [Fact]
    public void An_owner_made_of_a_recorded_fragment_keeps_its_record()
    {
        using IDisposable session = Holders.Track();
        using PageAllocator allocator = Trial.Allocator();
        PageFragmentCache cache = new(allocator);
        string taken = PoolTrial.Here(); PageFragment fragment = cache.Allocate(123);
        PageMemory owner = PageMemory.Of(fragment);
        Holder holder = Assert.Single(allocator.HoldersOfMine(), static holder => holder.Kind == HolderKind.Fragment);
        Assert.Equal((taken, 123L), (holder.Taken.Site.Short, holder.Bytes));
        string first = PoolTrial.Here(); owner.Dispose();
        Assert.False(fragment.IsAlive && allocator.HoldersOfMine().Any(static holder => holder.Kind == HolderKind.Fragment));
        PageBugException thrown = Assert.Throws<PageBugException>(() => owner.Dispose());
        Assert.Contains($"Taken: {taken} ", thrown.Message, StringComparison.Ordinal);
        Assert.Contains($"First dispose: {first} ", thrown.Message, StringComparison.Ordinal);
        Assert.Throws<PageBugException>(() => fragment.Free());
        cache.Dispose();
    }

    [Fact]
    public void A_fragment_freed_behind_its_owners_back_is_found_by_the_owner()
    {
        using IDisposable session = Holders.Track();
        using PageAllocator allocator = Trial.Allocator();
        PageFragmentCache cache = new(allocator);
        PageFragment other = cache.Allocate(10);
        PageFragment fragment = cache.Allocate(123);
        PageMemory owner = PageMemory.Of(fragment);
        Memory<byte> memory = owner.Memory;
        string freed = PoolTrial.Here(); fragment.Free();
        Assert.Contains(freed, Assert.Throws<PageBugException>(() => memory.Span.Length).Message, StringComparison.Ordinal);
        Assert.Contains(freed, Assert.Throws<PageBugException>(() => owner.Dispose()).Message, StringComparison.Ordinal);
        other.Free();
        cache.Dispose();
    }

    [Fact]
    public void A_leak_scope_fails_with_the_line_of_the_rent()
    {
        QuireMemoryPool pool = PoolTrial.Pool();
        PageMemory? leaked = null;
        string taken = "";
        PageLeakException thrown = Assert.Throws<PageLeakException>(() =>
        {
            using PageLeakScope scope = new();
            pool.Rent(100).Dispose();
            taken = PoolTrial.Here(); leaked = pool.Rent(100);
        });
        Assert.Contains(taken, thrown.Message, StringComparison.Ordinal);
        leaked!.Dispose();
        pool.End();
    }

    private static IEnumerable<(string, HolderKind, long)> Mine(QuireMemoryPool pool) =>
        pool.Allocator.HoldersOfMine().Where(static holder => holder.Kind != HolderKind.Bias).Select(static holder => (holder.Current.Site.Short, holder.Kind, holder.Bytes)).Order();
}
