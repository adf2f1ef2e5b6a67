using Xunit;

namespace Quire.Tests.Tracing.Stacks;

/// <summary>The store of known stacks, with walks that the tests make up.</summary>
public sealed unsafe class StackStoreTests : IDisposable
{
    private readonly StackStore _store = new(maximumStacks: 64, maximumBytes: 256 * 1024);

    [Fact]
    public void A_walk_leads_to_its_stack_and_nothing_else_does()
    {
        StackWalk walk = Walk(1, 10, 20, 30);
        Assert.Equal(0u, _store.Find(&walk, 1));
        uint number = _store.Intern(1, [5, 6], isPartial: false);
        Assert.Equal(0u, _store.Find(&walk, 1));
        _store.Add(&walk, 1, [], number);
        Assert.Equal(number, _store.Find(&walk, 1));
        foreach (StackWalk other in (StackWalk[])[Walk(1, 10, 20), Walk(1, 10, 20, 31), Walk(1, 20, 10, 30), Walk(1, 10, 20, 30, 40)])
        {
            StackWalk copy = other;
            Assert.Equal(0u, _store.Find(&copy, 1));
        }
    }

    [Fact]
    public void The_same_addresses_at_another_call_site_are_another_stack()
    {
        uint number = Add(Walk(1, 10, 20), 1, [5]);
        StackWalk walk = Walk(2, 10, 20);
        Assert.Equal(0u, _store.Find(&walk, 2));

        // Even with the other's hash.
        walk = Walk(1, 10, 20);
        Assert.Equal(0u, _store.Find(&walk, 2));
        Assert.NotEqual(number, Add(Walk(2, 10, 20), 2, [5]));
    }

    [Fact]
    public void Walks_with_one_hash_are_told_apart_by_their_addresses()
    {
        StackWalk first = Walk(1, 10, 20);
        StackWalk second = Walk(1, 10, 21);
        second.Hash = first.Hash;
        uint a = Add(first, 1, [5]);
        Assert.Equal(0u, _store.Find(&second, 1));
        uint b = Add(second, 1, [6]);
        Assert.NotEqual(a, b);
        Assert.Equal(a, _store.Find(&first, 1));
        Assert.Equal(b, _store.Find(&second, 1));
        _store.Verify();
    }

    [Fact]
    public void Walks_whose_stacks_read_the_same_share_a_number_and_complete_is_not_partial()
    {
        uint number = Add(Walk(1, 10, 20), 1, [5, 6]);
        Assert.Equal(number, Add(Walk(1, 11, 20), 1, [5, 6]));
        Assert.NotEqual(number, _store.Intern(1, [5, 6], isPartial: true));
        Assert.NotEqual(number, _store.Intern(1, [6, 5], isPartial: false));
        Assert.NotEqual(number, _store.Intern(1, [5], isPartial: false));
        Assert.Equal(4, _store.Count);
        Assert.Equal(1, _store.Partial);
        Assert.Equal(2, _store.Keys);
        Assert.Equal(1u, _store.SiteOf(number));
        Assert.True(_store.TryGet(number, out ReadOnlySpan<uint> frames, out bool partial));
        Assert.Equal([5u, 6u], frames.ToArray());
        Assert.False(partial);
        _store.Verify();
    }

    [Fact]
    public void A_number_never_given_out_has_no_site_and_no_frames()
    {
        foreach (uint number in (uint[])[0, 1, 64, 65, uint.MaxValue])
        {
            Assert.Equal(0u, _store.SiteOf(number));
            Assert.False(_store.TryGet(number, out ReadOnlySpan<uint> frames, out _));
            Assert.Equal(0, frames.Length);
        }
    }

    [Fact]
    public void Words_beside_the_addresses_tell_stacks_apart_step_by_step()
    {
        // Three frames of eight words; word 3 of the first and then, for one value of it, word 5 of the second decide.
        ulong* memory = stackalloc ulong[24];
        StackWalk walk = Walk(1, 10, 20, 30);
        for (int i = 0; i < 3; i++)
        {
            walk.Frames[i] = (ulong)(memory + (8 * i));
        }

        StackWord first = new(0, 3);
        StackWord second = new(1, 5);
        Dictionary<(ulong, ulong), uint> numbers = [];
        for (ulong a = 1; a <= 3; a++)
        {
            for (ulong b = 1; b <= (a == 2 ? 3u : 1u); b++)
            {
                (memory[3], memory[13]) = (a, b);
                Assert.Equal(0u, _store.Find(&walk, 1));
                uint number = _store.Intern(1, [(uint)(a * 10) + (uint)b], isPartial: false);
                _store.Add(&walk, 1, a == 2 ? [first, second] : [first], number);
                numbers.Add((a, b), number);
            }
        }

        foreach (((ulong a, ulong b), uint number) in numbers)
        {
            (memory[3], memory[13]) = (a, b);
            Assert.Equal(number, _store.Find(&walk, 1));
        }

        // For the other values the second word does not matter.
        (memory[3], memory[13]) = (1, 99);
        Assert.Equal(numbers[(1, 1)], _store.Find(&walk, 1));
        (memory[3], memory[13]) = (2, 99);
        Assert.Equal(0u, _store.Find(&walk, 1));
        _store.Verify();
    }

    [Fact]
    public void A_word_is_read_only_within_its_frame()
    {
        ulong* memory = stackalloc ulong[8];
        StackWalk walk = Walk(1, 10, 20);
        (walk.Frames[0], walk.Frames[1]) = ((ulong)memory, (ulong)(memory + 4));
        Assert.True(new StackWord(0, 3).TryRead(&walk, out _));
        Assert.False(new StackWord(0, 4).TryRead(&walk, out _));
        Assert.False(new StackWord(0, 60_000).TryRead(&walk, out _));
        Assert.False(new StackWord(1, 0).TryRead(&walk, out _));
        Assert.False(new StackWord(127, 0).TryRead(&walk, out _));
    }

    [Fact]
    public void A_full_store_keeps_what_it_has_and_counts_what_it_drops()
    {
        for (uint i = 0; i < 64; i++)
        {
            Assert.False(_store.IsFull);
            Assert.Equal(i + 1, Add(Walk(1, i + 100), 1, [i + 1]));
        }

        Assert.True(_store.IsFull);
        Assert.Equal(0u, _store.Intern(1, [1000], isPartial: false));
        Assert.Equal(1, _store.Dropped);

        // Known text is still found, and known walks.
        Assert.Equal(7u, _store.Intern(1, [7], isPartial: false));
        StackWalk walk = Walk(1, 163);
        Assert.Equal(64u, _store.Find(&walk, 1));
        _store.Verify();
    }

    [Fact]
    public void A_store_that_is_out_of_bytes_is_full_and_whole()
    {
        // The bytes end before the stacks do.
        using StackStore store = new(maximumStacks: 4096, maximumBytes: 700 * 1024);
        uint frames = 0;
        while (!store.IsFull)
        {
            StackWalk walk = Walk(1, [.. Enumerable.Range(0, 128).Select(i => (ulong)(frames + 1) << 32 | (uint)i)]);
            uint number = store.Intern(1, [.. Enumerable.Range(0, 128).Select(i => (++frames) + (uint)i)], isPartial: false);
            Assert.NotEqual(0u, number);
            store.Add(&walk, 1, [], number);
            Assert.Equal(number, store.Find(&walk, 1));
        }

        Assert.InRange(store.Count, 100, 4000);
        Assert.True(store.Bytes < 700 * 1024);
        Assert.Equal(0, store.Dropped);
        store.Verify();
    }

    [Fact]
    public void A_stack_whose_walks_never_repeat_does_not_fill_the_table()
    {
        uint number = 0;
        for (uint i = 0; i < 500; i++)
        {
            number = Add(Walk(1, 5, i), 1, [5]);
        }

        Assert.Equal(StackStore.MaximumKeysPerStack, _store.Keys);
        Assert.Equal(500 - StackStore.MaximumKeysPerStack, _store.Unstable);
        Assert.Equal(1u, number);
        _store.Verify();
    }

    [Fact]
    public void A_stack_is_to_be_published_until_somebody_says_that_he_did()
    {
        uint number = _store.Intern(1, [5], isPartial: false);
        Assert.True(_store.MustPublish(number));
        Assert.True(_store.MustPublish(_store.Intern(1, [5], isPartial: false)));
        _store.SetPublished(number);
        Assert.False(_store.MustPublish(number));
        Add(Walk(1, 5), 1, [5]);
        Assert.False(_store.MustPublish(number));
    }

    [Fact]
    public void Readers_beside_writers_see_whole_stacks_or_none()
    {
        using StackStore store = new(maximumStacks: 16 * 1024);
        int seed = Random.Shared.Next();
        StressRun.Race(4, 3, (me, round) =>
        {
            Random random = new(seed + (me * 10) + round);
            for (int i = 0; i < 20_000; i++)
            {
                uint which = (uint)random.Next(1, 3000) + (uint)(round * 3000);
                StackWalk walk = Walk(which % 3, which, which ^ 5, which * 7);
                uint number = store.Find(&walk, which % 3);
                if (number == 0)
                {
                    number = store.Intern(which % 3, [which, which + 1, which + 2], isPartial: false);
                    store.Add(&walk, which % 3, [], number);
                }

                bool known = store.TryGet(number, out ReadOnlySpan<uint> frames, out _);
                if (!known || frames.Length != 3 || frames[0] != which || frames[2] != which + 2 || store.SiteOf(number) != which % 3)
                {
                    throw new InvalidOperationException($"seed {seed}: walk {which} led to stack {number}");
                }
            }
        });
        store.Verify();
        Assert.InRange(store.Count, 8000, 9000);
        Assert.Equal(store.Count, store.Keys);
    }

    public void Dispose() => _store.Dispose();

    private static StackWalk Walk(uint site, params ulong[] addresses)
    {
        StackWalk walk = default;
        for (int i = 0; i < addresses.Length; i++)
        {
            walk.Addresses[i] = addresses[i];
        }

        walk.Cut(addresses.Length, site);
        return walk;
    }

    private uint Add(StackWalk walk, uint site, uint[] frames)
    {
        uint number = _store.Intern(site, frames, isPartial: false);
        _store.Add(&walk, site, [], number);
        return number;
    }
}
